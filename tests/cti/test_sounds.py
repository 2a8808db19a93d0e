from __future__ import annotations

import array
import asyncio
import math
import os
import shutil
import stat
import wave
from pathlib import Path
from typing import Any

import pytest
import structlog

from cti.resampling import resample
from cti.settings import Settings, SpeechSettings
from cti.sounds import (
    LONGEST_TEXT,
    SoundCache,
    SoundError,
    Speech,
    SpeechProgramMissingError,
    site_sound,
    sound_cache,
)


def frames(path: Path) -> int:
    with wave.open(f"{path}.wav", "rb") as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 8000)
        return sound.getnframes()


def loudness(path: Path) -> float:
    with wave.open(f"{path}.wav", "rb") as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    return math.sqrt(sum(value * value for value in samples) / len(samples))


def assert_plain_pcm(path: Path) -> None:
    """Format tag 1 in a header of 16 bytes (not WAVE_FORMAT_EXTENSIBLE), readable by Asterisk's user."""
    file = Path(f"{path}.wav")
    assert file.read_bytes()[12:22] == b"fmt \x10\x00\x00\x00\x01\x00"
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def damage(path: Path) -> None:
    Path(f"{path}.wav").write_bytes(b"")


def program(folder: Path, body: str) -> str:
    """A stand-in for the speech program: a shell script with `$out` set to the value of -w."""
    file = folder / "speaker"
    file.write_text('#!/bin/sh\nwhile [ "$1" != -w ]; do shift; done; out="$2"\n' + body)
    file.chmod(0o755)
    return str(file)


def counting(folder: Path, source: Path) -> str:
    return program(folder, f"cat > /dev/null; echo run >> {folder}/runs; cp {source} $out\n")


def tone(file: Path, rate: int = 22050, hertz: float = 440.0, seconds: float = 0.2) -> Path:
    count = int(rate * seconds)
    samples = array.array("h", (int(12000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(count)))
    with wave.open(str(file), "wb") as sound:
        sound.setparams((1, 2, rate, 0, "NONE", ""))
        sound.writeframes(samples.tobytes())
    return file


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Welcome to Northwind. Press 1 for billing.", "en"),
        ("欢迎致电。按1转账单部门。", "zh"),
        ("Willkommen. Drücken Sie 2.", "de"),
        ("Добро пожаловать, нажмите один.", "ru"),
        ("Bienvenue, appuyez sur 1.", "fr"),
        ("Bienvenido, pulse 1.", "es"),
    ],
)
async def test_text_is_heard_in_its_language(tmp_path: Path, text: str, language: str) -> None:
    path = await SoundCache(tmp_path).path(text, language)
    assert path.suffix == ""
    assert 0.8 * 8000 < frames(path) < 10 * 8000
    assert loudness(path) > 500
    assert_plain_pcm(path)


async def test_without_sox_our_own_conversion_sounds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    espeak = shutil.which("espeak-ng")
    with_sox = await SoundCache(tmp_path / "a").path("One two three", "en")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/espeak-ng").symlink_to(str(espeak))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    without = await SoundCache(tmp_path / "b").path("One two three", "en")
    assert abs(frames(with_sox) - frames(without)) <= 2
    assert loudness(without) == pytest.approx(loudness(with_sox), rel=0.1)


