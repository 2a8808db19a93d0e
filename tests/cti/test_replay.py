"""The journal read again: every offer and every wait is explained from it, and a day repeats or names where not.

One list of what may be asked of a journal, and of what may have happened to it: hence more than 400 lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from acd.commands import OfferInteraction
from acd.engine import Engine
from acd.events import (
    CallerLeft,
    ClockReached,
    ConnectionFound,
    DesktopChanged,
    Event,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    QueueLeft,
    TalkEnded,
    WrapUpEnded,
)
from acd.model import Configuration, Desktop, Phone, Presence
from acd.snapshot import restore
from acd.why import tell
from cti import replay
from cti.cli import app
from cti.journal import Journal, JournalError, segment_paths
from cti.replay import ReplayError, explain, first_difference, replay_journal
from tests.acd.desk import SITE
from tests.fakes.office import Office

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
ROOT = Path(__file__).resolve().parents[2]


class Day:
    """An engine with its journal, as a server keeps them; `turn` begins a new segment."""

    def __init__(self, folder: Path, configuration: Configuration = SITE) -> None:
        self.folder = folder
        self.now = NOW
        self.engine = Engine(configuration, NOW)
        self.journal = Journal(folder, keep_segments=50)
        self.journal.open()
        self.offers: dict[str, OfferInteraction] = {}
        self.turn()

    def do(self, event: Event) -> None:
        self.now += SECOND
        self.journal.append(event, self.now)
        for command in self.engine.handle(event, self.now):
            if isinstance(command, OfferInteraction):
                self.offers[command.offer_id] = command

    def turn(self) -> None:
        self.journal.begin_segment(self.engine, self.now)

    def sign_in(self, *names: str) -> None:
        for name in names:
            self.do(PhoneChanged(name, Phone.FREE))
            self.do(DesktopChanged(name, Desktop.THERE))
            self.do(PresenceChosen(name, Presence.READY))

    def call(self, interaction_id: str, queue: str = "billing") -> None:
        self.do(InteractionArrived(interaction_id, "+4930123456", "100", "main"))
        self.do(InteractionQueued(interaction_id, queue, attributes=(("account", "4711"),)))


@pytest.fixture
def day(tmp_path: Path) -> Day:
    """Three segments: Maria takes lab1-1.1, Jon declines lab1-1.2, lab1-1.3 and lab1-1.10 wait, lab1-1.4 gives up."""
    made = Day(tmp_path / "journal")
    made.sign_in("maria", "jon")
    made.call("lab1-1.1")
    made.turn()
    made.do(OfferAccepted("lab1-1.1/1"))
    made.call("lab1-1.2")
    made.do(OfferRejected("lab1-1.2/1"))
    made.call("lab1-1.4")
    made.do(CallerLeft("lab1-1.4"))
    made.do(InteractionArrived("lab1-1.5"))
    made.turn()
    made.call("lab1-1.3")
    made.call("lab1-1.10")
    made.journal.close()
    return made


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def plant(path: Path, line: int, old: bytes, new: bytes) -> None:
    """Change one line of a segment."""
    lines = lines_of(path)
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_bytes(b"".join(lines))


# --- why -------------------------------------------------------------------------------------------------


def test_an_offer_is_explained_from_the_segment_in_which_it_was_made(day: Day) -> None:
    answer = explain(day.folder, "lab1-1.1/1")
    assert (answer.segment.name, answer.line, answer.position, answer.damage) == ("000001.jsonl", 9, 8, ())
    assert tell(answer.why)[2:] == [
        "Maria (maria): chosen: idle since 22:13:23.000",
        "Jon (jon): could, but ranks lower: idle since 22:13:26.000, the chosen one's 22:13:23.000",
    ]


def test_an_interaction_is_explained_by_its_last_offer_also_over_segments(day: Day) -> None:
    assert explain(day.folder, "lab1-1.1").why == explain(day.folder, "lab1-1.1/1").why
    assert explain(day.folder, "lab1-1.2/1").why.agent_id == "jon"


def test_who_waits_is_explained_as_it_is_now(day: Day) -> None:
    answer = explain(day.folder, "lab1-1.10")
    assert (answer.segment.name, answer.line, answer.position) == ("000003.jsonl", 5, day.journal.position)
    assert tell(answer.why)[1:] == [
        "Before them: lab1-1.2 (first asked 22:13:31.000).",
        "Before them: lab1-1.3 (first asked 22:13:38.000).",
        "Skills needed: none.",
        "Maria (maria): talking with lab1-1.1 since 22:13:29.000",
        "Jon (jon): not ready (rejected) since 22:13:32.000",
    ]
    assert tell(explain(day.folder, "lab1-1.2").why)[0].startswith("lab1-1.2 waits in queue billing on 2023-11-14")


def test_who_left_the_queue_without_an_offer_is_explained_as_it_was_then(day: Day) -> None:
    answer = explain(day.folder, "lab1-1.4")
    assert answer.why.waiting is not None
    assert (answer.position, answer.why.waiting.position) == (15, 2)


def test_who_left_after_an_offer_that_came_to_nothing_is_explained_by_the_wait_after_it(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.sign_in("maria")
    day.call("c1")
    day.do(OfferRejected("c1/1"))
    day.do(CallerLeft("c1"))
    why = explain(tmp_path, "c1").why
    assert why.waiting is not None
    assert tell(why)[-1] == "Jon (jon): signed out since 22:13:20.000"
    assert explain(tmp_path, "c1/1").why.agent_id == "maria"


def test_a_segment_that_is_cut_while_it_is_read_is_said(day: Day) -> None:
    path = segment_paths(day.folder)[0]
    opening = replay.opening_of(path)
    search = replay._Search(opening, "lab1-1.1", "", opening.engine())
    search.run(lambda: None)
    path.write_bytes(b"".join(lines_of(path)[:4]))
    with pytest.raises(JournalError, match="position 8 was there and is not any more"):
        search.answer(lambda: None, ())


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("lab1-1.99", "lab1-1.99: not found in .*3 segments.*unknown id"),
        ("lab1-1", "unknown id"),
        ("lab1-1.1/7", "the interaction is there, this offer is not"),
        ("lab1-1.5", "it was not offered to anybody"),
        ("lab1-1.1/adopted-1", "expected an interaction or an offer"),
        ("", "unknown id"),
    ],
)
def test_what_cannot_be_explained_says_why(day: Day, wanted: str, told: str) -> None:
    with pytest.raises(ReplayError, match=told):
        explain(day.folder, wanted)


def test_without_a_journal_there_is_no_answer(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ReplayError, match=f"^{re.escape(str(place))}: expected a journal"):
            explain(place, "lab1-1.1")
        with pytest.raises(ReplayError, match="expected a journal"):
            replay_journal(place)


def test_a_talk_found_after_a_gap_explains_the_wait_before_it(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.call("c1")
    day.do(ConnectionFound("c1", "maria"))
    answer = explain(tmp_path, "c1")
    assert (answer.position, answer.why.waiting is not None) == (3, True)


def test_a_damaged_segment_is_named_and_the_others_answer(day: Day) -> None:
    paths = segment_paths(day.folder)
    paths[2].write_bytes(b'{"journal":1,"n":16,"t":1,"state":{"version":0,"interactions":[{"id":"lab1-1.2"}]}}\n')
    answer = explain(day.folder, "lab1-1.2")
    assert answer.segment == paths[1]
    assert answer.damage == (f"{paths[2]}:1: not a state of this version: snapshot.version: expected 1, got 0",)
    plant(paths[1], 4, b"InteractionQueued", b"InteractionLeft")
    with pytest.raises(ReplayError, match=rf"(?s)lab1-1.2/1: not found.*{re.escape(str(paths[1]))}:4: not a journal"):
        explain(day.folder, "lab1-1.2/1")


def test_a_line_that_is_being_written_is_not_there_yet(day: Day) -> None:
    with segment_paths(day.folder)[-1].open("ab") as file:
        file.write(b'{"n":21,"t":17')
    assert explain(day.folder, "lab1-1.10").damage == ()
    assert replay_journal(day.folder).damage == ()


def test_whoever_asks_can_give_up(day: Day) -> None:
    def give_up() -> None:
        raise TimeoutError

    long = Day(day.folder.parent / "long")
    for number in range(replay.PAUSE_EVERY):
        long.do(InteractionArrived(f"c{number}"))
    long.sign_in("maria")
    long.do(InteractionQueued("c5", "billing"))
    for wanted in ("c5", "c5/1"):
        with pytest.raises(TimeoutError):
            explain(long.folder, wanted, give_up)
    with pytest.raises(TimeoutError):
        replay_journal(long.folder, give_up)


# --- a day again -----------------------------------------------------------------------------------------


def test_a_day_repeats(day: Day) -> None:
    again = replay_journal(day.folder)
    assert (again.segments, again.events, again.difference, again.damage) == (3, day.journal.position, None, ())
    assert again == replay_journal(day.folder)
    assert again.commands > again.events


def test_a_day_of_the_dispatcher_repeats_over_its_segments(tmp_path: Path) -> None:
    office = Office(tmp_path, bytes_per_segment=700)
    office.sign_in("maria", "jon")
    for number in range(6):
        office.call(f"c{number}")
    office.close()
    again = replay_journal(tmp_path)
    assert again.segments > 3
    assert (again.events, again.difference, again.damage) == (office.journal.position, None, ())


def test_one_segment_is_held_against_the_next(day: Day) -> None:
    first, second, _ = segment_paths(day.folder)
    again = replay_journal(first)
    assert (again.segments, again.events, again.difference) == (1, 8, None)
    plant(second, 1, b'"idle_since":', b'"idle_since":1')
    found = replay_journal(first).difference
    assert found is not None
    assert (found.segment, found.line, found.position, found.field) == (second, 1, 8, "state.agents[0].idle_since")
    assert str(found) == (
        f"{second}:1: position 8: state.agents[0].idle_since: expected 1{day.offers['lab1-1.1/1'].reason.key[0][1]}, "
        f"the replay gave {day.offers['lab1-1.1/1'].reason.key[0][1]}"
    )


def test_a_changed_event_shows_where_its_segment_ends(day: Day) -> None:
    paths = segment_paths(day.folder)
    plant(paths[1], 2, b"lab1-1.1/1", b"lab1-1.1/2")
    found = replay_journal(day.folder).difference
    assert found is not None
    assert (found.segment, found.line, found.position) == (paths[2], 1, 16)
    assert found.field == "state.agents[0].tile_at"
    assert (found.expected, found.got) == (str(NOW + 9 * SECOND), str(NOW + 8 * SECOND))


def test_numbers_and_what_was_typed_are_not_told(day: Day) -> None:
    path = segment_paths(day.folder)[1]
    plant(path, 1, b"+4930123456", b"+4930123457")
    found = replay_journal(day.folder).difference
    assert found is not None
    assert (found.field, found.expected) == ("state.interactions[0].caller", "a str that is not shown")
    plant(path, 1, b"+4930123457", b"+4930123456")
    plant(path, 1, b"4711", b"4712")
    found = replay_journal(day.folder).difference
    assert found is not None
    assert found.field.startswith("state.interactions[0].attributes[0]")
    assert "4711" not in str(found)


def test_damage_is_named_and_the_rest_is_repeated(day: Day) -> None:
    paths = segment_paths(day.folder)
    plant(paths[0], 3, b"DesktopChanged", b"\x00")
    again = replay_journal(day.folder)
    assert (again.segments, again.difference) == (3, None)
    assert again.damage[0].startswith(f"{paths[0]}:3: not a journal line")
    paths[0].write_bytes(b"")
    again = replay_journal(day.folder)
    assert (again.segments, again.damage) == (
        2,
        (f"{paths[0]}:1: expected a segment's opening line, got none",),
    )


def test_a_line_that_is_missing_within_a_segment_is_named(day: Day) -> None:
    first, *_ = segment_paths(day.folder)
    lines = lines_of(first)
    first.write_bytes(b"".join(lines[:3] + lines[4:]))
    assert replay_journal(day.folder).damage == (f"{first}:4: expected position 3, got 4",)


def test_the_last_segment_has_nothing_to_be_held_against(day: Day) -> None:
    again = replay_journal(segment_paths(day.folder)[-1])
    assert (again.segments, again.events, again.difference, again.damage) == (1, 4, None, ())


def test_events_that_are_missing_between_segments_are_named(day: Day) -> None:
    first, second, third = segment_paths(day.folder)
    second.unlink()
    again = replay_journal(day.folder)
    assert (again.segments, again.difference) == (2, None)
    assert again.damage == (f"{third}: events 9 to 16 before it are not there",)
    first.write_bytes(b"".join(lines_of(first)[:-1]))
    assert replay_journal(day.folder).damage == (f"{third}: events 8 to 16 before it are not there",)


def test_a_segment_that_begins_before_the_last_one_ended_is_a_difference(day: Day) -> None:
    _, second, _ = segment_paths(day.folder)
    plant(second, 1, b'"n":8,', b'"n":7,')
    found = replay_journal(day.folder).difference
    assert found is not None
    assert (found.segment, found.field, found.expected, found.got) == (second, "n", "7", "8")


def test_a_successor_that_cannot_be_read_is_named(day: Day) -> None:
    first, second, _ = segment_paths(day.folder)
    second.write_bytes(b"{}\n")
    assert replay_journal(first).damage == (f"{second}:1: expected journal format 1, got None",)


def test_an_engine_that_decides_by_its_own_whim_is_found_at_the_line(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: every second replay of an offer rings a microsecond longer."""
    told = 0
    handle = Engine.handle

    def whim(engine: Engine, event: Event, now: int) -> tuple[object, ...]:
        nonlocal told
        told += 1
        answer = handle(engine, event, now)
        return answer if told != 16 else answer[:-1]

    monkeypatch.setattr(Engine, "handle", whim)
    found = replay_journal(day.folder).difference
    assert found is not None
    assert (found.segment.name, found.line, found.position) == ("000001.jsonl", 9, 8)
    assert (found.field.startswith("commands["), found.got) == (True, "nothing")


