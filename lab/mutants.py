"""`make mutants`: how many small faults planted in `acd` its tests find.

One fault at a time (`lab.mutations`) is planted in memory, in a process of its own, and the tests that reach the
changed line are run until one fails. `N=300` faults are drawn by `SEED=1` out of all (`N=0`: all of them), so the
score has an interval; what nobody found is listed. Exit status 1 when the score is below `LEAST` percent (85).

Tests run quickest first; the property tests come last, with a fixed seed and without shrinking. A fault that makes
a test run far longer than usual (CPU time) counts as found.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from types import ModuleType

import coverage
import pytest

from lab.mutations import Mutation, mutations, planted

PACKAGE = "acd"
TESTS = "tests/acd"
#: The same as the property tests, only for longer.
LEFT_OUT = "tests/acd/test_soak.py"
#: A test process may take so many times the usual CPU time, and so much more (s).
SLOWER, ALLOWED_S = 3.0, 20
#: Most memory of a test process, bytes: a fault may collect without end.
MEMORY = 4 << 30
_COMMON = ("-q", "-p", "no:cacheprovider", "--timeout", "0", "--hypothesis-seed=0")
#: Hypothesis is there before pytest, for its profile.
_EARLY = "ignore::pytest.PytestAssertRewriteWarning"
#: The exit code of a test process that could not even begin.
_BROKEN = 99


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the tests do without a fault: how long each takes (s), and which reach each line of each module."""

    seconds: dict[str, float]
    reached: dict[str, dict[int, list[str]]]

    def tests_of(self, mutation: Mutation) -> list[str]:
        """The tests that reach the line, quickest first; for what runs on import all of them."""
        reached = self.reached.get(mutation.module, {}).get(mutation.line, [])
        chosen = list(self.seconds) if "" in reached or not reached else reached
        return sorted(chosen, key=lambda test: (self.seconds.get(test, 0.0), test))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`found` by a failing test, or by running far too long."""

    mutation: Mutation
    found: bool
    too_long: bool = False


class MutantsError(Exception):
    """The tests cannot judge: they fail without a fault, or a process ended for another reason."""


# --- what the tests do without a fault -----------------------------------------------------------------------


def baseline(root: Path, package: str, tests: str) -> Baseline:
    """Run the tests once with coverage by test. Raises MutantsError when they fail as they are."""
    with tempfile.TemporaryDirectory() as folder:
        data, times = Path(folder) / "coverage", Path(folder) / "times.json"
        command = [
            sys.executable, "-m", "pytest", *_COMMON, "-p", "lab.mutants",
            f"--cov={package}", "--cov-context=test", "--cov-report=", f"--ignore={LEFT_OUT}", tests,
        ]  # fmt: skip
        environment = {**os.environ, "COVERAGE_FILE": str(data), "CALLYARD_TEST_TIMES": str(times)}
        done = subprocess.run(command, cwd=root, env=environment, check=False, capture_output=True, text=True)
        if done.returncode:
            raise MutantsError(f"{tests}: expected them to pass as they are, got\n{done.stdout[-4000:]}")
        return Baseline(json.loads(times.read_text()), _reached(root, package, data))


def _reached(root: Path, package: str, data: Path) -> dict[str, dict[int, list[str]]]:
    measured = coverage.CoverageData(str(data))
    measured.read()
    found: dict[str, dict[int, list[str]]] = {}
    for file in measured.measured_files():
        module = Path(file).relative_to(root).with_suffix("").as_posix().replace("/", ".")
        lines = measured.contexts_by_lineno(file)
        found[module] = {
            line: sorted({context.partition("|")[0] for context in contexts}) for line, contexts in lines.items()
        }
    return found


class _Times:
    """A pytest plugin: how long each test takes, written to CALLYARD_TEST_TIMES."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        Path(self.file).write_text(json.dumps(self.seconds))


def pytest_configure(config: pytest.Config) -> None:
    """This module is a plugin of the run without a fault."""
    file = os.environ.get("CALLYARD_TEST_TIMES")
    if file:
        config.pluginmanager.register(_Times(file))


# --- with a fault --------------------------------------------------------------------------------------------


