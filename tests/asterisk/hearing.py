"""What a caller hears, told apart by ear: the loudness of what comes, frame by frame, against a rendered prompt."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

from lab.audio import DECODED, FRAME
from lab.paths import home
from lab.sip_call import SipCall
from tests.asterisk.world import eventually

_ALIKE = 0.9
#: Frames of a prompt's beginning that may be missed: on a busy machine it plays before anybody has begun to listen.
_MISSED = 20


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
        prompt = await _rendered(text, language)
        prompt = prompt[min(_MISSED, len(prompt) // 3) :]
        await eventually(f"to hear {text!r}", lambda: self._find(prompt), limit_s)

    def _find(self, prompt: list[float]) -> bool:
        for start in range(len(self.frames) - len(prompt) + 1):
            if _likeness(self.frames[start : start + len(prompt)], prompt) > _ALIKE:
                del self.frames[: start + len(prompt)]
                return True
        return False


async def _rendered(text: str, language: str) -> list[float]:
    """The loudness of a prompt, as the server renders it into the lab's sounds."""
    from cti.sounds import SoundCache, with_ending

    cache = SoundCache(home() / "sounds")
    file: Path = with_ending(await cache.path(text, language))
    await cache.close()
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