async def test_values_inside_text_are_only_text(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    plain = frames(await cache.path("Hello", "en"))
    for hostile in (
        f"Hello $(touch {tmp_path}/x)",
        "Hello\n--version",
        "-f /etc/passwd Hello",
        "\x01500SHello",
        "[[_:_:]]Hello",
    ):
        assert frames(await cache.path(hostile, "en")) >= plain * 0.8
    assert "x" not in os.listdir(tmp_path)


async def test_a_prompt_is_rendered_once(tmp_path: Path) -> None:
    speech = Speech(counting(tmp_path, tone(tmp_path / "tone.wav")))
    cache = SoundCache(tmp_path / "cache", speech)
    paths = await asyncio.gather(*(cache.path("Hello", "en") for _ in range(20)))
    assert len(set(paths)) == 1
    again = await SoundCache(tmp_path / "cache", speech).path("Hello", "en")
    assert again == paths[0]
    assert (tmp_path / "runs").read_text().count("run") == 1


async def test_text_language_and_speed_each_make_another_file(tmp_path: Path) -> None:
    name = counting(tmp_path, tone(tmp_path / "tone.wav"))
    slow, fast = (SoundCache(tmp_path / "cache", Speech(name, words_per_minute=w)) for w in (120, 200))
    paths = {await slow.path("Hello", "en"), await slow.path("Hello", "de"), await slow.path("Hi", "en")}
    paths.add(await fast.path("Hello", "en"))
    assert len(paths) == 4


async def test_at_most_two_run_at_once(tmp_path: Path) -> None:
    source = tone(tmp_path / "tone.wav")
    name = program(
        tmp_path,
        f"cat > /dev/null; mkdir {tmp_path}/up.$$; ls -d {tmp_path}/up.* | wc -l >> {tmp_path}/seen; "
        f"/bin/sleep 0.05; cp {source} $out; rmdir {tmp_path}/up.$$\n",
    )
    cache = SoundCache(tmp_path / "cache", Speech(name))
    await asyncio.gather(*(cache.path(f"Hello {number}", "en") for number in range(6)))
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(seen) == 6
    assert max(seen) <= 2


async def test_a_caller_who_leaves_does_not_stop_the_others(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    source = tone(tmp_path / "tone.wav")
    name = program(tmp_path, f"cat > /dev/null; read go < {gate}; cp {source} $out\n")
    cache = SoundCache(tmp_path / "cache", Speech(name))
    first, second = (asyncio.create_task(cache.path("Hello", "en")) for _ in range(2))
    writer = await asyncio.to_thread(os.open, gate, os.O_WRONLY)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    os.write(writer, b"go\n")
    os.close(writer)
    assert frames(await second) > 0


async def test_close_ends_the_program(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    name = program(tmp_path, f"echo $$ > {gate}; exec /bin/sleep 60\n")
    cache = SoundCache(tmp_path / "cache", Speech(name))
    waiting = asyncio.create_task(cache.path("Hello", "en"))
    pid = int(await asyncio.to_thread(gate.read_text))
    await cache.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_program_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.sounds._TIME_OUT_S", 0.2)
    name = program(tmp_path, f"echo $$ > {tmp_path}/pid; exec /bin/sleep 60\n")
    with pytest.raises(SoundError, match=r"speaker: not done after 0\.2 s: voice en-us, 'Hello'"):
        await SoundCache(tmp_path / "cache", Speech(name)).path("Hello", "en")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


async def test_a_program_that_fails_or_says_nothing_leaves_no_file(tmp_path: Path) -> None:
    failing = Speech(program(tmp_path, "cat > /dev/null; echo no such voice >&2; exit 1\n"))
    with pytest.raises(SoundError, match="no such voice"):
        await SoundCache(tmp_path / "cache", failing).path("Hello", "en")
    silent = Speech(program(tmp_path, f"cat > /dev/null; cp {tone(tmp_path / 't.wav', seconds=0)} $out\n"))
    with pytest.raises(SoundError, match="'Hello'"):
        await SoundCache(tmp_path / "cache", silent).path("Hello", "en")
    assert list((tmp_path / "cache").iterdir()) == []


async def test_a_damaged_file_is_rendered_again(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path / "cache", Speech(counting(tmp_path, tone(tmp_path / "tone.wav"))))
    path = await cache.path("Hello", "en")
    damage(path)
    assert frames(await cache.path("Hello", "en")) > 0


async def test_a_missing_program_says_what_to_install(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path, Speech("no-such-speaker"))
    with pytest.raises(SpeechProgramMissingError, match=r"no-such-speaker: .*apt-get install espeak-ng"):
        await cache.path("Hello", "en")
    with pytest.raises(SpeechProgramMissingError):
        await cache.prepare([("Hello", "en")])


async def test_prepare_renders_the_good_ones_and_returns_the_faults(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path / "cache", Speech(counting(tmp_path, tone(tmp_path / "tone.wav"))))
    faults = await cache.prepare([("Hello", "en"), ("", "en"), ("Hello", "en"), ("Hi", "no such")])
    assert [str(fault) for fault in faults] == [
        "expected text to speak, came nothing",
        "language 'no such': expected a tag such as en, zh or pt-BR",
    ]
    assert (tmp_path / "runs").read_text().count("run") == 1


async def test_text_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(SoundError, match=f"text of {LONGEST_TEXT + 1} characters, expected at most {LONGEST_TEXT}"):
        await SoundCache(tmp_path).path("x" * (LONGEST_TEXT + 1), "en")


async def test_the_cache_forgets_what_was_unused_longest(tmp_path: Path) -> None:
    name = counting(tmp_path, tone(tmp_path / "tone.wav"))
    size = 2 * 1600 + 44
    cache = SoundCache(tmp_path / "cache", Speech(name), cache_bytes=int(size * 2.5))
    old, used = await cache.path("old", "en"), await cache.path("used", "en")
    fixed = Path(shutil.copy(f"{old}.wav", tmp_path / "cache/failsafe.wav"))
    for path in (old, used, fixed.with_suffix("")):
        os.utime(f"{path}.wav", (1_000_000, 1_000_000))
    assert await cache.path("used", "en") == used  # marks it as used
    new = await cache.path("new", "en")
    left = sorted(file.stem for file in (tmp_path / "cache").glob("*.wav"))
    assert left == sorted([used.name, new.name, "failsafe"])


async def test_the_cache_is_as_the_settings_say(tmp_path: Path) -> None:
    speech: dict[str, Any] = {"program": counting(tmp_path, tone(tmp_path / "tone.wav")), "voices": {"en": "en-gb"}}
    settings = Settings(data_dir=tmp_path / "data", speech=SpeechSettings.model_validate(speech))
    path = await sound_cache(settings).path("Hello", "en")
    assert path.parent == settings.sounds_dir
    same = SoundCache(settings.sounds_dir, Speech(speech["program"], voices={"en": "en-gb"}))
    assert await same.path("Hello", "en") == path


def test_voices_of_the_site_stand_above_ours() -> None:
    speech = Speech(voices={"zh-HK": "cmn"})
    assert speech.voice("zh-hk") == "cmn"
    assert speech.voice("zh") == "cmn"
    assert speech.voice("en-GB") == "en-gb"
    assert Speech().voice("en") == "en-us"


def test_site_sounds_are_found_below_their_folder_only(tmp_path: Path) -> None:
    sounds = tmp_path / "site/sounds/de"
    sounds.mkdir(parents=True)
    (sounds / "hello.sln16").touch()
    (tmp_path / "site/secret.wav").touch()
    (sounds / "leak.wav").symlink_to(tmp_path / "site/secret.wav")
    assert site_sound(tmp_path / "site", "de/hello") == sounds / "hello"
    assert site_sound(tmp_path / "site", "de/hello.sln16") == sounds / "hello"
    for name in ("../secret", "/etc/passwd", "de/../../secret", "de/leak", "", "de//hello", "hello\n", "de/hello.x"):
        with pytest.raises(SoundError, match="sound "):
            site_sound(tmp_path / "site", name)


def level(samples: array.array[int]) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return math.sqrt(sum(value * value for value in middle) / len(middle))


@pytest.mark.parametrize(("hertz", "passes"), [(300, True), (3000, True), (5000, False), (9000, False)])
def test_resampling_keeps_the_voice_and_folds_nothing_back(hertz: int, passes: bool) -> None:
    rate = 22050
    wave_in = array.array("h", (round(10_000 * math.sin(2 * math.pi * hertz * i / rate)) for i in range(rate // 4)))
    out = resample(wave_in, rate, 8000)
    assert len(out) == len(wave_in) * 8000 // rate
    if passes:
        assert level(out) == pytest.approx(level(wave_in), rel=0.05)
    else:
        assert level(out) < level(wave_in) * 0.01


def piper(folder: Path, body: str) -> str:
    """A stand-in for Piper: takes its options as it does, reads the text from standard input, writes a WAV file."""
    file = folder / "piper"
    file.write_text(
        '#!/bin/sh\n[ "$1" = --model ] && [ "$3" = --output_file ] && [ $# = 4 ] || exit 2\n'
        f'read -r text; echo "$2: $text" >> {folder}/spoken\nout="$4"\n{body}'
    )
    file.chmod(0o755)
    return str(file)


def spoken_by_piper(folder: Path) -> list[str]:
    file = folder / "spoken"
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


async def test_piper_speaks_the_languages_that_it_has_a_voice_for(tmp_path: Path) -> None:
    low, high = tone(tmp_path / "low.wav", hertz=300.0), tone(tmp_path / "high.wav", rate=16000, seconds=0.5)
    speaker = counting(tmp_path, low)
    name = piper(tmp_path, f"cp {high} $out\n")
    cache = SoundCache(
        tmp_path / "cache", Speech(speaker, piper=name, piper_voices={"en": "amy.onnx", "zh-cn": "huayan"})
    )

    paths = [
        await cache.path(*each) for each in (("Hello", "en"), ("Hello", "en-GB"), ("你好", "zh-CN"), ("你好", "zh"))
    ]

    assert spoken_by_piper(tmp_path) == ["amy.onnx: Hello", "huayan: 你好"]
    assert [frames(path) for path in paths] == pytest.approx([4000, 4000, 4000, 1600], abs=2)
    assert_plain_pcm(paths[0])


@pytest.mark.parametrize("body", ["exit 1\n", "true\n", "echo nonsense > $out\n", None])
async def test_where_piper_fails_the_other_program_speaks_and_the_log_says_so_once(
    tmp_path: Path, body: str | None
) -> None:
    name = piper(tmp_path, body) if body else str(tmp_path / "no-such-piper")
    speaker = counting(tmp_path, tone(tmp_path / "low.wav"))
    cache = SoundCache(tmp_path / "cache", Speech(speaker, piper=name, piper_voices={"en": "amy.onnx"}))

    with structlog.testing.capture_logs() as logs:
        paths = [await cache.path(text, "en") for text in ("Hello", "Goodbye")]

    assert all(frames(path) > 0 for path in paths)
    assert [(each["event"], each["model"]) for each in logs] == [("sounds.piper_failed", "amy.onnx")]


async def test_piper_is_tried_again_when_the_site_is_read_again(tmp_path: Path) -> None:
    sound = tone(tmp_path / "low.wav")
    name = piper(tmp_path, "exit 1\n")
    cache = SoundCache(tmp_path / "cache", Speech(counting(tmp_path, sound), piper=name, piper_voices={"en": "amy"}))
    before = await cache.path("Hello", "en")
    piper(tmp_path, f"cp {sound} $out\n")

    assert await cache.path("Hello", "en") == before
    assert await cache.prepare([("Hello", "en")]) == []
    assert await cache.path("Hello", "en") != before
