"""One call's conversation: carries out, over FastAGI, what its flow asks, and what its queue brings.

The session decides nothing about agents: it asks the engine for one, rings when told, and learns from facts how the
offer, the talk and the visit ended. Digits come from one type-ahead buffer, fed by AMI only, so that what is pressed
while nothing listens is not lost and nothing is heard twice.

The dead-man's switch: the dialplan gives each AGI session `DEAD_MAN_S` seconds; the session renews it, always itself
and never while a Dial runs (the dialplan has switched it off then), so that a stuck server lets its callers go, and
a healthy one never cuts a talk.

Longer than other files, because a conversation has one state: sound, digits and queue cut and wake each other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import structlog

from acd.commands import (
    Fact,
    InteractionClosed,
    OfferClosed,
    OfferInteraction,
    TalkClosed,
    TalkOpened,
    VisitClosed,
)
from acd.events import Attributes, FlowEnded, InteractionQueued, OfferAccepted, OfferFailed, QueueLeft, TalkEnded
from acd.model import Outcome, Requirement, Stage, VisitOutcome
from cti.call_state import CallState
from cti.dispatcher import Dispatcher
from cti.fastagi import AgiConversation
from cti.node import Node
from cti.ports import Directory
from cti.sounds import SoundError
from ivr.interpreter import Execution
from ivr.steps import (
    Answer,
    Cause,
    CustomerFound,
    Digits,
    Done,
    End,
    Ending,
    Enqueue,
    Instruction,
    LookUpCustomer,
    Play,
    Prompt,
    QueueEnded,
    ReadDigits,
    Result,
)

log = structlog.get_logger(__name__)

#: Under this name the caller's name goes along, in the flow's variables and to the pop.
CALLER_NAME = "caller_name"
LONGEST_NAME = 80
DEAD_MAN_S = 45
RENEW_EVERY_S = 20.0
#: How long the AMI side may lag behind the end of a Dial before an offer without a leg counts as failed.
LEG_LAG_S = 1.0
#: How long a caller hears music before the first announcement.
FIRST_ANNOUNCEMENT_S = 1.0
#: Type-ahead beyond this many digits is not somebody dialling.
MOST_DIGITS_AHEAD = 64
#: A caller of a refused call hears the SIP status of this cause (Q.850).
HANGUP_CAUSES = {
    Cause.NORMAL: 16,
    Cause.BUSY: 17,
    Cause.CLOSED: 31,
    Cause.BLOCKED: 21,
    Cause.UNALLOCATED: 1,
    Cause.CONGESTION: 34,
}


class Sounds(Protocol):
    """Prompts as files that Asterisk can play."""

    async def path(self, text: str, language: str) -> Path:
        """Raises `SoundError` for what cannot be rendered."""
        ...

    def recorded(self, sound: str) -> Path: ...


class Story(Protocol):
    """Who wants to read along what happens to a call."""

    def note(self, interaction_id: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SessionPorts:
    """What every session shares."""

    dispatcher: Dispatcher
    directory: Directory
    sounds: Sounds
    story: Story
    dial_string: Callable[[str, str], str]
    utc: Callable[[], datetime]
    dead_man_s: int = DEAD_MAN_S
    renew_every_s: float = RENEW_EVERY_S


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
    ) -> None:
        self.interaction_id = interaction_id
        self._ports = ports
        self._agi = conversation
        self._node = node
        self._execution = execution
        self._is_resumed = is_resumed
        self._digits: deque[str] = deque(maxlen=MOST_DIGITS_AHEAD)
        self._digit_came = asyncio.Event()
        self._wake = asyncio.Event()
        self._bell: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._rings: deque[OfferInteraction] = deque()
        self._is_playing = False
        self._is_barge_in = False
        self._cut_wanted = False
        self._cuts: set[asyncio.Task[None]] = set()
        self._music = ""
        self._renewed_at = 0.0
        self._told = len(execution.chosen)
        self.has_answered = False
        self.interaction_closed = asyncio.Event()

    @property
    def flow(self) -> str:
        """The flow that the call is in."""
        return self._execution.flow

    @property
    def is_over(self) -> bool:
        """Whether the AGI session has ended, perhaps before `run` has noticed: nothing can be asked of the call."""
        return self._agi.is_over

    @property
    def place(self) -> tuple[str, str, str]:
        """(node, uniqueid, channel name) of the caller."""
        return self._node.name, self._agi.uniqueid, self._agi.channel

    # --- what the dispatcher tells ---------------------------------------------------------------------

    def press(self, digit: str) -> None:
        """The caller pressed a key (AMI DTMFEnd)."""
        self._digits.append(digit)
        self._digit_came.set()
        self._ring_bell()
        if self._is_playing and self._is_barge_in:
            self.cut_prompt()

    def cut_prompt(self) -> None:
        """End a running prompt at once."""
        if not self._is_playing:
            return
        self._cut_wanted = True
        task = asyncio.get_running_loop().create_task(self._node.try_cut_prompt(self._agi.channel))
        self._cuts.add(task)
        task.add_done_callback(self._cuts.discard)

    def ring(self, offer: OfferInteraction) -> None:
        """The pop is shown: ring this agent's phone."""
        self._rings.append(offer)
        self.cut_prompt()  # once more: what was cut when the pop went out may not have begun to play then
        self._tell_news()

    def withdraw(self, offer_id: str) -> None:
        """Do not ring any more, if it has not begun."""
        self._rings = deque(offer for offer in self._rings if offer.offer_id != offer_id)
        self._tell_news()

    def notice(self, fact: Fact) -> None:
        """Something of this interaction became true."""
        if isinstance(fact, InteractionClosed):
            self.interaction_closed.set()
        if isinstance(fact, VisitClosed | OfferClosed | TalkOpened | TalkClosed | InteractionClosed):
            self._tell_news()

    def _tell_news(self) -> None:
        self._wake.set()
        self._ring_bell()

    def _ring_bell(self) -> None:
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    # --- the flow --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Carry the flow out to its end, or raise the AgiError that ended this AGI session."""
        self._over = asyncio.ensure_future(self._agi.closed())
        self._over.add_done_callback(lambda _: self._ring_bell())
        try:
            await self._follow_flow()
        finally:
            self._over.cancel()

    async def _follow_flow(self) -> None:
        result: Result | None = None
        while True:
            instruction = self._execution.advance(result, self._ports.utc())
            self._tell_choices()
            self._log_notes()
            if isinstance(instruction, End):
                await self._end(instruction)
                return
            await self._renew()
            result = await self._carry_out(instruction)
            self._is_resumed = False  # only what the call was doing before may be over already

    async def _carry_out(self, instruction: Instruction) -> Result:
        match instruction:
            case Answer():
                await self._answer()
                return Done()
            case Play():
                await self._play(instruction.prompts, barge_in=instruction.barge_in)
                return Done()
            case ReadDigits():
                await self._save_state()
                return await self._read_digits(instruction)
            case LookUpCustomer():
                return await self._look_up(instruction)
            case Enqueue():
                await self._save_state()
                return await self._wait_in_queue(instruction)
            case _:
                raise TypeError(f"{instruction!r} is no instruction that a session carries out")

    async def _answer(self) -> None:
        if not self.has_answered:
            await self._agi.answer()
            self.has_answered = True
            await self._agi.set_variable("CALLYARD_GREETED", "1")

    async def _look_up(self, step: LookUpCustomer) -> CustomerFound:
        match = await self._ports.directory.look_up(self.interaction_id, step.by, step.value)
        return CustomerFound(match.matches, dict(match.values))

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
        self._ports.dispatcher.submit(FlowEnded(self.interaction_id, outcome, end.detail or end.cause.value))
        await self._agi.set_variable("CALLYARD_CAUSE", str(HANGUP_CAUSES[end.cause]))
        await self._agi.set_variable("CALLYARD_DONE", "1")

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
        state = CallState(self._execution.flow, self._execution.node, dict(self._execution.variables))
        await self._agi.set_variable("CALLYARD_STATE", state.pack())

    # --- sound and digits ------------------------------------------------------------------------------

    async def _renew(self, *, share: float = 0.5) -> None:
        """Renew the dead man's switch if it is older than this share of the renewal time."""
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at >= share * self._ports.renew_every_s:
            self._renewed_at = now
            await self._agi.set_variable("TIMEOUT(absolute)", str(self._ports.dead_man_s))

    async def _play(self, prompts: Sequence[Prompt], *, barge_in: bool) -> None:
        """Play prompts in order; a digit (with `barge_in`) or a ring ends them."""
        if prompts and not self.has_answered:
            await self._agi.execute("Progress")
        for prompt in prompts:
            if (barge_in and self._digits) or self._rings:
                return
            sound = await self._sound(prompt)
            if sound is not None:
                await self._play_one(sound, barge_in=barge_in)
                if self._cut_wanted:
                    return

    async def _sound(self, prompt: Prompt) -> Path | None:
        """The file to play; None when it cannot be rendered: the caller goes on without it."""
        try:
            if prompt.sound:
                return self._ports.sounds.recorded(prompt.sound)
            return await self._ports.sounds.path(prompt.text, prompt.language)
        except SoundError as error:
            log.error("session.sound_missing", interaction_id=self.interaction_id, error=str(error))
            return None

    async def _play_one(self, sound: Path, *, barge_in: bool) -> None:
        await self._stop_music()
        self._is_playing, self._is_barge_in, self._cut_wanted = True, barge_in, False
        playing = asyncio.ensure_future(self._agi.stream_file(str(sound)))
        try:
            while not playing.done():
                await asyncio.wait([playing], timeout=self._ports.renew_every_s)
                if not playing.done():
                    # Awaited here, so that it can never arrive once a Dial has begun.
                    await self._node.try_set_variable(
                        self._agi.channel, "TIMEOUT(absolute)", str(self._ports.dead_man_s)
                    )
            played = playing.result()
            if played.failed and not self._cut_wanted:
                log.warning("session.sound_failed", interaction_id=self.interaction_id, sound=str(sound))
        finally:
            self._is_playing = False
            playing.cancel()

    async def _read_digits(self, step: ReadDigits) -> Digits:
        if not step.barge_in or not self._digits:
            await self._play(step.prompts, barge_in=step.barge_in)
        pressed = ""
        while len(pressed) < step.most:
            digit = await self._next_digit(step.between_s if pressed else step.first_s)
            if digit is None:
                return Digits(pressed, timed_out=True)
            if digit in step.terminator:
                return Digits(pressed)
            pressed += digit
        return Digits(pressed)

    async def _next_digit(self, wait_s: float) -> str | None:
        if not self._digits:
            self._digit_came.clear()
            await self._wait(self._digit_came, wait_s)
            await self._renew()
        return self._digits.popleft() if self._digits else None

    async def _wait(self, event: asyncio.Event, wait_s: float, *, renews: bool = True) -> None:
        """Wait for the event or the time, renewing the dead man's switch; raises when this AGI session is over.

        It lies on the way from the pop to the ring: from the event to the return it takes one turn of the loop and
        no AGI command.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_s
        while not event.is_set():
            if self._over is not None and self._over.done():
                await self._agi.command("NOOP")  # raises what ended the session
                return
            left = until - loop.time()
            if left <= 0:
                return
            due = self._renewed_at + self._ports.renew_every_s - loop.time() if renews else left
            await self._hear_bell(max(0.0, min(left, due)))
            if renews and not event.is_set():
                await self._renew()

    async def _hear_bell(self, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._bell = loop.create_future()
        timer = loop.call_later(wait_s, self._ring_bell)
        try:
            await self._bell
        finally:
            timer.cancel()
            self._bell = None

    # --- the queue -------------------------------------------------------------------------------------

    async def _wait_in_queue(self, step: Enqueue) -> QueueEnded:
        ended = self._queue_result() if self._is_resumed else None
        if ended is not None and ended.agent:
            return ended
        self._join_queue(step)
        loop = asyncio.get_running_loop()
        joined_at = loop.time() - self._waited_s()
        announced_at = loop.time() - (step.announce_every_s - FIRST_ANNOUNCEMENT_S if step.announcement else 0.0)
        while True:
            ended = self._queue_result()
            if ended is not None:
                self._digits.clear()  # what was pressed during the talk was not meant for the flow
                return ended
            if self._rings:
                await self._ring(self._rings.popleft())
                continue
            now = loop.time()
            stage = self._stage()
            if step.max_wait_s and now - joined_at >= step.max_wait_s and stage is Stage.QUEUED:
                self._ports.dispatcher.submit(QueueLeft(self.interaction_id, VisitOutcome.OVERFLOWED))
                await self._stop_music()
                self._digits.clear()
                return QueueEnded("timed_out")
            if step.announcement and now - announced_at >= step.announce_every_s > 0 and stage is Stage.QUEUED:
                await self._play(step.announcement, barge_in=False)
                announced_at = loop.time()
                continue
            await self._start_music(step.music)
            await self._renew(share=1.0)
            await self._wait_for_news(self._patience(step, now, joined_at, announced_at))

    def _patience(self, step: Enqueue, now: float, joined_at: float, announced_at: float) -> float:
        waits = [self._ports.renew_every_s]
        if step.max_wait_s:
            waits.append(joined_at + step.max_wait_s - now)
        if step.announcement and step.announce_every_s > 0:
            waits.append(announced_at + step.announce_every_s - now)
        # While a phone rings a wait that is over already must not spin: look again in a second.
        return max(min(waits), 0.05 if self._stage() is Stage.QUEUED else 1.0)

    async def _wait_for_news(self, wait_s: float) -> None:
        if not self._wake.is_set():
            await self._wait(self._wake, wait_s)
        self._wake.clear()

    def _waited_s(self) -> float:
        """How long this visit has lasted already: a caller who was away does not wait all over again."""
        view = self._ports.dispatcher.interaction(self.interaction_id)
        if view is None or not view.entered_at:
            return 0.0
        return max(0, self._ports.dispatcher.now() - view.entered_at) / 1_000_000

    def _join_queue(self, step: Enqueue) -> None:
        if self._stage() is not Stage.IN_FLOW:
            return
        self._ports.dispatcher.submit(
            InteractionQueued(
                self.interaction_id,
                step.queue,
                step.priority,
                tuple(Requirement(skill, level) for skill, level in step.skills),
                self._with_caller_name(step.attributes),
            )
        )

    def _with_caller_name(self, attributes: Attributes) -> Attributes:
        """What the network says of the caller's name goes to the pop: often all that is known of a new caller."""
        name = self._execution.variables.get(CALLER_NAME, "")
        return (*attributes, (CALLER_NAME, name)) if name else attributes

    def _stage(self) -> Stage | None:
        view = self._ports.dispatcher.interaction(self.interaction_id)
        return None if view is None else view.stage

    def _queue_result(self) -> QueueEnded | None:
        """Served, once an agent has talked to the caller and no longer does; None while it goes on."""
        view = self._ports.dispatcher.interaction(self.interaction_id)
        if view is None:
            return QueueEnded("closed")
        if view.stage is Stage.IN_FLOW:
            return QueueEnded("served", view.served_by) if view.served_by else QueueEnded("closed")
        return None

    async def _ring(self, offer: OfferInteraction) -> None:
        if not self._ports.dispatcher.is_open(offer.offer_id):
            return
        self._music = ""  # Dial plays its own
        dial = self._ports.dial_string(offer.agent_id, self._node.name)
        seconds = max(1, (offer.expires_at - offer.offered_at) // 1_000_000 + 10)
        await self._agi.gosub("callyard-dial", "s", "1", dial, str(seconds), offer.offer_id, offer.agent_id)
        self._renewed_at = 0.0
        await self._settle(offer)
        await self._agi.set_variable("CALLYARD_SERVED", "")

    async def _settle(self, offer: OfferInteraction) -> None:
        """The Dial is over: wait until AMI has told how, since its return decides nothing."""
        loop = asyncio.get_running_loop()
        until = loop.time() + LEG_LAG_S
        while loop.time() < until:
            if not self._ports.dispatcher.is_open(offer.offer_id) and self._stage() is not Stage.TALKING:
                return
            self._wake.clear()
            await self._wait(self._wake, until - loop.time(), renews=False)
        if self._ports.dispatcher.is_open(offer.offer_id):
            result = (await self._agi.get_variable("CALLYARD_RESULT") or "").partition("|")[2]
            self._give_up(offer, result)

    def _give_up(self, offer: OfferInteraction, result: str) -> None:
        """AMI has told nothing of this Dial. One that says ANSWER was a talk whose events are lost in a gap."""
        log.info("session.offer_untold", interaction_id=self.interaction_id, result=result)
        if not self._ports.dispatcher.is_open(offer.offer_id):
            return
        if result.startswith("ANSWER|"):
            self._ports.dispatcher.submit(OfferAccepted(offer.offer_id))
            self._ports.dispatcher.submit(TalkEnded(offer.interaction_id, offer.agent_id, gap=True))
        else:
            self._ports.dispatcher.submit(OfferFailed(offer.offer_id, result))

    async def _start_music(self, music: str) -> None:
        if self._music != music:
            if not self.has_answered:
                await self._answer()
            self._music = music
            await self._agi.execute("StartMusicOnHold", music)

    async def _stop_music(self) -> None:
        if self._music:
            self._music = ""
            await self._agi.execute("StopMusicOnHold")


def name_of(env: Mapping[str, str]) -> str:
    """The caller's name as the network gave it, without control characters; empty when there is none or withheld."""
    number, _ = variables_of(env)
    name = " ".join("".join(c if c.isprintable() else " " for c in env.get("agi_calleridname", "")).split())
    return "" if not number or name in {"unknown", "Anonymous", number} else name[:LONGEST_NAME]


def variables_of(env: Mapping[str, str]) -> tuple[str, str]:
    """(caller number or empty when withheld, dialled number) of an AGI header.

    Presentation 32 to 63 is "prohibited" (agi_callingpres, Q.951).
    """
    number = env.get("agi_callerid", "")
    shown = env.get("agi_callingpres", "")
    presentation = int(shown) if shown.isascii() and shown.isdigit() else 0
    if number in {"unknown", "anonymous", ""} or 32 <= presentation <= 67:
        number = ""
    return number, env.get("agi_dnid") or env.get("agi_extension", "")
