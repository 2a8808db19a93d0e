"""One FastAGI session: Asterisk carries out, one by one, what we ask of a call.

What belongs here: asking and hearing on one connection. What a flow does with a conversation is
`cti.ivr_session`'s; the text of the protocol is `cti.agi_reply`'s; accepting is `cti.fastagi`'s.

Three habits of Asterisk shape this file (res_agi.c):
- It reads commands through a buffered stream but waits on the bare descriptor, so a second command in the
  same segment would lie unseen: the next command is written only when the last reply is in, also when
  nobody waits for that reply any more.
- `HANGUP` comes by itself, once or twice, before or after a reply. It is never a reply.
- It says nothing that we did not ask for but `HANGUP`; any other line between commands is the rest of a
  value with newlines, and is dropped.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

import structlog

from cti.agi_errors import (
    AgiCommandError,
    AgiDeadChannelError,
    AgiDisconnectedError,
    AgiError,
    AgiHangupError,
    AgiProtocolError,
    AgiTimeoutError,
    AgiUsageError,
)
from cti.agi_reply import (
    AgiReply,
    ReplyAssembler,
    ReplyFormatError,
    command_line,
    command_name,
    read_request,
    variable_name,
)
from cti.agi_stream import AgiStream

log = structlog.get_logger(__name__)

#: How long `HANGUP` may lag behind a `result=-1` and still explain it (measured: under a millisecond).
_VERDICT_S = 0.25
_STRAY_LINES = 1000


@dataclass(frozen=True, slots=True)
class AgiLimits:
    """What a peer may take. `command_s` bounds commands that answer at once; `run_s` those that last as
    long as a sound or a talk does; `hangup_s` how long a running command may outlive `HANGUP`."""

    header_bytes: int = 65536
    header_s: float = 5.0
    line_bytes: int = 65536
    conversations: int = 5000
    command_s: float = 10.0
    run_s: float = 6 * 3600.0
    hangup_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Played:
    """How a sound ended: the digit that ended it (or empty), the sample it came to, whether it failed.

    A file that Asterisk cannot open and a file cut before its first sample look the same on AGI: `failed`.
    """

    digit: str
    offset: int
    failed: bool


@dataclass(slots=True)
class _Question:
    """A command on the wire; `answer` may be cancelled while the reply is still to come."""

    name: str
    assembler: ReplyAssembler
    answer: asyncio.Future[AgiReply]


class AgiConversation:
    """One AGI session of one channel. Commands run one after another, whoever asks."""

    def __init__(
        self,
        env: Mapping[str, str],
        stream: AgiStream,
        limits: AgiLimits,
    ) -> None:
        self.env = env
        self.channel = env["agi_channel"]
        self.uniqueid = env["agi_uniqueid"]
        self.path, self.query = read_request(env)
        self.hung_up = False
        self._stream = stream
        self._limits = limits
        self._turn = asyncio.Lock()
        self._question: _Question | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._over = asyncio.Event()
        self._fault: AgiError | None = None
        self._tail = f"#{secrets.token_hex(6)}"
        self._strays = 0

    # -- what a flow asks of the call --------------------------------------------------------------------

    async def command(self, *words: str, timeout_s: float | None = None) -> AgiReply:
        """Run one command, its arguments quoted, and return its reply. Any failure is an AgiError."""
        return await self._ask(words, self._limits.command_s if timeout_s is None else timeout_s)

    async def answer(self) -> None:
        """Answer the call; returns when it is answered."""
        await self.command("ANSWER")

    async def hangup(self) -> None:
        """Hang the channel up. That it also ends this session is success."""
        with suppress(AgiDisconnectedError, AgiHangupError):
            await self.command("HANGUP")

    async def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable or writable function; CR, LF and NUL of the value are dropped."""
        await self.command("SET", "VARIABLE", variable_name(name), value)

    async def set_variables(self, values: Mapping[str, str]) -> None:
        """Set several in one command. Values are ASCII letters and digits only: MSet would read others its own way."""
        for name, value in values.items():
            if value and not (value.isascii() and value.isalnum()):
                raise ValueError(f"{name}: expected letters and digits, came {value[:80]!r}")
        await self.execute("MSet", *(f"{variable_name(name)}={value}" for name, value in values.items()))

    async def get_variables(self, *names: str) -> tuple[str, ...]:
        """The values of several variables, asked in one command as `get_variable` does; empty where unset."""
        mark = f"{self._tail}|"
        asked = mark.join(f"${{{variable_name(name)}}}" for name in names)
        reply = await self._ask(
            ("GET", "FULL", "VARIABLE", f"{asked}{self._tail}"), self._limits.command_s, tail=self._tail
        )
        values = tuple((reply.data or "").split(mark))
        if len(values) != len(names):
            raise AgiProtocolError("GET FULL VARIABLE", self.channel, f"{len(values)} values for {len(names)}")
        return values

    async def get_variable(self, name: str) -> str | None:
        """The value of a variable or function, whatever it holds; None when unset or empty.

        Asked as an expression that ends in a word of ours, so that the end of any value is known.
        """
        asked = f"${{{variable_name(name)}}}{self._tail}"
        words = ("GET", "FULL", "VARIABLE", asked)
        reply = await self._ask(words, self._limits.command_s, tail=self._tail)
        return reply.data or None

    async def execute(self, application: str, *arguments: str, timeout_s: float | None = None) -> int:
        """Run a dialplan application to its end and return its result. Commas separate the arguments.

        AgiCommandError when Asterisk does not know the application (-2) or it fails (-1).
        """
        words = ("EXEC", application, ",".join(arguments))
        reply = await self._ask(words, self._limits.run_s if timeout_s is None else timeout_s)
        result = self._number(reply, words)
        if result == -2:
            raise AgiCommandError(command_name(words), self.channel, "no such application (result=-2)")
        return result

    async def gosub(
        self, context: str, exten: str, priority: str | int, *arguments: str, timeout_s: float | None = None
    ) -> None:
        """Run a dialplan subroutine until it returns."""
        words = ("GOSUB", context, exten, str(priority), *([",".join(arguments)] if arguments else []))
        await self._ask(words, self._limits.run_s if timeout_s is None else timeout_s)

    async def stream_file(self, path: str, escape_digits: str = "", offset: int = 0) -> Played:
        """Play a sound (path without extension) from a sample on, until its end or one of the digits."""
        words = ("STREAM", "FILE", path, escape_digits, str(offset))
        try:
            reply = await self._ask(words, self._limits.run_s)
        except AgiCommandError:
            return Played("", offset, failed=True)
        number = self._number(reply, words)
        end = self._end_offset(reply, words)
        digit = chr(number) if 0 < number < 128 else ""
        return Played(digit, end, failed=not digit and end <= offset)

    async def verbose(self, text: str, level: int = 1) -> None:
        """Write a line into Asterisk's log."""
        await self.command("VERBOSE", text, str(level))

    @property
    def is_over(self) -> bool:
        """Whether this session is over; its caller may live on elsewhere in the dialplan."""
        return self._over.is_set()

    async def closed(self) -> None:
        """Return as soon as this session is over: `HANGUP`, or the end of the connection."""
        await self._over.wait()

    # -- one command at a time ---------------------------------------------------------------------------

    async def _ask(self, words: tuple[str, ...], timeout_s: float, *, tail: str = "") -> AgiReply:
        line, name = command_line(words), command_name(words)
        try:
            if self._turn.locked() or not self._idle.is_set():
                reply = await self._wait_and_exchange(line, name, tail, timeout_s)
            else:
                self._refuse_when_over(name)
                reply = await self._exchange(line, name, tail, timeout_s)
        except TimeoutError:
            raise AgiTimeoutError(name, self.channel, f"nothing in {timeout_s:g} s") from None
        return reply if reply.code == 200 and reply.result != "-1" else await self._judged(reply, name)

    async def _wait_and_exchange(self, line: bytes, name: str, tail: str, timeout_s: float) -> AgiReply:
        """The same for who must wait for others first."""
        async with asyncio.timeout(timeout_s), self._turn:
            while not self._idle.is_set():  # somebody who came when it was may have been quicker
                await self._idle.wait()
            self._refuse_when_over(name)
            return await self._exchange(line, name, tail, timeout_s)

    async def _exchange(self, line: bytes, name: str, tail: str, timeout_s: float) -> AgiReply:
        """One command on the wire at a time, so what is written is never more than one command."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[AgiReply] = loop.create_future()
        self._question = _Question(name, ReplyAssembler(self._limits.line_bytes, tail), answer)
        self._idle.clear()
        self._stream.write(line)
        timer = loop.call_later(timeout_s, _give_up, answer)
        try:
            return await answer
        finally:
            timer.cancel()

    def _refuse_when_over(self, name: str) -> None:
        if self._over.is_set():
            raise self._why_over(name)

    def _why_over(self, name: str) -> AgiError:
        if self.hung_up:
            return AgiHangupError(name, self.channel, "HANGUP")
        if self._fault is not None:
            return AgiProtocolError(name, self.channel, self._fault.came)
        return AgiDisconnectedError(name, self.channel, "the end of the connection")

    async def _judged(self, reply: AgiReply, name: str) -> NoReturn:
        match reply.code:
            case 200:
                raise await self._failure(reply, name)
            case 511:
                raise AgiDeadChannelError(name, self.channel, str(reply))
            case 520:
                raise AgiUsageError(name, self.channel, str(reply))
            case _:
                raise AgiCommandError(name, self.channel, str(reply))

    async def _failure(self, reply: AgiReply, name: str) -> AgiError:
        """-1 means "failed" or "hung up"; the `HANGUP` that tells may come just after it."""
        if reply.data == "hangup":
            return AgiHangupError(name, self.channel, "result=-1 (hangup)")
        with suppress(TimeoutError):
            async with asyncio.timeout(_VERDICT_S):
                await self._over.wait()
        if self._over.is_set():
            return self._why_over(name)
        return AgiCommandError(name, self.channel, str(reply))

    def _number(self, reply: AgiReply, words: tuple[str, ...]) -> int:
        try:
            return reply.number
        except ReplyFormatError as error:
            raise AgiProtocolError(command_name(words), self.channel, str(error)) from error

    def _end_offset(self, reply: AgiReply, words: tuple[str, ...]) -> int:
        try:
            return reply.end_offset
        except ReplyFormatError as error:
            raise AgiProtocolError(command_name(words), self.channel, str(error)) from error

    # -- what Asterisk says ------------------------------------------------------------------------------

    def take(self, line: bytes) -> None:
        """A line of the connection."""
        if self._fault is not None:
            return
        try:
            self._take(line.decode("utf-8", "replace"))
        except ReplyFormatError as error:
            self._break(str(error))

    def overflow(self) -> None:
        """A line was longer than any may be."""
        self._break(f"a line of more than {self._limits.line_bytes} bytes")

    def end(self) -> None:
        """The connection is over."""
        self._over.set()
        if self._question is not None:
            self._fail(self._question)
            self._question = None
        self._idle.set()
        self._stream.close()

    def _take(self, line: str) -> None:
        question = self._question
        if line.rstrip("\r") == "HANGUP" and not (question and question.assembler.is_open):
            self._hang_up()
        elif question is None:
            self._strays += 1
            if self._strays > _STRAY_LINES:
                raise ReplyFormatError(f"more than {_STRAY_LINES} lines that nobody asked for")
        elif (reply := question.assembler.feed(line)) is not None:
            self._question = None
            self._idle.set()
            if not question.answer.done():
                question.answer.set_result(reply)

    def _hang_up(self) -> None:
        self.hung_up = True
        self._over.set()
        if (question := self._question) is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._limits.hangup_s, self._fail, question)

    def _fail(self, question: _Question) -> None:
        if not question.answer.done():
            question.answer.set_exception(self._why_over(question.name))

    def _break(self, came: str) -> None:
        name = self._question.name if self._question else ""
        self._fault = AgiProtocolError(name, self.channel, came)
        log.warning("agi_protocol", channel=self.channel, fault=str(self._fault))
        self.end()


def _give_up(answer: asyncio.Future[AgiReply]) -> None:
    if not answer.done():
        answer.set_exception(TimeoutError())
