"""Mono 16-bit WAV to another rate, with nothing but the standard library: the fallback where sox is missing.

Run as a program (`python resampling.py IN OUT RATE`), so that its arithmetic never holds up the event loop; it
imports nothing of ours. A windowed-sinc filter in exact rational phases: cut off below half of the lower rate, so
that nothing folds back. Differs from sox by less than is heard on a telephone.
"""

from __future__ import annotations

import array
import math
import sys
import wave
from operator import mul

_HALF_WIDTH = 16  # zero crossings on each side


def resample(samples: array.array[int], rate: int, wanted: int) -> array.array[int]:
    """Return signed 16-bit `samples` of `rate` Hz at `wanted` Hz, saturated."""
    if rate == wanted or not samples:
        return samples
    common = math.gcd(rate, wanted)
    up, down = wanted // common, rate // common
    cutoff = 0.95 * min(1.0, wanted / rate)
    reach = math.ceil(_HALF_WIDTH / cutoff)
    phases = [_taps(phase / up, cutoff, reach) for phase in range(up)]
    padded = [0] * reach + list(samples) + [0] * reach
    result = array.array("h")
    for index in range(len(samples) * up // down):
        start, phase = divmod(index * down, up)
        value = round(sum(map(mul, phases[phase], padded[start : start + 2 * reach])))
        result.append(max(-32768, min(32767, value)))
    return result


def _taps(offset: float, cutoff: float, reach: int) -> list[float]:
    """Return filter taps for an output `offset` (0 to 1) after an input sample; their sum is 1."""
    taps = []
    for index in range(2 * reach):
        distance = index - reach - offset
        angle = math.pi * distance * cutoff
        sinc = math.sin(angle) / angle if angle else 1.0
        window = 0.5 + 0.5 * math.cos(math.pi * distance / (reach + 1)) if abs(distance) <= reach + 1 else 0.0
        taps.append(sinc * window)
    total = sum(taps)
    return [tap / total for tap in taps]


def convert(source: str, target: str, wanted: int) -> None:
    """Write `source` (WAV, mono, 16 bit) to `target` at `wanted` Hz; ValueError if it is something else."""
    with wave.open(source, "rb") as reader:
        if (reader.getnchannels(), reader.getsampwidth()) != (1, 2):
            raise ValueError(f"{source}: expected mono 16 bit, came {reader.getparams()}")
        rate = reader.getframerate()
        samples = array.array("h", reader.readframes(reader.getnframes()))
    if sys.byteorder == "big":
        samples.byteswap()
    result = resample(samples, rate, wanted)
    if sys.byteorder == "big":
        result.byteswap()
    with wave.open(target, "wb") as writer:
        writer.setparams((1, 2, wanted, 0, "NONE", ""))
        writer.writeframes(result.tobytes())


if __name__ == "__main__":
    convert(sys.argv[1], sys.argv[2], int(sys.argv[3]))
