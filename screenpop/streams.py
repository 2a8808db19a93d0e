"""One agent's numbered messages, and the sockets (tabs) that read them.

A message is sent within the loop turn in which it is made, as long as the socket takes it: the first step of
sending is run at once, and a task takes over only where that step has to wait. Nobody waits for anybody: each tab
has its own bounded outbox, and a tab that does not keep up is dropped alone.
"""

from __future__ import annotations

import asyncio
import secrets
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from starlette.websockets import WebSocketDisconnect

from screenpop.auth import Session
from screenpop.messages import ServerMessage, Work

#: What sending on a socket that has gone raises.
_GONE = (WebSocketDisconnect, RuntimeError, OSError)

Send = Callable[[str], Coroutine[Any, Any, None]]


class Tab:
    """One socket of somebody signed in. `over` is set, with the reason, when it must not go on.

    `outbox`: so many characters may wait for a socket. `send_s`: so long may it take nothing.
    """

    def __init__(self, session: Session, send: Send, *, outbox: int = 1_000_000, send_s: float = 10.0) -> None:
        self.session = session
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        #: The last message that the desktop says it has received.
        self.seen = 0
        self._send = send
        self._outbox: deque[str] = deque()
        self._waiting = 0
        self._most = outbox
        self._send_s = send_s
        self._rest: asyncio.Task[None] | None = None

    def push(self, frame: str) -> None:
        """Send `frame` after those before it. Never waits, never raises."""
        if self.over.done():
            return
        if self._rest is None:
            self._start(frame)
        elif self._waiting + len(frame) > self._most:
            self.drop("slow_reader")
        else:
            self._outbox.append(frame)
            self._waiting += len(frame)

    def drop(self, reason: str) -> None:
        """End this tab: nothing more is sent."""
        self._outbox.clear()
        if not self.over.done():
            self.over.set_result(reason)

    async def finish(self) -> None:
        """End what is still being sent."""
        if self._rest is not None:
            self._rest.cancel()
            await asyncio.gather(self._rest, return_exceptions=True)

    def _start(self, frame: str) -> None:
        sending = self._send(frame)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        except _GONE:
            self.drop("gone")
            return
        self._rest = asyncio.get_running_loop().create_task(self._send_rest(sending, waits_for))

    async def _send_rest(self, sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
        try:
            async with asyncio.timeout(self._send_s):
                await _resumed(sending, waits_for)
            while self._outbox:
                frame = self._outbox.popleft()
                self._waiting -= len(frame)
                async with asyncio.timeout(self._send_s):
                    await self._send(frame)
        except TimeoutError:
            self.drop("slow_reader")
        except _GONE:
            self.drop("gone")
        finally:
            self._rest = None


@types.coroutine
def _resumed(begun: Coroutine[Any, Any, None], waits_for: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine whose first step, already run, waits for this future."""
    try:
        yield waits_for
    except BaseException:
        begun.close()
        raise
    yield from begun


class Stream:
    """Messages of one agent, numbered from 1 without holes; the last `kept` can be sent again."""

    def __init__(self, clock: Callable[[], int], *, kept: int = 256) -> None:
        self.id = secrets.token_hex(8)
        self.seq = 0
        self.tabs: list[Tab] = []
        self.work: Work | None = None
        self._clock = clock
        self._kept: deque[str] = deque(maxlen=kept)

    def push(self, message: ServerMessage) -> None:
        """Number a message and send it to every tab."""
        self.push_body(message.model_dump_json())

    def push_body(self, body: str) -> None:
        self.seq += 1
        self._kept.append(body)
        if self.tabs:
            frame = self._frame(self.seq, body)
            for tab in list(self.tabs):
                tab.push(frame)

    def send_to(self, tab: Tab, message: ServerMessage, *, after: int = 0) -> None:
        """Send to one tab only a message that is not kept; its number is `after` behind the last one's."""
        tab.push(self._frame(self.seq + after, message.model_dump_json()))

    def begin_anew(self) -> None:
        """What was sent before is no longer to be built on: who comes back gets a snapshot."""
        self.id = secrets.token_hex(8)
        self._kept.clear()

    def can_resume(self, stream: str, after: int) -> bool:
        """Whether everything after message `after` is still kept."""
        return stream == self.id and self.seq - len(self._kept) <= after <= self.seq

    def resume(self, tab: Tab, after: int) -> None:
        first = self.seq - len(self._kept) + 1
        for seq, body in enumerate(list(self._kept), start=first):
            if seq > after:
                tab.push(self._frame(seq, body))

    def _frame(self, seq: int, body: str) -> str:
        return f'{{"seq":{seq},"now":{self._clock()},{body[1:]}'
