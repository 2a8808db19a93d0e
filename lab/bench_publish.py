"""What an admin waits for, and what a step costs: `python -m lab.bench_publish`.

Publishes a site of 300 prompts whose sounds are rendered already, checks a flow of 500 nodes, and walks calls through
steps of each kind without telephony. Publishing is timed as the server does it for the page, until calls would begin on
the new version; commands also with the start of the program. What only computes is timed by the processor. The last
line is one JSON object. Exit status: 0 when the bars hold, 1 when one does not.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import orjson

from cti.publishing import Published, Publisher
from cti.settings import Settings
from cti.sounds import sound_cache
from cti.versions import Versions
from ivr.interpreter import Execution
from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import (
    CustomerFound,
    Digits,
    Done,
    End,
    Ending,
    Enqueue,
    Instruction,
    LookUpCustomer,
    QueueEnded,
    ReadDigits,
    Result,
)

PROMPTS, NODES, STEPS = 300, 500, 200
PUBLISH_BAR_S, CHECK_BAR_S, STEP_BAR_MS = 2.0, 1.0, 0.3
ROUNDS = 5
_LIMIT_S = 120.0
_NOON = datetime(2027, 3, 3, 12, tzinfo=UTC)

#: A step of each kind that costs something, as it stands in a file; `{next}` is the node that follows.
KINDS: Mapping[str, str] = {
    "say": "- say: Your number is {{caller:digits}} and the amount is {{amount:money}}.",
    "menu": "- menu: Press one.\n  keys: {{ 1: {next} }}",
    "collect": "- collect: Please type it.\n  into: amount\n  digits: 6",
    "set": "- set: {{ amount: '12.50' }}",
    "if": "- if: amount == '12.50' && caller != ''\n  then: {next}\n  else: {next}",
    "switch": "- switch: $amount\n  cases: {{ '1': {next}, '7': {next} }}\n  otherwise: {next}",
    "hours": "- hours: office\n  open: {next}\n  closed: {next}",
    "lookup": "- lookup: {{ number: $caller }}\n  found: {next}\n  several: {next}\n  unknown: {next}",
    "queue": "- queue: billing\n  priority: 5",
    "goto": "- goto: {next}",
}


def main() -> None:
    times, steps = {**_publishing(), **_checking()}, _stepping()
    held = (
        times["publish_server_s"] < PUBLISH_BAR_S
        and times["check_s"] < CHECK_BAR_S
        and max(steps.values()) < STEP_BAR_MS
    )
    print(orjson.dumps({**times, "step_ms": steps, "bars_hold": held}).decode(), flush=True)
    sys.exit(0 if held else 1)


# --- publishing -----------------------------------------------------------------------------------------


def _publishing() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="callyard-publish-") as folder:
        place = Path(folder)
        settings = Settings(data_dir=place / "data", site_dir=place / "site")
        _write_site(place / "site", _saying(PROMPTS))
        (place / "callyard.yaml").write_text("site_dir: site\ndata_dir: data\n", encoding="utf-8")
        rendered_s, inside, inside_cpu = asyncio.run(_publish(settings))
        command, cpu = [], _children_cpu_s()
        for turn in range(ROUNDS):
            _change(place / "site", f"by command {turn}")
            command.append(_timed(lambda: _callyard(place, "flow", "publish")))
        cpu = (_children_cpu_s() - cpu) / ROUNDS
    _say(f"publish, {PROMPTS} prompts: rendered the first time in {rendered_s:.1f} s")
    _say(f"  in the server, until it goes by it: {_told(inside)} (bar {PUBLISH_BAR_S:g} s)")
    _say(f"  of that {median(inside_cpu):.3f} s of the processor")
    _say(f"  callyard flow publish, the whole program: {_told(command)}")
    _say(f"  of that {cpu:.3f} s of the processor")
    return {
        "render_s": round(rendered_s, 2),
        "publish_server_s": round(median(inside), 3),
        "publish_server_cpu_s": round(median(inside_cpu), 3),
        "publish_command_s": round(median(command), 3),
        "publish_command_cpu_s": round(cpu, 3),
    }


async def _publish(settings: Settings) -> tuple[float, list[float], list[float]]:
    sounds = sound_cache(settings)
    versions = Versions(settings.versions_dir, lambda: time.time_ns() // 1000)
    publisher, published = Publisher(versions, settings.site_dir, sounds), Published(versions)
    try:
        began = time.perf_counter()
        await publisher.publish("bench")
        rendered_s, inside, cpu = time.perf_counter() - began, [], []
        for turn in range(ROUNDS):
            _change(settings.site_dir, f"by server {turn}")
            began, began_cpu = time.perf_counter(), time.process_time()
            outcome = await publisher.publish("bench")
            await asyncio.to_thread(published.current)
            inside.append(time.perf_counter() - began)
            cpu.append(time.process_time() - began_cpu)
            assert outcome.is_new
    finally:
        await sounds.close()
    return rendered_s, inside, cpu


def _saying(prompts: int) -> str:
    lines = ["start: n0", "nodes:"]
    for number in range(prompts):
        follows = f"n{number + 1}" if number + 1 < prompts else "n0"
        lines += [
            f"  n{number}:",
            f"    - menu: This is choice {number} of the menu.",
            f"      keys: {{ 1: {follows} }}",
        ]
    return "\n".join(lines) + "\n"


def _change(site: Path, word: str) -> None:
    file = site / "flows" / "main.yaml"
    file.write_text(f"# {word}\n" + _saying(PROMPTS), encoding="utf-8")


# --- checking -------------------------------------------------------------------------------------------


def _checking() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="callyard-check-") as folder:
        site, lines = Path(folder) / "site", ["start: n0", "nodes:"]
        for number in range(NODES - 1):
            follows = f"n{number + 1}" if number + 2 < NODES else "n0"
            lines += [
                f"  n{number}:",
                f'    - set: {{ amount: "{number}" }}',
                f"    - say: You are at {number}, {{caller:digits}}.",
                f"    - if: amount == '{number}' && caller != ''",
                "      then: over",
                "    - menu: Press one or two.",
                f"      keys: {{ 1: {follows}, 2: n{number // 2} }}",
            ]
        _write_site(site, "\n".join([*lines, "  over: [hangup]"]) + "\n")
        (Path(folder) / "callyard.yaml").write_text("site_dir: site\ndata_dir: data\n", encoding="utf-8")
        checks = [_cpu_timed(lambda: load_site(site)) for _ in range(ROUNDS)]
        command = [_timed(lambda: _callyard(Path(folder), "flow", "check")) for _ in range(ROUNDS)]
    _say(f"check, {NODES} nodes of 4 steps: {_told(checks)} of the processor (bar {CHECK_BAR_S:g} s)")
    _say(f"  callyard flow check, the whole program: {_told(command)}")
    return {"check_s": round(median(checks), 3), "check_command_s": round(median(command), 3)}


# --- stepping -------------------------------------------------------------------------------------------


def _stepping() -> dict[str, float]:
    costs = {}
    with tempfile.TemporaryDirectory(prefix="callyard-steps-") as folder:
        for kind, step in KINDS.items():
            site = Path(folder) / kind
            lines = ["start: first", "nodes:", "  first:", "    - set: { amount: '12.50' }", "    - goto: n0"]
            for number in range(STEPS):
                body = step.format(next=f"n{number + 1}").replace("\n", "\n    ")
                lines += [f"  n{number}:", f"    {body}", *([f"    - goto: n{number + 1}"] if _goes_on(kind) else [])]
            _write_site(site, "\n".join([*lines, f"  n{STEPS}: [hangup]"]) + "\n")
            loaded = load_site(site)
            costs[kind] = round(median(_walk(loaded) for _ in range(ROUNDS)), 4)
            _say(f"step {kind}: {costs[kind] * 1000:.0f} µs (bar {STEP_BAR_MS * 1000:.0f})")
    return costs


def _goes_on(kind: str) -> bool:
    return kind in ("say", "collect", "set", "queue", "menu")


def _walk(site: Site) -> float:
    """Milliseconds of one step, with what the caller answers."""
    execution = Execution(site, "main", {"caller": "+4930123456", "amount": "12.50"}, "en")
    began = time.perf_counter_ns()
    asked = execution.advance(None, _NOON)
    while not isinstance(asked, End):
        asked = execution.advance(_answer(asked), _NOON)
        execution.happenings.clear()
    assert asked.ending is Ending.DESIGNED, asked
    return (time.perf_counter_ns() - began) / 1e6 / STEPS


def _answer(asked: Instruction) -> Result:
    match asked:
        case ReadDigits(most=1):
            return Digits("1")
        case ReadDigits():
            return Digits("123456")
        case LookUpCustomer():
            return CustomerFound(0)
        case Enqueue():
            return QueueEnded("served")
        case _:
            return Done()


# --- telling --------------------------------------------------------------------------------------------

_SITE: Mapping[str, str] = {
    "site.yaml": "name: Bench\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en]\ndefault_language: en\n"
    "fail_safe: { message: Nobody is there., take: number }\n",
    "numbers.yaml": '"+4989100": { flow: main }\n',
    "queues.yaml": "billing: { title: Billing }\n",
    "hours.yaml": "office: { week: { daily: 08:00-18:00 } }\n",
}


def _write_site(site: Path, flow: str) -> None:
    (site / "flows").mkdir(parents=True, exist_ok=True)
    for name, content in {**_SITE, "flows/main.yaml": flow}.items():
        (site / name).write_text(content, encoding="utf-8")


def _callyard(folder: Path, *words: str) -> None:
    environment = {**os.environ, "CALLYARD_CONFIG": str(folder / "callyard.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", "cti.cli", *words], env=environment, timeout=_LIMIT_S, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _cpu_timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _told(seconds: list[float]) -> str:
    return f"{median(seconds):.3f} s in the middle, {max(seconds):.3f} s at most"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    main()
