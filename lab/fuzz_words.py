"""What hostile senders write: texts that mean something to somebody behind us, and slips of every kind."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

#: Each means something to AMI, AGI, dial strings, Asterisk's variables, SQL, HTML, CSV, JSON, CEL, files or a terminal.
HOSTILE = (
    "",
    " ",
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x00\x00",
    "a\r\nAction: Hangup\r\nChannel: all",
    "a\r\n\r\nEvent: Hangup\r\n",
    "\nHANGUP\n",
    "200 result=1",
    '"',
    '\\"',
    "\\",
    "'",
    "''",
    "`",
    "&",
    "PJSIP/2001&PJSIP/2002",
    "/",
    "//",
    "../",
    "../../etc/passwd",
    "..%2f..%2fetc",
    "/etc/passwd",
    "C:\\x",
    "a/b",
    ",",
    ",,,",
    ";",
    "; DROP TABLE agents --",
    "' OR '1'='1",
    "|",
    "a|b|c",
    "^",
    "$",
    "${EXTEN}",
    "${SHELL(id)}",
    "$[1+1]",
    "{",
    "}",
    "{{7*7}}",
    "%s%n",
    "%00",
    "(",
    ")",
    ")))",
    "(hangup)",
    "<",
    ">",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-1",
    "0",
    "1e309",
    "NaN",
    "Infinity",
    "null",
    "true",
    "٣",
    "९",
    "9" * 40,
    "9" * 5000,
    "0x10",
    "1_000",
    "١٢٣",
    "\u202eabc\u202c",
    "\u200b",
    "\ufeff",
    "e\u0301" * 20,
    "Z\u0335\u0321\u0353" * 30,
    "مرحبا",
    "שלום",
    "张伟",
    "👩‍👩‍👧‍👦",
    "\ud800",
    "\udfff",
    "\x1b[2J\x1b]0;x\x07",
    "\x7f",
    "\x85",
    "\u2028",
    "<unknown>",
    "(null)",
    "sip:x@y;tag=1",
    "PJSIP/2001-0000002a",
    "trunk-carrier",
    "+4930901820@evil",
    "110",
    "112",
    "00112",
    "+49112",
    "x" * 300,
    "x" * 5_000,
    "y" * 70_000,
    "[" * 2_000,
    '{"a":' * 500,
    "&a [*a, *a]",
    "!!python/object/apply:os.system [id]",
    "- " * 500,
    "é" * 2_000,
)


def text(chance: random.Random, usual: Sequence[str] = ()) -> str:
    """One value: mostly one of the usual, else hostile, perhaps two put together."""
    if usual and chance.random() < 0.7:
        return chance.choice(usual)
    if chance.random() < 0.75:
        return chance.choice(HOSTILE)
    return chance.choice(usual or HOSTILE) + chance.choice(HOSTILE) + chance.choice(usual or HOSTILE)


def slipped(chance: random.Random, data: bytes, pieces: Sequence[bytes]) -> bytes:
    """The bytes with a few slips: lost, doubled, moved, flipped, cut, and pieces put in."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) + 1)
        end = min(len(changed), at + chance.choice((1, 1, 2, 5, 20, 100)))
        match chance.randrange(6):
            case 0:
                del changed[at:end]
            case 1:
                changed[at:at] = changed[at:end]
            case 2:
                part = changed[at:end]
                del changed[at:end]
                to = chance.randrange(len(changed) + 1)
                changed[to:to] = part
            case 3 if at < len(changed):
                changed[at] = chance.randrange(256)
            case 4:
                del changed[max(1, at) :]
            case _:
                changed[at:at] = chance.choice(pieces)
    return bytes(changed)


def split(chance: random.Random, data: bytes) -> list[bytes]:
    """As the network may cut it."""
    if chance.random() < 0.5:
        return [data]
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(1, 6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]


def value(chance: random.Random, depth: int = 0) -> object:
    """Any value that JSON knows, and a few that it should not."""
    match chance.randrange(10 if depth < 3 else 7):
        case 0:
            return None
        case 1:
            return chance.choice((True, False))
        case 2:
            return chance.choice((0, -1, 1, 2**31, 2**53, 2**63, -(2**63), 2**64, 10**30, 1.5, -0.0, 1e308))
        case 7:
            return [value(chance, depth + 1) for _ in range(chance.randint(0, 4))]
        case 8:
            return {text(chance)[:50]: value(chance, depth + 1) for _ in range(chance.randint(0, 4))}
        case 9:
            return _deep(chance.choice((5, 50, 500)))
        case _:
            return text(chance)


def _deep(levels: int) -> object:
    nested: object = 1
    for _ in range(levels):
        nested = [nested]
    return nested


def as_json(thing: object) -> str:
    """JSON, with lone surrogates as they are."""
    return json.dumps(thing, ensure_ascii=False)
