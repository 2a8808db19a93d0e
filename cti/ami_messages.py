"""AMI as bytes and values: cutting the stream into messages, reading headers, events and replies.

What belongs here: pure reading. What does not: sockets, actions, and what an event means (`cti.ami_events`).

The stream is one banner line, then messages of `Name: value` lines, each closed by an empty line. Bytes are cut
into messages first and decoded afterwards, so a character that two TCP segments share stays whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from cti.errors import AmiProtocolError

_BANNER = b"Asterisk Call Manager/"
_LINE_END = b"\r\n"
_MESSAGE_END = b"\r\n\r\n"
_MAX_BANNER_BYTES = 256
_QUOTED_CHARACTERS = 400


def quote(text: str) -> str:
    """Return the beginning of what came, safe to stand in one line of a log or error."""
    shown = repr(text[:_QUOTED_CHARACTERS])
    return shown if len(text) <= _QUOTED_CHARACTERS else f"{shown} … ({len(text)} characters)"


@lru_cache(maxsize=1024)
def _mark(name: str) -> bytes:
    return f"\r\n{name.lower()}:".encode()


class Headers(Mapping[str, str]):
    """Immutable headers in the order they came; names keep their spelling and are found in any case.

    A header that came more than once reads as its values joined by a line feed; `all` gives them one by one. Headers
    of a message (`of`) are read when they are asked for: of an event's forty, ten are.
    """

    __slots__ = ("_low", "_message", "_pairs", "_values")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._message = self._low = b""
        self._pairs: tuple[tuple[str, str], ...] | None = tuple(pairs)
        self._values: dict[str, str] | None = None

    @classmethod
    def of(cls, message: bytes) -> Headers:
        """The headers of one message as it came."""
        headers = cls()
        headers._message = b"\r\n" + message
        headers._low = headers._message.lower()
        headers._pairs = None
        return headers

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Every header with its value as it came, repeated ones too."""
        if self._pairs is None:
            self._pairs = _read_pairs(self._message[2:])
        return self._pairs

    @property
    def first(self) -> tuple[str, str]:
        """The first header."""
        if self._pairs is not None:
            return self._pairs[0]
        line, end, rest = self._message[2:].partition(b"\r\n")
        if end and b":" not in rest.partition(b"\r\n")[0]:
            return self.pairs[0]
        name, _, value = line.decode("utf-8", "replace").partition(":")
        return name, value[1:] if value.startswith(" ") else value

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of `name` in order; empty when it did not come."""
        key = name.lower()
        return tuple(value for known, value in self.pairs if known.lower() == key)

    def __getitem__(self, name: str) -> str:
        if self._values is None and self._pairs is None:
            value = self._glance(name)
            if value is not None:
                return value
        return self._read()[name.lower()]

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]  # every value is text
        """The header's value, or `default` when it did not come."""
        if self._pairs is None and self._low.find(_mark(name)) < 0:
            return default
        try:
            return self[name]
        except KeyError:
            return default

    def _glance(self, name: str) -> str | None:
        """The value of a header that came once and takes one line; None when it takes reading everything to tell.

        KeyError when no line begins with that name.
        """
        low, mark = self._low, _mark(name)
        at = low.find(mark)
        if at < 0:
            raise KeyError(name)
        begins = at + len(mark)
        ends = low.find(b"\r\n", begins)
        if ends >= 0:
            following = low.find(b"\r\n", ends + 2)
            if low.find(b":", ends, following if following >= 0 else len(low)) < 0 or low.find(mark, ends) >= 0:
                return None
        value = self._message[begins : ends if ends >= 0 else None].decode("utf-8", "replace")
        return value[1:] if value.startswith(" ") else value

    def _read(self) -> dict[str, str]:
        if self._values is None:
            pairs = self.pairs
            values = {name.lower(): value for name, value in pairs}
            if len(values) < len(pairs):
                values.clear()
                for name, value in pairs:
                    key = name.lower()
                    values[key] = f"{values[key]}\n{value}" if key in values else value
            self._values = values
        return self._values

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._read()

    def __iter__(self) -> Iterator[str]:
        seen = set()
        for name, _ in self.pairs:
            if (key := name.lower()) not in seen:
                seen.add(key)
                yield name

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


