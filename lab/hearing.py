"""What a caller hears, told apart by ear: the loudness of what comes, frame by frame, against a rendered prompt."""

from __future__ import annotations

import asyncio
import math
import struct
import wave
from pathlib import Path

from cti.sounds import SoundCache, with_ending
from lab.audio import DECODED, FRAME
from lab.paths import home
from lab.sip_call import SipCall

_ALIKE = 0.9
#: Frames of a prompt's beginning that may be missed: on a busy machine it plays before anybody has begun to listen.
_MISSED = 20
_EVERY_S = 0.03


class Hearing:
    """Keeps the loudness of each frame of 20 ms that a call has received since."""

    def __init__(self, call: SipCall) -> None:
        self.frames: list[float] = []
        self._take = call.media.datagram_received
        call.media.datagram_received = self._listen  # type: ignore[method-assign]

    def _listen(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 12 and data[1] & 0x7F == 0:
            self.frames.append(_loudness([DECODED[byte] for byte in data[12::4]]))
        self._take(data, addr)

    async def hears(self, text: str, language: str = "en", limit_s: float = 30.0) -> None:
        """Return once this prompt has been heard to its end; what was heard up to there is forgotten."""
        await self.hears_file(await rendered(text, language), repr(text), limit_s)

    async def hears_file(self, file: Path, what: str, limit_s: float = 30.0) -> None:
        """The same for what lies in a WAV file. Raises AssertionError that names `what`."""
        prompt = await asyncio.to_thread(_loud, file)
        prompt = prompt[min(_MISSED, len(prompt) // 3) :]
        try:
            async with asyncio.timeout(limit_s):
                start = 0
                while (start := self._find(prompt, start)) >= 0:  # noqa: ASYNC110
                    await asyncio.sleep(_EVERY_S)
        except TimeoutError:
            raise AssertionError(f"to hear {what}: not within {limit_s:g} s") from None

    def _find(self, prompt: list[float], start: int) -> int:
        """Look for the prompt from this frame on; where to look next time, or -1 once it was found."""
        last = len(self.frames) - len(prompt)
        for at in range(start, last + 1):
            if _likeness(self.frames[at : at + len(prompt)], prompt) > _ALIKE:
                del self.frames[: at + len(prompt)]
                return -1
        return max(start, last + 1)


async def rendered(text: str, language: str) -> Path:
    """The file of a prompt, as the server renders it into the lab's sounds."""
    cache = SoundCache(home() / "sounds")
    try:
        return with_ending(await cache.path(text, language))
    finally:
        await cache.close()


def _loud(file: Path) -> list[float]:
    """The loudness of a file, frame by frame, without the silence at its end."""
    with wave.open(str(file), "rb") as sound:
        content = sound.readframes(sound.getnframes())
    samples = struct.unpack(f"<{len(content) // 2}h", content)
    frames = [_loudness(list(samples[at : at + FRAME : 4])) for at in range(0, len(samples) - FRAME, FRAME)]
    quiet = max(frames) / 50
    while frames and frames[-1] < quiet:  # what is silent at the end may be cut off by what comes next
        frames.pop()
    return frames


def _loudness(samples: list[int]) -> float:
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


def _likeness(heard: list[float], prompt: list[float]) -> float:
    """Correlation, from -1 to 1."""
    mean_heard, mean_prompt = sum(heard) / len(heard), sum(prompt) / len(prompt)
    both = sum((a - mean_heard) * (b - mean_prompt) for a, b in zip(heard, prompt, strict=True))
    size = math.sqrt(sum((a - mean_heard) ** 2 for a in heard) * sum((b - mean_prompt) ** 2 for b in prompt))
    return both / size if size else 0.0
