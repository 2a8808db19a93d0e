"""SIP messages as text (RFC 3261 section 7): read, looked into, written.

What belongs here: the syntax of messages, headers, addresses and digest credentials. What does not: sockets,
timers, and what a message means for a call.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "m": "contact",
    "i": "call-id",
    "l": "content-length",
    "c": "content-type",
    "s": "subject",
    "k": "supported",
}
_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+) SIP/2\.0")
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d) ?(.*)")
_URI = re.compile(r"sips?:(?:([^@;?>]*)@)?(\[[^\]]*\]|[^:;?>]+)(?::(\d+))?")
_PARAMETER = re.compile(r";\s*([^=;\s]+)(?:\s*=\s*(\"(?:[^\"\\]|\\.)*\"|[^;\s]*))?")
_CHALLENGE = re.compile(r"(\w+)\s*=\s*(?:\"([^\"]*)\"|([^,\s]+))")
_MAX_HEADERS = 200

Headers = tuple[tuple[str, str], ...]


class SipParseError(ValueError):
    """A datagram that is not a SIP message."""


@dataclass(frozen=True, slots=True)
class SipMessage:
    """A request (`method` and `uri`) or a response (`status` and `reason`)."""

    method: str = ""
    uri: str = ""
    status: int = 0
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""

    @property
    def is_request(self) -> bool:
        """Whether this asks for something."""
        return bool(self.method)

    def get(self, name: str) -> str:
        """The first header of that name, or an empty text."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        """Every value of that name, also where several stand in one line."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return [part for value in found for part in split_list(value)]

    def with_headers(self, *headers: tuple[str, str]) -> SipMessage:
        """The same message with these headers instead of those of the same names."""
        names = {name.lower() for name, _ in headers}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in names)
        return replace(self, headers=(*headers, *kept))

    def without(self, name: str) -> SipMessage:
        """The same message less the headers of that name."""
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() != name.lower()))

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq."""
        number, _, method = self.get("CSeq").partition(" ")
        return int(number), method.strip()

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, which names the transaction."""
        return parameters(self.all("Via")[0]).get("branch", "")

    def encode(self) -> bytes:
        """The bytes on the wire, Content-Length included; surrogates stand for bytes that are not UTF-8."""
        first = f"{self.method} {self.uri} SIP/2.0" if self.is_request else f"SIP/2.0 {self.status} {self.reason}"
        lines = [first, *(f"{name}: {value}" for name, value in self.headers)]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body


def parse(datagram: bytes) -> SipMessage:
    """Read a datagram. SipParseError when it is no message, or lacks what every message must have."""
    head, _, body = datagram.partition(b"\r\n\r\n")
    first, *lines = re.sub(r"\r\n[ \t]+", " ", head.decode("utf-8", "replace")).split("\r\n")
    headers = _headers(lines)
    if match := _REQUEST_LINE.fullmatch(first):
        message = SipMessage(method=match[1], uri=match[2], headers=headers)
    elif match := _STATUS_LINE.fullmatch(first):
        message = SipMessage(status=int(match[1]), reason=match[2], headers=headers)
    else:
        raise SipParseError(f"expected a request or status line, came {first[:80]!r}")
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        if not message.get(name):
            raise SipParseError(f"{first[:80]!r}: expected a {name} header")
    if not re.fullmatch(r"\d{1,10} +[A-Z]+", message.get("CSeq")):
        raise SipParseError(f"{first[:80]!r}: expected CSeq number and method, came {message.get('CSeq')!r}")
    length = message.get("Content-Length") or str(len(body))
    if not length.isdecimal() or int(length) > len(body):
        raise SipParseError(f"{first[:80]!r}: expected {length} bytes of body, came {len(body)}")
    return replace(message.without("Content-Length"), body=body[: int(length)])


