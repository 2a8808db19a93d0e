"""The journal: what was acknowledged is there after everything that can happen to a process and a disk."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.codec import encode
from acd.engine import Engine
from acd.events import (
    CallerLeft,
    DesktopChanged,
    Event,
    InteractionArrived,
    InteractionQueued,
    PhoneChanged,
    PresenceChosen,
)
from acd.model import Desktop, Phone, Presence
from acd.snapshot import dump
from cti.journal import Journal, JournalError, read_segment, replay, segment_paths
from tests.acd.desk import SITE

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_700_000_000_000_000
DAY: tuple[Event, ...] = (
    PhoneChanged("maria", Phone.FREE),
    DesktopChanged("maria", Desktop.THERE),
    PresenceChosen("maria", Presence.READY),
    InteractionArrived("node-1.1", caller="+4930123456", dialled="100", flow="main"),
    InteractionQueued("node-1.1", "billing", attributes=(("name", "Zoë \n 张"),)),
    CallerLeft("node-1.1"),
)


def begun(folder: Path, keep: int = 16) -> Journal:
    """A journal that is open and has a first segment."""
    journal = Journal(folder, keep_segments=keep)
    assert journal.open() is None
    journal.begin_segment(Engine(SITE, NOW), NOW)
    return journal


def fill(folder: Path, events: tuple[Event, ...] = DAY) -> Path:
    """A closed journal of one segment."""
    journal = begun(folder)
    for number, event in enumerate(events, start=1):
        assert journal.append(event, NOW + number) == number
    journal.close()
    return segment_paths(folder)[-1]


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    segment = read_segment(fill(tmp_path))
    assert [entry.event for entry in segment.entries] == list(DAY)
    assert [entry.position for entry in segment.entries] == [1, 2, 3, 4, 5, 6]
    assert [entry.now - NOW for entry in segment.entries] == [1, 2, 3, 4, 5, 6]
    assert segment.torn_bytes == 0


def test_a_new_journal_is_empty_and_the_next_goes_on_where_it_ended(tmp_path: Path) -> None:
    fill(tmp_path)
    journal = Journal(tmp_path)
    segment = journal.open()
    assert segment is not None
    assert journal.position == 6
    journal.begin_segment(Engine(SITE, NOW), NOW)
    assert journal.append(DAY[0], NOW) == 7
    journal.close()


def test_a_last_line_torn_anywhere_is_cut_off(tmp_path: Path) -> None:
    path = fill(tmp_path)
    whole = path.read_bytes()
    start = whole.rstrip(b"\n").rindex(b"\n") + 1
    for cut in range(start, len(whole)):
        path.write_bytes(whole[:cut])
        segment = read_segment(path)
        assert [entry.event for entry in segment.entries] == list(DAY[:-1]), f"cut at byte {cut}"
        assert segment.torn_bytes == cut - start


def test_zeros_that_a_power_cut_leaves_are_cut_off(tmp_path: Path) -> None:
    path = fill(tmp_path)
    with path.open("ab") as file:
        file.write(b"\0" * 4096)
    assert len(read_segment(path).entries) == len(DAY)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (b"{", "not a journal line"),
        (b"[]", "expected an object"),
        (b'{"n":3,"t":1}', "not a journal entry"),
        (b'{"n":3,"t":1,"e":["Nonsense"]}', "not a journal entry"),
        (b'{"n":"x","t":1,"e":{}}', "not a journal entry"),
    ],
)
def test_a_damaged_line_in_the_middle_is_an_error_with_its_place(tmp_path: Path, damage: bytes, says: str) -> None:
    path = fill(tmp_path)
    lines = path.read_bytes().split(b"\n")
    lines[3] = damage
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(JournalError, match=says) as raised:
        read_segment(path)
    assert str(raised.value).startswith(f"{path}:4: ")


def test_a_line_that_is_missing_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = fill(tmp_path)
    lines = path.read_bytes().split(b"\n")
    del lines[3]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(JournalError, match=r":4: expected position 3, got 4"):
        read_segment(path)


@pytest.mark.parametrize("head", [b'{"journal":2}\n', b"[]\n", b"no\n", b"{}\n"])
def test_an_opening_line_of_something_else_is_refused(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "000001.jsonl"
    path.write_bytes(head)
    with pytest.raises(JournalError, match=":1: "):
        read_segment(path)


def test_a_segment_killed_while_it_was_begun_is_set_aside(tmp_path: Path) -> None:
    fill(tmp_path)
    (tmp_path / "000002.jsonl").write_bytes(b'{"journal":1,"n":6,')
    journal = Journal(tmp_path)
    segment = journal.open()
    assert segment is not None
    assert len(segment.entries) == len(DAY)
    journal.begin_segment(Engine(SITE, NOW), NOW)
    journal.close()
    assert [path.name for path in segment_paths(tmp_path)] == ["000001.jsonl", "000002.jsonl"]
    assert (tmp_path / "000002.torn").exists()


def test_a_second_process_is_refused_until_the_first_has_closed(tmp_path: Path) -> None:
    first = begun(tmp_path)
    tries = (
        "import sys, pathlib; from cti.journal import Journal, JournalError\n"
        "try: Journal(pathlib.Path(sys.argv[1])).open()\n"
        "except JournalError as error: sys.exit(str(error))"
    )
    command = [sys.executable, "-c", tries, str(tmp_path)]
    refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert f"{tmp_path}: another process writes this journal" in refused.stderr
    with pytest.raises(JournalError, match="another process"):
        Journal(tmp_path).open()
    first.close()
    second = Journal(tmp_path)
    second.open()
    second.close()


def test_segments_beyond_the_limit_are_removed(tmp_path: Path) -> None:
    journal = begun(tmp_path, keep=3)
    for number in range(6):
        journal.append(DAY[0], NOW)
        journal.begin_segment(Engine(SITE, NOW), NOW)
        assert len(segment_paths(tmp_path)) == min(3, number + 2)
    journal.close()
    assert [path.name for path in segment_paths(tmp_path)] == ["000005.jsonl", "000006.jsonl", "000007.jsonl"]
    assert [read_segment(path).position for path in segment_paths(tmp_path)] == [4, 5, 6]


def test_a_disk_that_takes_half_a_line_gives_it_back(tmp_path: Path) -> None:
    """In a process of its own, because the limit is the whole process's."""
    script = "import sys, pathlib; from tests.cti import test_journal as t; t.fill_the_disk(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, timeout=30, check=True)
    [path] = segment_paths(tmp_path)
    segment = read_segment(path)
    assert segment.torn_bytes == 0
    assert (tmp_path / "appended").read_text() == str(len(segment.entries))


