"""Publishing is checked, rendered, and one step; calls find the files that they began on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cti.press import Press
from cti.publishing import Published, Publisher, watch_files
from cti.sounds import SoundCache, SoundError
from cti.versions import VersionError, Versions
from ivr.errors import SiteError
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


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write_site(tmp_path / "site", {"flows/main.yaml": flow("- say: One.")})


@pytest.fixture
def voice(tmp_path: Path) -> Voice:
    return Voice(tmp_path / "sounds")


@pytest.fixture
def publisher(tmp_path: Path, site: Path, voice: Voice) -> Publisher:
    return Publisher(Versions(tmp_path / "versions", clock()), site, voice)


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
    first = published.current()
    assert first is not None
    key = published.key(first)
    change(site, "Two.")
    await publisher.publish("ada")

    assert published.has_changed()
    second = published.current()
    assert second is not None
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
    assert press.versions() == []
    await press.publish("ada", "first")
    first = published.current()
    assert first is not None
    published.calls[published.key(first)] = 3
    change(site, '"{nobody}"')
    assert (await press.publish("ada", "")).problems[0].startswith("flows/main.yaml:4:12")
    assert (await press.roll_back("ada", 9, "")).problems == ("there is no version 9: expected one of 1",)
    change(site, "Two.")
    answer = await press.publish("ben", "second")

    assert (answer.number, answer.is_new, read) == (2, True, 2)
    assert [(each.number, each.by, each.is_live, each.calls) for each in press.versions()] == [
        (2, "ben", True, 0), (1, "ada", False, 3),
    ]  # fmt: skip
    assert await press.diff(1, 2)
    assert await press.diff(1, 9) is None


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