class _Planter(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module with its fault; all others as they are."""

    def __init__(self, root: Path, mutation: Mutation) -> None:
        self.mutation = mutation
        self.file = source_of(root, mutation.module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self.mutation.module:
            return None
        return importlib.util.spec_from_file_location(fullname, self.file, loader=_Planted(self))


class _Planted(importlib.abc.Loader):
    def __init__(self, planter: _Planter) -> None:
        self.planter = planter

    def exec_module(self, module: ModuleType) -> None:
        tree = planted(self.planter.file.read_text(), self.planter.mutation)
        exec(compile(tree, str(self.planter.file), "exec"), module.__dict__)


def source_of(root: Path, module: str) -> Path:
    return root / f"{module.replace('.', '/')}.py"


class _Order:
    """A pytest plugin: tests in this order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self.place = {test: place for place, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.place.get(item.nodeid, 0))


def _judge(root: Path, mutation: Mutation | None, tests: Sequence[str], cpu_s: int) -> int:
    """In a process of its own: plant, test, and answer with pytest's exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    os.chdir(root)
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    from hypothesis import Phase, settings

    settings.register_profile("mutants", phases=(Phase.explicit, Phase.generate))
    if mutation is not None:
        sys.meta_path.insert(0, _Planter(root, mutation))
    arguments = ["-x", "-p", "no:cov", "-W", _EARLY, *_COMMON, "--hypothesis-profile=mutants", *tests]
    return int(pytest.main(arguments, plugins=[_Order(tests)]))


@dataclass(slots=True)
class _Running:
    """`looks`: how often it may still be looked at, every hundredth of a second or so; time that the machine was
    suspended does not count."""

    mutation: Mutation
    looks: int


def judge(
    root: Path, chosen: Sequence[Mutation], base: Baseline, jobs: int, tell: Callable[[Verdict], None]
) -> list[Verdict]:
    """Plant each and see whether a test finds it, `jobs` at a time. Raises MutantsError when a test process could not
    begin, or fails without a fault."""
    _sound(root, base)
    waiting, running, verdicts = list(reversed(chosen)), {}, []  # type: ignore[var-annotated]
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutation = waiting.pop()
                tests = base.tests_of(mutation)
                usual = sum(base.seconds.get(test, 0.0) for test in tests)
                cpu_s = ceil(SLOWER * usual + ALLOWED_S)
                running[_forked(root, mutation, tests, cpu_s)] = _Running(mutation, looks=1_000 * cpu_s)
            verdict = _ended(running)
            if verdict is not None:
                verdicts.append(verdict)
                tell(verdict)
    finally:
        for pid in running:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
    return verdicts


def _forked(root: Path, mutation: Mutation | None, tests: Sequence[str], cpu_s: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = _BROKEN
    try:
        status = _judge(root, mutation, tests, cpu_s)
    finally:
        os._exit(status)


def _ended(running: dict[int, _Running]) -> Verdict | None:
    """The next process that ended, or None after a moment."""
    for pid, each in running.items():
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            del running[pid]
            return _verdict(each.mutation, status)
        each.looks -= 1
        if each.looks == 0:
            os.kill(pid, 9)
    time.sleep(0.01)
    return None


def _verdict(mutation: Mutation, status: int) -> Verdict:
    """All that pytest says but "passed" is a find: a fault may also break the import of the tests."""
    if os.WIFSIGNALED(status):
        return Verdict(mutation, found=True, too_long=True)
    code = os.WEXITSTATUS(status)
    if code == _BROKEN:
        raise MutantsError(f"{mutation}: expected the tests to run, their process could not begin")
    return Verdict(mutation, found=code != pytest.ExitCode.OK)


def _sound(root: Path, base: Baseline) -> None:
    """The very process that judges faults must find none where none is."""
    tests = sorted(base.seconds, key=lambda test: base.seconds[test])
    _, status = os.waitpid(_forked(root, None, tests, ceil(SLOWER * sum(base.seconds.values()) + ALLOWED_S)), 0)
    if status:
        raise MutantsError(f"expected all tests to pass without a fault, their process ended with {status}")


# --- the score -----------------------------------------------------------------------------------------------


def wilson(found: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927); 0 to 1 for nothing."""
    if not of:
        return 0.0, 1.0
    share, square = found / of, z * z / of
    middle = (share + square / 2) / (1 + square)
    half = z * sqrt(share * (1 - share) / of + square / (4 * of)) / (1 + square)
    return middle - half, middle + half


def every(root: Path, package: str, only: Sequence[str] = ()) -> list[Mutation]:
    """All faults of a package, or of these modules of it."""
    found = []
    for file in sorted((root / package).rglob("*.py")):
        module = file.relative_to(root).with_suffix("").as_posix().replace("/", ".")
        if not only or module in only:
            found += mutations(module, file.read_text())
    return found


def report(verdicts: Sequence[Verdict], of: int) -> list[str]:
    """A table by module, who survived, and the score with its interval."""
    lines = [f"{'module':24}{'found':>7}{'of':>6}"]
    for module in sorted({each.mutation.module for each in verdicts}):
        mine = [each for each in verdicts if each.mutation.module == module]
        lines.append(f"{module:24}{sum(each.found for each in mine):>7}{len(mine):>6}")
    survived = sorted((each.mutation for each in verdicts if not each.found), key=lambda m: (m.module, m.line))
    lines += ["", "Found by no test:", *(f"  {each}" for each in survived)]
    found = sum(each.found for each in verdicts)
    low, high = wilson(found, len(verdicts)) if len(verdicts) < of else (found / len(verdicts),) * 2
    late = sum(each.too_long for each in verdicts)
    lines.append(
        f"\n{found} of {len(verdicts)} faults found ({late} of them by running too long): {found / len(verdicts):.1%}, "
        f"95 % interval {low:.1%} to {high:.1%}; {of} faults in all"
    )
    return lines


def main() -> int:
    root = Path.cwd()
    count, seed, least, jobs = (
        int(os.environ.get(name, usual)) for name, usual in (("N", 300), ("SEED", 1), ("LEAST", 85), ("JOBS", 2))
    )
    faults = every(root, PACKAGE, sys.argv[1:])
    chosen = random.Random(seed).sample(faults, count) if 0 < count < len(faults) else faults
    started = time.monotonic()
    print(f"— {len(chosen)} of {len(faults)} faults; first {TESTS} as they are", flush=True)
    base = baseline(root, PACKAGE, TESTS)

    judged: list[bool] = []

    def tell(verdict: Verdict) -> None:
        judged.append(verdict.found)
        if not verdict.found:
            print(f"  not found: {verdict.mutation} ({sum(judged)} of {len(judged)} found so far)", flush=True)

    verdicts = judge(root, chosen, base, jobs, tell)
    print("\n".join(report(verdicts, len(faults))))
    print(f"{time.monotonic() - started:.0f} s")
    return 0 if sum(each.found for each in verdicts) >= least / 100 * len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
