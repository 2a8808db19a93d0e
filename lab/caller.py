"""A simulated caller: dials, listens, presses keys, waits, gives up or talks, and says how it went.

Judged from outside the server: what the caller's own ears and clock (`time.monotonic_ns`) know.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from lab.phone import AGENT_TONE_HZ, CALLER_TONE_HZ
from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from lab.sip_message import Credentials, address
from lab.sip_transactions import Place, SipTimers

_LIMIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Wait:
    """Listen for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys, as RFC 4733 events."""

    digits: str


@dataclass(frozen=True, slots=True)
class Talk:
    """Wait until an agent is heard, then talk so long (None: until the other side hangs up)."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class StayOn:
    """Stay until the other side hangs up, at most so many seconds."""

    seconds: float = _LIMIT_S


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up."""


Step = Wait | Press | Talk | StayOn | HangUp


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls. `number` None: withheld (anonymous, with Privacy: id)."""

    number: str | None
    name: str = ""

    def header(self, place: Place) -> str:
        """The From header."""
        if self.number is None:
            return address("sip:anonymous@anonymous.invalid", "Anonymous")
        return address(f"sip:{self.number}@{place[0]}:{place[1]}", self.name)


@dataclass(frozen=True, slots=True)
class CallRecord:
    """How one call went for the caller.

    `ended_by`: `caller` (hung up, patience included), `remote` (hung up, or refused with `status`), or
    `timeout` (nobody answered SIP). `gave_up`: patience ran out before an agent was heard. `status`: the
    final SIP status. Instants are nanoseconds of `time.monotonic_ns`; None: did not happen.
    """

    number: str | None
    dialled: str
    invite_ns: int
    provisional_ns: int | None
    answer_ns: int | None
    first_audio_ns: int | None
    agent_heard_ns: int | None
    end_ns: int
    ended_by: str
    status: int
    reason: str
    gave_up: bool
    pressed: str

    @property
    def agent_was_heard(self) -> bool:
        """Whether the caller ever heard an agent."""
        return self.agent_heard_ns is not None


class Caller:
    """Somebody with a telephone. `line` shares one socket among callers (a trunk); else each has its own."""

    def __init__(
        self,
        identity: Identity,
        exchange: Place,
        *,
        line: SipEndpoint | None = None,
        credentials: Credentials | None = None,
        timers: SipTimers | None = None,
    ) -> None:
        self.identity = identity
        self._exchange = exchange
        self._line = line
        self._credentials = credentials
        self._timers = timers or SipTimers()

    async def call(
        self, number: str, script: tuple[Step, ...] = (Talk(),), *, patience_s: float = _LIMIT_S
    ) -> CallRecord:
        """Dial, follow the script from the first audio on, hang up at its end; returns when all is over.

        Whoever has not heard an agent within `patience_s` of dialling hangs up. Cancelling hangs up too.
        """
        line = self._line or await open_line(self.identity.number or "anonymous", timers=self._timers)
        try:
            return await self._call(line, number, script, patience_s)
        finally:
            if line is not self._line:
                await line.close()

    async def _call(self, line: SipEndpoint, number: str, script: tuple[Step, ...], patience_s: float) -> CallRecord:
        call = await line.dial(
            f"sip:{number}@{self._exchange[0]}:{self._exchange[1]}",
            caller=self.identity.header(("127.0.0.1", line.port)),
            headers=(("Privacy", "id"),) if self.identity.number is None else (),
            credentials=self._credentials,
        )
        pressed: list[str] = []
        following = asyncio.create_task(_follow(call, script, pressed))
        patience = asyncio.create_task(_lose_patience(call, patience_s))
        over = asyncio.create_task(call.ended.wait())
        try:
            await asyncio.wait({following, patience, over}, return_when=asyncio.FIRST_COMPLETED)
            gave_up = patience.done() and not over.done() and not following.done()
            await call.hang_up()
        finally:
            for task in (following, patience, over):
                task.cancel()
            outcomes = await asyncio.gather(following, patience, over, return_exceptions=True)
            if not call.ended.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        await call.hang_up()
        if isinstance(outcomes[0], Exception):  # a script that cannot be followed is an error of the test
            raise outcomes[0]
        return self._record(call, number, gave_up, "".join(pressed))

    def _record(self, call: SipCall, number: str, gave_up: bool, pressed: str) -> CallRecord:
        return CallRecord(
            number=self.identity.number,
            dialled=number,
            invite_ns=call.invite_ns,
            provisional_ns=call.provisional_ns,
            answer_ns=call.answer_ns,
            first_audio_ns=call.media.first_audio_ns,
            agent_heard_ns=call.media.heard_ns.get(AGENT_TONE_HZ),
            end_ns=call.end_ns or call.invite_ns,
            ended_by="caller" if call.ended_by == "local" else call.ended_by,
            status=call.status,
            reason=call.reason,
            gave_up=gave_up,
            pressed=pressed,
        )


async def open_line(user: str, *, port: int = 0, timers: SipTimers | None = None) -> SipEndpoint:
    """A socket from which callers call: it plays the caller's tone and listens for an agent's."""
    return await SipEndpoint.open(
        user, port=port, plays=CALLER_TONE_HZ, listens_for=(AGENT_TONE_HZ,), timers=timers or SipTimers()
    )


async def _lose_patience(call: SipCall, patience_s: float) -> None:
    """Return after `patience_s`, unless an agent was heard by then; then never."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s):
            await call.media.heard(AGENT_TONE_HZ)
            await asyncio.Event().wait()
    if AGENT_TONE_HZ in call.media.heard_ns:
        await asyncio.Event().wait()


async def _follow(call: SipCall, script: tuple[Step, ...], pressed: list[str]) -> None:
    await call.media_up.wait()
    for step in script:
        match step:
            case Wait(seconds):
                await asyncio.sleep(seconds)
            case Press(digits):
                await call.media.press(digits)
                pressed.append(digits)
            case Talk(seconds):
                await call.media.heard(AGENT_TONE_HZ)
                await asyncio.sleep(_LIMIT_S if seconds is None else seconds)
            case StayOn(seconds):
                await asyncio.sleep(seconds)
            case HangUp():
                return
