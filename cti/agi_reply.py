"""The text of AGI: commands quoted, headers and replies read. Pure; no socket here.

The grammar is that of Asterisk's res_agi.c. panoramisk's `parse_agi_result` is not used: it loses
`(timeout)`, takes a value `hangup` for a hang-up, does not know 511, and cannot see where a reply of
several lines ends, so nothing of it could be kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import parse_qsl, urlsplit

#: Asterisk reads a command into 2,048 bytes (AGI_BUF_LEN); the rest of a longer line would run as a
#: second command.
COMMAND_BYTES = 2047

_BARE = re.compile(r"[A-Z]+")
_PAIRED = frozenset({"CHANNEL", "CONTROL", "DATABASE", "EXEC", "GET", "RECEIVE", "RECORD", "SAY", "SEND", "SET"})
_PAIRED |= {"SPEECH", "STREAM", "WAIT"}
_STRIPPED = str.maketrans("", "", "\r\n\0")
_LINE = re.compile(r"(\d{3})([ -])(.*)", re.DOTALL)
_RESULT = re.compile(r"result=(\S*)(.*)", re.DOTALL)
_FIELDS = re.compile(r"(?: \w+=\S*)+")
_DATA_AND_FIELDS = re.compile(r" \((.*)\)((?: \w+=\S*)+)", re.DOTALL)
_VARIABLE = re.compile(r"[^\s\"\\${}\x00]+")
_QUERY_FIELDS = 100


class ReplyFormatError(ValueError):
    """A line that is not an AGI reply."""


class HeaderFormatError(ValueError):
    """A header that does not come from Asterisk."""


@dataclass(frozen=True, slots=True)
class AgiReply:
    """One whole reply: `200 result=RESULT (DATA) name=value…`; `note` is any other text after the code."""

    code: int
    result: str = ""
    data: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def is_timeout(self) -> bool:
        """GET DATA, RECORD FILE: the time ran out (digits may have come before it)."""
        return self.data == "timeout"

    @property
    def number(self) -> int:
        """`result` as a number; ReplyFormatError when it is none."""
        return _integer(self.result, "result")

    @property
    def end_offset(self) -> int:
        """`endpos`: the sample at which a sound ended; 0 when absent."""
        return _integer(self.fields.get("endpos", "0"), "endpos")

    def __str__(self) -> str:
        data = "" if self.data is None else " (…)"
        return f"{self.code} {self.note or f'result={self.result}{data}'}"


def _integer(text: str, name: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise ReplyFormatError(f"{name}: expected a number, came {text[:80]!r}")
    return int(text)


def quote(argument: str) -> str:
    """The argument as Asterisk's parser reads it back, less CR, LF and NUL, which no argument can hold."""
    escaped = argument.translate(_STRIPPED).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def command_line(words: tuple[str, ...]) -> bytes:
    """One command as it goes on the wire. ValueError when empty, or longer than Asterisk reads."""
    if not words or not _BARE.fullmatch(words[0]):
        raise ValueError(f"an AGI command starts with a word in capitals, came {words[:1]!r}")
    text = " ".join(word if _BARE.fullmatch(word) else quote(word) for word in words)
    line = text.encode("utf-8", "replace") + b"\n"
    if len(line) > COMMAND_BYTES:
        raise ValueError(f"{command_name(words)}: expected at most {COMMAND_BYTES} bytes, came {len(line)}")
    return line


def command_name(words: tuple[str, ...]) -> str:
    """What messages call a command: its verb, with the application of EXEC; no other argument."""
    if words[:2] == ("GET", "FULL"):
        return " ".join(words[:3])
    if words[0] in _PAIRED:
        return " ".join(words[:2])[:60]
    return words[0]


