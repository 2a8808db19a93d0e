"""Both ends of the fail-safe: what Asterisk needs to run it without us, and what it left while we were away.

The script itself is `asterisk-config/failsafe.py`. It leaves files in a spool; where the host has no Python for it
the dialplan leaves rows in Asterisk's database, as it does for callers who came and went meanwhile. All of these
become one kind of value, `GapRecord`. What is handed over stays where it is until `done`, so a crash in between
means that it is handed over again: the importer goes by `uniqueid`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cti.errors import CtiError
from cti.failsafe_texts import texts_in
from cti.provisioning import asterisk_config_dir
from cti.settings import Settings
from cti.sounds import SoundCache, with_ending

GAP_FAMILY = "callyard-gap"
FAILSAFE_FAMILY = "callyard-failsafe"

# Fixed names: the dialplan and the script play them while nothing of ours runs.
SOUND_FILES: Mapping[str, str] = {
    "message": "failsafe",
    "choose": "failsafe-choose",
    "own_number": "failsafe-own-number",
    "number": "failsafe-callback",
    "read_back": "failsafe-read-back",
    "confirm": "failsafe-confirm",
    "record": "failsafe-record",
    "thanks": "failsafe-thanks",
}
_LARGEST_ENTRY = 16 * 1024
_AT_A_TIME = 1_000
_LONGEST_VALUE = 128
_LATEST_S = 253_402_300_799  # the end of the year 9999: anything beyond is damage
_RECORDING = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*\.wav")
_LOG = logging.getLogger(__name__)


class FailsafeError(CtiError):
    """The fail-safe cannot be written; the message names the file."""

    code = "failsafe_error"


class _EntryFault(Exception):
    """A file of the spool says something that no fail-safe writes."""


class GapSource(StrEnum):
    """Who kept the record while the server was away."""

    GAP = "gap"
    """The dialplan's hang-up handler: a caller came and went."""
    DIALPLAN = "dialplan"
    """The dialplan's own fail-safe."""
    SCRIPT = "script"
    """The fail-safe script."""


@dataclass(frozen=True, slots=True)
class GapRecord:
    """A call that Asterisk handled without us. Instants in microseconds UTC, 0 where unknown; texts may be empty.

    `uniqueid` is the channel's and the same however often the record comes; `interaction` falls back to it.
    A call may leave a record of the hang-up handler and one of the fail-safe: both name the same interaction.
    `callback` is the number to call back, `confirmed` that the caller agreed to it; `recording` a WAV file.
    """

    source: GapSource
    uniqueid: str
    interaction: str
    started_at: int
    ended_at: int
    dialled: str
    caller: str
    callback: str = ""
    confirmed: bool = False
    recording: Path | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """One file of the spool and what it says."""

    file: Path
    record: GapRecord


async def prepare_failsafe_sounds(
    settings: Settings, cache: SoundCache, *, language: str = "en", message: str = ""
) -> None:
    """Render the fail-safe's texts and put them under their fixed names into `settings.sounds_dir`.

    `language` and `message` are the site's; the settings stand above them. `SoundError` if a text cannot be
    rendered; the fail-safe then says it with Asterisk's own sounds.
    """
    wanted = settings.failsafe.language or language
    built_in, spoken = texts_in(wanted)
    own = {"message": message} if message else {}
    own |= {name: text for name, text in settings.failsafe.texts if text}
    for name, file_name in SOUND_FILES.items():
        text, tongue = (own[name], wanted) if name in own else (getattr(built_in, name), spoken)
        rendered = await cache.path(text, tongue)
        await asyncio.to_thread(_copy, with_ending(rendered), settings.sounds_dir / f"{file_name}.wav", 0o644)


def write_failsafe(settings: Settings, out_dir: Path, *, language: str = "en", take: str = "both") -> Path:
    """Write script, settings and wrapper into `out_dir` and make the spool; return the wrapper for `AGI(…)`.

    `language` and `take` are the site's; the settings stand above them. The wrapper names this very Python. Each
    file is replaced as a whole; nothing of the server is needed later. `FailsafeError` if one cannot be written.
    """
    script, wrapper = out_dir / "failsafe.py", out_dir / "failsafe.sh"
    try:
        out_dir.mkdir(parents=True, exist_ok=True)
        make_spool(settings.spool_dir)
        _copy(asterisk_config_dir() / "failsafe.py", script, 0o644)
        _write(out_dir / "failsafe.json", json.dumps(_snapshot(settings, language, take), indent=2) + "\n", 0o644)
        _write(wrapper, _wrapper(script), 0o755)
    except OSError as error:
        raise FailsafeError(f"{out_dir}: the fail-safe cannot be written: {error}") from error
    return wrapper


def make_spool(folder: Path) -> None:
    """Make the spool's folders; group-writable, for an Asterisk that runs as another user of our group."""
    for part in (folder, folder / "recordings", folder / "broken"):
        part.mkdir(mode=0o770, parents=True, exist_ok=True)


def read_spool(folder: Path) -> Sequence[SpoolEntry]:
    """Return what the script left, oldest first, at most 1,000 at a time.

    A file that cannot be understood is moved to `broken/` and logged as an error; it is never deleted. Reading
    again returns the same entries until `done`.
    """
    entries = []
    for file in sorted(folder.glob("*.json"))[:_AT_A_TIME]:
        try:
            entries.append(SpoolEntry(file, _read_entry(file)))
        except _EntryFault as error:
            _set_aside(file, error)
        except OSError as error:
            _LOG.error("fail-safe entry cannot be read; left where it is", extra={"file": str(file)}, exc_info=error)
    return sorted(entries, key=lambda entry: (entry.record.started_at, entry.record.uniqueid))


