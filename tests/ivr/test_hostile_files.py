"""Files that somebody made to hang or to break what reads them: refused at once, with file and line.

The bar is 1 s of the processor for each; `pytest -s` prints what each took (docs/bench.md has the figures).
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from ivr.errors import SiteError
from ivr.flow_tests import read_tests
from ivr.loader import load_site
from ivr.positions import MOST_BYTES
from tests.ivr.sites import flow, problems_in, write_site

#: Twice the bar: where processors are shared, the same work takes more of their time.
MOST_SECONDS = 2.0
#: Measuring coverage makes everything several times slower.
MOST_SECONDS_TRACED = 10.0
FILES = (
    "site.yaml",
    "numbers.yaml",
    "trunks.yaml",
    "queues.yaml",
    "skills.yaml",
    "hours.yaml",
    "webhooks.yaml",
    "reasons.yaml",
    "callers.yaml",
    "prompts.yaml",
    "flows/main.yaml",
    "tests/main.yaml",
)

ALIASES = "a0: &a0 [x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 8)}]\n" for at in range(1, 20)
)
MERGES = "a0: &a0 { x: 1 }\n" + "".join(f"a{at}: &a{at} {{ <<: [*a{at - 1}, *a{at - 1}] }}\n" for at in range(1, 20))

#: What is written, and the beginning of what is said of it. The file's name stands before.
ATTACKS: Mapping[str, tuple[bytes, str]] = {
    "aliases": (ALIASES.encode(), r"1:5: an anchor \(&a0\) is not allowed here"),
    "merge keys": (MERGES.encode(), r"1:5: an anchor \(&a0\) is not allowed here"),
    "an alias of itself": (b"a: &a [*a]\n", r"1:4: an anchor \(&a\) is not allowed here"),
    "lists in lists": (b"a: " + b"[" * 100_000, r"1:\d+: nested deeper than 24 levels"),
    "mappings in mappings": (b"a: " + b"{a: " * 60_000, r"1:\d+: nested deeper than 24 levels"),
    "blocks in blocks": (
        "".join(f"{' ' * at}a:\n" for at in range(900)).encode(),
        r"\d+:\d+: nested deeper than 24 levels",
    ),
    "lists as keys": (b"? " * 50_000 + b"a", r"1:3: a list or a mapping cannot be a key|1:\d+: "),
    "10 MB of text": (b"a: " + b"x" * 10_000_000, rf"1:1: the file has more than {MOST_BYTES} bytes"),
    "a file full of values": (b"- 1\n" * 130_000, r"\d+:\d+: more than 16000 values"),
    "a list full of values": (b"a: [" + b"1," * 250_000, r"1:1: more than 16000 values"),
    "a list full of values, on lines": (b"a: [\n" + b"1,1,1,1,1,\n" * 45_000, r"\d+:\d+: more than 16000 values"),
    "a file full of keys": (
        "".join(f"k{at}: 1\n" for at in range(50_000)).encode(),
        r"\d+:\d+: more than 16000 values",
    ),
    "a file full of comments": (b"# x\n" * 131_000, r"1:1: |"),
    "half a megabyte in one text": (b'a: "' + b"x" * 520_000, r"1:\d+: not YAML: |2:"),
    "a Python object": (b"a: !!python/object/apply:os.system [x]\n", r"1:4: a tag \(!!python/object/apply:os.system\)"),
    "a tag of one's own": (b"%TAG ! tag:example,2000:\n---\na: !x y\n", r"3:4: a tag \("),
    "the same key twice": (b"a: 1\na: 2\n", r'2:1: "a" stands here twice: first at line 1, column 1'),
    "the same key often": (b"a: 1\n" * 9_000, r'2:1: "a" stands here twice'),
    "a NUL byte": (b"a: x\n\0", r"2:1: character 0x00 cannot stand in a file"),
    "an escaped NUL": (b'a: x\nb: "\\0"', r"2:4: character 0x00, written as an escape, cannot stand in a file"),
    "half a character": (b'a: "\\uD800"', r"1:4: character 0xd800, written as an escape, cannot stand in a file"),
    "half a character as a key": (b'"x\\uDFFF": 1', r"1:1: character 0xdfff, written as an escape"),
    "a control character": (b"a: x\nb: \x1b[31m", r"2:4: character 0x1b cannot stand in a file"),
    "Latin-1": ("a: x\nb: Grüße\n".encode("latin-1"), r"2:1: byte 0xfc is not UTF-8"),
    "UTF-16": ("a: x\n".encode("utf-16"), r"1:1: byte 0xff is not UTF-8"),
    "an integer of 10,000 digits": (b"a: " + b"9" * 10_000, r"1:"),
    "many documents": (b"---\n" * 100_000, r"2:1: a second document begins here"),
}


@contextmanager
def at_once(what: str) -> Iterator[None]:
    """What is done within must be done within the bar."""
    begun = time.process_time()
    yield
    took = time.process_time() - begun
    sys.stdout.write(f"{took:.2f} s of the processor: {what}\n")
    assert took < (MOST_SECONDS if sys.gettrace() is None else MOST_SECONDS_TRACED)


def problems_of(folder: Path, file: str, content: bytes) -> list[str]:
    """What is said of a file with this content."""
    if file.startswith("tests/"):
        _, problems = read_tests(load_site(write_site(folder, {})), file, content[: MOST_BYTES + 1])
        return [str(each) for each in problems]
    return problems_in(folder, {file: content})


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_file_made_to_do_harm_is_refused_at_once(file: str, attack: str, tmp_path: Path) -> None:
    content, said = ATTACKS[attack]
    with at_once(f"{attack}, in {file}"):
        problems = problems_of(tmp_path, file, content)

    if attack != "a file full of comments":  # which says nothing, and is no harm
        assert any(re.match(f"{re.escape(file)}:(?:{said})", each) for each in problems), problems[:3]


def nested(count: int, each: int) -> dict[str, str | bytes]:
    """A flow with sub-flows in sub-flows, `each` steps of them to the next."""
    below = {
        f"flows/f{at}.yaml": flow((f"- subflow: f{at + 1}\n" * each if at < count - 1 else "") + "- return")
        for at in range(count)
    }
    return {"flows/main.yaml": flow("- answer\n- subflow: f0\n- hangup"), **below}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"flows/main.yaml": flow("- answer\n- subflow: main\n- hangup")}, 'flow "main" leads back into "main"'),
        (nested(150, 1), "sub-flows are nested deeper than"),
        (nested(30, 8), "sub-flows are nested deeper than"),
    ],
    ids=["a circle", "150 levels", "8 ways on each of 30 levels"],
)
def test_sub_flows_without_end_are_refused_at_once(files: dict[str, str | bytes], said: str, tmp_path: Path) -> None:
    with at_once(said):
        problems = problems_in(tmp_path, files)

    assert any(said in each for each in problems)


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("(" * 190 + "true" + ")" * 190, "the condition cannot be read"),
        ("[" * 195 + "]" * 195, "the condition cannot be read"),
        ("{" * 100 + "}" * 100, "the condition cannot be read"),
        ("!" * 395 + "true", "the condition can never hold"),
        ('"' + "a" * 50 + '".matches("(a{1,900}){1,900}")', "not a valid regex"),
        ('"x".matches("((a{1,100}){1,100}){1,100}")', "not a valid regex"),
        ("9223372036854775807 * 9223372036854775807 > 1", "Arithmetic overflow"),
        ("9" * 390 + " > 1", "invalid int literal"),
        ("[1, 2].map(x, [1, 2].map(y, x * y)).size() > 0", '"map" cannot be called in a condition'),
        (" || ".join(["true"] * 60), "the condition has 476 characters: expected at most 400"),
    ],
)
def test_conditions_made_to_be_slow_are_refused_at_once(condition: str, said: str, tmp_path: Path) -> None:
    with at_once(f"condition {condition:.30}"):
        problems = problems_in(
            tmp_path, {"flows/main.yaml": flow(f"- answer\n- if: '{condition}'\n  then: [hangup]\n- hangup")}
        )

    assert any(said in each for each in problems), problems


@pytest.mark.parametrize("file", ["site.yaml", "flows/main.yaml", "webhooks.yaml"])
def test_a_pipe_a_circle_of_links_or_a_device_is_no_file(file: str, tmp_path: Path) -> None:
    for kind in ("pipe", "circle", "device"):
        folder = write_site(tmp_path / kind, {})
        (folder / file).unlink()
        if kind == "pipe":
            os.mkfifo(folder / file)
        else:
            (folder / file).symlink_to((folder / file).name if kind == "circle" else "/dev/zero")
        with pytest.raises(SiteError, match=rf"(?m)^{re.escape(file)}:1:1: the file cannot be read: "):
            load_site(folder)
