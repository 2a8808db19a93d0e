"""What callers hear: text rendered by espeak-ng or Piper into a cache, and the sound files of the site.

Rendered files are plain PCM WAV, 8 kHz, mono, 16 bit (Asterisk refuses WAVE_FORMAT_EXTENSIBLE), named by a hash
of everything that shapes them, so a file under its name never changes. Text reaches the program by its standard
input, never by a shell or an argument.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import wave
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from cti import resampling
from cti.errors import CtiError
from cti.settings import Settings

log = structlog.get_logger(__name__)

RATE_HZ = 8000
LONGEST_TEXT = 1000
"""Characters of one prompt: about 80 s of speech."""

SOUND_FORMATS = ("wav", "wav16", "sln", "sln16", "g722", "ulaw", "alaw", "gsm")
"""File endings of site sounds that the generated Asterisk configuration can play."""

_VERSION = 1  # part of the hash: raise it when the rendering changes
_TIME_OUT_S = 30.0
_AT_ONCE = 2
_WAITING_AT_MOST = 500
_UNTOUCHED_S = 3600.0  # a file used within this time may be playing
_WAV_HEADER = 44
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_SOUND_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
_RENDERED = re.compile(r"[0-9a-f]{40}\.wav")
# Control characters are commands to espeak-ng; so is [[…]], which switches to phonemes.
_COMMANDS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

VOICES: Mapping[str, str] = {
    "en": "en-us",
    "en-au": "en-gb",
    "fr": "fr-fr",
    "pt": "pt",
    "zh": "cmn",
    "zh-cn": "cmn",
    "zh-tw": "cmn",
    "zh-hk": "yue",
    "no": "nb",
}
"""Language → voice of espeak-ng, where it is not the language's own tag."""


class SoundError(CtiError):
    """A prompt cannot be made into sound; the message says which and why."""

    code = "sound_error"


class SpeechProgramMissingError(SoundError):
    """The text-to-speech program is not installed."""

    code = "speech_program_missing"


@dataclass(frozen=True, slots=True)
class Speech:
    """How text is spoken: program, speed, and voices that stand above `VOICES`.

    `piper_voices`: language → model file; these languages are spoken by Piper, and by `program` where it fails.
    """

    program: str = "espeak-ng"
    words_per_minute: int = 150
    voices: Mapping[str, str] = field(default_factory=dict)
    piper: str = "piper"
    piper_voices: Mapping[str, str] = field(default_factory=dict)

    def piper_voice(self, language: str) -> str:
        """Return the model of Piper for `language`, or for its base; empty where there is none."""
        tag = language.lower()
        models = {key.lower(): model for key, model in self.piper_voices.items()}
        return models.get(tag) or models.get(tag.partition("-")[0], "")

    def voice(self, language: str) -> str:
        """Return the voice for `language` (a tag as `zh` or `en-GB`); a regional tag falls back to its base."""
        if not _LANGUAGE.fullmatch(language):
            raise SoundError(f"language {language!r}: expected a tag such as en, zh or pt-BR")
        tag = language.lower()
        for table in ({key.lower(): value for key, value in self.voices.items()}, VOICES):
            if tag in table:
                return table[tag]
        return tag


@dataclass(frozen=True, slots=True)
class _Piper:
    """The neural speech program Piper, as a process of its own: text in by standard input, a WAV file out."""

    program: str
    model: str

    async def speak(self, spoken: str, file: Path) -> None:
        program = shutil.which(self.program)
        if program is None:
            raise SoundError(f"{self.program}: program not found")
        arguments = [program, "--model", self.model, "--output_file", str(file)]
        await _run(arguments, spoken.encode() + b"\n", f"model {self.model}, {_short(spoken)}")


