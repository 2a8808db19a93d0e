"""A TCP proxy between the server and Asterisk's manager, which can be cut, go deaf, stall, stammer and flood.

The server is told to find AMI at `port`; what a fault does to it is done to bytes on their way, so neither side has
to know of it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from lab.ports import free_ports

_CHUNK = 65_536
_END = b"\r\n\r\n"
#: An event that the server reads and has no use for; the channel is nobody's.
_NOISE = (
    b"Event: Newstate\r\nPrivilege: call,all\r\nChannel: Local/noise@nowhere-00000000;1\r\nChannelState: 4\r\n"
    b"ChannelStateDesc: Ring\r\nUniqueid: noise-%d\r\nLinkedid: noise-%d\r\n\r\n"
)


class Wire:
    """A wire that is whole after `mend`. Connections that a fault ends are ended at once (RST)."""

    def __init__(self, to_port: int) -> None:
        [self.port] = free_ports(1)
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._between: dict[asyncio.StreamWriter, bool] = {}  # to the server: whether a message is complete
        self._tasks: set[asyncio.Task[None]] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._is_deaf = False
        self._stammers = False
        self._truncates = False
        self._noise = b""
        #: Connections that were taken so far.
        self.taken = 0

    # --- faults --------------------------------------------------------------------------------------------

    async def mend(self) -> None:
        """Whole again: connections are taken, nothing is done to what they carry."""
        self._is_deaf = self._stammers = self._truncates = False
        self._flows.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Connections end at once, new ones are refused."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.drop()

    async def drop(self) -> None:
        """Connections end at once; new ones are taken."""
        for writer in list(self._writers):
            writer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def deafen(self) -> None:
        """Half open: whatever either side says is lost, and neither is told."""
        self._is_deaf = True

    def stall(self) -> None:
        """Nothing gets through until `mend`; then all of it does, late."""
        self._flows.clear()

    def stammer(self) -> None:
        """Events come twice."""
        self._stammers = True

    def truncate(self) -> None:
        """The connection ends in the middle of the next message from Asterisk."""
        self._truncates = True

    def flood(self, events: int) -> None:
        """So many events of nobody's channel at once."""
        self._noise = b"".join(_NOISE % (number, number) for number in range(events))
        for writer, is_between in list(self._between.items()):
            if is_between and not writer.transport.is_closing():
                self._pour(writer)

    def _pour(self, writer: asyncio.StreamWriter) -> None:
        noise, self._noise = self._noise, b""
        writer.write(noise)

    # --- carrying ------------------------------------------------------------------------------------------

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, to = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        self.taken += 1
        self._between[writer] = False
        for source, sink in ((reader, to), (there, writer)):
            self._writers.add(sink)
            task = asyncio.create_task(self._pump(source, sink, is_down=sink is writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_down: bool) -> None:
        try:
            with suppress(OSError):
                while data := await source.read(_CHUNK):
                    await self._flows.wait()
                    if sink.transport.is_closing():
                        break
                    if self._is_deaf:
                        continue
                    if is_down and self._truncates:
                        self._truncates = False
                        sink.write(data[: len(data) // 2])
                        sink.close()
                        await sink.wait_closed()
                        break
                    sink.write(data * 2 if is_down and self._stammers and _are_whole_events(data) else data)
                    if is_down:
                        self._between[sink] = data.endswith(_END)
                        if self._noise and self._between[sink]:
                            self._pour(sink)
                    await sink.drain()
        finally:
            sink.transport.abort()
            self._writers.discard(sink)
            self._between.pop(sink, None)


def _are_whole_events(data: bytes) -> bool:
    """Whether these bytes are whole events and nothing else: an answer is never doubled."""
    return data.endswith(_END) and all(each.startswith(b"Event: ") for each in data.split(_END)[:-1])
