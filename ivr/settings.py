"""What may stand in the site's files other than flows: the site, numbers, trunks, queues, skills, reason codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_network
from itertools import pairwise
from typing import Annotated, Literal

import phonenumbers
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from ivr.callbacks import Callback
from ivr.endpoints import TextMessages
from ivr.errors import one_of, quote
from ivr.overflow import OverflowRule, SomeTime
from ivr.secret_references import SecretReference
from ivr.values import (
    Announcements,
    Codec,
    Language,
    Name,
    Part,
    PhoneNumber,
    Seconds,
    SkillChoice,
    SkillLevel,
    Text,
    Texts,
    TimeZone,
    VariableName,
    wrong,
)
from ivr.waiting_texts import TellTexts

#: Fields of a customer's record that every site has.
CUSTOMER_FIELDS = ("id", "name", "company", "account", "language", "vip", "note")

_BEGINNING = re.compile(r"\+[1-9][0-9]{1,14}", re.ASCII)
_PATTERN = re.compile(r"\+?[0-9xX]{1,20}\*?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[?[0-9A-Fa-f:]{2,45}\]?")
_PORTED = re.compile(r"(\[[0-9A-Fa-f:]+\]|[0-9.]+):([0-9]{1,5})")
Strategy = Literal[
    "longest_idle",
    "fewest_handled",
    "least_occupied",
    "round_robin",
    "linear",
    "random",
    "weighted_random",
    "best_skill_first",
    "ring_all",
]
#: Places in the line that are told one by one; each is a prompt of its own.
MOST_PLACES = 50
Medium = Literal["voice", "chat", "mail", "message"]
Estimator = Literal["patience", "staffing", "head_of_line"]


def _country(text: str) -> str:
    known = phonenumbers.SUPPORTED_REGIONS
    if text not in known:
        raise wrong(f"{quote(text)} is not a country: expected a code of two capitals such as DE")
    return text


def _port(port: int) -> int:
    if not 1 <= port <= 65535:
        raise wrong(f"{port} is not a port: expected 1 to 65535")
    return port


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise wrong(f"{quote(text)} is not a host: expected a name or an address")
    return text


def _match(text: str) -> str:
    """An address, a network or an address with its port, as Asterisk's `match=` takes it."""
    ported = _PORTED.fullmatch(text)
    try:
        ip_network(ported[1].strip("[]") if ported else text)
        _port(int(ported[2]) if ported else 5060)
    except ValueError:
        raise wrong(
            f"{quote(text)} is not an address: expected for example 192.0.2.7, 192.0.2.0/24 or 192.0.2.7:5060"
        ) from None
    return text


def _positive(count: int) -> int:
    if not 1 <= count <= 10_000:
        raise wrong(f"{count}: expected 1 to 10000")
    return count


def _codecs(codecs: tuple[str, ...]) -> tuple[str, ...]:
    if not codecs or len(set(codecs)) != len(codecs):
        raise wrong("expected at least one codec, each once")
    return codecs


def _languages(languages: tuple[str, ...]) -> tuple[str, ...]:
    if not languages or len(set(languages)) != len(languages):
        raise wrong("expected at least one language, each once")
    return languages


class AgentRules(Part):
    """Rules for all agents."""

    offer_without_desktop: bool = False
    desktop_grace_s: Seconds = Field(60.0, alias="desktop_grace")


class FailSafe(Part):
    """What callers get while the server is away: an extension to ring, else a message, and what is taken down."""

    message: Texts
    extension: PhoneNumber | None = None
    take: Literal["number", "voice", "both"] = "both"


def _tries(count: int) -> int:
    if not 1 <= count <= 100:
        raise wrong(f"{count} wrong tries: expected 1 to 100")
    return count


class PinRules(Part):
    """How many wrong PINs there may be: in one call, and for one customer within an hour."""

    wrong_per_call: Annotated[int, AfterValidator(_tries)] = 3
    wrong_per_hour: Annotated[int, AfterValidator(_tries)] = 5


def _beginning(text: str) -> str:
    if not _BEGINNING.fullmatch(text):
        raise wrong(f'{quote(text)} is no beginning of numbers: expected + and 2 to 15 digits, such as "+49800"')
    return text


Beginning = Annotated[str, AfterValidator(_beginning)]


