"""`alarms.yaml`: what people are told of by mail or by another program, when, and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from ivr.endpoints import UrlPath
from ivr.errors import one_of, quote
from ivr.secret_references import SecretReference
from ivr.values import Name, Part, Seconds, Text, wrong

MOST_RULES = 100
MOST_ADDRESSES = 20
LEAST_REPEAT_S = 60.0
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[?[0-9a-fA-F:]{2,39}\]?")

When = Literal[
    "waiting",
    "longest_wait",
    "no_agents",
    "not_routing",
    "link_down",
    "trunk_down",
    "database_away",
    "records_lost",
    "disk_low",
    "clock_off",
]
#: What a rule watches → the keys that it takes beside `for` and `repeat`, and those of them that it needs.
KEYS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "waiting": (frozenset({"queue", "more_than"}), frozenset({"more_than"})),
    "longest_wait": (frozenset({"queue", "longer_than"}), frozenset({"longer_than"})),
    "no_agents": (frozenset({"queue"}), frozenset()),
    "not_routing": (frozenset(), frozenset()),
    "link_down": (frozenset(), frozenset()),
    "trunk_down": (frozenset({"trunk"}), frozenset()),
    "database_away": (frozenset(), frozenset()),
    "records_lost": (frozenset(), frozenset()),
    "disk_low": (frozenset({"less_than_mb"}), frozenset({"less_than_mb"})),
    "clock_off": (frozenset({"longer_than"}), frozenset({"longer_than"})),
}


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise wrong(f"{quote(text)} is not a mail address: expected for example duty@example.com")
    return text


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise wrong(f"{quote(text)} is not a host: expected a name or an address, such as mail.example.com")
    return text


def _port(number: int) -> int:
    if not 1 <= number <= 65535:
        raise wrong(f"{number} is not a port: expected 1 to 65535")
    return number


def _some_addresses(addresses: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(addresses) <= MOST_ADDRESSES:
        raise wrong(f"{len(addresses)} addresses: expected 1 to {MOST_ADDRESSES}")
    return addresses


def _seldom(seconds: float) -> float:
    if seconds < LEAST_REPEAT_S:
        raise wrong(f"again after {seconds:g}s: expected 1m or more, so that people go on reading")
    return seconds


def _positive(number: int) -> int:
    if not 1 <= number <= 1_000_000_000:
        raise wrong(f"{number}: expected a number above 0")
    return number


Address = Annotated[str, AfterValidator(_address)]
Count = Annotated[int, AfterValidator(_positive)]
Repeat = Annotated[Seconds, AfterValidator(_seldom)]


class Mail(Part):
    """The server that takes mail from us. `security`: TLS from the first byte, by STARTTLS, or none."""

    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int, AfterValidator(_port)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: Text | None = None
    password: SecretReference | None = None
    from_: Address = Field(alias="from")
    to: Annotated[tuple[Address, ...], AfterValidator(_some_addresses)]

    @model_validator(mode="after")
    def _whole_account(self) -> Mail:
        if (self.user is None) != (self.password is None):
            raise wrong("expected both user and password, or neither of them")
        if self.password is not None and self.security == "none":
            raise wrong("a password would go out in clear: expected security: starttls or tls")
        return self


class Hook(Part):
    """A POST to an endpoint of `webhooks.yaml` for each message."""

    webhook: Name
    path: UrlPath | None = None


class AlarmRule(Part):
    """What is watched. It is an alarm once it has held for `for`; over when it has not held for as long."""

    when: When
    queue: Name | None = None
    trunk: Name | None = None
    more_than: Count | None = None
    longer_than_s: Seconds | None = Field(None, alias="longer_than")
    less_than_mb: Count | None = None
    for_s: Seconds = Field(60.0, alias="for")
    repeat_s: Repeat | None = Field(None, alias="repeat")

    @model_validator(mode="after")
    def _fitting_keys(self) -> AlarmRule:
        takes, needs = KEYS[self.when]
        given = {key for key, value in self._own().items() if value is not None}
        if extra := sorted(given - takes):
            expected = one_of(sorted(takes)) if takes else "no other keys than for and repeat"
            raise wrong(f"{self.when} does not take {extra[0]}: {expected}")
        if lacking := sorted(needs - given):
            raise wrong(f"{self.when} needs {lacking[0]}")
        return self

    def _own(self) -> dict[str, object]:
        return {
            "queue": self.queue,
            "trunk": self.trunk,
            "more_than": self.more_than,
            "longer_than": self.longer_than_s,
            "less_than_mb": self.less_than_mb,
        }


class Alarms(Part):
    """`alarms.yaml`: what people are told of by mail or by another program. `repeat`: how soon again while it lasts."""

    mail: Mail | None = None
    hook: Hook | None = None
    repeat_s: Repeat = Field(3600.0, alias="repeat")
    rules: Mapping[Name, AlarmRule] = Field(default_factory=dict)

    @field_validator("rules")
    @classmethod
    def _not_too_many(cls, rules: Mapping[str, AlarmRule]) -> Mapping[str, AlarmRule]:
        if len(rules) > MOST_RULES:
            raise wrong(f"{len(rules)} rules: expected at most {MOST_RULES}")
        return rules

    @model_validator(mode="after")
    def _somebody_to_tell(self) -> Alarms:
        if self.rules and self.mail is None and self.hook is None:
            raise wrong("rules, and nobody to tell: expected mail, hook or both")
        return self

    def named(self) -> Iterator[tuple[tuple[str, ...], str, str]]:
        """Where it names something of another file: the place, the kind, the name."""
        for name, rule in self.rules.items():
            if rule.queue is not None:
                yield ("rules", name, "queue"), "queue", rule.queue
            if rule.trunk is not None:
                yield ("rules", name, "trunk"), "trunk", rule.trunk
        if self.hook is not None:
            yield ("hook", "webhook"), "webhook", self.hook.webhook
