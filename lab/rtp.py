"""A call's audio on the wire: RTP every 20 ms (RFC 3550), digits as events (RFC 4733), tones heard.

All calls of a process share one pacer, so that a call costs two small system calls per 20 ms and no timer
of its own. RTCP is neither sent nor expected.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
import time
from collections import Counter, deque
from typing import cast

from lab.audio import FRAME, SILENCE, ToneDetector, tone
from lab.sdp import PCMU, Media

FRAME_S = 0.02
_EVENTS = "0123456789*#ABCD"
_EVENT_FRAMES = 5  # 100 ms of key
_GAP_FRAMES = 4  # 80 ms between keys
_END_REPEATS = 3  # RFC 4733 2.5.1.4
_MAX_KEYS = 64
_MAX_HEARD = 256
_LATE_S = 0.2
_LAST_WORDS_S, _MOST_LAST_WORDS = 0.1, 50
_VOLUME = 10
_PORT_TRIES = 100


class RtpPacer:
    """Sends one frame of every stream each 20 ms. Runs while it has streams."""

    def __init__(self) -> None:
        self._streams: set[RtpStream] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, stream: RtpStream) -> None:
        """Send for this stream from the next tick on."""
        self._streams.add(stream)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def remove(self, stream: RtpStream) -> None:
        """Send no more for it; the last one ends the pacer's task."""
        self._streams.discard(stream)
        if not self._streams and (task := self._task) is not None:
            self._task = None
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for stream in tuple(self._streams):
                stream.send_frame()
            due += FRAME_S
            late_s = loop.time() - due
            if late_s > _LATE_S:  # after a stall: go on from now, do not burst
                due = loop.time()
            await asyncio.sleep(max(due - loop.time(), 0))


_pacers: dict[int, tuple[asyncio.AbstractEventLoop, RtpPacer]] = {}


def shared_pacer() -> RtpPacer:
    """The pacer of the running loop."""
    loop = asyncio.get_running_loop()
    for key, (owner, _) in tuple(_pacers.items()):
        if owner.is_closed():
            del _pacers[key]
    return _pacers.setdefault(id(loop), (loop, RtpPacer()))[1]


