"""A running server and publishing: every way leaves one row in the audit; nothing is live before it can be heard."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import structlog
from sqlalchemy.exc import OperationalError
from typer.testing import CliRunner

from cti.cli import app
from cti.configuration import ConfigurationMismatchError
from cti.main import Server, with_store
from cti.publish_command import with_publisher
from cti.settings import Settings
from cti.sounds import SoundCache, SoundError
from cti.versions import VersionError, Versions
from ivr.errors import SiteError
from screenpop.entries import Entry
from screenpop.people import People
from tests.cti.test_main import serving
from tests.fakes.site import write_site

HELLO = "\n  door:\n    - say: One.\n"
TO_SALES = "title: Main\nstart: door\nnodes:\n  door:\n    - queue: sales\n"


class Voice:
    """Speaks when it may; what is `refused` it cannot say."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.may.set()
        self.asked = asyncio.Event()
        self.refused = ""
        self.said: list[str] = []

    async def path(self, _cache: SoundCache, text: str, _language: str) -> Path:
        self.asked.set()
        await self.may.wait()
        if text == self.refused:
            raise SoundError(f"cannot say {text}")
        self.said.append(text)
        return Path("/said")


@pytest.fixture
def voice(monkeypatch: pytest.MonkeyPatch) -> Voice:
    speaks = Voice()

    async def path(self: SoundCache, text: str, language: str) -> Path:
        return await speaks.path(self, text, language)

    async def no_fail_safe(*_: object, **__: object) -> None:
        """Its sounds are files, which this voice does not make."""

    monkeypatch.setattr(SoundCache, "path", path)
    monkeypatch.setattr("cti.main.prepare_failsafe_sounds", no_fail_safe)
    return speaks


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    write_site(tmp_path / "site", HELLO)
    return Settings(data_dir=tmp_path / "data", site_dir=tmp_path / "site", web_port=0, agi_port=0)


def say(settings: Settings, said: str) -> None:
    write_site(settings.site_dir, HELLO.replace("One.", said))


