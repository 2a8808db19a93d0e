"""What callers get while the Callyard server is away: a message, and a way to be called back.

Asterisk itself starts this script (`AGI(failsafe.sh,SPOOL,SOUNDS)`); it needs the standard library and pyst2's
`asterisk.agi`, and nothing of Callyard but `failsafe.json` beside it. It answers, plays the message, takes a
callback number or a recording, and leaves one JSON file in the spool, which the server imports when it is back.

- Whatever happens, what is known by then is written; a hang-up is a normal end.
- `CALLYARD_FAILSAFE_DONE=1` on the channel, and exit status 0, say that the caller was served; else the dialplan
  does the same with less. That is said only after the file is safe on disk (or, where the spool cannot be
  written, the record is in Asterisk's own database).
- Every step has a limit, and the script as a whole has one.
- pyst2's traps: it quotes nothing, so nothing that came from a caller is passed on but digits; a closed pipe or a
  `HANGUP` line is a ValueError; it writes every variable to stderr, so that goes nowhere.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from asterisk.agi import AGI, AGIAppError, AGIException

OUR_SOUNDS = {
    "message": "failsafe",
    "choose": "failsafe-choose",
    "own_number": "failsafe-own-number",
    "number": "failsafe-callback",
    "read_back": "failsafe-read-back",
    "confirm": "failsafe-confirm",
    "record": "failsafe-record",
    "thanks": "failsafe-thanks",
}
# Asterisk's core sounds say nearly the same, in English; a question that they cannot ask is not asked.
CORE_SOUNDS = {
    "message": ["vm-nobodyavail"],
    "choose": [],
    "own_number": [],
    "number": ["privacy-prompt"],
    "read_back": ["vm-num-i-have"],
    "confirm": ["if-correct-press", "digits/1"],
    "record": ["vm-intro"],
    "thanks": ["auth-thankyou", "goodbye"],
}
DEFAULTS: dict[str, Any] = {
    "spool": "",
    "sounds": "",
    "language": "en",
    "take": "number",
    "number_least_digits": 5,
    "number_most_digits": 16,
    "voice_s": 120,
    "silence_s": 5,
    "digit_wait_s": 7,
    "tries": 3,
    "total_s": 300,
}
CHANNEL_UP = 6
WAV_HEADER = 44
LONGEST_VALUE = 128


class Gone(Exception):
    """The caller has hung up, Asterisk has ended this session, or the time is over."""


def main() -> bool:
    """Serve one caller; return whether what they left is kept."""
    os.umask(0o007)
    settings = read_settings(Path(__file__).with_name("failsafe.json"), sys.argv[1:])
    limit_time(settings["total_s"])
    try:
        line = Line(settings)
    except (AGIException, ValueError, OSError, Gone):
        return False
    visit = Visit(line, settings)
    try:
        visit.run()
    except (Gone, Refused):
        visit.cut_short = True
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # from here, too long means dead
    signal.alarm(20)
    if not visit.keep():
        return False
    line.finish(visit)
    return True


def read_settings(file: Path, arguments: list[str]) -> dict[str, Any]:
    """Return the snapshot over the defaults; the dialplan's folders stand above both. Damage means defaults."""
    settings = dict(DEFAULTS)
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
        settings.update({key: value for key, value in written.items() if type(value) is type(DEFAULTS.get(key))})
    except (OSError, ValueError, AttributeError):
        pass
    for key, value in zip(("spool", "sounds"), arguments, strict=False):
        if value:
            settings[key] = value
    return settings


def limit_time(seconds: int) -> None:
    """End every wait by `Gone` after `seconds`, also one inside pyst2."""

    def over(number: int, frame: FrameType | None) -> None:
        raise Gone

    signal.signal(signal.SIGALRM, over)
    signal.alarm(seconds)