def variable_name(name: str) -> str:
    """The name of a variable or function, checked: it is put between `${` and `}`."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"a variable's name has no blanks, quotes, $ or braces, came {name!r}")
    return name


def read_header(block: bytes) -> Mapping[str, str]:
    """The `agi_*` lines. Bytes that are not UTF-8 become replacement characters.

    Asterisk writes the caller's number and name in the middle. Should they ever bring lines of their own,
    what Asterisk wrote stands: the first of each name before them, the last after them. The caller's name
    loses the escapes that chan_pjsip leaves in it.
    """
    env: dict[str, str] = {}
    settled: frozenset[str] = frozenset()
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.rstrip("\r").partition(":")
        if not colon or not name.startswith("agi_") or name in settled:
            continue
        if name == "agi_callerid":
            settled = frozenset(env) | {name}
        env[name] = value.removeprefix(" ")
    if env.get("agi_type") == "PJSIP" and "agi_calleridname" in env:
        env["agi_calleridname"] = unescaped_name(env["agi_calleridname"])
    missing = [name for name in ("agi_channel", "agi_uniqueid") if not env.get(name)]
    if missing:
        raise HeaderFormatError(f"expected {' and '.join(missing)} in the AGI header, came {block[:80]!r}")
    return MappingProxyType(env)


def unescaped_name(name: str) -> str:
    r"""A caller's name as the caller wrote it: chan_pjsip keeps the `\"` and `\\` of a quoted SIP name."""
    return re.sub(r'\\(["\\])', r"\1", name)


def read_request(env: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Path (with a leading slash) and query of `agi://host/path?query`; of a doubled name the first wins."""
    request = env.get("agi_network_script")
    if request is None:
        request = re.sub(r"^h?agi://[^/?]*", "", env.get("agi_request", ""))
    # urlsplit drops these wherever they stand, and two slashes that meet then begin a host.
    parts = urlsplit("/" + re.sub(r"[\t\r\n]", "", request).lstrip("/"))
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_QUERY_FIELDS)
    except ValueError as error:
        raise HeaderFormatError(f"agi_request: {error}") from error
    return parts.path, MappingProxyType(dict(reversed(pairs)))


class ReplyAssembler:
    """Puts lines together until they are one whole reply.

    A value may hold newlines, and nothing on the wire says where it ends, so the asker may have Asterisk
    append a `tail` of its own to the value. Without a tail the value ends at the first line ending in `)`.
    """

    def __init__(self, limit: int, tail: str = "") -> None:
        self._limit = limit
        self._tail = tail
        self._lines: list[str] = []
        self._size = 0

    @property
    def is_open(self) -> bool:
        """Whether a reply has begun and not ended; then the next line belongs to it, whatever it says."""
        return bool(self._lines)

    def feed(self, line: str) -> AgiReply | None:
        """The reply, once it is whole. ReplyFormatError when it cannot become one."""
        self._size += len(line) + 1
        if self._size > self._limit:
            raise ReplyFormatError(f"more than {self._limit} characters without an end")
        self._lines.append(line)
        if len(self._lines) > 1 and not (")" in line or line[3:4] == " "):
            return None  # in the middle of a value or of a usage text
        match = _LINE.fullmatch("\n".join(self._lines))
        if match is None:
            raise ReplyFormatError(repr(self._lines[0][:80]))
        code, mark, text = int(match[1]), match[2], match[3]
        if mark == "-":
            done = len(self._lines) > 1 and line.startswith(f"{code} ")
            return AgiReply(code, note=text) if done else None
        if code == 100:  # "Trying…": the real reply follows
            self._lines.clear()
            return None
        return self._result(text) if code == 200 else AgiReply(code, note=text)

    def _result(self, text: str) -> AgiReply | None:
        match = _RESULT.fullmatch(text)
        if match is None:
            raise ReplyFormatError(f"200 without a result: {text[:80]!r}")
        result, rest = match[1], match[2]
        if rest.startswith(" ("):
            return self._with_data(result, rest)
        if _FIELDS.fullmatch(rest):
            return AgiReply(200, result, fields=_fields(rest))
        return AgiReply(200, result, note=rest.strip())

    def _with_data(self, result: str, rest: str) -> AgiReply | None:
        if self._tail:
            end = f"{self._tail})"
            return AgiReply(200, result, rest[2 : -len(end)]) if rest.endswith(end) else None
        if rest.endswith(")"):
            return AgiReply(200, result, rest[2:-1])
        match = _DATA_AND_FIELDS.fullmatch(rest)
        return AgiReply(200, result, match[1], _fields(match[2])) if match else None


def _fields(text: str) -> Mapping[str, str]:
    return dict(word.split("=", 1) for word in text.split(" ") if word)
