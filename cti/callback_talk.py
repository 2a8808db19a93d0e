"""Talking with a caller about calling them back: the flow's dialogue carried out, and the promise made."""

from __future__ import annotations

from collections.abc import Callable, Generator

import structlog

from cti import callbacks
from cti.handset import Handset
from cti.outbound import Refused
from cti.session_ports import SessionPorts
from ivr.steps import Done, Instruction, Play, Promise, Promised, ReadDigits, Result

log = structlog.get_logger(__name__)


class CallbackTalk:
    """The dialogues of one call. `is_rung` says that an agent is there, which is better than a promise."""

    def __init__(self, ports: SessionPorts, interaction_id: str, handset: Handset, is_rung: Callable[[], bool]) -> None:
        self._ports = ports
        self._interaction_id = interaction_id
        self._handset = handset
        self._is_rung = is_rung

    async def lead(self, dialogue: Generator[Instruction, Result, bool]) -> None:
        """Carry the dialogue out to its end, or to the moment when an agent is there."""
        self._handset.forget_digits()
        try:
            asked = next(dialogue)
            while not self._is_rung():
                asked = dialogue.send(await self._carry_out(asked))
        except StopIteration:
            pass
        finally:
            dialogue.close()
            self._handset.forget_digits()

    async def _carry_out(self, asked: Instruction) -> Result:
        await self._handset.renew()
        match asked:
            case Play():
                await self._handset.play(asked.prompts, barge_in=asked.barge_in)
                return Done()
            case ReadDigits():
                return await self._handset.read_digits(asked)
            case Promise():
                return self.promise(asked)
            case _:
                raise TypeError(f"{asked!r} is no part of the dialogue for a callback")

    def promise(self, wish: Promise) -> Promised:
        """Promise, if we may."""
        answer = callbacks.promise(
            self._ports.dispatcher,
            self._ports.dispatcher.interaction(self._interaction_id),
            wish.queue,
            wish.number,
            self._ports.outbound(),
            priority=wish.priority,
            attributes=wish.attributes,
        )
        if isinstance(answer, Refused):
            log.info("callback.refused", interaction_id=self._interaction_id, reason=answer.reason)
            return Promised(answer.reason)
        self._ports.story.note(self._interaction_id, f"is promised to be called back for {wish.queue}")
        return Promised()