def _headers(lines: Sequence[str]) -> Headers:
    if len(lines) > _MAX_HEADERS:
        raise SipParseError(f"expected at most {_MAX_HEADERS} headers, came {len(lines)}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise SipParseError(f"expected name: value, came {line[:80]!r}")
        name = name.strip()
        headers.append((_COMPACT.get(name.lower(), name), value.strip()))
    return tuple(headers)


def split_list(value: str) -> list[str]:
    """The parts between commas that are neither in quotes nor in angle brackets."""
    parts, depth, is_quoted, is_escaped = [""], 0, False, False
    for char in value:
        if char == "," and not depth and not is_quoted:
            parts.append("")
            continue
        if char == '"' and not is_escaped:
            is_quoted = not is_quoted
        elif not is_quoted:
            depth += (char == "<") - (char == ">")
        is_escaped = char == "\\" and not is_escaped
        parts[-1] += char
    return [part.strip() for part in parts if part.strip()]


def parameters(value: str) -> dict[str, str]:
    """The parameters of a header (behind the angle bracket, where there is one)."""
    if value.lstrip().startswith(('"', "<")) or "<" in value:
        value = value.rpartition(">")[2]
    return {match[1].lower(): (match[2] or "").strip('"') for match in _PARAMETER.finditer(value)}


def uri_of(value: str) -> str:
    """The address within a From, To, Contact or Route header."""
    match = re.search(r"<([^>]*)>\s*(?:;.*)?$", value)
    return match[1] if match else value.partition(";")[0].strip()


def user_of(value: str) -> str:
    """The user part of a header's or plain address: a number or an extension."""
    match = _URI.match(uri_of(value))
    return (match[1] or "") if match else ""


def name_of(value: str) -> str:
    """The display name, its quotes undone."""
    quoted = re.match(r'\s*"((?:[^"\\]|\\.)*)"', value)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    return value.partition("<")[0].strip() if "<" in value else ""


def place_of(uri: str) -> tuple[str, int]:
    """Where a SIP address is: IPv4 host and port. This laboratory speaks to the loopback address only."""
    match = _URI.match(uri)
    if match is None:
        raise SipParseError(f"expected a SIP address, came {uri[:80]!r}")
    host = "127.0.0.1" if match[2] == "localhost" else match[2]
    if not host.startswith("127."):
        raise SipParseError(f"expected an address on loopback, came {uri[:80]!r}")
    return host, int(match[3] or 5060)


def address(uri: str, name: str = "", tag: str = "") -> str:
    """A From, To or Contact header. Line ends in the name are dropped: SIP has no way to write them."""
    cleaned = re.sub(r"[\r\n\0]", "", name)
    escaped = cleaned.replace("\\", "\\\\").replace('"', '\\"')
    shown = f'"{escaped}" ' if cleaned else ""
    return f"{shown}<{uri}>" + (f";tag={tag}" if tag else "")


def with_source(request: SipMessage, place: tuple[str, int]) -> SipMessage:
    """The topmost Via with where it really came from, where the sender asks for that (RFC 3581)."""
    first, *others = request.all("Via")
    if parameters(first).get("rport") == "":
        seen = first.replace(";rport", f";rport={place[1]};received={place[0]}", 1)
        return request.with_headers(*(("Via", via) for via in (seen, *others)))
    return request


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who a user agent says it is when asked (RFC 2617 digest)."""

    username: str
    password: str


def digest(challenge: str, credentials: Credentials, method: str, uri: str) -> str:
    """The Authorization header that answers a Digest challenge. SipParseError for what we cannot answer."""
    asked = {key.lower(): quoted or plain for key, quoted, plain in _CHALLENGE.findall(challenge)}
    algorithm = asked.get("algorithm", "MD5").upper()
    digests = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}
    if "nonce" not in asked or algorithm not in digests:
        raise SipParseError(f"expected a Digest challenge by MD5 or SHA-256, came {challenge[:120]!r}")

    def hashed(*parts: str) -> str:
        return digests[algorithm](":".join(parts).encode()).hexdigest()

    realm, nonce = asked.get("realm", ""), asked["nonce"]
    who = hashed(credentials.username, realm, credentials.password)
    what = hashed(method, uri)
    fields = [f'username="{credentials.username}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"']
    if "auth" in split_list(asked.get("qop", "")):
        cnonce, count = secrets.token_hex(8), "00000001"
        proof = hashed(who, nonce, count, cnonce, "auth", what)
        fields += ["qop=auth", f"nc={count}", f'cnonce="{cnonce}"']
    else:
        proof = hashed(who, nonce, what)
    fields += [f'response="{proof}"', f"algorithm={algorithm}"]
    if "opaque" in asked:
        fields.append(f'opaque="{asked["opaque"]}"')
    return "Digest " + ", ".join(fields)