def fill_the_disk(folder: Path) -> None:
    """Append until nothing fits, try to begin a segment, then find room again. Runs in a process of its own."""
    journal = begun(folder)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = segment_paths(folder)[0].stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size - 10, hard))
    with pytest.raises(JournalError, match="cannot begin a segment"):
        journal.begin_segment(Engine(SITE, NOW), NOW)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    journal.append(DAY[3], NOW)
    line = segment_paths(folder)[0].stat().st_size - size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 4 * line + line // 2, hard))
    with pytest.raises(JournalError, match="bytes fitted"):
        _append_many(journal)
    appended = journal.position
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert journal.append(DAY[3], NOW) == appended + 1  # there is room again: it goes on in the old segment
    journal.close()
    (folder / "appended").write_text(str(appended + 1))


def _append_many(journal: Journal) -> None:
    for _ in range(1000):
        journal.append(DAY[3], NOW)


def test_every_entry_acknowledged_before_a_kill_is_there(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib; from tests.cti.test_journal import begun, DAY, NOW\n"
        "journal = begun(pathlib.Path(sys.argv[1]))\n"
        "while True: print(journal.append(DAY[4], NOW), flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            for _ in range(300):
                child.stdout.readline()
        finally:
            child.kill()
        rest = child.stdout.read().split("\n")[:-1]
    acknowledged = int(rest[-1]) if rest else 300
    journal = Journal(tmp_path)
    segment = journal.open()
    journal.close()
    assert segment is not None
    assert acknowledged <= journal.position <= acknowledged + 1  # one may be written whose word did not get out


async def test_a_disk_that_cannot_be_synced_is_told_and_tried_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path, sync_every_s=0.001)
    journal.open()
    journal.begin_segment(Engine(SITE, NOW), NOW)
    failures: asyncio.Queue[OSError] = asyncio.Queue()
    journal.on_sync_failed = failures.put_nowait
    syncing = asyncio.create_task(journal.keep_synced())
    reading, writing = os.pipe()  # takes lines, and cannot be synced
    real, journal._fd = journal._fd, writing
    try:
        journal.append(DAY[0], NOW)
        async with asyncio.timeout(5):
            for _ in range(3):
                assert isinstance(await failures.get(), OSError)
    finally:
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        journal._fd = real
        os.close(reading)
        os.close(writing)
        journal.close()


# --- replay -----------------------------------------------------------------------------------------------

_AGENTS = st.sampled_from(["maria", "jon", "nobody"])
_CALLS = st.sampled_from(["c1", "c2", "c3"])
_EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(PhoneChanged, _AGENTS, st.sampled_from(Phone)),
    st.builds(DesktopChanged, _AGENTS, st.sampled_from(Desktop)),
    st.builds(PresenceChosen, _AGENTS, st.sampled_from(Presence)),
    st.builds(InteractionArrived, _CALLS),
    st.builds(InteractionQueued, _CALLS, st.sampled_from(["billing", "tech"]), st.integers(0, 3)),
    st.builds(CallerLeft, _CALLS),
)


@settings(max_examples=25)
@given(events=st.lists(st.tuples(_EVENTS, st.integers(0, 5_000_000)), max_size=30), cut=st.integers(0, 30))
def test_a_replay_gives_the_same_commands_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[Event, int]], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal, engine, now = begun(folder), Engine(SITE, NOW), NOW
    said: list[str] = []
    for number, (event, later) in enumerate(events):
        now += later
        if number == cut:
            journal.begin_segment(engine, now)
        journal.append(event, now)
        said.append(str([encode(command) for command in engine.handle(event, now)]))
    journal.close()
    replayed: list[str] = []
    for path in segment_paths(folder):
        for entry, rebuilt, commands in replay(read_segment(path)):
            last = rebuilt
            if entry is not None:
                replayed.append(str([encode(command) for command in commands]))
    assert replayed == said
    assert dump(last) == dump(engine)