class Line:
    """The caller's line: AGI commands whose every failure is `Gone` or a plain result."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        # A caller's name may be in any encoding; pyst2 would die of it.
        stdin = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace", newline="\n")
        stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", errors="replace", newline="\n")
        self._agi = AGI(stdin=stdin, stdout=stdout, stderr=open(os.devnull, "w"))
        self.uniqueid = clean(self._agi.env.get("agi_uniqueid", ""))
        caller = filtered(self._agi.env.get("agi_callerid", ""), r"[^0-9A-Za-z+*#]")
        self.caller = "" if caller == "unknown" else caller
        self.extension = clean(self._agi.env.get("agi_extension", ""))

    def variable(self, name: str) -> str:
        return clean(str(self._do(self._agi.get_variable, name) or ""))

    def answer(self) -> None:
        self._do(self._agi.answer)
        self._do(self._agi.set_variable, "CHANNEL(language)", self._settings["language"])

    def play(self, what: str) -> None:
        for sound in self._sounds(what):
            self._stream(sound)

    def key(self, what: str, choices: str) -> str:
        """Ask for one key of `choices`, several times; return '' if none came."""
        if not self._sounds(what):
            return ""
        for _ in range(self._settings["tries"]):
            pressed = self.digits(what, 1)
            if pressed and pressed in choices:
                return pressed
        return ""

    def digits(self, what: str, most: int) -> str:
        """Ask for digits, ended by #, by `most` of them or by waiting."""
        *before, last = self._sounds(what) or ["silence/1"]
        for sound in before:
            self._stream(sound)
        wait_ms = self._settings["digit_wait_s"] * 1000
        try:
            got = self._do(self._agi.get_data, last, wait_ms, most)
        except Refused:
            got = self._do(self._agi.get_data, "silence/1", wait_ms, most)
        return filtered(str(got), r"[^0-9]")[:most]

    def say_digits(self, digits: str) -> None:
        try:
            self._do(self._agi.say_digits, filtered(digits, r"[^0-9]"))
        except Refused:
            pass  # no digits in this language: the question after it still stands

    def record(self, target: Path) -> None:
        """Record until #, silence or the limit; the file stays if the caller hangs up."""
        limit_ms = self._settings["voice_s"] * 1000
        try:
            self._do(self._agi.record_file, str(target), "wav", "#", limit_ms, 0, "beep", self._settings["silence_s"])
        except Refused:
            pass  # the beep

    def put(self, family: str, key: str, value: str) -> bool:
        try:
            self._do(self._agi.database_put, family, key, value)
        except (Gone, Refused):
            return False
        return True

    def finish(self, visit: Visit) -> None:
        """Tell the dialplan that all is done, and the caller too."""
        try:
            self._do(self._agi.set_variable, "CALLYARD_FAILSAFE_DONE", "1")
            if not visit.cut_short:
                self.play("thanks")
        except (Gone, Refused):
            pass

    def _sounds(self, what: str) -> list[str]:
        ours = Path(self._settings["sounds"]) / OUR_SOUNDS[what]
        if re.search(r"[\s\"\\]", str(ours)):  # pyst2 does not quote the name
            return CORE_SOUNDS[what]
        return [str(ours)] if os.access(f"{ours}.wav", os.R_OK) else CORE_SOUNDS[what]

    def _stream(self, sound: str) -> None:
        try:
            self._do(self._agi.stream_file, sound)
        except Refused:
            pass

    def _do(self, command: Any, *arguments: Any) -> Any:
        try:
            return command(*arguments)
        except AGIAppError as error:
            # result=-1 is a hang-up or a sound that is not there; only the channel knows which.
            if self._is_up():
                raise Refused from error
            raise Gone from error
        except (AGIException, ValueError, OSError) as error:
            raise Gone from error

    def _is_up(self) -> bool:
        try:
            return bool(self._agi.channel_status() == CHANNEL_UP)
        except (AGIException, ValueError, OSError):
            return False


class Refused(Exception):
    """Asterisk could not do it (mostly a sound that is not there); the line is still up."""


