"""One flow test as a real call: a SIP caller who presses what the tape of its walk says, and must hear the same.

Judged by the caller's ears, the SIP status, and the tables as any program reads them.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import orjson

from ivr.callback_dialogue import text as words
from ivr.site import Site
from ivr.steps import (
    CallWebhook,
    Cause,
    Ending,
    Enqueue,
    Instruction,
    KeepAnswer,
    LookUpCustomer,
    MessageRecorded,
    Promise,
    Promised,
    Prompt,
    QueueEnded,
    RecordCall,
    RecordMessage,
    Result,
    SendText,
    Transfer,
    TransferEnded,
)
from ivr.walk import Answered, Came, Entry, Heard, Over, Pressed
from lab.hearing import Hearing, rendered
from lab.live_past import PAST
from lab.live_programs import Programs
from lab.phone import AGENT_TONE_HZ
from lab.sip_call import SipCall

LIMIT_S = 40.0
_STATUS = {Cause.BUSY: 486, Cause.CLOSED: 480, Cause.BLOCKED: 403, Cause.UNALLOCATED: 404}
_OUTCOMES = {
    Ending.REFUSED: ("refused",),
    Ending.BROKEN: ("lost",),
    Ending.DESIGNED: ("self_served", "served", "voicemail", "transferred_out", None),
}


class LiveError(Exception):
    """A call went otherwise than its walk."""


class UnplayableError(Exception):
    """What a test asks for cannot be brought about in a real call."""


class Others(Protocol):
    """Whom a call meets: the people of the site, and who is called by a transfer."""

    async def serve(self) -> None:
        """Let somebody become ready, who answers and hangs up again after a moment."""

    async def rest(self) -> None:
        """Nobody is ready."""

    async def is_called(self, wanted: Transfer) -> None:
        """Return once the far end of this transfer rings. Raises LiveError if it does not, or another does."""


async def until(what: str, probe: Callable[[], dict[str, Any]], limit_s: float = LIMIT_S) -> dict[str, Any]:
    """The probe's first answer that says something. Raises LiveError after `limit_s`."""
    last = time.monotonic() + limit_s
    while not (found := probe()):
        if time.monotonic() > last:
            raise LiveError(f"{what}: not within {limit_s:g} s")
        await asyncio.sleep(0.05)
    return found