def test_the_second_replay_goes_through_snapshots(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted fault: what is restored has forgotten who is ready longest."""

    def forgetful(data: object) -> Engine:
        engine = restore(data)
        if engine.now > NOW:
            for agent in engine.floor.agents.values():
                agent.idle_since = 1
        return engine

    monkeypatch.setattr(replay, "SNAPSHOT_EVERY", 3)
    assert replay_journal(day.folder).difference is None
    monkeypatch.setattr(replay, "restore", forgetful)
    found = replay_journal(segment_paths(day.folder)[0]).difference
    assert found is not None
    assert "idle_since" in found.field or "key" in found.field


def test_what_the_engine_refused_it_refuses_again(tmp_path: Path) -> None:
    day = Day(tmp_path)
    day.sign_in("maria")
    day.journal.append(PhoneChanged("maria", Phone.GONE), 5)
    day.call("c1")
    assert replay_journal(tmp_path).difference is None
    assert explain(tmp_path, "c1/1").why.agent_id == "maria"


def test_a_line_without_end_is_damage(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST_LINE_BYTES", 20)
    with pytest.raises(JournalError, match="expected a line of less than 20 bytes"):
        replay.opening_of(segment_paths(day.folder)[0])


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be read: No such file"):
        replay.opening_of(tmp_path / "000001.jsonl")


@pytest.mark.parametrize(
    ("expected", "got", "found"),
    [
        ({"a": [1, 2]}, {"a": [1, 2]}, None),
        ({"a": [1, 2]}, {"a": [1, 3]}, ("x.a[1]", 2, 3)),
        ({"a": 1}, {"a": 1, "b": 2}, ("x.b", replay._NOTHING, 2)),
        ([1, 2], [1], ("x[1]", 2, replay._NOTHING)),
        ({"a": {}}, {"a": []}, ("x.a", {}, [])),
    ],
)
def test_the_first_difference_is_named_by_its_path(expected: object, got: object, found: object) -> None:
    assert first_difference(expected, got, "x") == found


EVENTS = st.one_of(
    st.builds(lambda n: InteractionArrived(f"c{n}"), st.integers(1, 6)),
    st.builds(lambda n, q: InteractionQueued(f"c{n}", q), st.integers(1, 6), st.sampled_from(("billing", "tech"))),
    st.builds(lambda n: QueueLeft(f"c{n}"), st.integers(1, 6)),
    st.builds(lambda n: CallerLeft(f"c{n}"), st.integers(1, 6)),
    st.builds(lambda n, k: OfferAccepted(f"c{n}/{k}"), st.integers(1, 6), st.integers(1, 3)),
    st.builds(lambda n, k: OfferRejected(f"c{n}/{k}"), st.integers(1, 6), st.integers(1, 3)),
    st.builds(lambda n, who: TalkEnded(f"c{n}", who), st.integers(1, 6), st.sampled_from(("maria", "jon"))),
    st.builds(lambda who, n: WrapUpEnded(who, f"c{n}"), st.sampled_from(("maria", "jon")), st.integers(1, 6)),
    st.builds(PresenceChosen, st.sampled_from(("maria", "jon")), st.sampled_from(Presence)),
    st.just(ClockReached()),
    st.just(None),
)  # fmt: skip


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(EVENTS, min_size=10, max_size=80))
def test_every_offer_of_any_day_is_found_and_every_day_repeats(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Event | None]
) -> None:
    day = Day(tmp_path_factory.mktemp("journal"))
    day.sign_in("maria", "jon")
    for step in steps:
        if step is None:
            day.turn()
        else:
            day.do(step)
    day.journal.close()
    assert replay_journal(day.folder).difference is None
    for offer_id, offer in day.offers.items():
        answer = explain(day.folder, offer_id)
        assert (answer.why.agent_id, answer.why.at) == (offer.agent_id, offer.offered_at)
        assert [each.agent_id for each in answer.why.agents if each.is_chosen] == [offer.agent_id]
        assert all(each.obstacles for each in answer.why.agents if not each.is_chosen)


# --- the command -----------------------------------------------------------------------------------------


def test_the_command_tells_why(day: Day) -> None:
    done = CliRunner().invoke(app, ["why", "lab1-1.1/1", "--journal", str(day.folder)])
    assert done.exit_code == 0
    assert "Maria (maria): chosen: idle since" in done.output
    assert "journal position 8, 000001.jsonl:9" in done.output


def test_the_command_says_what_it_does_not_know(day: Day) -> None:
    done = CliRunner().invoke(app, ["why", "nobody", "--journal", str(day.folder)])
    assert (done.exit_code, "nobody: not found" in done.stderr) == (1, True)


def test_the_command_repeats_a_day_and_fails_on_a_difference(day: Day) -> None:
    done = CliRunner().invoke(app, ["replay", str(day.folder)])
    assert done.exit_code == 0
    assert f"3 segments, {day.journal.position} events" in done.output
    plant(segment_paths(day.folder)[1], 2, b"lab1-1.1/1", b"lab1-1.1/2")
    done = CliRunner().invoke(app, ["replay", str(day.folder)])
    assert (done.exit_code, "000003.jsonl:1: position 16: state.agents[0].tile_at" in done.stderr) == (1, True)


def test_the_commands_read_the_servers_own_journal_unless_told(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_DATA_DIR", str(day.folder.parent))
    assert CliRunner().invoke(app, ["why", "lab1-1.1"]).exit_code == 0
    assert CliRunner().invoke(app, ["replay"]).exit_code == 0


def test_other_processes_with_other_hashes_give_the_same_bytes(day: Day) -> None:
    told = {
        subprocess.run(
            [sys.executable, "-m", "cti.cli", "replay", str(day.folder)],
            cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True, timeout=30,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(told) == 1
    assert re.search(r"[0-9a-f]{64}", told.pop())


def test_the_journal_in_use_can_be_asked(tmp_path: Path) -> None:
    """The server's lock does not keep anybody from reading."""
    office = Office(tmp_path)
    office.sign_in("maria")
    office.call("c1")
    assert explain(tmp_path, "c1").why.agent_id == "maria"
    office.close()


def test_events_are_plain_json_lines(day: Day) -> None:
    """The search for an id looks for it as it is written: quoted."""
    line = lines_of(segment_paths(day.folder)[0])[7]
    assert orjson.dumps("lab1-1.1") in line
