"""Steps that ask other programs, or have them do something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote as quoted

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from ivr.endpoints import UrlPath, nothing_secret
from ivr.errors import quote
from ivr.kept_values import KeptValue
from ivr.prompts import fill, names_in
from ivr.step_kinds.base import BaseStep, Named, Place, Steps, Target, Thing, Way
from ivr.step_values import CONTINUE
from ivr.steps import CallWebhook, Play, SendText, TextSent, WebhookEnded
from ivr.values import Name, Text, Texts, VariableName, wrong

if TYPE_CHECKING:
    from ivr.progress import Progress

MOST_SENT = 40
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
#: A text message is no letter: longer ones are not sent.
MOST_TEXT_CHARACTERS = 1000


def _field(name: str) -> str:
    if not _FIELD.fullmatch(name):
        raise wrong(f"{quote(name)} is not a field: expected letters, digits, _ . and -, a letter first")
    return name


def _sent(value: Any) -> Any:
    if not isinstance(value, str | int | float | bool):
        raise wrong("expected a text, a number, true or false")
    return value


def _few(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    if len(fields) > MOST_SENT:
        raise wrong(f"{len(fields)} fields: expected at most {MOST_SENT}")
    return fields


Field_ = Annotated[str, AfterValidator(_field)]
Sent = Annotated[
    Any,
    AfterValidator(_sent),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "boolean"}]}),
]
#: Name of a field → what is sent there.
Fields = Annotated[Mapping[Field_, Sent], AfterValidator(_few), AfterValidator(nothing_secret)]


class WebhookStep(BaseStep):
    """Ask another program over HTTP, and keep what it answers."""

    word = "webhook"
    example = "webhook: crm"
    webhook: Name
    path: UrlPath | None = None
    query: Fields = Field(default_factory=dict)
    send: Fields | None = None
    method: Literal["GET", "POST", "PUT"] | None = None
    idempotent: bool = False
    keep: Annotated[Mapping[VariableName, KeptValue], AfterValidator(_few)] = Field(default_factory=dict)
    say: Texts | None = None
    music: Name | None = None
    ok: Target = CONTINUE
    not_found: Target | None = None
    failed: Target = CONTINUE

    @model_validator(mode="after")
    def _nothing_in_a_get(self) -> WebhookStep:
        if self.method == "GET" and self.send is not None:
            raise wrong("GET sends no body: expected query instead of send, or method: POST")
        return self

    def exits(self) -> Mapping[Way, Target]:
        own: dict[Way, Target] = {} if self.not_found is None else {("not_found",): self.not_found}
        return {("ok",): self.ok, **own, ("failed",): self.failed}

    def take(self, call: Progress) -> Steps:
        if self.say is not None:
            yield Play((call.say(self.say),), barge_in=True)
        ended = WebhookEnded("failed")
        if call.may_request:
            answer = yield self._request(call)
            assert isinstance(answer, WebhookEnded)
            ended = answer
            call.end_request()
        else:
            call.note("too many requests in one call")
        # What is not known now is not what was known before.
        for name in self.keep:
            call.keep(name, ended.values.get(name, "") if ended.outcome == "ok" else "")
        return (ended.outcome,) if (ended.outcome,) in self.exits() else ("failed",)

    def _request(self, call: Progress) -> CallWebhook:
        return CallWebhook(
            call.site.webhooks[self.webhook],
            call.request_key,
            self.method or ("GET" if self.send is None else "POST"),
            fill_path(self.path or "", call.known),
            tuple((name, _written(_filled(call, value))) for name, value in self.query.items()),
            None if self.send is None else {name: _filled(call, value) for name, value in self.send.items()},
            self.keep,
            self.music or "",
            self.idempotent,
        )

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        if self.say is not None:
            yield ("say",), self.say

    def values(self) -> Iterator[tuple[Place, str]]:
        if self.path is not None:
            yield ("path",), self.path
        for key, fields in (("query", self.query), ("send", self.send or {})):
            yield from (((key, name), value) for name, value in fields.items() if isinstance(value, str))

    def takes_secret_at(self, place: Place) -> bool:
        return place[0] == "send"  # paths and queries stand in the logs of web servers

    def assigned(self) -> Iterator[tuple[Place, str]]:
        for name in self.keep:
            yield ("keep", name), name

    def told(self) -> Iterator[str]:
        yield from self.keep

    def named(self) -> Iterator[Named]:
        yield Named(Thing.WEBHOOK, self.webhook, ("webhook",))


class SendTextStep(BaseStep):
    """Send a text message."""

    word = "send_text"
    example = "send_text: Your appointment is tomorrow at 10."
    send_text: Texts
    to: Text = "$caller"
    sent: Target = CONTINUE
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {("sent",): self.sent, ("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        wanted = SendText(call.request_key, call.fill(self.to), call.say(self.send_text))
        if why := self._unsendable(call, wanted):
            call.note(why)
            return ("otherwise",)
        ended = yield wanted
        assert isinstance(ended, TextSent)
        call.end_request()
        call.choose("text message", "not sent" if ended.refused else "sent")
        return ("otherwise",) if ended.refused else ("sent",)

    def _unsendable(self, call: Progress, wanted: SendText) -> str:
        """Why nothing is even tried; empty when it is."""
        if not wanted.to:
            return "no number to send a text message to"
        if len(wanted.prompt.text) > MOST_TEXT_CHARACTERS:
            return f"a text message of more than {MOST_TEXT_CHARACTERS} characters"
        return "" if call.may_request else "too many requests in one call"

    def written(self) -> Iterator[tuple[Place, Texts]]:
        yield ("send_text",), self.send_text

    def values(self) -> Iterator[tuple[Place, str]]:
        yield ("to",), self.to

    def named(self) -> Iterator[Named]:
        yield Named(Thing.GATEWAY, "", ("send_text",))


def _filled(call: Progress, value: Any) -> Any:
    return call.fill(value) if isinstance(value, str) else value


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fill_path(path: str, known: Mapping[str, str]) -> str:
    """The path with its values, each of which stays one part of it whatever stands in the value."""
    values = {name: quoted(fill(f"${name}", known, whole=True), safe="") for name in names_in(path)}
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    # Dots alone would be a step up in the tree of paths.
    return "/".join("-" if part and not part.strip(".") else part for part in path.split("/"))