class Records:
    """The tables of a server on SQLite, from a moment on."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._since = time.time_ns() // 1000

    async def interaction(self, *, closed: bool = False) -> dict[str, Any]:
        """The first interaction since."""
        condition = " AND outcome IS NOT NULL" if closed else ""
        query = (
            f"SELECT id, outcome FROM interaction WHERE arrived_at >= ? AND id NOT LIKE '{PAST}%'{condition} "
            "ORDER BY arrived_at LIMIT 1"
        )
        return await until("an interaction", lambda: self._row(query, self._since))

    async def visit(self, number: int) -> dict[str, Any]:
        """Its visit to a queue of this number, counted from 0."""
        found = await self.interaction()
        query = (
            "SELECT queue, priority, attributes FROM queue_visit WHERE interaction_id = ? ORDER BY id LIMIT 1 OFFSET ?"
        )
        return await until("a visit to a queue", lambda: self._row(query, found["id"], number))

    async def message(self) -> dict[str, Any]:
        """The visit of a message that it has left to a queue of messages."""
        found = await self.interaction()
        query = (
            "SELECT queue, priority, attributes FROM queue_visit JOIN interaction ON interaction.id = interaction_id "
            "WHERE medium = 'message' AND interaction_id LIKE ? || '-%' ORDER BY queue_visit.id DESC LIMIT 1"
        )
        return await until("a message for agents", lambda: self._row(query, found["id"]))

    async def recording(self, consent: str) -> dict[str, Any]:
        """That it is recorded by this consent, and a file is there to hold it; `no`: that it is not; empty: no more."""
        found = await self.interaction()
        match consent:
            case "":
                condition = "file != '' AND ended_at IS NOT NULL"
            case "no":
                condition = "consent = 'no' AND file = ''"
            case _:
                condition = f"consent = '{consent}' AND file != '' AND trouble = ''"
        query = f"SELECT id FROM recording WHERE interaction_id = ? AND {condition} LIMIT 1"
        return await until(
            f"a recording ({consent or 'which is over'})", lambda: self._row(query, found["id"]), LIMIT_S / 4
        )

    async def answer(self, kept: KeepAnswer) -> dict[str, Any]:
        """That this answer is kept with the interaction."""
        found = await self.interaction()
        query = "SELECT id FROM survey_answer WHERE interaction_id = ? AND survey = ? AND question = ? AND value = ?"
        values = (found["id"], kept.survey, kept.question, kept.value)
        return await until(
            f"the answer {kept.value} to {kept.question}", lambda: self._row(query, *values), LIMIT_S / 4
        )

    def _row(self, query: str, *values: object) -> dict[str, Any]:
        connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=5)
        try:
            connection.row_factory = sqlite3.Row
            found = connection.execute(query, values).fetchone()
            return {} if found is None else dict(found)
        finally:
            connection.close()


class LiveCall:
    """Follows the tape of a walk with a call that has just been dialled."""

    def __init__(
        self,
        site: Site,
        others: Others,
        records: Records,
        call: SipCall,
        tape: Sequence[Entry],
        programs: Programs,
        *,
        is_shown: bool = True,
        heard_within_s: float = 30.0,
    ) -> None:
        """`is_shown`: the caller's number, which can be called back. `heard_within_s`: how long after what came before
        it a prompt may have ended."""
        self._heard_within_s = heard_within_s
        self._is_shown = is_shown
        self._language = ""
        self._is_promised = False
        self._site = site
        self._others = others
        self._records = records
        self._call = call
        self._tape = list(tape)
        self._programs = programs
        self._hearing = Hearing(call)
        self._asked: Instruction | None = None
        self._visits = 0

    async def follow(self) -> None:
        """To the end of the tape. Raises LiveError where the call goes otherwise, UnplayableError where it cannot."""
        while self._tape:
            match entry := self._tape.pop(0):
                case Heard():
                    await self._hear(entry.prompt)
                case Pressed():
                    if entry.keys:
                        await self._call.media.press(entry.keys)
                case Came():
                    self._asked, self._language = entry.instruction, entry.spot.language
                    await self._arrive(entry.instruction)
                case Answered():
                    assert self._asked is not None
                    await self._bring_about(self._asked, entry.result)
                case Over():
                    await self._end(entry)

    async def _hear(self, prompt: Prompt) -> None:
        said = prompt.text or prompt.sound
        async with asyncio.timeout(LIMIT_S):
            await asyncio.wait(
                [asyncio.ensure_future(self._call.media_up.wait()), asyncio.ensure_future(self._call.ended.wait())],
                return_when=asyncio.FIRST_COMPLETED,
            )
        if not self._call.media_up.is_set():
            raise LiveError(f"expected to hear {said!r}; came: the call is over, SIP status {self._call.status}")
        file = self._sound(prompt.sound) if prompt.sound else await rendered(prompt.text, prompt.language)
        try:
            await self._hearing.hears_file(file, repr(said), self._heard_within_s)
        except AssertionError as error:
            raise LiveError(str(error)) from None

    def _sound(self, name: str) -> Path:
        file = self._site.folder / "sounds" / name
        file = file if file.suffix == ".wav" else file.with_name(f"{file.name}.wav")
        if not file.is_file():
            raise UnplayableError(f"{name} is no WAV file, which is all that these ears know")
        return file

    # --- what others answer ----------------------------------------------------------------------------------

    async def _arrive(self, asked: Instruction) -> None:
        """The call comes to something that others answer."""
        following = self._tape[0] if self._tape else None
        answer = following.result if isinstance(following, Answered) else None
        if isinstance(asked, CallWebhook | SendText) and (different := await self._programs.came(asked)):
            raise LiveError(different)
        match asked, answer:
            case Enqueue(), QueueEnded(outcome="closed"):
                pass
            case Enqueue(), _:
                self._call.media.listen(AGENT_TONE_HZ)
                await self._check_visit(asked)
            case Transfer(), TransferEnded(outcome="refused"):
                pass
            case Transfer(), _:
                self._call.media.listen(AGENT_TONE_HZ)
                await self._others.is_called(asked)

    async def _check_visit(self, wanted: Enqueue) -> None:
        visit = await self._records.visit(self._visits)
        self._visits += 1
        self._compare(wanted, visit)

    def _compare(self, wanted: Enqueue | RecordMessage, visit: dict[str, Any]) -> None:
        priority = self._site.queues[wanted.queue].priority + wanted.priority
        if (visit["queue"], visit["priority"]) != (wanted.queue, priority):
            came = f"queue {visit['queue']} with priority {visit['priority']}"
            raise LiveError(f"expected queue {wanted.queue} with priority {priority}; came: {came}")
        told = [tuple(pair) for pair in orjson.loads(visit["attributes"])]
        if missing := [pair for pair in wanted.attributes if pair not in told]:
            raise LiveError(f"expected agents to be told {missing}; came: {told}")

    async def _bring_about(self, asked: Instruction, result: Result | None) -> None:
        """Make happen what the walk says; None: the caller hangs up, which is the end of the tape."""
        match asked, result:
            case (LookUpCustomer() | CallWebhook() | SendText(), _) | (_, None):
                pass  # found and answered already
            case Enqueue(), QueueEnded(outcome="served"):
                await self._talk()
            case Enqueue(), QueueEnded(outcome="promised"):
                await self._ask_for_callback(asked)
                self._is_promised = True
            case Promise(), Promised(refused=""):
                self._is_promised = True
            case (Enqueue(), QueueEnded()) | (Promise(), Promised()):
                pass  # it comes by itself
            case RecordCall(), _:
                await self._records.recording(asked.consent)
            case KeepAnswer(), _:
                await self._records.answer(asked)
            case Transfer(), TransferEnded(outcome="answered"):
                await self._hear_somebody("the far end")
            case Transfer(), TransferEnded():
                pass  # the far end does what the test says
            case RecordMessage(), MessageRecorded(file=file):
                await asyncio.sleep(3.0 if file else 0.0)  # the tone, and what the caller says
                if file:
                    await self._call.media.press("#")
                if file and asked.queue:
                    self._compare(asked, await self._records.message())
            case _:
                raise UnplayableError(f"{type(asked).__name__}, answered by {result}")

    async def _talk(self) -> None:
        await self._others.serve()
        try:
            await self._hear_somebody("an agent")
        finally:
            await self._others.rest()

    async def _hear_somebody(self, who: str) -> None:
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._call.media.heard(AGENT_TONE_HZ)
        except TimeoutError:
            raise LiveError(f"expected to talk to {who}; nobody was heard") from None

    async def _ask_for_callback(self, asked: Enqueue) -> None:
        """The caller presses the queue's key, and is promised a call at the number that is shown."""
        dialogue = self._site.queues[asked.queue].callback
        if dialogue is None or dialogue.key is None:
            raise LiveError(f"queue {asked.queue} has no key for a callback")
        if not self._is_shown:
            raise UnplayableError("a callback by key, asked for from a number that cannot be called")
        language, default = self._language, self._site.settings.default_language
        await self._call.media.press(dialogue.key)
        await self._hear(words(dialogue, "promised", language, default))

    async def _end(self, over: Over) -> None:
        if over.end is None:
            return  # the caller hangs up
        try:
            async with asyncio.timeout(LIMIT_S):
                await self._call.ended.wait()
        except TimeoutError:
            raise LiveError(f"expected: {over}; the call goes on") from None
        if self._call.ended_by != "remote":
            raise LiveError(f"expected: {over}; came: ended by {self._call.ended_by}")
        if over.end.ending is Ending.REFUSED and self._call.status != _STATUS[over.end.cause]:
            raise LiveError(f"expected: {over}; came: SIP status {self._call.status}")
        outcome = (await self._records.interaction(closed=not self._is_promised))["outcome"]
        if outcome not in _OUTCOMES[over.end.ending]:
            raise LiveError(f"expected: {over}; came: outcome {outcome}")