class Visit:
    """One caller's way through the fail-safe, and what is known of it so far."""

    def __init__(self, line: Line, settings: dict[str, Any]) -> None:
        self._line = line
        self._settings = settings
        self._entered = int(time.time())  # noqa: TID251 - a script of its own, without the server's clock
        self._spool = Path(settings["spool"]) if settings["spool"] else None
        self._file_name = re.sub(r"[^A-Za-z0-9_.-]", "_", line.uniqueid).lstrip(".")[:100]
        self._began = ""
        self._interaction = ""
        self._dialled = ""
        self._number = ""
        self._confirmed = False
        self._recording = ""
        self.cut_short = False

    def run(self) -> None:
        line = self._line
        self._interaction = line.variable("CALLYARD_INTERACTION")
        self._dialled = line.variable("CALLYARD_NUMBER")
        self._began = line.variable("CALLYARD_STARTED")
        line.answer()
        line.play("message")
        if self._wants_voice():
            self._take_voice()
        else:
            self._take_number()

    def _wants_voice(self) -> bool:
        if not self._can_record():
            return False
        if self._settings["take"] == "both":
            return self._line.key("choose", "12") != "1"  # whoever has no keys can speak
        return bool(self._settings["take"] == "voice")

    def _can_record(self) -> bool:
        if self._spool is None or not self._file_name:
            return False
        folder = self._spool / "recordings"
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            return False
        return os.access(folder, os.W_OK) and not re.search(r"[\s\"\\]", str(folder))

    def _take_number(self) -> None:
        caller = filtered(self._line.caller, r"[^0-9+]")
        if self._is_number(caller) and self._line.key("own_number", "12") == "1":
            self._number, self._confirmed = caller, True
            return
        for _ in range(self._settings["tries"]):
            typed = self._line.digits("number", self._settings["number_most_digits"])
            if not self._is_number(typed):
                continue
            self._number = typed  # kept even if the caller hangs up before confirming it
            self._line.play("read_back")
            self._line.say_digits(typed)
            if self._line.key("confirm", "12") != "2":
                self._confirmed = True
                return

    def _is_number(self, digits: str) -> bool:
        least, most = self._settings["number_least_digits"], self._settings["number_most_digits"]
        return bool(least <= len(digits.lstrip("+")) <= most)

    def _take_voice(self) -> None:
        assert self._spool is not None
        self._line.play("record")
        self._recording = f"{self._file_name}.wav"
        self._line.record((self._spool / "recordings" / self._recording).with_suffix(""))

    def keep(self) -> bool:
        """Store what is known: in the spool, else in Asterisk's database. False if neither took it."""
        if not self._line.uniqueid:
            return False
        try:
            self._write()
        except OSError:
            return self._line.put("callyard-failsafe", self._line.uniqueid, self._row())
        return True

    def _write(self) -> None:
        if self._spool is None or not self._file_name:
            raise FileNotFoundError("no spool")
        self._check_recording(self._spool / "recordings" / self._recording)
        target = self._spool / f"{self._file_name}.json"
        draft = target.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("w", encoding="utf-8") as file:
            json.dump(self._entry(), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
        sync(self._spool)

    def _check_recording(self, file: Path) -> None:
        """A recording with no sound in it is none."""
        if not self._recording:
            return
        try:
            if file.stat().st_size <= WAV_HEADER:
                file.unlink()
                self._recording = ""
            else:
                file.chmod(0o660)
                sync(file)
        except FileNotFoundError:
            self._recording = ""

    def _entry(self) -> dict[str, Any]:
        return {
            "version": 1,
            "id": self._line.uniqueid,
            "interaction": self._interaction,
            "caller": self._line.caller,
            "dialled": self._dialled or self._line.extension,
            "started": self._started(),
            "ended": int(time.time()),  # noqa: TID251
            "number": self._number,
            "confirmed": self._confirmed,
            "recording": self._recording,
            "cut_short": self.cut_short,
        }

    def _row(self) -> str:
        """The same as the dialplan writes; digits and letters only, so it needs no quoting."""
        entry = self._entry()
        names = ("started", "ended", "dialled", "caller", "interaction", "number")
        return "|".join(filtered(str(entry[name]), r"[^0-9A-Za-z+*#._-]") for name in names)

    def _started(self) -> int:
        return int(self._began) if re.fullmatch(r"[0-9]{1,12}", self._began) else self._entered


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def clean(text: str) -> str:
    return filtered(text, r"[\x00-\x1f\x7f]")[:LONGEST_VALUE]


def filtered(text: str, unwanted: str) -> str:
    return re.sub(unwanted, "", text)[:LONGEST_VALUE]


if __name__ == "__main__":
    served = False
    try:
        served = main()
    except BaseException:  # noqa: BLE001, S110 - a caller is waiting: the dialplan goes on with less
        pass
    # Not sys.exit: the interpreter's own shutdown trips over the pipes that Asterisk has closed.
    os._exit(0 if served else 1)
