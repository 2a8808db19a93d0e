"""Recording the messages that a call leaves, with what is to become of them should no server be there at the end."""

from __future__ import annotations

from pathlib import Path

from cti import slips
from cti.handset import Handset
from cti.left_messages import Wish, hand_over
from cti.session_ports import SessionPorts
from cti.slips import Slip
from ivr.steps import MessageRecorded, RecordMessage


class MessageRecorder:
    """The messages of one call."""

    def __init__(self, ports: SessionPorts, interaction_id: str, handset: Handset) -> None:
        self._ports = ports
        self._interaction_id = interaction_id
        self._handset = handset
        self._file: Path | None = None
        self._wish: Wish | None = None
        self._asked = 0

    @property
    def message(self) -> str:
        """The name of the message that the caller has left, also one that they are just leaving; empty for none."""
        return "" if self._file is None else self._ports.messages.name(self._file)

    async def record(self, step: RecordMessage, *, is_resumed: bool) -> MessageRecorded:
        """A message that an earlier session of the call recorded is not asked for again."""
        messages = self._ports.messages
        self._wish = Wish(step.queue, step.priority, step.attributes) if step.queue else None
        self._asked += 1
        file = messages.path(self._interaction_id, self._asked)
        if not (is_resumed and messages.name(file)):
            await self._handset.answer()
            await self._handset.play(step.prompts, barge_in=False)
            messages.discard(file)  # what is no message is none for who comes later either
            self._file = file
            slips.write(file, self._slip())
            await self._handset.record(file.with_suffix(""), at_most_s=step.at_most_s, silence_s=step.silence_s)
        self._file = file
        if not self.message:
            messages.discard(file)
        self.hand_over()
        return MessageRecorded(self.message)

    def hand_over(self) -> None:
        """The message is whole: agents get it, where its step says so; told again it changes nothing."""
        if self._wish is not None:
            ports = self._ports
            hand_over(ports.dispatcher, ports.directory, self._interaction_id, self.message, self._wish)
        self.close()

    def close(self) -> None:
        """Nothing more is to become of the message."""
        if self._file is not None:
            slips.remove(self._file)

    def _slip(self) -> Slip:
        view = self._ports.dispatcher.interaction(self._interaction_id)
        caller, dialled, flow = ("", "", "") if view is None else (view.caller, view.dialled, view.flow)
        wish = self._wish or Wish("")
        return Slip(self._interaction_id, caller, dialled, flow, wish.queue, wish.priority, wish.attributes)