class RtpStream(asyncio.DatagramProtocol):
    """Both directions of one call's audio. `plays`: a tone in Hz, else silence.

    Times are of `time.monotonic_ns`. `heard_ns[f]` is when the tone of frequency f began to be heard.
    """

    def __init__(self, plays: int | None, listens_for: tuple[int, ...]) -> None:
        self.port = 0
        self.received = 0
        self.sent = 0
        self.dropped: Counter[str] = Counter()
        self.first_audio_ns: int | None = None
        self.last_audio_ns: int | None = None
        self.heard_ns: dict[int, int] = {}
        self.digits = ""
        self._detectors = {frequency: ToneDetector(frequency) for frequency in listens_for}
        self._runs: dict[int, int] = {}
        self._heard = {frequency: asyncio.Event() for frequency in listens_for}
        self._frames = tone(plays) if plays else (SILENCE,)
        self._index = 0
        self._keys: deque[str] = deque()
        self._key_frame = 0
        self._gap = 0
        self._keys_sent = asyncio.Event()
        self._keys_sent.set()
        self._last_event = -1
        self._remote: Media | None = None
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(31)
        self._event_timestamp = 0
        self._source = secrets.randbits(32)
        self._transport: asyncio.DatagramTransport | None = None
        self._is_marked = True
        self._is_closed = False

    async def bind(self) -> None:
        """Listen on an even port of the kernel's choice on 127.0.0.1."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=_even_socket())
        self._transport = transport
        if self._is_closed:  # the call ended meanwhile
            transport.close()
            return
        self.port = transport.get_extra_info("sockname")[1]

    @property
    def local(self) -> Media:
        """Our side for an offer."""
        return Media("127.0.0.1", self.port)

    @property
    def is_open(self) -> bool:
        """Whether it still sends and listens."""
        return not self._is_closed

    def connect(self, remote: Media) -> None:
        """Send there from now on; again at every new description."""
        self._remote = remote
        if self._is_closed:
            return
        shared_pacer().add(self)

    async def press(self, digits: str) -> None:
        """Send keys one after another (100 ms each, 80 ms apart); returns when the last one is up.

        ValueError for anything that is not a key, for too many, or when the peer takes no keys.
        """
        if bad := set(digits) - set(_EVENTS):
            raise ValueError(f"expected keys among {_EVENTS}, came {sorted(bad)}")
        if len(self._keys) + len(digits) > _MAX_KEYS:
            raise ValueError(f"expected at most {_MAX_KEYS} keys, came {len(self._keys) + len(digits)}")
        if self._remote is None or self._remote.events is None:
            raise ValueError("the other side has not agreed to telephone-event")
        self._keys.extend(digits)
        if self._keys:
            self._keys_sent.clear()
        await self._keys_sent.wait()

    async def heard(self, frequency: int) -> None:
        """Return when the tone has been heard (it must be among those listened for)."""
        await self._heard[frequency].wait()

    def listen(self, frequency: int) -> None:
        """Listen for a tone again that has been heard."""
        if frequency in self.heard_ns and frequency not in self._detectors:
            del self.heard_ns[frequency]
            self._runs.pop(frequency, None)
            self._detectors[frequency] = ToneDetector(frequency)
            self._heard[frequency].clear()

    async def end(self) -> None:
        """Close once nothing more comes: what was said before the other side hung up may still lie in our socket."""
        heard = -1
        for _ in range(_MOST_LAST_WORDS):
            if heard == self.received:
                break
            heard = self.received
            await asyncio.sleep(_LAST_WORDS_S)
        await self.close()

    async def close(self) -> None:
        """Stop sending and listening."""
        self._is_closed = True
        await shared_pacer().remove(self)
        self._keys_sent.set()
        if self._transport is not None:
            self._transport.close()
            await asyncio.sleep(0)  # the transport closes its socket on the next turn of the loop

    # -- sending -----------------------------------------------------------------------------------------

    def send_frame(self) -> None:
        """One tick of the pacer: 20 ms of key or of sound."""
        remote, transport = self._remote, self._transport
        if remote is None or transport is None or transport.is_closing():
            return
        if self._keys and self._gap == 0 and remote.events is not None:
            packets = self._key_packets(remote.events)
        else:
            self._gap = max(self._gap - 1, 0)
            packets = [self._packet(PCMU, self._frames[self._index % len(self._frames)], self._timestamp)]
        self._index += 1
        self._timestamp = (self._timestamp + FRAME) & 0xFFFFFFFF
        if remote.is_listening:
            for packet in packets:
                transport.sendto(packet, (remote.host, remote.port))
            self.sent += len(packets)

    def _key_packets(self, payload_type: int) -> list[bytes]:
        if self._key_frame == 0:
            self._event_timestamp = self._timestamp
            self._is_marked = True
        self._key_frame += 1
        is_last = self._key_frame >= _EVENT_FRAMES
        event = struct.pack(
            "!BBH", _EVENTS.index(self._keys[0]), _VOLUME | (0x80 if is_last else 0), self._key_frame * FRAME
        )
        count = _END_REPEATS if is_last else 1
        packets = [self._packet(payload_type, event, self._event_timestamp) for _ in range(count)]
        if is_last:
            self._keys.popleft()
            self._key_frame = 0
            self._gap = _GAP_FRAMES
            if not self._keys:
                self._keys_sent.set()
        return packets

    def _packet(self, payload_type: int, payload: bytes, timestamp: int) -> bytes:
        mark = 0x80 if self._is_marked else 0
        self._is_marked = False
        self._sequence = (self._sequence + 1) & 0xFFFF
        return struct.pack("!BBHII", 0x80, mark | payload_type, self._sequence, timestamp, self._source) + payload

    # -- hearing -----------------------------------------------------------------------------------------

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take one packet; what is not RTP of this call is counted and dropped."""
        if len(data) < 12 or data[0] >> 6 != 2:
            self.dropped["not_rtp"] += 1
            return
        payload_type = data[1] & 0x7F
        start = 12 + 4 * (data[0] & 0x0F)
        if payload_type == PCMU:
            self._hear(data[start:])
        elif self._remote is not None and payload_type == self._remote.events and len(data) >= start + 4:
            self._hear_key(data[start], cast(int, struct.unpack_from("!I", data, 4)[0]))
        else:
            self.dropped["payload"] += 1

    def error_received(self, exc: Exception) -> None:
        """The other side's port is closed: normal at the end of a call."""
        self.dropped["refused"] += 1

    def _hear(self, frame: bytes) -> None:
        now = time.monotonic_ns()
        self.received += 1
        self.last_audio_ns = now
        if self.first_audio_ns is None:
            self.first_audio_ns = now
        for frequency, detector in tuple(self._detectors.items()):
            is_heard = detector.hears(frame)
            if detector.run == 0:
                self._runs.pop(frequency, None)
                continue
            began = self._runs.setdefault(frequency, now)
            if is_heard:
                self.heard_ns[frequency] = began
                self._heard[frequency].set()
                del self._detectors[frequency]  # heard once is enough; listening costs

    def _hear_key(self, event: int, timestamp: int) -> None:
        if timestamp == self._last_event or event >= len(_EVENTS):
            return
        self._last_event = timestamp
        if len(self.digits) < _MAX_HEARD:
            self.digits += _EVENTS[event]


def _even_socket() -> socket.socket:
    for _ in range(_PORT_TRIES):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        if sock.getsockname()[1] % 2 == 0:
            sock.setblocking(False)
            return sock
        sock.close()
    raise OSError(f"no even UDP port on 127.0.0.1 after {_PORT_TRIES} tries")