class OutgoingCalls(Part):
    """Whom callbacks, transfers and text messages may reach: ordinary numbers of `countries` (if none: the site's own),
    and what begins as `allow` says; never what begins as `deny` says."""

    countries: tuple[Annotated[str, AfterValidator(_country)], ...] = ()
    allow: tuple[Beginning, ...] = ()
    deny: tuple[Beginning, ...] = ()


class Settings(Part):
    """`site.yaml`."""

    name: Text
    country: Annotated[str, AfterValidator(_country)]
    time_zone: TimeZone
    languages: Annotated[tuple[Language, ...], AfterValidator(_languages)]
    default_language: Language
    customer_fields: tuple[VariableName, ...] = ()
    agents: AgentRules = AgentRules()
    pins: PinRules = PinRules()
    outgoing_calls: OutgoingCalls = OutgoingCalls()
    text_messages: TextMessages | None = None
    fail_safe: FailSafe

    @field_validator("default_language")
    @classmethod
    def _default_is_known(cls, language: str, info: ValidationInfo) -> str:
        languages = info.data.get("languages", (language,))
        if language not in languages:
            raise wrong(f"{quote(language)} is not among the languages: {one_of(languages)}")
        return language


class NumberRule(Part):
    """`numbers.yaml`: what answers a number that callers dial. In a pattern x is one digit and a last * any rest."""

    number: str
    flow: Name
    language: Language
    labels: Mapping[VariableName, Text] = Field(default_factory=dict)

    @property
    def is_pattern(self) -> bool:
        """Whether the rule is for more than one number."""
        return not canonical(self.number).isdigit()

    def fits(self, dialled: str) -> bool:
        """Whether the rule is for this number."""
        expression = canonical(self.number).replace("x", "[0-9]").replace("*", "[0-9]*")
        return re.fullmatch(expression, canonical(dialled), re.ASCII) is not None

    @property
    def rank(self) -> tuple[bool, int, int, str]:
        """Sorts the more exact rule first: numbers, then longer patterns, then those with more digits given."""
        pattern = canonical(self.number)
        length = len(pattern.rstrip("*"))
        return (self.is_pattern, -length, pattern.count("x") + pattern.count("*"), pattern)


def canonical(number: str) -> str:
    """A dialled number without what trunks add or leave out: the leading +, spaces and punctuation."""
    return re.sub(r"[\s().+/-]", "", number).lower()


def check_number(text: str) -> str | None:
    """What is wrong with a key of `numbers.yaml`, or None."""
    if _PATTERN.fullmatch(text):
        return None
    return (
        f"{quote(text)} is neither a number nor a pattern: expected digits, with + in front of a country code, "
        "x for any digit, * at the end for any rest"
    )


class Trunk(Part):
    """`trunks.yaml`: a line to the telephone network, known by its address or registered with a user name.

    `match`: addresses that its calls come from, with or without a port; none means the host. `caller_id`: the
    number shown on calls that leave by it. `emergency`: emergency calls take it first.
    """

    name: Name
    title: Text | None = None
    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int, AfterValidator(_port)] = 5060
    transport: Literal["udp", "tcp", "tls"] = "udp"
    match: tuple[Annotated[str, AfterValidator(_match)], ...] = ()
    username: Text | None = None
    secret: SecretReference | None = None
    register_: bool = Field(False, alias="register")
    codecs: Annotated[tuple[Codec, ...], AfterValidator(_codecs)] = ("alaw", "ulaw")
    max_calls: Annotated[int, AfterValidator(_positive)] = 30
    caller_id: PhoneNumber | None = None
    srtp: bool = False
    emergency: bool = False

    @field_validator("register_")
    @classmethod
    def _can_register(cls, register: bool, info: ValidationInfo) -> bool:
        # A field that is wrong itself is not in the data; it has been reported.
        if register and None in (info.data.get("username", ""), info.data.get("secret", "")):
            raise wrong("a trunk that registers needs username and secret")
        return register

    @field_validator("srtp")
    @classmethod
    def _keys_are_hidden(cls, srtp: bool, info: ValidationInfo) -> bool:
        transport = info.data.get("transport", "tls")
        if srtp and transport != "tls":
            raise wrong(f"srtp over {transport} would send its keys in clear: expected transport: tls")
        return srtp


