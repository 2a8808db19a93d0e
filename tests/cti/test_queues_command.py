"""`callyard queues check`: the site is checked, and what it would change is told from the journal, only read."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from acd.eligibility import compare, tell
from acd.events import ConfigurationChanged
from acd.model import AgentProfile, Configuration, QueueRules
from cti.cli import app
from cti.config import load_settings
from cti.journal import segment_paths
from cti.main import with_store
from cti.replay import ReplayError, as_left
from screenpop.entries import Entry
from tests.cti.test_replay import Day, plant
from tests.fakes.site import write_site

HELLO = "\n  door:\n    - answer\n    - queue: billing\n"
RULES = Configuration(
    (QueueRules("billing", "Billing", priority=0), QueueRules("tech", "Tech")),
    (AgentProfile("maria", "Maria", ("billing", "tech")), AgentProfile("jon", "Jon", ("billing",))),
    seed=3,
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose server was just stopped: maria talks with a, b and c wait for her and jon."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "callyard.yaml").write_text("site_dir: site\ndata_dir: data\n")
    monkeypatch.setenv("CALLYARD_CONFIG", str(tmp_path / "callyard.yaml"))
    write_site(tmp_path / "site", HELLO)
    return tmp_path


def left_by_the_server(place: Path) -> Day:
    day = Day(place / "data" / "journal", RULES)
    day.sign_in("maria")
    for caller in ("a", "b", "c"):
        day.call(caller)
    day.journal.close()
    return day


def employ(*entries: Entry) -> None:
    async def add() -> None:
        async with with_store(load_settings()) as (_, people, _plan):
            for entry in entries:
                await people.add(entry)

    asyncio.run(add())


def check(*words: str) -> Result:
    result = CliRunner().invoke(app, ["queues", "check", *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_what_the_files_and_the_people_would_change_is_told_and_nothing_is_written(place: Path) -> None:
    left_by_the_server(place)
    employ(
        Entry("maria", "Maria", queues=("tech",)),
        Entry("jon", "Jon", queues=("billing",)),
    )
    (segment,) = segment_paths(place / "data" / "journal")
    before = segment.read_bytes()
    result = check()
    assert (result.exit_code, segment.read_bytes()) == (0, before)
    lines = result.output.splitlines()
    assert lines[0].startswith(f"{place}/site: 2 queues: no errors (version ")
    assert lines[1].startswith("as the journal left it on ")
    assert lines[1].endswith("(position 9):")
    assert lines[2:] == [
        "3 wait, something changes for 3",
        "  a in billing: 1 → 0 agents may (- Maria)",
        "  b in billing: 1 → 0 agents may (- Maria)",
        "  c in billing: 1 → 0 agents may (- Maria)",
        "1 agents are signed in, 1 serve other queues or leave",
        "  Maria: - billing, finishes a first",
        "0 talk: nothing changes for them",
    ]


def test_machines_read_the_same(place: Path) -> None:
    left_by_the_server(place)
    found = json.loads(check("--json").output)
    assert found["site"]["queues"] == ["billing", "tech"]
    assert found["journal"]["position"] == 9
    assert found["comparison"]["changes"] == []
    write_site(place / "site", HELLO, queues="billing: { title: Billing, priority: 3 }\ntech: { title: Tech }\n")
    (change, *_) = json.loads(check("--json").output)["comparison"]["changes"]
    assert (change["interaction_id"], change["priority_before"], change["priority_after"]) == ("a", 0, 3)


def test_another_journal_a_fresh_installation_and_none_at_all(place: Path) -> None:
    assert check().output.splitlines()[1:] == ["no journal yet: nobody waits, nobody is signed in"]
    assert json.loads(check("--json").output)["comparison"] is None
    refused = check("--journal", str(place / "elsewhere"))
    assert (refused.exit_code, "expected a journal" in refused.output) == (1, True)
    left_by_the_server(place)
    (place / "data" / "journal").rename(place / "copy")
    assert "3 wait" in check("--journal", str(place / "copy")).output


def test_errors_of_the_site_and_people_who_do_not_fit_are_told(place: Path) -> None:
    left_by_the_server(place)
    write_site(place / "site", HELLO, queues="billing: { title: Billing }\n")
    refused = check()
    assert (refused.exit_code, "person maria: queue 'tech' is not in queues.yaml" in refused.output) == (1, True)
    write_site(place / "site", HELLO, queues="billing: { titel: Billing }\n")
    refused = check()
    assert (refused.exit_code, "queues.yaml:1:" in refused.output) == (1, True)


def test_a_damaged_end_is_said_and_the_state_before_it_compared(place: Path) -> None:
    left_by_the_server(place)
    (segment,) = segment_paths(place / "data" / "journal")
    plant(segment, 9, b'"', b"?")
    result = check()
    assert (result.exit_code, "not read: " in result.output, "2 wait" in result.output) == (0, True, True)


def test_the_newest_segment_that_can_be_begun_is_taken(tmp_path: Path) -> None:
    day = Day(tmp_path / "journal", RULES)
    day.sign_in("maria")
    day.turn()
    day.call("a")
    day.journal.close()
    first, second = segment_paths(tmp_path / "journal")
    asked = []
    left = as_left(tmp_path / "journal", lambda: asked.append(1))
    assert (left.segment, left.position, left.damage) == (second, day.journal.position, ())
    plant(second, 1, b'"state"', b'"stato"')
    left = as_left(tmp_path / "journal")
    assert (left.segment, len(left.damage)) == (first, 1)
    plant(first, 1, b'"state"', b'"stato"')
    with pytest.raises(ReplayError, match="expected a segment that can be read, found none"):
        as_left(tmp_path / "journal")


def test_a_long_segment_can_be_given_up(tmp_path: Path) -> None:
    day = Day(tmp_path / "journal", RULES)
    for number in range(70):
        day.call(f"c{number}")
    day.journal.close()

    def give_up() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        as_left(tmp_path / "journal", give_up)


def test_what_was_told_before_is_what_the_change_does(place: Path) -> None:
    day = left_by_the_server(place)
    wider = Configuration(RULES.queues, (*RULES.agents, AgentProfile("lena", "Lena", ("billing",))), seed=3)
    left = as_left(place / "data" / "journal")
    assert tell(compare(left.engine, wider), {})[0] == "3 wait, something changes for 0"
    assert left.engine.handle(ConfigurationChanged(wider), left.engine.now) == day.engine.handle(
        ConfigurationChanged(wider), day.now
    )
