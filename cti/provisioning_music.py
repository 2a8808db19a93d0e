"""Hold music of our own: a quiet chord progression, synthesised, so that no recording needs a licence.

The format is what Asterisk takes without complaint: plain PCM WAV, 8 kHz, mono, 16 bit.
"""

from __future__ import annotations

import math
import os
import wave
from array import array
from collections.abc import Callable
from pathlib import Path

__all__ = ["write_hold_music"]

_RATE = 8000
_CHORD_S = 3.0
_FADE_S = 0.9
_PEAK = 5200  # of 32767: about -16 dB, soft beside a speaking voice
# C, Am7, F, G6, Em7, Am, Dm7, G7: it comes back to its beginning without a seam. MIDI note numbers, low to high.
_CHORDS = (
    (48, 60, 64, 67),
    (45, 57, 64, 67),
    (41, 57, 60, 65),
    (43, 59, 62, 64),
    (40, 59, 62, 67),
    (45, 57, 60, 64),
    (38, 57, 60, 65),
    (43, 59, 62, 65),
)
_SILENCE_S = 60


def write_hold_music(directory: Path) -> None:
    """Write `default/callyard.wav` and `silent/silence.wav` below `directory` where they are missing."""
    _write_once(directory / "default" / "callyard.wav", _progression)
    _write_once(directory / "silent" / "silence.wav", lambda: array("h", bytes(2 * _RATE * _SILENCE_S)))


def _write_once(path: Path, samples: Callable[[], array[int]]) -> None:
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with wave.open(str(partial), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        sound.writeframes(samples().tobytes())
    partial.replace(path)


def _progression() -> array[int]:
    length = int(_CHORD_S * _RATE)
    mixed = [0.0] * (length * len(_CHORDS))
    for place, chord in enumerate(_CHORDS):
        for voice, note in enumerate(chord):
            _add_tone(mixed, place * length, note, 1.0 if voice == 0 else 0.6)
    loudest = max(abs(sample) for sample in mixed)
    return array("h", (round(sample / loudest * _PEAK) for sample in mixed))


def _add_tone(mixed: list[float], start: int, note: int, loudness: float) -> None:
    """Add one note that swells and fades into the next chord; past the end it goes on at the beginning."""
    step = 2 * math.pi * 440.0 * 2 ** ((note - 69) / 12) / _RATE
    fade = int(_FADE_S * _RATE)
    length = int(_CHORD_S * _RATE) + fade
    turn, before, now = 2 * math.cos(step), -math.sin(step), 0.0
    for index in range(length):
        edge = min(index, length - index)
        gain = loudness if edge >= fade else loudness * edge / fade
        mixed[(start + index) % len(mixed)] += gain * now
        before, now = now, turn * now - before
