"""A simulated agent's phone: rings, answers or does not, talks, and remembers when everything happened.

The phone plays a tone of its own, so that a caller can hear that an agent is there, and knows when it
hears a caller's. Times are of `time.monotonic_ns`, the clock that callers and desktops are measured on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from lab.sip_message import Credentials
from lab.sip_transactions import Place, SipTimers

AGENT_TONE_HZ = 1004
CALLER_TONE_HZ = 1300
OFFER_HEADER = "X-Callyard-Offer"
_REASONS = {480: "Temporarily Unavailable", 486: "Busy Here", 603: "Decline"}
_KEPT_CALLS = 10_000
_MAX_TALK_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a phone does with a call.

    `reject`: refuse at once with this SIP status. `answer_after_s`: None rings for ever. `talk_s`: None
    talks until the other side hangs up. `rings`: whether it says 180 at all.
    """

    answer_after_s: float | None = 1.0
    talk_s: float | None = 5.0
    reject: int | None = None
    rings: bool = True


@dataclass(slots=True)
class PhoneCall:
    """One call at the phone, filled in as it goes on. `offer` is the X-Callyard-Offer header."""

    extension: str
    offer: str
    caller_number: str
    caller_name: str
    invite_ns: int
    answer_ns: int | None = None
    caller_heard_ns: int | None = None
    end_ns: int | None = None
    ended_by: str = ""
    status: int = 0
    digits: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    picked_up: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    def pick_up(self) -> None:
        """Answer now, whatever the behaviour says, where the phone still rings."""
        self.picked_up.set()


Choose = Callable[[PhoneCall], Behaviour]
Watch = Callable[[str, PhoneCall], None]


class Phone:
    """A phone on a port of its own.

    `behaviour` may be replaced at any time, and may be a function that chooses per call. `lines`: how many
    calls it takes at once; one more is told 486. `watch` is told `ringing`, `answered`, `ended`.
    """

    def __init__(
        self,
        extension: str,
        behaviour: Behaviour | Choose = Behaviour(),
        *,
        lines: int = 1,
        watch: Watch | None = None,
        timers: SipTimers | None = None,
    ) -> None:
        self.extension = extension
        self.behaviour = behaviour
        self.calls: deque[PhoneCall] = deque(maxlen=_KEPT_CALLS)
        self._lines = lines
        self.watch = watch
        self._timers = timers or SipTimers()
        self._endpoint: SipEndpoint | None = None
        self._busy = 0
        self._arrivals: asyncio.Queue[PhoneCall] = asyncio.Queue(maxsize=_KEPT_CALLS)

    async def start(self, port: int = 0) -> int:
        """Switch the phone on; returns its SIP port on 127.0.0.1."""
        self._endpoint = await SipEndpoint.open(
            self.extension,
            on_call=self._take,
            port=port,
            plays=AGENT_TONE_HZ,
            listens_for=(CALLER_TONE_HZ,),
            timers=self._timers,
        )
        return self._endpoint.port

    @property
    def endpoint(self) -> SipEndpoint:
        """The user agent of a started phone."""
        if self._endpoint is None:
            raise RuntimeError(f"phone {self.extension} has not been started")
        return self._endpoint

    async def register(self, place: Place, credentials: Credentials | None = None, expires_s: int = 3600) -> None:
        """Sign on at a registrar (`expires_s` 0: sign off)."""
        await self.endpoint.register(place, credentials, expires_s)

    async def next_call(self) -> PhoneCall:
        """The next call that arrives (each is given once)."""
        return await self._arrivals.get()

    async def dial(self, uri: str, credentials: Credentials | None = None) -> SipCall:
        """Make a call of one's own: the phone is busy with something else until it is hung up."""
        call = await self.endpoint.dial(uri, credentials=credentials)
        self._busy += 1
        call.when_over(self._release)
        return call

    def _release(self) -> None:
        self._busy -= 1

    async def stop(self) -> None:
        """Hang up what is up and switch off."""
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            await endpoint.close()

    async def _take(self, call: SipCall) -> None:
        record = PhoneCall(
            self.extension,
            call.invite.get(OFFER_HEADER),
            call.caller_number,
            call.caller_name,
            call.invite_ns,
        )
        self.calls.append(record)
        with suppress(asyncio.QueueFull):
            self._arrivals.put_nowait(record)
        if self._busy >= self._lines:
            call.reject(486, _REASONS[486])
            self._note_end(call, record)
            return
        self._busy += 1
        try:
            behaviour = self.behaviour if isinstance(self.behaviour, Behaviour) else self.behaviour(record)
            await self._behave(call, record, behaviour)
        finally:
            self._busy -= 1
            if not call.ended.is_set():
                await call.hang_up()
            self._note_end(call, record)

    async def _behave(self, call: SipCall, record: PhoneCall, behaviour: Behaviour) -> None:
        if behaviour.reject is not None:
            call.reject(behaviour.reject, _REASONS.get(behaviour.reject, "Refused"))
            return
        if behaviour.rings:
            call.ring()
        self._tell("ringing", record)
        await self._ring_on(call, record, behaviour.answer_after_s)
        if call.ended.is_set():
            return
        call.answer()
        if call.ended.is_set():
            return
        record.answer_ns = call.answer_ns
        self._tell("answered", record)
        await call.ends_within(_MAX_TALK_S if behaviour.talk_s is None else behaviour.talk_s)

    async def _ring_on(self, call: SipCall, record: PhoneCall, seconds: float | None) -> None:
        """Until it is time to answer, somebody picks up, or the call is over."""
        waits = [asyncio.create_task(event.wait()) for event in (call.ended, record.picked_up)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    def _note_end(self, call: SipCall, record: PhoneCall) -> None:
        record.end_ns, record.ended_by, record.status = call.end_ns, call.ended_by, call.status
        record.caller_heard_ns = call.media.heard_ns.get(CALLER_TONE_HZ)
        record.digits = call.media.digits
        record.over.set()
        self._tell("ended", record)

    def _tell(self, what: str, record: PhoneCall) -> None:
        if self.watch is not None:
            self.watch(what, record)
