"""The other programs of a site, as a flow test has them: a server on loopback that answers as the walk's tape says.

Every endpoint of the site leads to it, each by a path of its own, so that what is asked can be told apart.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from cti.outbound import Refused, outbound_of
from ivr.site import Site
from ivr.steps import CallWebhook, SendText, TextSent, WebhookEnded
from ivr.turns import written
from ivr.walk import INTERACTION, Answered, Came, Entry
from lab.program import Program, Request, response

_STATUS = {"ok": 200, "not_found": 404, "failed": 400}
Wanted = CallWebhook | SendText


class UnanswerableError(Exception):
    """No answer has these values at these places."""


def lead_here(site: Site, folder: Path, url: str) -> None:
    """Every endpoint of the site in this folder is the program at `url`; nobody else is asked, no secret is read."""
    endpoints = {
        name: {
            "url": f"{url}/{name}",
            "headers": dict(rules.headers),
            "body": rules.body,
            "timeout": "10s",
            "breaker": {"failures": 100, "pause": "1s"},
        }
        for name, rules in site.webhooks.items()
    }
    (folder / "webhooks.yaml").write_text(json.dumps(endpoints), encoding="utf-8")


class Programs:
    """Answers one call after the other, each as its tape says."""

    def __init__(self, program: Program, site: Site) -> None:
        self._program = program
        self._site = site
        self._answers: list[tuple[Wanted, bytes | None]] = []
        self._seen = 0
        program.manner = self._answer

    def begin(self, tape: Sequence[Entry]) -> None:
        """A call follows that goes like this. Raises UnanswerableError."""
        self._program.requests.clear()
        self._seen = 0
        self._answers = [(wanted, _answer_of(wanted, result)) for wanted, result in _asked(tape) if self._goes(wanted)]

    async def came(self, wanted: Wanted) -> str:
        """What is otherwise with the request of this step than it should be; empty where nothing is."""
        if not self._goes(wanted):
            return ""
        self._seen += 1
        try:
            request = await self._program.asked(self._seen)
        except AssertionError as error:
            return str(error)
        return "; ".join(self._different(wanted, request))

    @property
    def surplus(self) -> str:
        """What was asked beyond what the tape says; empty for nothing."""
        return "; ".join(f"{each.method} {each.path}" for each in self._program.requests[len(self._answers) :])

    def _goes(self, wanted: Wanted) -> bool:
        """Whether a request leaves the server: a message to a number that may not be written to does not."""
        outbound = outbound_of(self._site)
        return isinstance(wanted, CallWebhook) or not isinstance(outbound.check(wanted.to), Refused)

    async def _answer(self, _: Request, writer: asyncio.StreamWriter) -> None:
        number = len(self._program.requests)
        answer = self._answers[number - 1][1] if number <= len(self._answers) else response(400)
        if answer is None:  # the caller hangs up meanwhile
            await asyncio.Event().wait()
        else:
            writer.write(answer)

    def _different(self, wanted: Wanted, request: Request) -> Iterator[str]:
        """What differs, without values: they may be secret."""
        if isinstance(wanted, SendText):
            gateway = self._site.settings.text_messages
            name = gateway.webhook if gateway is not None else ""
            if not request.path.startswith(f"/{name}"):
                yield f"expected /{name} to be asked, came {request.path}"
            if not any(wanted.prompt.text in str(value) for value in request.fields.values()):
                yield "expected the text of the message, came another"
            return
        path = f"/{wanted.endpoint.name}{wanted.path}"
        if (request.method, request.path) != (wanted.method, path):
            yield f"expected {wanted.method} {path}, came {request.method} {request.path}"
        expected: Mapping[str, Any] = {**dict(wanted.query), **(wanted.send or {})}
        for name in sorted(expected.keys() | request.fields.keys()):
            if INTERACTION in str(expected.get(name, "")):
                continue  # a call that is real has another id
            if written(expected.get(name)) != written(request.fields.get(name)):
                yield f"expected another {name} to be sent"


def _asked(tape: Sequence[Entry]) -> Iterator[tuple[Wanted, WebhookEnded | TextSent | None]]:
    for entry, following in zip_longest(tape, tape[1:]):
        if isinstance(entry, Came) and isinstance(entry.instruction, CallWebhook | SendText):
            result = following.result if isinstance(following, Answered) else None
            assert result is None or isinstance(result, WebhookEnded | TextSent)
            yield entry.instruction, result


def _answer_of(wanted: Wanted, result: WebhookEnded | TextSent | None) -> bytes | None:
    match wanted, result:
        case CallWebhook(), WebhookEnded("ok", values):
            return response(200, _content({wanted.keep[name].at: value for name, value in values.items()}))
        case _, WebhookEnded(outcome):
            return response(_STATUS[outcome], {})
        case _, TextSent(refused):
            return response(400 if refused else 202, {})
    return None


def _content(values: Mapping[str, str]) -> Any:
    """JSON in which each value stands at its place."""
    content: dict[str, Any] = {}
    for at, value in values.items():
        *above, last = at.split(".")
        place = content
        for part in above:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UnanswerableError(f"a value at {at} below another value")
        if isinstance(place.get(last), dict):
            raise UnanswerableError(f"a value at {at} above another value")
        place[last] = value
    return _with_lists(content)


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if not value or not all(key.isdigit() for key in value):
        return {key: _with_lists(each) for key, each in value.items()}
    places = {int(key): _with_lists(each) for key, each in value.items()}
    if max(places) > 1000:
        raise UnanswerableError("a list of more than 1,000 entries")
    return [places.get(at) for at in range(max(places) + 1)]
