"""One call's conversation: carries out, over FastAGI, what its flow asks, and keeps on the channel where it stands.

What is heard and pressed is the handset's (`cti.handset`), waiting for an agent the queue wait's (`cti.queue_wait`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog

from acd.commands import Fact, InteractionClosed, OfferInteraction
from acd.events import CallbackAnswered, CallbackFailed, CallTransferred, FlowEnded, SurveyAnswered
from acd.model import Outcome
from cti.call_recorder import CallRecorder
from cti.call_state import CallState
from cti.called_back import KEY, Opening
from cti.errands import Errands
from cti.fastagi import AgiConversation
from cti.footsteps import Footsteps
from cti.handset import Handset
from cti.hangup_causes import HANGUP_CAUSES
from cti.message_recorder import MessageRecorder
from cti.node import Node
from cti.outbound import Refused
from cti.prelude import Prelude
from cti.queue_wait import CALLER_NAME, QueueWait
from cti.session_ports import SessionPorts
from cti.transfers import outcome_of
from ivr.interpreter import Execution
from ivr.site import Site
from ivr.steps import (
    Answer,
    CallWebhook,
    Cause,
    CustomerFound,
    Done,
    End,
    Ending,
    Enqueue,
    Instruction,
    KeepAnswer,
    LookUpCustomer,
    Play,
    PlayMusic,
    Promise,
    ReadDigits,
    RecordCall,
    RecordMessage,
    Result,
    SendText,
    TextSent,
    Transfer,
    TransferEnded,
)

log = structlog.get_logger(__name__)


class IvrSession:
    """The conversation of one interaction while it is in our AGI."""

    def __init__(
        self,
        ports: SessionPorts,
        conversation: AgiConversation,
        node: Node,
        interaction_id: str,
        execution: Execution,
        *,
        is_resumed: bool = False,
        prelude: Prelude | None = None,
        opening: Opening | None = None,
        lost_us: int = 0,
    ) -> None:
        self.interaction_id = interaction_id
        self._ports = ports = replace(ports, sounds=ports.sounds.of(execution.site))
        self._agi = conversation
        self._node = node
        self._execution = execution
        self._is_resumed = is_resumed
        self._opening = opening
        self._prelude = prelude
        self._told = len(execution.chosen)
        self._footsteps = Footsteps(ports.footfall, execution.version, ports.dispatcher.now)
        self._instruction: Instruction | None = None
        self._closed: InteractionClosed | None = None
        self._handset = Handset(ports, conversation, node, interaction_id, lambda: self._queue_wait.is_wanted)
        self._queue_wait = QueueWait(
            ports, conversation, node, interaction_id, self._handset, lost_us, self._tell_misses
        )
        self._recorder = CallRecorder(ports, conversation, interaction_id, self._handset)
        self._messages = MessageRecorder(ports, interaction_id, self._handset)
        self._errands = Errands(ports, interaction_id, self._handset)
        self._has_effects = False
        self.interaction_closed = asyncio.Event()

    @property
    def flow(self) -> str:
        """The flow that the call is in."""
        return self._execution.flow

    @property
    def site(self) -> Site:
        """The files that the call began on."""
        return self._execution.site

    @property
    def is_over(self) -> bool:
        """Whether the AGI session has ended, perhaps before `run` has noticed: nothing can be asked of the call."""
        return self._agi.is_over

    @property
    def place(self) -> tuple[str, str, str]:
        """(node, uniqueid, channel name) of the caller."""
        return self._node.name, self._agi.uniqueid, self._agi.channel

    @property
    def has_answered(self) -> bool:
        """Whether the call has been answered, by this session or by one before it."""
        return self._handset.has_answered

    @has_answered.setter
    def has_answered(self, answered: bool) -> None:
        self._handset.has_answered = answered

    @property
    def message(self) -> str:
        """The name of the message that the caller has left, also one that they are just leaving; empty for none."""
        return self._messages.message

    def remember(self, history: Mapping[str, str]) -> None:
        """What is known of the caller's earlier calls, before the flow begins."""
        self._execution.remember(history)

    def hand_over_message(self) -> None:
        """The message is whole: agents get it, where its step says so; told again it changes nothing."""
        self._messages.hand_over()

    # --- what the dispatcher tells ---------------------------------------------------------------------

    def press(self, digit: str) -> None:
        """The caller pressed a key (AMI DTMFEnd)."""
        self._handset.press(digit)
        self._queue_wait.press(digit)

    def cut_prompt(self) -> None:
        """End a running prompt at once."""
        self._handset.cut_prompt()

    def ring(self, offers: Sequence[OfferInteraction]) -> None:
        """The pop is shown: ring this agent's phone."""
        self._queue_wait.ring(offers)

    def withdraw(self, offer_id: str) -> None:
        """Do not ring any more, if it has not begun."""
        self._queue_wait.withdraw(offer_id)

    def notice(self, fact: Fact) -> None:
        """Something of this interaction became true."""
        if isinstance(fact, InteractionClosed):
            self._closed = fact
            self.interaction_closed.set()
        self._queue_wait.notice(fact)

    # --- the end ---------------------------------------------------------------------------------------

    def note_end(self) -> None:
        """The caller is gone, and did not only leave our AGI."""
        view = self._ports.dispatcher.interaction(self.interaction_id)
        is_promised = view is not None and view.is_promised
        self._messages.close()
        self._footsteps.end(self._instruction, self._closed, is_promised=is_promised)

    def leave_flow(self) -> None:
        """Whatever became of the call: it is in no step of ours any more."""
        self._footsteps.vanish()

    # --- the flow --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry the flow out to its end, or raise the AgiError that ended this AGI session."""
        self._handset.open()
        try:
            if not await self._is_somebody_there():
                return
            if self._prelude is None or await self._goes_on_after(self._prelude):
                await self._follow_flow()
        finally:
            self._footsteps.stop()
            self._handset.close()

    async def _goes_on_after(self, prelude: Prelude) -> bool:
        """Say what an emergency order says; False when the call ends with it."""
        for why in prelude.why:
            self._ports.story.note(self.interaction_id, why)
        if prelude.prompts:
            await self._handset.renew()
            await self._handset.answer()
            await self._handset.play(prelude.prompts, barge_in=False)
        if prelude.end is not None:
            await self._end(prelude.end)
        return prelude.end is None

    async def _is_somebody_there(self) -> bool:
        """Whether who answered our call back wants to talk; then the agent's phone rings. Callers of their own do."""
        opening = self._opening
        if opening is None:
            return True
        await self._handset.renew()
        if not opening.needs_key:
            await self._handset.play(opening.prompts, barge_in=True)
        elif (await self._handset.read_digits(opening.step)).pressed != KEY:
            self._ports.dispatcher.submit(CallbackFailed(opening.offer_id, "machine"))
            return await self._hang_up()
        self._handset.forget_digits()
        await self._agi.set_variable("CALLYARD_CONFIRMED", "1")
        self._ports.dispatcher.submit(CallbackAnswered(opening.offer_id))
        offer = self._ports.dispatcher.offer(opening.offer_id)
        if offer is None:  # taken back in this moment
            return await self._hang_up()
        self.ring([offer])
        return True

    async def _hang_up(self) -> bool:
        await self._agi.set_variable("CALLYARD_CAUSE", str(HANGUP_CAUSES[Cause.NORMAL]))
        await self._agi.set_variable("CALLYARD_DONE", "1")
        return False

    async def _follow_flow(self) -> None:
        result: Result | None = None
        while True:
            instruction = self._execution.advance(result, self._ports.utc())
            gone = self._agi.is_over
            self._footsteps.follow(self._execution.happenings, gone=gone)
            self._instruction = self._instruction if gone else instruction
            self._tell_choices()
            self._log_notes()
            if isinstance(instruction, End):
                await self._end(instruction)
                return
            if self._has_effects:  # what is done is not to be done again, whatever the call does next
                self._has_effects = False
                await self._save_state()
            await self._handset.renew()
            result = await self._carry_out(instruction)
            self._is_resumed = False  # only what the call was doing before may be over already

    async def _carry_out(self, instruction: Instruction) -> Result:
        match instruction:
            case Answer():
                await self._handset.answer()
                return Done()
            case Play():
                await self._handset.play(instruction.prompts, barge_in=instruction.barge_in)
                return Done()
            case PlayMusic():
                await self._handset.play_music(instruction.music, instruction.for_s)
                return Done()
            case ReadDigits():
                await self._save_state()
                return await self._handset.read_digits(instruction)
            case LookUpCustomer():
                return await self._look_up(instruction)
            case Enqueue():
                await self._save_state()
                self._ports.give(self.interaction_id, "")
                caller_name = self._execution.variables.get(CALLER_NAME, "")
                return await self._queue_wait.run(
                    instruction, self._execution, caller_name, is_resumed=self._is_resumed
                )
            case Promise():
                return self._queue_wait.callback_talk.promise(instruction)
            case RecordMessage():
                await self._save_state()
                return await self._messages.record(instruction, is_resumed=self._is_resumed)
            case RecordCall():
                await self._recorder.take(instruction.consent)
                return Done()
            case KeepAnswer():
                kept = SurveyAnswered(self.interaction_id, instruction.survey, instruction.question, instruction.value)
                self._ports.dispatcher.submit(kept)
                return Done()
            case CallWebhook():
                await self._save_state()
                self._has_effects = True
                return await self._errands.ask(instruction)
            case SendText():
                await self._save_state()
                self._has_effects = True
                return TextSent(await self._errands.send(instruction))
            case Transfer():
                return TransferEnded(await self._transfer(instruction))
            case _:
                raise TypeError(f"{instruction!r} is no instruction that a session carries out")

    async def _transfer(self, step: Transfer) -> str:
        """Give the caller to somebody; one that ended while no server of ours was there is not made a second time.

        What the dialplan notes of it is taken off the channel before the call says that it stands at this step: so
        whatever is noted there when the step is taken up was this one.
        """
        if self._is_resumed and (told := await self._agi.get_variable("CALLYARD_TRANSFERRED")):
            return self._transferred(told)
        way = self._ports.reach().way(step, self._execution.variables.get("dialled", ""))
        if isinstance(way, Refused):
            log.warning("session.transfer_refused", interaction_id=self.interaction_id, reason=way.reason)
            self._ports.story.note(self.interaction_id, f"not transferred to {step.kind}: {way.reason}")
            return "refused"
        await self._agi.set_variable("CALLYARD_TRANSFERRED", "")
        await self._save_state()
        self._ports.give(self.interaction_id, way.to)
        seconds, most = str(round(step.ring_s)), str(way.most)
        await self._handset.stop_music()
        await self._agi.gosub("callyard-transfer", "s", "1", way.dial, seconds, way.to, way.caller_id, way.trunk, most)
        self._handset.take_back()
        self._handset.forget_digits()  # what was pressed during the talk was not meant for the flow
        return self._transferred(await self._agi.get_variable("CALLYARD_TRANSFERRED") or "")

    def _transferred(self, told: str) -> str:
        outcome, to = outcome_of(told), told.rpartition("|")[2]
        self._ports.story.note(self.interaction_id, f"transfer to {to}: {outcome.replace('_', ' ')}")
        if outcome == "answered":  # bridges have said so already, unless they were in a gap
            self._ports.dispatcher.submit(CallTransferred(self.interaction_id, to))
        return outcome

    async def _look_up(self, step: LookUpCustomer) -> CustomerFound:
        match = await self._ports.directory.look_up(self.interaction_id, step.by, step.value, step.pin)
        if match.refused:
            self._ports.story.note(self.interaction_id, f"PIN {match.refused}")
        return CustomerFound(match.matches, dict(match.values), match.refused)

    async def _end(self, end: End) -> None:
        view = self._ports.dispatcher.interaction(self.interaction_id)
        was_served = view is not None and view.served_by != ""
        match end.ending:
            case Ending.REFUSED:
                outcome = Outcome.REFUSED
            case Ending.BROKEN:
                outcome = Outcome.LOST
            case Ending.DESIGNED:
                outcome = Outcome.SERVED if was_served else Outcome.SELF_SERVED
        detail = end.detail or end.cause.value
        if end.ending is Ending.DESIGNED and self.message:
            outcome, detail = Outcome.VOICEMAIL, self.message
        self._ports.dispatcher.submit(FlowEnded(self.interaction_id, outcome, detail))
        await self._agi.set_variables({"CALLYARD_CAUSE": str(HANGUP_CAUSES[end.cause]), "CALLYARD_DONE": "1"})

    def _tell_misses(self) -> None:
        """What the caller missed while they waited: not only when the wait is over, which may be long."""
        self._footsteps.follow(self._execution.happenings)

    def _tell_choices(self) -> None:
        chosen = self._execution.chosen
        for label, value in chosen[self._told :]:
            self._ports.story.note(self.interaction_id, f"chose {value} at {label}")
        self._told = len(chosen)

    def _log_notes(self) -> None:
        for note in self._execution.notes:
            log.warning("flow.note", interaction_id=self.interaction_id, flow=self._execution.flow, note=note)
        self._execution.notes.clear()

    async def _save_state(self) -> None:
        """Write on the channel where the flow stands, so that another process can go on from here."""
        execution = self._execution
        version = self._ports.version_of(execution.site)
        state = CallState(execution.flow, execution.node, dict(execution.variables), version)
        await self._agi.set_variable("CALLYARD_STATE", state.pack())
