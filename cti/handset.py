"""The caller's end of the line: what they hear and what they press, over one AGI session.

Digits come from one type-ahead buffer, fed by AMI only, so that what is pressed while nothing listens is not lost and
nothing is heard twice. Prompts are cut over AMI too; music is Asterisk's, and goes on while AGI is idle.

The dead-man's switch: the dialplan gives each AGI session `DEAD_MAN_S` seconds; it is renewed here, never while a Dial
runs (the dialplan has switched it off then), so that a stuck server lets its callers go, and a healthy one never cuts
a talk.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog

from cti.agi_errors import AgiCommandError
from cti.fastagi import AgiConversation
from cti.node import Node
from cti.session_ports import SessionPorts
from cti.sounds import SoundError
from ivr.steps import Digits, Prompt, ReadDigits

log = structlog.get_logger(__name__)

#: Type-ahead beyond this many digits is not somebody dialling.
MOST_DIGITS_AHEAD = 64
#: How long a recording may take beyond its limit: the tone, and writing the file.
RECORD_LAG_S = 15.0

_Answer = TypeVar("_Answer")


class Handset:
    """What one caller hears and presses. `is_wanted` says that an agent is there: no further prompt begins then."""

    def __init__(
        self,
        ports: SessionPorts,
        conversation: AgiConversation,
        node: Node,
        interaction_id: str,
        is_wanted: Callable[[], bool],
    ) -> None:
        self._ports = ports
        self._agi = conversation
        self._node = node
        self._interaction_id = interaction_id
        self._is_wanted = is_wanted
        self._digits: deque[str] = deque(maxlen=MOST_DIGITS_AHEAD)
        self._digit_came = asyncio.Event()
        self._bell: asyncio.Future[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._is_playing = False
        self._is_barge_in = False
        self._cut_wanted = False
        self._cuts: set[asyncio.Task[None]] = set()
        self._music = ""
        self._renewed_at = 0.0
        self.has_answered = False

    def open(self) -> None:
        """From now on the end of the AGI session ends every wait."""
        self._over = asyncio.ensure_future(self._agi.closed())
        self._over.add_done_callback(lambda _: self.ring_bell())

    def close(self) -> None:
        """Nobody listens any more."""
        if self._over is not None:
            self._over.cancel()

    def press(self, digit: str) -> None:
        """The caller pressed a key (AMI DTMFEnd)."""
        self._digits.append(digit)
        self._digit_came.set()
        self.ring_bell()
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

    def forget_digits(self) -> None:
        """What was pressed so far was not meant for what comes."""
        self._digits.clear()

    def take_back(self) -> None:
        """A Dial had the call: it has played its own music, and its end left the dead man's switch off."""
        self._music = ""
        self._renewed_at = 0.0

    def ring_bell(self) -> None:
        """Something happened: whoever waits looks again."""
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def answer(self) -> None:
        """Answer the call, once."""
        if not self.has_answered:
            await self._agi.answer()
            self.has_answered = True
            await self._agi.set_variable("CALLYARD_GREETED", "1")

    async def renew(self, *, share: float = 0.5) -> None:
        """Renew the dead man's switch if it is older than this share of the renewal time."""
        now = asyncio.get_running_loop().time()
        if now - self._renewed_at >= share * self._ports.renew_every_s:
            self._renewed_at = now
            await self._agi.set_variable("TIMEOUT(absolute)", str(self._ports.dead_man_s))

    async def play(self, prompts: Sequence[Prompt], *, barge_in: bool) -> None:
        """Play prompts in order; a digit (with `barge_in`) or a ring ends them."""
        if prompts and not self.has_answered:
            await self._agi.execute("Progress")
        for prompt in prompts:
            if (barge_in and self._digits) or self._is_wanted():
                return
            sound = await self._sound(prompt)
            if sound is not None:
                await self._play_one(sound, barge_in=barge_in)
                if self._cut_wanted:
                    return

    async def _sound(self, prompt: Prompt) -> Path | None:
        """The file to play; None when it cannot be rendered: the caller goes on without it."""
        try:
            if prompt.sound and (sound := self._recorded(prompt)) is not None:
                return sound
            return await self._ports.sounds.path(prompt.text, prompt.language)
        except SoundError as error:
            log.error("session.sound_missing", interaction_id=self._interaction_id, error=str(error))
            return None

    def _recorded(self, prompt: Prompt) -> Path | None:
        """The site's file; None where it has gone and there is a text to render instead."""
        try:
            return self._ports.sounds.recorded(prompt.sound)
        except SoundError as error:
            if not prompt.text:
                raise
            log.error("session.sound_missing", interaction_id=self._interaction_id, error=str(error))
            return None

    async def _play_one(self, sound: Path, *, barge_in: bool) -> None:
        await self.stop_music()
        self._is_playing, self._is_barge_in, self._cut_wanted = True, barge_in, False
        try:
            played = await self._renewing(self._agi.stream_file(str(sound)))
            if played.failed and not self._cut_wanted:
                log.warning("session.sound_failed", interaction_id=self._interaction_id, sound=str(sound))
        finally:
            self._is_playing = False

    async def record(self, file: Path, *, at_most_s: float, silence_s: float) -> None:
        """Record after a tone, until # or so much silence (0: none ends it), into `file` without its ending (wav)."""
        await self.answer()
        await self.stop_music()
        silence = (f"s={silence_s:g}",) if silence_s else ()
        words = ("RECORD", "FILE", str(file), "wav", "#", str(round(at_most_s * 1000)), "BEEP", *silence)
        try:
            await self._renewing(self._agi.command(*words, timeout_s=at_most_s + RECORD_LAG_S))
        except AgiCommandError as error:  # a folder that Asterisk cannot write: the call goes on without
            log.error("session.not_recorded", interaction_id=self._interaction_id, error=str(error))
        self.forget_digits()  # the # that ended it

    async def _renewing(self, command: Coroutine[Any, Any, _Answer]) -> _Answer:
        """Carry a long AGI command out, renewing the dead man's switch over AMI meanwhile."""
        running = asyncio.ensure_future(command)
        try:
            while not running.done():
                await asyncio.wait([running], timeout=self._ports.renew_every_s)
                if not running.done():
                    # Awaited here, so that it can never arrive once a Dial has begun.
                    await self._node.try_set_variable(
                        self._agi.channel, "TIMEOUT(absolute)", str(self._ports.dead_man_s)
                    )
            return running.result()
        finally:
            running.cancel()

    async def read_digits(self, step: ReadDigits) -> Digits:
        """Read digits, from those typed ahead on, as the step asks."""
        if not step.barge_in or not self._digits:
            await self.play(step.prompts, barge_in=step.barge_in)
        pressed = ""
        while len(pressed) < step.most and not self._is_wanted():
            digit = await self._next_digit(step.between_s if pressed else step.first_s)
            if digit is None:
                return Digits(pressed, timed_out=True)
            if digit in step.terminator:
                return Digits(pressed)
            pressed += digit
        return Digits(pressed, timed_out=self._is_wanted())

    async def _next_digit(self, wait_s: float) -> str | None:
        if not self._digits:
            self._digit_came.clear()
            await self.wait(self._digit_came, wait_s)
            await self.renew()
        return self._digits.popleft() if self._digits else None

    async def wait(self, event: asyncio.Event, wait_s: float, *, renews: bool = True) -> None:
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
            if left <= 0 or (event is self._digit_came and self._is_wanted()):
                return
            due = self._renewed_at + self._ports.renew_every_s - loop.time() if renews else left
            await self._hear_bell(max(0.0, min(left, due)))
            if renews and not event.is_set():
                await self.renew()

    async def _hear_bell(self, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._bell = loop.create_future()
        timer = loop.call_later(wait_s, self.ring_bell)
        try:
            await self._bell
        finally:
            timer.cancel()
            self._bell = None

    async def start_music(self, music: str) -> None:
        """Music from Asterisk, until a prompt or a Dial ends it; the call is answered for it."""
        if self._music != music:
            await self.answer()
            self._music = music
            await self._agi.execute("StartMusicOnHold", music)

    async def begin_music(self, music: str) -> None:
        """Music until `stop_music`; a call that is not answered hears it as early media."""
        if not self.has_answered:
            await self._agi.execute("Progress")
        await self._agi.execute("StartMusicOnHold", music)
        self._music = music

    async def play_music(self, music: str, for_s: float) -> None:
        """Music for a time. A ring ends it."""
        await self.begin_music(music)
        await self.wait(asyncio.Event(), for_s)
        await self.stop_music()

    async def stop_music(self) -> None:
        """No music, if there was any."""
        if self._music:
            self._music = ""
            await self._agi.execute("StopMusicOnHold")
