"""Recording one call: begun by its flow, over AGI; what was agreed is told to the engine first.

That a recording runs stands on the channel, so that a session that takes the call up does not begin another.
"""

from __future__ import annotations

import structlog

from acd.events import ConsentTold, RecordingEnded
from cti.agi_errors import AgiCommandError
from cti.fastagi import AgiConversation
from cti.handset import Handset
from cti.session_ports import SessionPorts

log = structlog.get_logger(__name__)

VARIABLE = "CALLYARD_RECORDING"


class CallRecorder:
    """The recordings of one call, one after the other."""

    def __init__(
        self, ports: SessionPorts, conversation: AgiConversation, interaction_id: str, handset: Handset
    ) -> None:
        self._ports = ports
        self._agi = conversation
        self._id = interaction_id
        self._handset = handset

    async def take(self, consent: str) -> None:
        """Record from here on by this consent (yes, notice), note that there is none (no), or stop (empty)."""
        view = self._ports.dispatcher.interaction(self._id)
        if view is None:
            return
        if not consent:
            await self._stop(view.recordings)
        elif consent == "no":
            await self._stop(view.recordings)
            self._tell(view.recordings + 1, consent)
        elif not await self._agi.get_variable(VARIABLE):
            await self._begin(view.recordings + 1, consent)

    async def _begin(self, number: int, consent: str) -> None:
        recordings = self._ports.recordings
        if trouble := recordings.trouble():
            log.error("recording.not_begun", interaction_id=self._id, why=trouble)
            self._ports.story.note(self._id, f"not recorded: {trouble}")
            self._tell(number, consent, trouble=trouble)
            return
        await self._handset.answer()
        file = recordings.path(self._id, number)
        self._tell(number, consent, file=file.name)
        try:
            await self._agi.execute("MixMonitor", str(file))
        except AgiCommandError as error:
            self._fail(number, str(error))
            return
        await self._agi.set_variable(VARIABLE, file.name)
        self._ports.story.note(self._id, f"is recorded ({consent})")
        recordings.watch(file, lambda: self._fail(number, "not written"))

    async def _stop(self, number: int) -> None:
        if await self._agi.get_variable(VARIABLE):
            await self._agi.execute("StopMixMonitor")
            await self._agi.set_variable(VARIABLE, "")
            self._ports.dispatcher.submit(RecordingEnded(self._id, number))

    def _tell(self, number: int, consent: str, *, file: str = "", trouble: str = "") -> None:
        self._ports.dispatcher.submit(ConsentTold(self._id, number, consent, file, trouble))

    def _fail(self, number: int, why: str) -> None:
        log.error("recording.failed", interaction_id=self._id, why=why)
        self._ports.story.note(self._id, f"not recorded: {why}")
        self._ports.dispatcher.submit(RecordingEnded(self._id, number, why))
