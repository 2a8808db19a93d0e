"""Who is called when a flow test transfers its caller: the network behind the trunk, and phones of the site's people.

Each does with the next call what the test says of the next transfer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence

from cti.outbound import Outbound
from ivr.steps import Transfer
from lab.live_call import LIMIT_S, LiveError
from lab.phone import AGENT_TONE_HZ, Behaviour, Phone, PhoneCall
from lab.sip import SipEndpoint
from lab.sip_call import SipCall
from lab.sip_message import user_of

_BEHAVIOURS: Mapping[str, Behaviour] = {
    "answered": Behaviour(answer_after_s=0.4, talk_s=1.5),
    "busy": Behaviour(reject=486),
    "failed": Behaviour(reject=503),
    "no_answer": Behaviour(answer_after_s=None),
}
_REASONS = {486: "Busy Here", 503: "Service Unavailable"}


class FarEnds:
    """Everybody who can be called. `extensions`: of people, by their ids."""

    def __init__(self, outbound: Outbound, extensions: Mapping[str, str]) -> None:
        self._outbound = outbound
        self._extensions = extensions
        self._following: deque[str] = deque()
        self._called: asyncio.Queue[str] = asyncio.Queue()
        self._network: SipEndpoint | None = None

    async def start(self) -> int:
        """Be there; returns the port of the network behind the trunk."""
        self._network = await SipEndpoint.open("network", on_call=self._take, plays=AGENT_TONE_HZ)
        return self._network.port

    async def stop(self) -> None:
        if self._network is not None:
            await self._network.close()

    def attend(self, phones: Mapping[str, Phone], besides: str) -> None:
        """Have these phones do as the tests say, but for that of one person."""
        for username, phone in phones.items():
            if username != besides:
                phone.behaviour = self._choose

    def expect(self, outcomes: Sequence[str]) -> None:
        """How the transfers of the next call end, in their order."""
        self._following = deque(outcomes)
        self._called = asyncio.Queue()

    async def is_called(self, wanted: Transfer) -> None:
        """Return once the far end of this transfer is called. Raises LiveError if nobody or somebody else is."""
        match wanted.kind:
            case "number":
                expected = str(self._outbound.check(wanted.to))
            case "agent":
                expected = self._extensions.get(wanted.to, "")
            case _:
                expected = wanted.to
        try:
            async with asyncio.timeout(LIMIT_S):
                came = await self._called.get()
        except TimeoutError:
            raise LiveError(f"expected a call to {wanted.kind} {wanted.to}; nobody was called") from None
        if came != expected:
            raise LiveError(f"expected a call to {wanted.kind} {wanted.to}; came: one to {came}")

    def _choose(self, call: PhoneCall) -> Behaviour:
        return self._next(call.extension)

    def _next(self, called: str) -> Behaviour:
        self._called.put_nowait(called)
        return _BEHAVIOURS.get(self._following.popleft() if self._following else "", _BEHAVIOURS["no_answer"])

    async def _take(self, call: SipCall) -> None:
        behaviour = self._next(user_of(f"<{call.invite.uri}>"))
        if behaviour.reject is not None:
            call.reject(behaviour.reject, _REASONS[behaviour.reject])
            return
        call.ring()
        if await call.ends_within(behaviour.answer_after_s):
            return
        call.answer()
        await call.ends_within(behaviour.talk_s)
