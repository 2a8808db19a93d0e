"""The copy of a site on which flow tests are played as real calls: short waits, somebody who serves, and queues that
are full when a test says so.

Files are read as the server reads them and written as JSON, which is YAML too.
"""

from __future__ import annotations

import csv
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from ivr.loader import load_site
from ivr.overflow import FLOW
from ivr.positions import read_document
from ivr.settings import Queue
from ivr.site import Site
from lab.live_programs import lead_here

AGENT = "live-agent"
EXTENSION = "1999"
SUPERVISOR = "live-supervisor"
#: How long somebody waits in a queue, at most; at a question; until a transfer has rung in vain; and in silence.
WAIT_S, KEY_S, RING_S, SILENCE_S = 6, 3, 5, 3
#: How a wait may end by a queue's rules → the rules of `overflow` that end it so.
RULES: Mapping[str, tuple[str, ...]] = {
    "full": ("longer_than",),
    "long_wait": ("expected_over",),
    "nobody": ("signed_in_below", "ready_below"),
}
#: Rules that hold as soon as somebody asks for the queue: behind one other caller, and while nobody is ready.
_FORCED: Mapping[str, Mapping[str, object]] = {
    "full": {"longer_than": 1},
    "long_wait": {"expected_over": "1s", "when": ["joining"]},
    "nobody": {"ready_below": 1, "when": ["joining"]},
}
_ASKS = ("menu", "collect", "language", "confirm", "survey")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Change = Callable[[dict[str, Any]], None]


def copy_site(source: Path, folder: Path, url: str = "") -> Path:
    """Copy a site so that nobody waits long, and somebody is there to serve every queue. `url`: of the program that is
    asked in place of all others."""
    copied = folder / "site"
    shutil.copytree(source, copied)
    for file in sorted((copied / "flows").glob("*.yaml")):
        _change(file, _shorten)
    if (copied / "callers.yaml").is_file():
        _change(copied / "callers.yaml", _forget_rate)
    if url:
        lead_here(load_site(copied), copied, url)
    _staff(copied)
    set_queues(source, copied, {})
    return copied


def set_queues(source: Path, copied: Path, forced: Mapping[str, str]) -> None:
    """Write the copy's queues: by their rules nobody is given away but from those that are `forced` to end so."""
    if (source / "queues.yaml").is_file():
        shutil.copyfile(source / "queues.yaml", copied / "queues.yaml")
        _change(copied / "queues.yaml", lambda queues: _force(queues, forced))
    shutil.copyfile(source / "numbers.yaml", copied / "numbers.yaml")
    full = [queue for queue, outcome in forced.items() if outcome == "full"]
    for queue in full:
        flow = {"start": "door", "nodes": {"door": ["answer", {"queue": queue, "max_wait": "0s"}]}}
        (copied / "flows" / f"{_filling(queue)}.yaml").write_bytes(orjson.dumps(flow))
    numbers = {number_to_fill(queue): {"flow": _filling(queue)} for queue in full}
    _change(copied / "numbers.yaml", lambda listed: listed.update(numbers))


def number_to_fill(queue: str) -> str:
    """The number on which somebody waits in a queue so that it is full."""
    return "+999" + str(int.from_bytes(queue.encode()) % 10**9).zfill(9)


def can_end(site: Site, queue: str, outcome: str) -> bool:
    """Whether a queue's rules, or those of the queues that it gives callers to, ever end a wait so."""
    seen, ahead = set[str](), [queue]
    while ahead:
        if (name := ahead.pop()) in seen or name not in site.queues:
            continue
        seen.add(name)
        rules = site.queues[name].overflow
        if any(rule.to == FLOW and rule.condition in RULES[outcome] for rule in rules):
            return True
        ahead += [rule.to for rule in rules if rule.to != FLOW]
    return False


def _filling(queue: str) -> str:
    return f"live-{queue}"[:60]


def _change(file: Path, change: Change) -> None:
    document, _ = read_document(file.name, file.read_bytes())
    if document is not None and isinstance(document.value, dict):
        change(document.value)
        file.write_bytes(orjson.dumps(document.value))


def _forget_rate(callers: dict[str, Any]) -> None:
    """Tests call from one number as often as they like."""
    callers.pop("rate", None)
    callers.pop("too_often", None)


def _force(queues: dict[str, Any], forced: Mapping[str, str]) -> None:
    for name, queue in queues.items():
        if not isinstance(queue, dict):
            continue
        rules = queue.pop("overflow", ())
        if any(isinstance(rule, dict) and "after" in rule for rule in rules):
            queue.setdefault("max_wait", f"{WAIT_S}s")
        _cap(queue, "max_wait", WAIT_S)
        if name in forced:
            queue["overflow"] = [_FORCED[forced[name]]]


def _shorten(flow: dict[str, Any]) -> None:
    for step in _steps(flow.get("nodes")):
        if any(word in step for word in _ASKS) or step.get("record") == "ask":
            _cap(step, "wait", KEY_S, step.get("wait", "5s"))
        if "queue" in step:
            _cap(step, "max_wait", WAIT_S)
        if "transfer" in step:
            _cap(step, "ring", RING_S, step.get("ring", "30s"))
        if "voicemail" in step:
            _cap(step, "silence", SILENCE_S, step.get("silence", "5s"))


def _steps(value: Any) -> Iterable[dict[str, Any]]:
    """The steps below this: what stands in lists, wherever they are."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name != "any_skill":
                yield from _steps(each)
    if isinstance(value, list | tuple):
        for each in value:
            if isinstance(each, dict):
                yield each
            yield from _steps(each)


def _cap(values: dict[str, Any], key: str, most_s: float, value: Any = None) -> None:
    """No more than so many seconds; `0s`, which is without limit or none, stays."""
    match = re.fullmatch(r"([0-9]+)(ms|s|m|h)", str(values.get(key, value)))
    if match is not None and int(match[1]) * _UNITS[match[2]] > most_s:
        values[key] = f"{most_s:g}s"


def _staff(copied: Path) -> None:
    """People stay, with phones of the lab; one more serves every queue, and one can withdraw promises."""
    site = load_site(copied)
    header = ["username", "name", "role", "extension", "phone", "address", "queues", "skills"]
    rows = [dict(row) for row in _people(copied)]
    for row in rows:
        row.update(phone="sip", address="", queues="")
    with (copied / "people.csv").open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, header, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        voice = ";".join(name for name, queue in site.queues.items() if is_voice(queue))
        skills = ";".join(f"{skill}:10" for skill in site.skills)
        agent = {"name": "Live Agent", "role": "agent", "extension": EXTENSION, "phone": "sip"}
        writer.writerow({"username": AGENT, **agent, "queues": voice, "skills": skills})
        writer.writerow({"username": SUPERVISOR, "name": "Live Supervisor", "role": "supervisor"})
    (copied / "customers.csv").unlink(missing_ok=True)


def _people(copied: Path) -> Sequence[Mapping[str, str]]:
    if not (copied / "people.csv").is_file():
        return []
    with (copied / "people.csv").open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def is_voice(queue: Queue) -> bool:
    """Whether calls wait there."""
    return queue.medium == "voice"
