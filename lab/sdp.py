"""What a call's audio is and where it goes: SDP offers and answers (RFC 3264), PCMU and digits only."""

from __future__ import annotations

import re
from dataclasses import dataclass

PCMU = 0
_OUR_EVENTS = 101
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class SdpError(ValueError):
    """A session description that this laboratory cannot take part in."""


@dataclass(frozen=True, slots=True)
class Media:
    """One side's audio: where it listens, the payload type of its digits (None: no digits), its direction."""

    host: str
    port: int
    events: int | None = _OUR_EVENTS
    direction: str = "sendrecv"

    @property
    def is_listening(self) -> bool:
        """Whether audio may be sent there (not on hold, not disabled)."""
        return self.port > 0 and self.host != "0.0.0.0" and self.direction in ("sendrecv", "recvonly")


def read(body: bytes) -> Media:
    """The audio that a description asks for. SdpError when it has no audio that could be PCMU."""
    lines = body.decode("utf-8", "replace").splitlines()
    host, medium = "", ""
    port, direction, events = 0, "sendrecv", None
    has_pcmu = False
    for line in lines:
        kind, _, value = line.partition("=")
        if kind == "m":
            if medium == "audio":
                break  # the first audio is ours; what follows is another medium's
            medium = value.partition(" ")[0]
            if medium == "audio":
                port, has_pcmu = _audio(value)
        elif medium in ("", "audio") and kind == "c":
            host = _host(value)
        elif medium in ("", "audio") and kind == "a":
            if value in _MIRROR:
                direction = value
            elif match := re.match(r"rtpmap:(\d+) telephone-event/8000", value, re.IGNORECASE):
                events = int(match[1])
    if not has_pcmu:
        raise SdpError(f"expected audio with PCMU, came {body[:200]!r}")
    return Media(host, port, events, direction)


def _audio(value: str) -> tuple[int, bool]:
    match = re.fullmatch(r"audio (\d{1,5})(?:/\d+)? RTP/AVPF?((?: \d{1,3})+)\s*", value)
    if match is None:
        return 0, False
    return int(match[1]), str(PCMU) in match[2].split()


def _host(value: str) -> str:
    match = re.match(r"IN IP4 ([0-9.]+)", value)
    if match is None:
        raise SdpError(f"expected an IPv4 address, came c={value[:80]!r}")
    return match[1]


def offer(media: Media, version: int) -> bytes:
    """The description of our side."""
    formats = f"{PCMU}" if media.events is None else f"{PCMU} {media.events}"
    lines = [
        "v=0",
        f"o=- {media.port} {version} IN IP4 {media.host}",
        "s=call",
        f"c=IN IP4 {media.host}",
        "t=0 0",
        f"m=audio {media.port} RTP/AVP {formats}",
        f"a=rtpmap:{PCMU} PCMU/8000",
    ]
    if media.events is not None:
        lines += [f"a=rtpmap:{media.events} telephone-event/8000", f"a=fmtp:{media.events} 0-16"]
    lines += ["a=ptime:20", f"a={media.direction}"]
    return ("\r\n".join(lines) + "\r\n").encode()


def answer(theirs: Media, host: str, port: int, version: int) -> bytes:
    """Our side of what they offered: their payload type for digits, their direction mirrored."""
    return offer(Media(host, port, theirs.events, _MIRROR[theirs.direction]), version)