class SoundCache:
    """Renders each prompt once, at most two at a time; keeps at most about `cache_bytes` on disk."""

    def __init__(self, folder: Path, speech: Speech | None = None, *, cache_bytes: int = 512 * 2**20) -> None:
        self._folder = folder
        self._speech = speech or Speech()
        self._cache_bytes = cache_bytes
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._kept_bytes: int | None = None
        self._failed_models: set[str] = set()

    async def path(self, text: str, language: str) -> Path:
        """Return where the spoken `text` lies, without the file's ending, as STREAM FILE wants it.

        `SoundError` if it cannot be rendered. A caller who leaves does not stop what others wait for.
        """
        spoken, voice = _spoken(text), self._speech.voice(language)
        model = self._speech.piper_voice(language)
        if model and model not in self._failed_models:
            try:
                return await self._rendered(text, spoken, _Piper(self._speech.piper, model))
            except SoundError as error:
                if model not in self._failed_models:
                    log.warning("sounds.piper_failed", model=model, error=str(error))
                self._failed_models.add(model)
        return await self._rendered(text, spoken, voice)

    async def _rendered(self, text: str, spoken: str, voice: str | _Piper) -> Path:
        key = self._key(spoken, voice)
        target = self._folder / f"{key}.wav"
        if key not in self._running and _is_kept(target):
            return target.with_suffix("")
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= _WAITING_AT_MOST:
                raise SoundError(f"{_WAITING_AT_MOST} prompts wait to be rendered; refused {_short(text)}")
            task = asyncio.create_task(self._render(spoken, voice, target), name=f"render {key[:8]}")
            self._running[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        await asyncio.shield(task)
        return target.with_suffix("")

    async def prepare(self, prompts: Iterable[tuple[str, str]]) -> Sequence[SoundError]:
        """Render (text, language) pairs ahead of need; return what went wrong, one error for each such prompt.

        What Piper failed at is given to it again from here on: somebody may have installed it meanwhile.
        `SpeechProgramMissingError` is raised: without the program nothing can be prepared.
        """
        self._failed_models.clear()
        faults: dict[int, SoundError] = {}
        wanted = iter(list(enumerate(dict.fromkeys(prompts))))

        async def render_some() -> None:
            for place, (text, language) in wanted:
                try:
                    await self.path(text, language)
                except SpeechProgramMissingError:
                    raise
                except SoundError as error:
                    faults[place] = error

        some = [asyncio.create_task(render_some(), name="prepare sounds") for _ in range(_AT_ONCE)]
        try:
            await asyncio.gather(*some)
        finally:
            for task in some:
                task.cancel()
            await asyncio.gather(*some, return_exceptions=True)
        return [faults[place] for place in sorted(faults)]

    async def close(self) -> None:
        """Stop what is being rendered; no program of ours is left running."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _key(self, spoken: str, voice: str | _Piper) -> str:
        if isinstance(voice, _Piper):
            shape: list[object] = [_VERSION, voice.program, voice.model, RATE_HZ, spoken]
            return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:40]
        shape = [_VERSION, self._speech.program, voice, self._speech.words_per_minute, RATE_HZ, spoken]
        return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:40]

    def _finished(self, key: str, done: asyncio.Task[None]) -> None:
        self._running.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waits sees it; if all have left, it is not an unheard error

    async def _render(self, spoken: str, voice: str | _Piper, target: Path) -> None:
        async with self._slots:
            work = await asyncio.to_thread(_work_folder, self._folder)
            try:
                await self._speak(spoken, voice, work / "spoken.wav")
                await self._convert(work / "spoken.wav", work / "telephone.wav")
                size = await asyncio.to_thread(_keep, work / "telephone.wav", target, _short(spoken))
            finally:
                shutil.rmtree(work, ignore_errors=True)
            await self._make_room(size, target)

    async def _speak(self, spoken: str, voice: str | _Piper, file: Path) -> None:
        if isinstance(voice, _Piper):
            await voice.speak(spoken, file)
            return
        program = shutil.which(self._speech.program)
        if program is None:
            raise SpeechProgramMissingError(
                f"{self._speech.program}: program not found; install it (Debian: apt-get install espeak-ng)"
            )
        speed = str(self._speech.words_per_minute)
        arguments = [program, "-b", "1", "-v", voice, "-s", speed, "-w", str(file), "--stdin"]
        await _run(arguments, spoken.encode() + b"\n", f"voice {voice}, {_short(spoken)}")

    async def _convert(self, source: Path, target: Path) -> None:
        if sox := shutil.which("sox"):
            form = ["-t", "wavpcm", "-r", str(RATE_HZ), "-c", "1", "-b", "16", "-e", "signed-integer"]
            arguments = [sox, "-V1", "-G", str(source), *form, str(target)]
        else:
            arguments = [sys.executable, "-I", resampling.__file__, str(source), str(target), str(RATE_HZ)]
        await _run(arguments, b"", str(source))

    async def _make_room(self, added: int, newest: Path) -> None:
        if self._kept_bytes is not None and self._kept_bytes + added <= self._cache_bytes:
            self._kept_bytes += added
            return
        self._kept_bytes = await asyncio.to_thread(_prune, self._folder, self._cache_bytes, newest)


def sound_cache(settings: Settings) -> SoundCache:
    """Return the cache that the settings describe."""
    chosen = settings.speech
    speech = Speech(chosen.program, chosen.words_per_minute, chosen.voices, chosen.piper_program, chosen.piper_voices)
    return SoundCache(settings.sounds_dir, speech, cache_bytes=chosen.cache_mb * 2**20)


def with_ending(path: Path) -> Path:
    """Return the file of a path that `SoundCache.path` gave."""
    return path.with_name(f"{path.name}.wav")


def site_sound(site_dir: Path, name: str) -> Path:
    """Return the site's sound `name` (`greeting`, `de/greeting`) without its ending; `SoundError` if there is none.

    Only files below `site/sounds` are found, whatever `name` says.
    """
    folder = (site_dir / "sounds").resolve()
    if not _SOUND_NAME.fullmatch(name) or ".." in name:
        raise SoundError(f"sound {name!r}: expected a name below {folder}, of letters, digits, '_', '-', '.', '/'")
    bare = folder / name.removesuffix(f".{name.rpartition('.')[2]}") if _has_ending(name) else folder / name
    for ending in SOUND_FORMATS:
        file = bare.with_name(f"{bare.name}.{ending}")
        if file.is_file() and file.resolve().is_relative_to(folder):
            return bare
    raise SoundError(f"sound {name!r}: no file {bare}.({'|'.join(SOUND_FORMATS)})")


def _has_ending(name: str) -> bool:
    return name.rpartition(".")[2] in SOUND_FORMATS and "." in name


def _spoken(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise SoundError(f"text of {len(text)} characters, expected at most {LONGEST_TEXT}: {_short(text)}")
    spoken = _COMMANDS.sub(" ", text).replace("[[", "[ [").strip()
    if not spoken:
        raise SoundError("expected text to speak, came nothing")
    return spoken


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")


def _is_kept(file: Path) -> bool:
    """True if the file is there and whole; marks it as used."""
    try:
        if file.stat().st_size <= _WAV_HEADER:
            return False
        os.utime(file)
    except FileNotFoundError:
        return False
    except PermissionError:
        return True  # rendered by another user: readable is enough
    return True


def _work_folder(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".rendering-", dir=folder))
    except OSError as error:
        raise SoundError(f"{folder}: cannot write there: {error}") from error


def _keep(file: Path, target: Path, text: str) -> int:
    """Check the file and move it under its name, whole or not at all; return its size."""
    try:
        with wave.open(str(file), "rb") as sound:
            form = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
            frames = sound.getnframes()
    except (OSError, wave.Error, EOFError) as error:
        raise SoundError(f"{text}: no sound came out: {error}") from error
    if form != (1, 2, RATE_HZ) or not frames:
        raise SoundError(f"{text}: expected mono 16 bit {RATE_HZ} Hz, came {form} with {frames} frames")
    with file.open("rb") as written:
        os.fsync(written.fileno())
    file.chmod(0o644)  # Asterisk may be another user
    file.replace(target)
    return target.stat().st_size


def _prune(folder: Path, most: int, newest: Path) -> int:
    """Remove the longest unused files until `most` bytes remain; return the bytes kept.

    The file just written tells the time: what was used in the hour before may still be playing.
    """
    kept = []
    for file in folder.glob("*.wav"):
        if not _RENDERED.fullmatch(file.name):
            continue  # not ours to remove: the fail-safe's sounds lie here under fixed names
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            kept.append((status.st_mtime, file, status.st_size))
    total = sum(size for _, _, size in kept)
    spared = newest.stat().st_mtime - _UNTOUCHED_S
    for used_at, file, size in sorted(kept):
        if total <= most or used_at > spared:
            break
        file.unlink(missing_ok=True)
        total -= size
    return total


async def _run(arguments: Sequence[str], given: bytes, what: str) -> None:
    """Run a program to its end within the time-out; it is gone afterwards, also when we are cancelled."""
    program = Path(arguments[0]).name
    # From a file: a pipe whose reader ends before it is written is an error of its own kind in each event loop.
    with tempfile.TemporaryFile() as source:
        source.write(given)
        source.seek(0)
        process = await asyncio.create_subprocess_exec(
            *arguments,
            stdin=source,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(_TIME_OUT_S):
            _, said = await process.communicate()
    except TimeoutError:
        raise SoundError(f"{program}: not done after {_TIME_OUT_S:g} s: {what}") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        reason = said.decode(errors="replace").strip()[-300:] or f"status {process.returncode}"
        raise SoundError(f"{program}: {reason}: {what}")
