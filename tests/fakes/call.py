"""One caller's channel in a scripted Asterisk: its FastAGI session on a real socket, its AMI events, its sound.

It answers every command as Asterisk does. A prompt plays until the test ends it, the caller presses a key that cuts
it (`ControlPlayback`), or the call ends; a Dial lasts until the test says how it ended. `log` holds what happened, in
order and in words: `play Hello`, `cut`, `music default`, `dial c/1`, `renewed` …
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.fakes.agi import AgiPeer, header, substituted
from tests.fakes.site import NUMBER
from tests.fakes.switchboard import Switchboard

_WAIT_S = 5.0
_LETTERS = {"StartMusicOnHold": "music", "StopMusicOnHold": "music stopped", "Progress": "early media"}


class FakeCall:
    """Use as `async with FakeCall(board, port) as call`. The channel's uniqueid is the interaction's id."""

    def __init__(
        self,
        board: Switchboard,
        port: int,
        *,
        uniqueid: str = "lab1-1.1",
        number: str = NUMBER,
        caller: str = "+4930123456",
        variables: Mapping[str, str] | None = None,
        prompts_end: bool = False,
        ends_at: str = "",
    ) -> None:
        self.id = uniqueid
        self._caller = caller
        self.channel = f"PJSIP/trunk-{uniqueid.rpartition('.')[2]}"
        self.variables = {"CALLYARD_INTERACTION": uniqueid, "CALLYARD_NUMBER": number, **(variables or {})}
        self.dialled = ("", "")  # devices and agents of the last Dial
        self.log: list[str] = []
        self.prompts_end = prompts_end
        self._ends_at = ends_at
        self._board = board
        self._port = port
        self._changed = asyncio.Condition()
        self._prompt_over: asyncio.Future[str] | None = None
        self._dial_over: asyncio.Future[str] | None = None
        self._recording: tuple[asyncio.Future[str], Path] | None = None
        self._peer: AgiPeer | None = None
        self._serving: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_over = False
        self.is_renewed_while_dialling = False

    async def __aenter__(self) -> Self:
        await self.enter()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.leave_agi()

    # --- the call --------------------------------------------------------------------------------------

    def appear(self) -> None:
        """Asterisk tells of the channel."""
        self._board.say(
            "Newchannel", Uniqueid=self.id, Linkedid=self.id, Channel=self.channel, ChannelStateDesc="Ring",
            Context="callyard-inbound",
        )  # fmt: skip

    async def enter(self) -> None:
        """The dialplan runs AGI; may be done again, as after a gap."""
        self._is_over = False
        self.appear()
        listeners = self._board.link.on_action

        def hear(action: str, headers: Mapping[str, str]) -> None:
            listeners(action, headers)
            if headers.get("Channel") == self.channel:
                self._hear(action, headers)

        self._board.link.on_action = hear
        head = header(uniqueid=self.id, channel=self.channel, callerid=self._caller, dnid="", extension="s")
        peer = self._peer = await AgiPeer.connect(self._port, head)
        peer.variables = self.variables
        self._serving = asyncio.create_task(
            peer.serve(
                {
                    "STREAM FILE": self._stream,
                    "GOSUB callyard-dial": self._dial,
                    "GOSUB callyard-transfer": self._transfer,
                    "EXEC": self._execute,
                    "RECORD FILE": self._record,
                    "ANSWER": self._answer,
                    "SET VARIABLE": self._set,
                    "GET FULL VARIABLE": self._get,
                }
            )
        )

    def press(self, digits: str) -> None:
        """The caller presses keys."""
        for digit in digits:
            self._board.say("DTMFEnd", Uniqueid=self.id, Channel=self.channel, Digit=digit, Direction="Received")

    def hang_up(self) -> None:
        """The caller hangs up: AGI is told first, as it is in life."""
        self.end_agi()
        self._board.hang_up(self.id)

    def end_agi(self) -> None:
        """This AGI session is over, the channel goes on elsewhere."""
        assert self._peer is not None
        self._peer.hang_up(times=2)
        self._end_waits("hangup")

    async def leave_agi(self) -> None:
        """Close the socket, as Asterisk does when AGI() is over."""
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, *self._tasks, return_exceptions=True)
        if self._peer is not None:
            await self._peer.close()
        self._end_waits("closed")

    async def over(self) -> None:
        """Wait until the server has closed the session."""
        assert self._serving is not None
        async with asyncio.timeout(_WAIT_S):
            await self._serving

    # --- what a test waits for, and ends -----------------------------------------------------------------

    async def logged(self, text: str, count: int = 1) -> None:
        """Wait until `text` stands in the log `count` times."""
        try:
            async with asyncio.timeout(_WAIT_S), self._changed:
                await self._changed.wait_for(lambda: self.log.count(text) >= count)
        except TimeoutError:
            raise AssertionError(f"expected {text!r} {count} times, the log is {self.log}") from None

    async def playing(self, text: str, count: int = 1) -> None:
        """Wait until this prompt plays."""
        await self.logged(f"play {text.replace(' ', '-')}", count)

    def end_prompt(self) -> None:
        """The prompt has been heard to its end."""
        assert self._prompt_over is not None
        self._prompt_over.set_result("200 result=0 endpos=8000")

    def end_dial(self, result: str = "") -> None:
        """The Dial returns; `result` is what the dialplan notes of it (`c/1|ANSWER|16|3`)."""
        assert self._dial_over is not None
        self._dial_over.set_result(result)

    def speak(self, seconds: float, result: str = "200 result=0 (timeout) endpos=8000") -> None:
        """What is being recorded is so long by now, and ends unless `result` is empty."""
        assert self._recording is not None
        over, file = self._recording
        file.write_bytes(bytes(44 + round(seconds * 16_000)))
        if result:
            over.set_result(result)

    @property
    def is_playing(self) -> bool:
        return self._prompt_over is not None and not self._prompt_over.done()

    def heard(self) -> list[str]:
        """The log without what every call has."""
        return [line for line in self.log if line not in ("renewed", "state saved", "early media")]

    # --- Asterisk's side -------------------------------------------------------------------------------

    def _note(self, text: str) -> None:
        self.log.append(text)
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if text == self._ends_at:
            self.hang_up()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _end_waits(self, why: str) -> None:
        self._is_over = True
        if self._recording is not None and not self._recording[0].done():
            self._recording[0].set_result("200 result=-1 (hangup) endpos=8000")
        for wait in (self._prompt_over, self._dial_over):
            if wait is not None and not wait.done():
                wait.set_result("200 result=-1 endpos=0" if wait is self._prompt_over else why)

    def _hear(self, action: str, headers: Mapping[str, str]) -> None:
        if action == "ControlPlayback" and self.is_playing:
            self._note("cut")
            assert self._prompt_over is not None
            self._prompt_over.set_result("200 result=0 endpos=4000")
        elif action == "Setvar" and headers["Variable"] == "TIMEOUT(absolute)":
            self._note_renewal()

    def _note_renewal(self) -> None:
        self.is_renewed_while_dialling |= self._dial_over is not None and not self._dial_over.done()
        self._note("renewed")

    async def _stream(self, words: list[str]) -> str:
        if self._is_over:
            return "200 result=-1 endpos=0"
        self._prompt_over = asyncio.get_running_loop().create_future()
        if self.prompts_end:
            self._prompt_over.set_result("200 result=0 endpos=8000")
        self._note(f"play {words[2].rpartition('/')[2]}")
        return await self._prompt_over

    async def _dial(self, words: list[str]) -> str:
        if self._is_over:
            return "200 result=-1 Gosub failed"
        _, _, _, _, arguments = words
        devices, _seconds, offer_id, agents = arguments.split(",")
        self.dialled = (devices, agents)
        self._dial_over = asyncio.get_running_loop().create_future()
        self._note(f"dial {offer_id.removeprefix(self.id)}")
        result = await self._dial_over
        if result == "hangup":
            return "100 result=0 Trying...\n200 result=-1 Gosub failed"
        self.variables["CALLYARD_RESULT"] = result
        return "100 result=0 Trying...\n200 result=0 Gosub complete"

    async def _transfer(self, words: list[str]) -> str:
        if self._is_over:
            return "200 result=-1 Gosub failed"
        self._dial_over = asyncio.get_running_loop().create_future()
        self._note(f"transfer {words[4]}")
        result = await self._dial_over
        if result == "hangup":
            return "100 result=0 Trying...\n200 result=-1 Gosub failed"
        self.variables["CALLYARD_TRANSFERRED"] = result
        return "100 result=0 Trying...\n200 result=0 Gosub complete"

    async def _record(self, words: list[str]) -> str:
        file = Path(f"{words[2]}.{words[3]}")
        self._recording = asyncio.get_running_loop().create_future(), file
        self._note(f"record {file.name} {' '.join(words[4:])}")
        return await self._recording[0]

    async def _execute(self, words: list[str]) -> str:
        if words[1] == "MSet":
            for pair in words[2].split(","):
                await self._set(["SET", "VARIABLE", *pair.split("=", 1)])
            return "200 result=0"
        argument = f" {words[2]}" if words[2:] and words[2] else ""
        self._note(_LETTERS.get(words[1], words[1]) + argument)
        return "200 result=0"

    async def _answer(self, words: list[str]) -> str:
        self._note("answered")
        return "200 result=0"

    async def _set(self, words: list[str]) -> str:
        name, value = words[2], words[3]
        self.variables[name] = value
        if name == "TIMEOUT(absolute)":
            self._note_renewal()
        elif name == "CALLYARD_STATE":
            self._note("state saved")
        elif name == "CALLYARD_DONE":
            self._note(f"done, cause {self.variables.get('CALLYARD_CAUSE')}")
        return "200 result=1"

    async def _get(self, words: list[str]) -> str:
        return f"200 result=1 ({substituted(words[3], self.variables)})"
