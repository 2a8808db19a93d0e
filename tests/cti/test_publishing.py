"""Publishing is checked, rendered, and one step; calls find the files that they began on."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from cti.configuration import ConfigurationMismatchError
from cti.press import Checked, Press
from cti.publishing import Attempt, Published, Publisher, Way, watch_files
from cti.sounds import SoundCache, SoundError
from cti.versions import VersionError, Versions
from ivr.errors import SiteError
from ivr.site import Site
from tests.cti.test_versions import change, clock
from tests.ivr.sites import flow, write_site


class Voice(SoundCache):
    """Renders nothing; refuses what it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.spoken: list[str] = []
        self.refused = ""

    async def prepare(self, prompts):  # type: ignore[no-untyped-def]
        self.spoken += [text for text, _ in prompts]
        return [SoundError(f"cannot say {text}") for text, _ in prompts if text == self.refused]


class Attempts(list[Attempt]):
    """What the audit would hear of."""

    async def __call__(self, attempt: Attempt) -> None:
        self.append(attempt)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"flows/main.yaml": flow("- say: One.")})


@pytest.fixture
def voice(tmp_path: Path) -> Voice:
    return Voice(tmp_path / "sounds")


@pytest.fixture
def publisher(tmp_path: Path, site: Path, voice: Voice, attempts: Attempts) -> Publisher:
    return Publisher(Versions(tmp_path / "versions", clock()), site, voice, tell=attempts)


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


def current(published: Published) -> tuple[Site, int]:
    found = published.current()
    assert found is not None
    return found


async def nothing() -> None:
    """The server goes on with what was made live."""


async def test_what_is_published_is_rendered_first_and_the_same_again_is_nothing_new(
    publisher: Publisher, voice: Voice
) -> None:
    first, again = await publisher.publish("ada", "begin"), await publisher.publish("ben")

    assert (first.is_new, first.version.number, again.is_new, again.version.by) == (True, 1, False, "ada")
    assert "One." in voice.spoken


async def test_a_prompt_that_cannot_be_rendered_and_files_that_are_wrong_change_nothing(
    publisher: Publisher, voice: Voice, site: Path
) -> None:
    await publisher.publish("ada")
    change(site, "Two.")
    voice.refused = "Two."
    with pytest.raises(VersionError, match=r"a prompt cannot be rendered: cannot say Two\."):
        await publisher.publish("ada")
    change(site, '"{nobody}"')
    with pytest.raises(SiteError):
        await publisher.publish("ada")

    assert len(publisher.versions.history()) == 1


async def test_rolling_back_makes_earlier_files_live_as_a_new_entry(publisher: Publisher, site: Path) -> None:
    with pytest.raises(VersionError, match="there is no version 1"):
        await publisher.roll_back("ada", 1)
    await publisher.publish("ada")
    with pytest.raises(VersionError, match="there is no earlier version"):
        await publisher.roll_back("ada")
    change(site, "Two.")
    await publisher.publish("ada")

    back, same = await publisher.roll_back("ben", note="oops"), await publisher.roll_back("ben", 1)

    assert (back.version.number, back.version.of, back.version.note, back.is_new) == (3, 1, "oops", True)
    assert not same.is_new
    assert (await publisher.roll_back("ben")).version.of == 2
    assert "say: Two." in publisher.diff(1, 2)
    assert publisher.diff(2) == ""


async def test_a_call_finds_the_files_that_it_began_on(publisher: Publisher, site: Path) -> None:
    published = Published(publisher.versions)
    assert published.current() is None
    await publisher.publish("ada")
    first, number = current(published)
    published.in_force(number)
    key = published.key(first)
    change(site, "Two.")
    await publisher.publish("ada")

    assert published.has_changed()
    second, number = current(published)
    assert published.has_changed(), "read, but not in force: whoever failed in between tries again"
    published.in_force(number)
    assert not published.has_changed()
    assert published.key(second) not in ("", key)
    found = await published.find(key)
    assert found is not None
    assert found.version == first.version
    assert await published.find(key) is found
    assert await published.find("") is None
    assert await published.find("0123456789abcdef") is None


async def test_files_of_a_version_that_cannot_be_read_any_more_are_none(publisher: Publisher) -> None:
    published = Published(publisher.versions)
    folder = publisher.versions.folder((await publisher.publish("ada")).version)
    (folder / "site.yaml").write_text("name: 7\n")

    assert await published.find(folder.name) is None


async def test_the_web_side_is_told_problems_and_versions(publisher: Publisher, site: Path) -> None:
    published = Published(publisher.versions)
    read = 0

    async def read_again() -> None:
        nonlocal read
        read += 1

    press = Press(publisher, published, read_again)
    assert await press.versions() == []
    await press.publish("ada", "first")
    first, _ = current(published)
    published.calls[published.key(first)] = 3
    change(site, '"{nobody}"')
    assert (await press.publish("ada", "")).problems[0].startswith("flows/main.yaml:4:12")
    assert (await press.roll_back("ada", 9, "")).problems == ("there is no version 9: expected one of 1",)
    change(site, "Two.")
    answer = await press.publish("ben", "second")

    assert (answer.number, answer.is_new, read) == (2, True, 2)
    assert [(each.number, each.by, each.is_live, each.calls) for each in await press.versions()] == [
        (2, "ben", True, 0), (1, "ada", False, 3),
    ]  # fmt: skip
    found = await press.diff(1, 2)
    assert found is not None
    assert "-    - say: One." in found.diff
    assert [(each.flow, each.what) for each in found.flows] == [("main", "changed")]
    assert "-  say: One.\n+  say: Two." in found.flows[0].diff
    assert await press.diff(1, 9) is None
    change(site, '"{nobody}"')
    against_broken = await press.diff(1, 0)
    assert against_broken is not None
    assert '+    - say: "{nobody}"' in against_broken.diff
    assert against_broken.problems[0].startswith("flows/main.yaml:4:12: ")


