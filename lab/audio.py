"""Sound at 8 kHz: µ-law (G.711), tones, and hearing a tone among other sound (Goertzel)."""

from __future__ import annotations

import math
from functools import lru_cache

RATE = 8000
FRAME = 160  # samples in 20 ms
SILENCE = b"\xff" * FRAME

_BIAS = 0x84
_CLIP = 32635


def encode(sample: int) -> int:
    """One µ-law byte for a signed 16-bit sample (G.711)."""
    sign = 0x80 if sample < 0 else 0
    size = min(abs(sample), _CLIP) + _BIAS
    exponent = max(size.bit_length() - 8, 0)
    mantissa = (size >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def _decoded(byte: int) -> int:
    byte = ~byte & 0xFF
    exponent = (byte >> 4) & 7
    size = ((((byte & 0x0F) << 3) + _BIAS) << exponent) - _BIAS
    return -size if byte & 0x80 else size


#: The sample of each µ-law byte.
DECODED = tuple(_decoded(byte) for byte in range(256))


@lru_cache(maxsize=32)
def tone(frequency: int, amplitude: int = 8000) -> tuple[bytes, ...]:
    """One second of a sine in frames of 20 ms; a whole number of cycles, so it can be repeated."""
    step = 2 * math.pi * frequency / RATE
    sound = bytes(encode(round(amplitude * math.sin(step * index))) for index in range(RATE))
    return tuple(sound[start : start + FRAME] for start in range(0, RATE, FRAME))


class ToneDetector:
    """Tells when one frequency has clearly stood out for `frames` frames in a row.

    A frame counts when at least `share` of its energy lies at the frequency and it is not near silence.
    Speech and music spread their energy and do not hold one note that purely.
    """

    def __init__(self, frequency: int, *, share: float = 0.8, frames: int = 5, floor: float = 200.0) -> None:
        self._coefficient = 2 * math.cos(2 * math.pi * frequency / RATE)
        self._share = share
        self._frames = frames
        self._floor = floor
        self.run = 0  # frames in a row so far

    def hears(self, frame: bytes) -> bool:
        """Take one frame; True when it completes, or goes on, a run that is long enough."""
        self.run = self.run + 1 if self._stands_out(frame) else 0
        return self.run >= self._frames

    def _stands_out(self, frame: bytes) -> bool:
        samples = [DECODED[byte] for byte in frame]
        energy = sum(sample * sample for sample in samples)
        count = len(samples)
        if count == 0 or energy < self._floor * self._floor * count:
            return False
        coefficient = self._coefficient
        before = last = 0.0
        for sample in samples:
            before, last = last, sample + coefficient * last - before
        power = last * last + before * before - coefficient * last * before
        return power >= self._share * energy * count / 2