def _relaxed_level(level: int) -> int:
    if not 0 <= level <= 10:
        raise wrong(f"{level} is not a skill level: expected a number from 1 to 10, or 0 to ask for it no more")
    return level


def _steps_rise(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    for before, step in pairwise(steps):
        if step.after_s <= before.after_s:
            raise wrong(f"after {step.after_s:g}s does not come later than after {before.after_s:g}s: expected rising")
    return steps


def _later(seconds: float) -> float:
    if seconds <= 0:
        raise wrong("expected some time to wait first, such as 30s")
    return seconds


class Step(Part):
    """Something that changes after a time in the queue."""

    after_s: Annotated[Seconds, AfterValidator(_later)] = Field(alias="after")


class RingRule(Step):
    """Who else may from then on: skills asked for at no more than these levels (0: no more), agents of more queues."""

    skills: Mapping[Name, Annotated[int, AfterValidator(_relaxed_level)]] = Field(default_factory=dict)
    queues: tuple[Name, ...] = ()


class PriorityRule(Step):
    """By how much priority rises from then on."""

    by: Annotated[int, AfterValidator(_positive)] = 1


def _places(count: int) -> int:
    if not 1 <= count <= MOST_PLACES:
        raise wrong(f"{count}: expected 1 to {MOST_PLACES}")
    return count


class TellRules(Part):
    """What waiting callers are told of their place and of the expected wait, and how often."""

    position: bool = False
    position_at_most: Annotated[int, AfterValidator(_places)] = 10
    wait: bool = False
    every_s: Annotated[Seconds, AfterValidator(_later)] = Field(60.0, alias="every")
    texts: TellTexts = TellTexts()


def _phones(count: int) -> int:
    if not 1 <= count <= 20:
        raise wrong(f"{count}: expected 1 to 20 phones that ring at once")
    return count


class Queue(Part):
    """`queues.yaml`: a waiting line and its rules. Higher priority is served first."""

    id: Name
    title: Text
    medium: Medium = "voice"
    ring_s: Seconds = Field(20.0, alias="ring")
    wrap_up_s: Seconds = Field(10.0, alias="wrap_up")
    wrap_up_most_s: Seconds = Field(0.0, alias="wrap_up_most")
    short_abandon_s: Seconds = Field(5.0, alias="short_abandon")
    priority: int = 0
    strategy: Strategy = "longest_idle"
    ring_at_most: Annotated[int, AfterValidator(_phones)] = 5
    skills: Mapping[Name, SkillLevel] = Field(default_factory=dict)
    any_skill: tuple[SkillChoice, ...] = ()
    relax: Annotated[tuple[RingRule, ...], AfterValidator(_steps_rise)] = ()
    raise_priority: Annotated[tuple[PriorityRule, ...], AfterValidator(_steps_rise)] = ()
    music: Name = "default"
    announcement: Announcements = ()
    announce_every_s: Seconds = Field(30.0, alias="announce_every")
    max_wait_s: Seconds = Field(0.0, alias="max_wait")
    tell: TellRules = TellRules()
    overflow: tuple[OverflowRule, ...] = ()
    regain_s: Seconds = Field(0.0, alias="regain")
    estimator: Estimator = "patience"
    expected_handling_s: SomeTime = Field(180.0, alias="expected_handling")
    expected_patience_s: Seconds = Field(0.0, alias="expected_patience")
    callback: Callback | None = None

    @field_validator("ring_at_most")
    @classmethod
    def _rings_several(cls, count: int, info: ValidationInfo) -> int:
        strategy = info.data.get("strategy", "ring_all")
        if strategy != "ring_all":
            raise wrong(f"with strategy {strategy} one phone rings at a time: expected strategy: ring_all beside it")
        return count

    @field_validator("callback")
    @classmethod
    def _calls_back(cls, callback: Callback | None, info: ValidationInfo) -> Callback | None:
        medium = info.data.get("medium", "voice")
        if callback is not None and medium != "voice":
            raise wrong(f"customers are called back by telephone: expected a queue of medium voice, not {medium}")
        return callback


class Skill(Part):
    """`skills.yaml`: something that agents can do, at levels 1 to 10."""

    id: Name
    title: Text
