"""Published versions: whole or not there, found again by hash, forgotten when nobody needs them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from cti import versions as versions_module
from cti.versions import VersionError, Versions
from ivr.errors import SiteError
from tests.ivr.sites import flow, write_site


def clock() -> Callable[[], int]:
    ticks = itertools.count(1)
    return lambda: next(ticks)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"flows/main.yaml": flow("- say: One.")})


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(tmp_path / "versions", clock(), kept=2)


def change(site: Path, said: str) -> None:
    (site / "flows" / "main.yaml").write_text(flow(f"- say: {said}"), encoding="utf-8")


def publish(versions: Versions, site: Path, said: str = "", *, by: str = "ada") -> int:
    if said:
        change(site, said)
    _, folder = versions.take(site)
    return versions.make_live(folder, by).number


def test_nothing_is_live_before_the_first(versions: Versions) -> None:
    assert (versions.live(), list(versions.history())) == (None, [])


def test_what_was_taken_is_live_whatever_becomes_of_the_working_files(versions: Versions, site: Path) -> None:
    loaded, folder = versions.take(site)
    versions.make_live(folder, "ada", "first")
    change(site, "Two.")

    live = versions.live()
    assert live is not None
    assert (live.number, live.by, live.note, live.published_at) == (1, "ada", "first", 1)
    assert versions.folder(live) == folder == loaded.folder == versions.find(live.hash)
    assert "One." in (folder / "flows" / "main.yaml").read_text()


def test_broken_files_are_taken_nowhere(versions: Versions, site: Path, tmp_path: Path) -> None:
    publish(versions, site)
    change(site, '"{unknown}"')

    with pytest.raises(SiteError, match=r"flows/main.yaml:4:12: unknown variable"):
        versions.take(site)
    assert len([each for each in (tmp_path / "versions").iterdir() if each.is_dir()]) == 1


def test_the_same_files_are_the_same_version_and_a_recording_makes_another(versions: Versions, site: Path) -> None:
    _, first = versions.take(site)
    _, again = versions.take(site)
    (site / "sounds").mkdir(exist_ok=True)
    (site / "sounds" / "jingle.wav").write_bytes(b"RIFF")
    _, other = versions.take(site)

    assert first == again != other
    assert (other / "sounds" / "jingle.wav").read_bytes() == b"RIFF"


def test_only_the_newest_stay_and_those_that_are_spared(tmp_path: Path, site: Path) -> None:
    days = itertools.count()
    versions = Versions(tmp_path / "versions", lambda: next(days) * 25 * 3600 * 1_000_000, kept=2)
    for said in ("One.", "Two.", "Three.", "Four."):
        publish(versions, site, said)
    one, two, three, four = versions.history()

    versions.forget([two.hash])

    assert [versions.find(each.hash) is not None for each in (one, two, three, four)] == [False, True, True, True]
    with pytest.raises(VersionError, match="files of version 1 are not kept any more: expected one of 2, 3, 4"):
        versions.folder(one)


def test_what_was_live_within_a_day_stays(versions: Versions, site: Path) -> None:
    for said in ("One.", "Two.", "Three.", "Four."):
        publish(versions, site, said)

    versions.forget([])

    assert all(versions.find(each.hash) for each in versions.history())


def test_a_version_that_never_was_is_named(versions: Versions, site: Path) -> None:
    with pytest.raises(VersionError, match="there is no version 7: expected one to be published first"):
        versions.of_number(7)
    publish(versions, site)
    with pytest.raises(VersionError, match="there is no version 7: expected one of 1"):
        versions.of_number(7)


@pytest.mark.parametrize("digest", ["", "..", "../x", "nothing", "a/b"])
def test_what_no_call_of_ours_carries_finds_nothing(versions: Versions, site: Path, digest: str) -> None:
    publish(versions, site)

    assert versions.find(digest) is None


def test_differences_are_told_as_diff_does(versions: Versions, site: Path) -> None:
    publish(versions, site, "One.")
    publish(versions, site, "Two.")
    old, new = (versions.folder(each) for each in versions.history())
    (site / "sounds").mkdir(exist_ok=True)
    (site / "sounds" / "jingle.wav").write_bytes(b"\xff\xfe")

    assert "-    - say: One.\n+    - say: Two." in versions.diff(old, new)
    assert versions.diff(old, old) == ""
    assert "+++ b/sounds/jingle.wav" in versions.diff(new, site)
    _, recorded = versions.take(site)
    (site / "sounds" / "jingle.wav").write_bytes(b"\xfe\xff")
    assert "jingle.wav" in versions.diff(recorded, site), "as long, and another"


def test_only_one_publishes_at_a_time(versions: Versions) -> None:
    with versions.publishing(), pytest.raises(VersionError, match="somebody else is publishing"), versions.publishing():
        pass


def test_a_history_that_cannot_be_read_is_named(versions: Versions, tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "versions" / "history.json").write_text("[{}]")

    with pytest.raises(VersionError, match=r"history\.json: cannot be read"):
        versions.history()


def test_a_version_has_bounds(versions: Versions, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(versions, site)
    (site / "sounds").mkdir(exist_ok=True)
    with (site / "sounds" / "long.wav").open("wb") as file:
        file.truncate(2 << 30)  # takes no room on the disk
    with pytest.raises(VersionError, match="files of 2048 MB: expected at most 1024 MB together"):
        versions.take(site)
    monkeypatch.setattr(versions_module, "MOST_FILES", 3)
    with pytest.raises(VersionError, match=r"site: [0-9]+ files: expected at most 3"):
        versions.take(site)
    assert len(versions.history()) == 1


def test_a_link_that_leads_to_its_own_folder_is_not_followed(versions: Versions, site: Path) -> None:
    (site / "sounds").mkdir(exist_ok=True)
    (site / "sounds" / "jingle.wav").write_bytes(b"\1")
    (site / "sounds" / "again").symlink_to(site / "sounds")
    _, folder = versions.take(site)
    assert [each.name for each in (folder / "sounds").rglob("*")] == ["jingle.wav"]


def test_a_large_file_is_compared_as_a_whole(versions: Versions, site: Path) -> None:
    (site / "sounds").mkdir(exist_ok=True)
    (site / "sounds" / "list.txt").write_text("# a\n" * 400_000)
    publish(versions, site)
    (site / "sounds" / "list.txt").write_text("# b\n" * 400_000)
    live = versions.live()
    assert live is not None
    told = versions.diff(versions.folder(live), site).splitlines()
    assert [line[:16] for line in told[-2:]] == ["-(1600000 bytes,", "+(1600000 bytes,"]
