"""Recorded AMI conversations (tests/cti/recordings): comment lines, then the bytes that a real Asterisk sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cti.ami_events import ChannelEvent, ChannelFound, parse_event
from cti.ami_messages import AmiFramer, as_event, is_event, read_headers

FOLDER = Path(__file__).parent.parent / "cti" / "recordings"
NODE = "lab1"


def names() -> list[str]:
    return sorted(file.stem for file in FOLDER.glob("*.ami"))


def events(name: str) -> Iterator[ChannelEvent | list[ChannelFound]]:
    """What came, in order; a list of channels stands where Asterisk had answered `Status` completely."""
    data = (FOLDER / f"{name}.ami").read_bytes()
    while data.startswith(b"#"):
        data = data.partition(b"\n")[2]
    found: list[ChannelFound] = []
    for message in AmiFramer(1 << 20).feed(data):
        headers = read_headers(message)
        if not is_event(headers):
            continue
        event = as_event(NODE, headers)
        parsed = parse_event(event)
        if isinstance(parsed, ChannelFound):
            found.append(parsed)
        elif event.name == "StatusComplete":
            yield found
            found = []
        else:
            yield parsed
