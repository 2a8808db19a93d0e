"""Whatever an admin types, only a SiteError comes out; whatever a caller does, a flow goes on to its end."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.errors import Problem, SiteError
from ivr.interpreter import Execution
from ivr.loader import load_site
from ivr.positions import read_document
from ivr.site import Site
from ivr.step_kinds.agents import QUEUE_EXITS
from ivr.step_kinds.transfer import FAILED_EXITS
from ivr.steps import (
    Answer,
    CustomerFound,
    Digits,
    Done,
    End,
    Enqueue,
    Instruction,
    LookUpCustomer,
    MessageRecorded,
    Play,
    QueueEnded,
    ReadDigits,
    RecordMessage,
    Result,
    Transfer,
    TransferEnded,
)
from tests.effort import examples
from tests.ivr.sites import NOON

EXAMPLE = Path(__file__).parents[2] / "site"
FLOW = (EXAMPLE / "flows/main.yaml").read_text(encoding="utf-8")
LINES = FLOW.splitlines()
OTHERS = {
    name: (EXAMPLE / name).read_text(encoding="utf-8").splitlines()
    for name in ("site.yaml", "numbers.yaml", "trunks.yaml", "queues.yaml", "hours.yaml", "reasons.yaml")
}
QUICK = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])

YAML_PIECES = [
    "- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    "#",
    "*",
    "&a",
    "!x",
    "|",
    "\t",
    "  ",
    "\n",
    "? ",
    "...",
    "---",
]
FLOW_PIECES = [
    "0",
    "true",
    "null",
    "~",
    "menu",
    "queue: ",
    "goto: ",
    "then:",
    "{account}",
    "$caller",
    "-1",
    "1e99",
    "&&",
]
ODD_PIECES = ["\x00", "\ufeff", "张", "<<", "\x85", "\u2028", "%YAML 1.1\n", "0x", "''"]
PIECES = st.sampled_from([*YAML_PIECES, *FLOW_PIECES, *ODD_PIECES])
RAW = st.one_of(
    st.binary(max_size=200), st.text(max_size=200).map(str.encode), st.lists(PIECES).map("".join).map(str.encode)
)


@st.composite
def mutated(draw: st.DrawFn, lines: list[str]) -> str:
    """The lines after a few slips of the hand: lost, doubled, moved, cut and mistyped."""
    changed = list(lines)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed) - 1))
        slip = draw(st.sampled_from(["lose", "double", "swap", "indent", "type", "cut"]))
        other = draw(st.integers(0, len(changed) - 1))
        column = draw(st.integers(0, len(changed[at])))
        if slip == "lose" and len(changed) > 1:
            del changed[at]
        elif slip == "double":
            changed.insert(other, changed[at])
        elif slip == "swap":
            changed[at], changed[other] = changed[other], changed[at]
        elif slip == "indent":
            changed[at] = " " * draw(st.integers(1, 4)) + changed[at]
        elif slip == "type":
            changed[at] = changed[at][:column] + draw(PIECES) + changed[at][column:]
        else:
            changed[at] = changed[at][:column]
    return "\n".join(changed)


def load_with(name: str, text: str) -> tuple[Problem, ...]:
    """Load the example site with one file changed; every problem must have a place in that file or another."""
    with tempfile.TemporaryDirectory() as folder:
        for file in [*EXAMPLE.glob("*.yaml"), *EXAMPLE.glob("flows/*.yaml")]:
            copy = Path(folder) / file.relative_to(EXAMPLE)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(file.read_bytes())
        (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            load_site(Path(folder))
        except SiteError as error:
            return error.problems
    return ()


@QUICK
@given(mutated(LINES))
def test_a_mistyped_flow_loads_or_says_where_it_is_wrong(text: str) -> None:
    lines = len(text.splitlines()) + 1
    for problem in load_with("flows/main.yaml", text):
        assert problem.message
        assert problem.column >= 1
        assert 1 <= problem.line <= (lines if problem.file == "flows/main.yaml" else 100)


@QUICK
@given(st.data(), st.sampled_from(sorted(OTHERS)))
def test_other_mistyped_files_load_or_say_where_they_are_wrong(data: st.DataObject, name: str) -> None:
    for problem in load_with(name, data.draw(mutated(OTHERS[name]))):
        assert problem.message
        assert problem.line >= 1


@QUICK
@given(RAW)
def test_any_bytes_become_a_document_or_problems(content: bytes) -> None:
    document, problems = read_document("x.yaml", content)

    assert document is not None or problems


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(EXAMPLE)


DIGITS = st.text("0123456789*#", max_size=7)
FOUND = st.builds(
    CustomerFound, st.integers(0, 3), st.dictionaries(st.sampled_from(["vip", "name", "language"]), st.text(max_size=9))
)


def answer(data: st.DataObject, asked: Instruction) -> Result:
    """What a session may answer to an instruction."""
    if isinstance(asked, ReadDigits):
        return Digits(data.draw(DIGITS)[: asked.most], data.draw(st.booleans()))
    if isinstance(asked, LookUpCustomer):
        return data.draw(FOUND)
    if isinstance(asked, Enqueue):
        return QueueEnded(data.draw(st.sampled_from([*QUEUE_EXITS, "something new"])))
    if isinstance(asked, RecordMessage):
        return MessageRecorded(data.draw(st.sampled_from(["", "c-1.wav"])))
    if isinstance(asked, Transfer):
        return TransferEnded(data.draw(st.sampled_from(["answered", *FAILED_EXITS])))
    assert isinstance(asked, Answer | Play)
    return Done()


@QUICK
@given(st.data(), st.sampled_from(["main", "office"]), st.sampled_from(["en", "zh", "de"]))
def test_any_caller_comes_to_an_end_and_may_be_taken_over_at_every_step(
    site: Site, data: st.DataObject, flow: str, language: str
) -> None:
    execution = Execution(site, flow, {"caller": data.draw(st.text(max_size=9))}, language)
    asked = execution.advance(None, NOON)
    for _ in range(40):
        if isinstance(asked, End):
            return
        # Another process goes on from what the call carries, and asks the same thing.
        heir = Execution(site, execution.flow, execution.variables, "en", node=execution.node)
        again = heir.advance(None, NOON)
        if not isinstance(asked, ReadDigits):  # whose prompts may say that the last key was wrong
            assert again == asked
        assert heir.chosen == execution.chosen
        asked = execution.advance(answer(data, asked), NOON)