@dataclass(frozen=True, slots=True)
class AmiEvent:
    """One event as it came from `node`.

    `at_us` is Asterisk's own time (microseconds UTC; `timestampevents=yes` in manager.conf), None without it.
    """

    node: str
    name: str
    headers: Headers
    at_us: int | None = None

    def get(self, header: str, default: str = "") -> str:
        """Return the header's value, or `default` when it did not come."""
        return self.headers.get(header, default)

    def all(self, header: str) -> tuple[str, ...]:
        """Return every value of a repeated header in order."""
        return self.headers.all(header)

    def require(self, header: str) -> str:
        """Return the header's value; without it the event is nonsense: `AmiProtocolError` with its text."""
        try:
            return self.headers[header]
        except KeyError:
            raise AmiProtocolError(
                f"{self.node}: event {self.name} without its header {header}: {quote(self.text)}"
            ) from None

    @property
    def text(self) -> str:
        """The event's lines, for logs and errors."""
        return "\n".join(f"{name}: {value}" for name, value in self.headers.pairs)


@dataclass(frozen=True, slots=True)
class AmiReply:
    """Asterisk's answer to one action.

    `events` are the entries of a list answer, else the events that came with the action's id before the answer;
    `output` are the lines of a CLI command.
    """

    ok: bool
    message: str
    headers: Headers
    events: tuple[AmiEvent, ...] = ()
    output: tuple[str, ...] = ()


class AmiFramer:
    """Cuts the stream into messages. What it holds never exceeds `max_message_bytes` plus one read."""

    def __init__(self, max_message_bytes: int) -> None:
        self.version = ""
        self._max_message_bytes = max_message_bytes
        self._buffer = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Take what came; return the messages that are now complete, without their closing empty line.

        AmiProtocolError: the peer is no Asterisk, or a message is longer than the limit. The stream is then
        beyond repair.
        """
        buffer = self._buffer
        buffer += data
        if not self.version and not self._take_banner():
            return []
        messages: list[bytes] = []
        start = 0
        search = self._searched
        while (end := buffer.find(_MESSAGE_END, search)) >= 0:
            self._check_size(start, end)
            if message := bytes(buffer[start:end]).lstrip(_LINE_END):
                messages.append(message)
            start = search = end + len(_MESSAGE_END)
        self._check_size(start, len(buffer))
        del buffer[:start]
        self._searched = max(0, len(buffer) - len(_MESSAGE_END) + 1)
        return messages

    def _take_banner(self) -> bool:
        buffer = self._buffer
        end = buffer.find(_LINE_END)
        line = bytes(buffer[: end if end >= 0 else len(buffer)])
        if not (_BANNER.startswith(line) or line.startswith(_BANNER)) or len(line) > _MAX_BANNER_BYTES:
            raise AmiProtocolError(
                f"expected the greeting {_BANNER.decode()!r}, got {quote(line.decode('utf-8', 'replace'))}"
            )
        if end < 0:
            return False
        self.version = line[len(_BANNER) :].decode("utf-8", "replace").strip() or "unknown"
        del buffer[: end + len(_LINE_END)]
        return True

    def _check_size(self, start: int, end: int) -> None:
        if end - start > self._max_message_bytes:
            beginning = bytes(self._buffer[start : start + _QUOTED_CHARACTERS]).decode("utf-8", "replace")
            raise AmiProtocolError(
                f"a message is longer than the limit of {self._max_message_bytes} bytes: {quote(beginning)}"
            )


def read_headers(message: bytes) -> Headers:
    """Read one message. The first header says what it is: `Event` or `Response`, else AmiProtocolError.

    A line without a colon continues the value before it: Asterisk passes line breaks inside values through.
    """
    headers = Headers.of(message)
    if not message[:9].lower().startswith((b"event:", b"response:")):
        raise AmiProtocolError(
            f"expected a message that begins with Event or Response, got {quote(message.decode('utf-8', 'replace'))}"
        )
    return headers


def _read_pairs(message: bytes) -> tuple[tuple[str, str], ...]:
    pairs: list[tuple[str, str]] = []
    for line in message.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            pairs.append((name, value[1:] if value.startswith(" ") else value))
        elif pairs:
            name, value = pairs[-1]
            pairs[-1] = (name, f"{value}\n{line}")
    return tuple(pairs)


def is_event(headers: Headers) -> bool:
    """Tell an event from a response by its first header: OriginateResponse is an event with a Response header."""
    return headers.first[0].lower() == "event"


def as_event(node: str, headers: Headers) -> AmiEvent:
    """Make the event that these headers are."""
    return AmiEvent(node, headers.first[1], headers, _microseconds(headers.get("Timestamp", "")))


def _microseconds(stamps: str) -> int | None:
    # Asterisk's own stamp comes before any header of the same name that a user event carries.
    seconds, _, fraction = stamps.partition("\n")[0].partition(".")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 13):
        return None
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        return None
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