def done(entry: SpoolEntry) -> None:
    """Remove an entry whose record is stored. Its recording stays; a second `done` does nothing."""
    entry.file.unlink(missing_ok=True)


def parse_row(key: str, value: str) -> GapRecord | None:
    """Return the record of a row of Asterisk's database as `DBGetTree` gives it, or None for another family.

    `key` is `/callyard-gap/UNIQUEID` or `/callyard-failsafe/UNIQUEID`; `value` is
    `start|end|number|caller|interaction|note` (callback number in the fail-safe's). Never raises: what is damaged
    is empty or 0, since a call with half a record is better than a call with none.
    """
    family, _, uniqueid = key.strip().lstrip("/").partition("/")
    uniqueid = _clean(uniqueid)
    if family not in (GAP_FAMILY, FAILSAFE_FAMILY) or not uniqueid:
        return None
    parts = [_clean(part) for part in value.split("|", 5)]
    start, end, number, caller, interaction, last = (*parts, *[""] * (6 - len(parts)))
    is_gap = family == GAP_FAMILY
    return GapRecord(
        source=GapSource.GAP if is_gap else GapSource.DIALPLAN,
        uniqueid=uniqueid,
        interaction=interaction or uniqueid,
        started_at=_instant(start),
        ended_at=_instant(end),
        dialled=number,
        caller=caller,
        callback="" if is_gap else "".join(re.findall("[0-9]", last)),
        note=last if is_gap else "",
    )


def _snapshot(settings: Settings, language: str, take: str) -> dict[str, Any]:
    chosen = settings.failsafe.model_dump(exclude={"texts", "spool_dir", "language", "take"})
    return {
        **chosen,
        "language": settings.failsafe.language or language,
        "take": settings.failsafe.take or take,
        "spool": str(settings.spool_dir),
        "sounds": str(settings.sounds_dir),
    }


def _wrapper(script: Path) -> str:
    return (
        "#!/bin/sh\n"
        "# Written by Callyard. Asterisk starts this for AGI(); without a working Python it fails, and the\n"
        "# dialplan does the same with less.\n"
        f'exec {shlex.quote(sys.executable)} -I {shlex.quote(str(script))} "$@"\n'
    )


def _copy(source: Path, target: Path, mode: int) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.copyfile(source, draft)
    draft.chmod(mode)
    draft.replace(target)


def _write(target: Path, text: str, mode: int) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.chmod(mode)
    draft.replace(target)


def _read_entry(file: Path) -> GapRecord:
    if file.is_symlink() or not file.is_file():
        raise _EntryFault("expected a plain file")
    if (size := file.stat().st_size) > _LARGEST_ENTRY:
        raise _EntryFault(f"expected at most {_LARGEST_ENTRY} bytes, came {size}")
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _EntryFault(f"not JSON: {error}") from error
    if not isinstance(written, dict) or written.get("version") != 1:
        raise _EntryFault("expected an object of version 1")
    uniqueid = _text(written, "id")
    if not uniqueid:
        raise _EntryFault("id: expected the channel's uniqueid, came nothing")
    return GapRecord(
        source=GapSource.SCRIPT,
        uniqueid=uniqueid,
        interaction=_text(written, "interaction") or uniqueid,
        started_at=_seconds(written, "started") * 1_000_000,
        ended_at=_seconds(written, "ended") * 1_000_000,
        dialled=_text(written, "dialled"),
        caller=_text(written, "caller"),
        callback=_text(written, "number"),
        confirmed=written.get("confirmed") is True,
        recording=_recording(file.parent, _text(written, "recording")),
    )


def _text(written: Mapping[str, Any], key: str) -> str:
    value = written.get(key, "")
    if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
        raise _EntryFault(f"{key}: expected text of at most {_LONGEST_VALUE} characters, came {value!r:.60}")
    return _clean(value)


def _seconds(written: Mapping[str, Any], key: str) -> int:
    value = written.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LATEST_S:
        raise _EntryFault(f"{key}: expected seconds since 1970, came {value!r:.60}")
    return value


def _recording(spool: Path, name: str) -> Path | None:
    if not name:
        return None
    if not _RECORDING.fullmatch(name):
        raise _EntryFault(f"recording: expected a name such as 17.5.wav, came {name!r}")
    return spool / "recordings" / name


def _set_aside(file: Path, fault: _EntryFault) -> None:
    target = file.parent / "broken" / file.name
    number = 1
    while target.exists() and number < _AT_A_TIME:
        target = target.with_name(f"{file.name}.{number}")
        number += 1
    details = {"file": str(file), "moved_to": str(target), "fault": str(fault)}
    try:
        target.parent.mkdir(exist_ok=True)
        file.rename(target)
    except OSError as error:
        _LOG.error("broken fail-safe entry cannot be moved aside", extra=details, exc_info=error)
    else:
        _LOG.error("broken fail-safe entry moved aside", extra=details)


def _instant(text: str) -> int:
    return int(text) * 1_000_000 if re.fullmatch(r"[0-9]{1,12}", text) and int(text) <= _LATEST_S else 0


def _clean(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f]", "", text).strip()[:_LONGEST_VALUE]