async def test_files_that_were_made_live_again_have_their_calls_at_the_newest_entry(
    publisher: Publisher, site: Path
) -> None:
    press = Press(publisher, published := Published(publisher.versions), nothing)
    await press.publish("ada", "")
    change(site, "Two.")
    await press.publish("ada", "")
    await press.roll_back("ada", 1, "")
    published.calls[publisher.versions.history()[0].hash] = 2

    assert [(each.number, each.of, each.calls) for each in await press.versions()] == [(3, 1, 2), (2, 0, 0), (1, 0, 0)]


async def test_a_check_tells_everything_and_changes_nothing(
    publisher: Publisher, site: Path, attempts: Attempts
) -> None:
    press = Press(publisher, Published(publisher.versions), nothing)
    assert not (await press.check()).is_live
    await press.publish("ada", "")
    attempts.clear()

    assert await press.check() == Checked(is_live=True)
    change(site, "Two.")
    assert await press.check() == Checked(is_live=False)
    change(site, '"{nobody}"')
    assert (await press.check()).problems[0].startswith("flows/main.yaml:4:12: ")
    assert (attempts, len(publisher.versions.history())) == ([], 1)


async def test_every_attempt_is_told_once_with_who_what_and_why_not(
    publisher: Publisher, site: Path, voice: Voice, attempts: Attempts
) -> None:
    await publisher.publish("ada", "begin")
    await publisher.publish("ben")  # nothing is new, so nothing is told
    change(site, "Two.")
    await publisher.publish("reload", way=Way.SIGNAL)
    change(site, '"{nobody}"')
    with pytest.raises(SiteError):
        await publisher.publish("watch", way=Way.WATCH)
    change(site, "Three.")
    voice.refused = "Three."
    with pytest.raises(VersionError):
        await publisher.publish("ada", "third", way=Way.WEB)
    await publisher.roll_back("ben", note="oops")
    with pytest.raises(VersionError):
        await publisher.roll_back("ben", 9)

    refused = [each.problems for each in attempts if each.problems]
    assert [problems[0][:26] for problems in refused] == [
        "flows/main.yaml:4:12: unkn",
        "not published, a prompt ca",
        "there is no version 9: exp",
    ]
    assert [replace(each, problems=()) for each in attempts] == [
        Attempt("ada", Way.COMMAND, False, 0, 1, note="begin"),
        Attempt("reload", Way.SIGNAL, False, 1, 2),
        Attempt("watch", Way.WATCH, False, 2, 2),
        Attempt("ada", Way.WEB, False, 2, 2, note="third"),
        Attempt("ben", Way.COMMAND, True, 2, 3, of=1, note="oops"),
        Attempt("ben", Way.COMMAND, True, 3, 3, of=9),
    ]


async def test_what_the_server_could_not_go_on_with_is_not_made_live(
    tmp_path: Path, site: Path, voice: Voice, attempts: Attempts
) -> None:
    async def refuse(site: Site) -> None:
        raise ConfigurationMismatchError("person maria: queue 'billing' is not in queues.yaml")

    publisher = Publisher(Versions(tmp_path / "versions", clock()), site, voice, examine=refuse, tell=attempts)
    with pytest.raises(ConfigurationMismatchError):
        await publisher.publish("ada")
    press = Press(publisher, Published(publisher.versions), nothing)

    assert (await press.check()).problems == ("person maria: queue 'billing' is not in queues.yaml",)
    assert (publisher.versions.live(), voice.spoken, len(attempts)) == (None, [], 1)


@pytest.mark.parametrize("kind", ["pipe", "link to nothing", "circle of links", "device without end"])
async def test_what_is_no_file_is_refused_and_neither_left_out_nor_waited_for(
    publisher: Publisher, site: Path, kind: str
) -> None:
    await publisher.publish("ada")
    odd = site / "flows" / "odd.yaml"
    if kind == "pipe":
        os.mkfifo(odd)
    else:
        to = {"circle of links": odd, "device without end": Path("/dev/zero")}
        odd.symlink_to(to.get(kind, site / "nowhere.yaml"))

    async with asyncio.timeout(10):
        with pytest.raises(VersionError, match=r"a file cannot be read or written: .*(odd|nowhere)\.yaml"):
            await publisher.publish("ada")
    assert len(publisher.versions.history()) == 1
    assert not list((publisher.versions._folder).glob(".taken-*"))


async def test_a_folder_that_cannot_be_written_is_a_refusal(tmp_path: Path, site: Path, voice: Voice) -> None:
    (tmp_path / "file").write_text("")
    publisher = Publisher(Versions(tmp_path / "file" / "versions", clock()), site, voice)

    with pytest.raises(VersionError, match="a file cannot be read or written"):
        await publisher.publish("ada")


async def test_a_changed_file_is_told_once_it_rests(site: Path) -> None:
    told = asyncio.Event()
    watching = asyncio.create_task(watch_files(site, told.set, every_s=0.01))
    await asyncio.sleep(0.05)
    assert not told.is_set()
    change(site, "Two.")
    async with asyncio.timeout(5):
        await told.wait()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