def rows(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Actor, action, subject, detail."""
    with sqlite3.connect(settings.data_dir / "callyard.db") as connection:
        return connection.execute("SELECT actor, action, subject, detail FROM audit ORDER BY id").fetchall()


def live(settings: Settings) -> int:
    version = Versions(settings.versions_dir, lambda: 0).live()
    return version.number if version is not None else 0


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110 - told by another task, a file or the database
            await asyncio.sleep(0.02)


async def test_each_way_of_publishing_leaves_one_row(settings: Settings, voice: Voice) -> None:
    async with serving(settings) as server:
        assert rows(settings) == [
            ("callyard", "flow_published", "1", '{"way": "start", "from": 0, "to": 1, "note": "first start"}')
        ]
        say(settings, "Two.")
        server.reload()
        await until(lambda: server.published.number == 2)
        say(settings, '"{nobody}"')
        server.reload()
        await until(lambda: len(rows(settings)) == 3)
        say(settings, "Three.")
        server._files_changed()
        await until(lambda: server.published.number == 3)
        async with with_publisher(settings) as publisher:
            await publisher.roll_back("kim", 1, "oops")
            with pytest.raises(VersionError):
                await publisher.roll_back("kim", 77)
        await until(lambda: server.published.number == 4)

    told = rows(settings)
    assert [row[:3] for row in told] == [
        ("callyard", "flow_published", "1"),
        ("reload", "flow_published", "2"),
        ("reload", "flow_publish_refused", "2"),
        ("watch", "flow_published", "3"),
        ("kim", "flow_rolled_back", "4"),
        ("kim", "flow_roll_back_refused", "4"),
    ]
    assert told[1][3] == '{"way": "signal", "from": 1, "to": 2}'
    assert "flows/main.yaml:" in told[2][3]
    assert '"count": 1' in told[2][3]
    assert told[3][3] == '{"way": "watch", "from": 2, "to": 3}'
    assert told[4][3] == '{"way": "command", "from": 3, "to": 4, "of": 1, "note": "oops"}'
    assert "there is no version 77" in told[5][3]


async def test_a_reload_without_anything_new_leaves_none(settings: Settings, voice: Voice) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(settings) as server:
            server.reload()
            await until(lambda: any(each["event"] == "reload.done" for each in logs))
    assert len(rows(settings)) == 1


async def test_a_reload_is_live_when_its_prompts_can_be_heard_and_not_before(settings: Settings, voice: Voice) -> None:
    async with serving(settings) as server:
        await until(lambda: "One." in voice.said)
        voice.asked.clear()
        voice.may.clear()
        say(settings, "Two.")
        server.reload()
        await asyncio.wait_for(voice.asked.wait(), 10)
        assert (live(settings), server.site.version) == (1, server.site.version)
        assert server.published.number == 1
        voice.may.set()
        await until(lambda: server.published.number == 2)
        voice.refused = "Three."
        say(settings, "Three.")
        server.reload()
        await until(lambda: len(rows(settings)) == 3)
        assert live(settings) == 2
    assert "cannot say Three." in rows(settings)[2][3]


async def test_a_first_start_waits_for_its_prompts(settings: Settings, voice: Voice) -> None:
    voice.may.clear()
    server = Server(settings)
    running = asyncio.create_task(server.run())
    await asyncio.wait_for(voice.asked.wait(), 10)
    assert (live(settings), server.ready.is_set(), server.agi_port) == (0, False, 0)
    voice.may.set()
    await asyncio.wait_for(server.ready.wait(), 10)
    assert live(settings) == 1
    server.stop()
    await asyncio.wait_for(running, 20)


async def test_a_first_start_whose_prompts_cannot_be_heard_says_so_and_leaves_nothing_live(
    settings: Settings, voice: Voice
) -> None:
    voice.refused = "One."
    with pytest.raises(VersionError, match=r"a prompt cannot be rendered: cannot say One\."):
        await Server(settings).run()
    assert live(settings) == 0
    voice.refused = ""
    async with serving(settings):
        assert live(settings) == 1
    assert [row[1] for row in rows(settings)] == ["flow_publish_refused", "flow_published"]


async def test_files_that_contradict_who_works_here_are_not_made_live(settings: Settings, voice: Voice) -> None:
    async with serving(settings):
        async with with_store(settings) as (_, people, _plan):
            await people.add(Entry("kim", "Kim", queues=("billing",)))
        write_site(settings.site_dir, HELLO, queues="sales: { title: Sales }\n", flow_main=TO_SALES)
        async with with_publisher(settings) as publisher:
            with pytest.raises(ConfigurationMismatchError, match=r"kim: queue 'billing' is not in queues\.yaml"):
                await publisher.publish("ada")
        assert live(settings) == 1
    async with serving(settings) as again:
        assert list(again.site.queues) == ["billing", "tech"], "and the next start is none that fails"


async def test_a_version_is_taken_up_after_the_database_was_away(
    settings: Settings, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = People.profiles
    async with serving(settings) as server:
        say(settings, "Two.")
        async with with_publisher(settings) as publisher:
            with monkeypatch.context() as patched:
                failed = asyncio.Event()

                async def away(self: People) -> None:
                    failed.set()
                    raise OperationalError("SELECT", {}, Exception("away"))

                await publish_then(publisher.publish("ada"), lambda: patched.setattr(People, "profiles", away))
                await asyncio.wait_for(failed.wait(), 10)
                assert server.published.number == 1
        assert People.profiles is whole
        await until(lambda: server.published.number == 2)


async def publish_then(work: Awaitable[object], do: Callable[[], None]) -> None:
    await work
    do()


async def test_people_that_cannot_be_read_are_a_refusal(
    settings: Settings, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: People) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(People, "profiles", away)
    async with with_publisher(settings) as publisher:
        with pytest.raises(Exception, match="not published, people cannot be read: OperationalError"):
            await publisher.publish("ada")
    assert live(settings) == 0


def test_commands_publish_list_compare_and_roll_back(
    settings: Settings, voice: Voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "callyard.yaml").write_text("site_dir: site\ndata_dir: data\n", encoding="utf-8")
    monkeypatch.setenv("CALLYARD_CONFIG", str(tmp_path / "callyard.yaml"))
    monkeypatch.setattr("getpass.getuser", lambda: "ada")

    def flow(*words: str) -> str:
        done = CliRunner().invoke(app, ["flow", *words])
        assert done.exit_code == 0, done.output
        return done.output

    assert flow("versions").startswith("nothing has been published yet")
    assert flow("publish", "--note", "begin").startswith("version 1 is live (")
    assert flow("publish").startswith("nothing has changed: version 1 is live already")
    say(settings, "Two.")
    flow("publish")
    assert "-    - say: One.\n+    - say: Two." in flow("diff", "1")
    assert "-  say: One.\n+  say: Two." in flow("diff", "1", "2", "--graph")
    assert flow("diff", "2", "--graph") == "no differences\n"
    assert "version 3 is live, with the files of version 1" in flow("rollback", "--note", "oops")
    assert [line.split("  ")[-1] for line in flow("versions").splitlines()] == [
        "live",
        flow("versions").splitlines()[1].split("  ")[-1],
        "begin",
        "the server does not run: nobody is in any version",
    ]
    say(settings, '"{nobody}"')
    broken = CliRunner().invoke(app, ["flow", "publish"])
    assert broken.exit_code == 1
    assert "flows/main.yaml:6:12: unknown variable" in broken.output
    assert [(row[0], row[1]) for row in rows(settings)] == [
        ("ada", "flow_published"),
        ("ada", "flow_published"),
        ("ada", "flow_rolled_back"),
        ("ada", "flow_publish_refused"),
    ]


async def test_the_command_tells_how_many_calls_are_in_each_version(
    settings: Settings, voice: Voice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "callyard.yaml").write_text("site_dir: site\ndata_dir: data\n", encoding="utf-8")
    monkeypatch.setenv("CALLYARD_CONFIG", str(tmp_path / "callyard.yaml"))
    async with serving(settings) as server:
        key = server.published.key(server.site)
        server.published.calls[key] = 3
        await until(lambda: "  live  3 calls in it" in CliRunner().invoke(app, ["flow", "versions"]).output)
        server.published.calls[key] = 0
        await until(lambda: CliRunner().invoke(app, ["flow", "versions"]).output.endswith("  live\n"))
    assert "the server does not run" in CliRunner().invoke(app, ["flow", "versions"]).output


async def test_a_broken_file_is_refused_at_the_first_start_with_its_place(settings: Settings, voice: Voice) -> None:
    say(settings, '"{nobody}"')
    with pytest.raises(SiteError, match=r"flows/main\.yaml:6:12: unknown variable"):
        await Server(settings).run()
    assert [row[1] for row in rows(settings)] == ["flow_publish_refused"]
