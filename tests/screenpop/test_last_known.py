"""What answers while the database is away: nothing else than what it said last, and nobody new."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from screenpop.auth import Sessions
from screenpop.db.migrate import migrate, migrate_or_trust, newest_revision
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.entries import Entry
from screenpop.errors import NotSignedInError
from screenpop.last_known import MOST_SESSIONS_KNOWN, LastKnown
from screenpop.model import Person, PersonPhone, Role
from screenpop.people import People
from tests.fakes.clock import FakeClock
from tests.screenpop.office import HASHER, PASSWORD

NOWHERE = "postgresql://callyard@/callyard?host=/nonexistent"
ZOE = Person(
    username="zoe", name="Zoë Ö", roles=(Role.AGENT,), extension="1001", queues=("billing",), skills=(("en", 5),)
)
PHONE = PersonPhone("1001", "sip", "s3cret", "")


class Failing:
    """A store that is there until it is told to be away."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        if self.is_away:
            raise OperationalError("SELECT", {}, Exception("server closed the connection"))
        async with self._store.read() as connection:
            yield connection


@pytest.fixture
def failing(sqlite_store: Store) -> Failing:
    return Failing(sqlite_store)


@pytest.fixture
async def people(failing: Failing, tmp_path: Path) -> People:
    found = People(failing, hasher=HASHER, known=LastKnown(tmp_path / "last_known.json"))  # type: ignore[arg-type]
    await found.add(Entry("zoe", "Zoe", extension="1001"))
    await found.set_password("zoe", PASSWORD)
    return found


async def test_people_and_phones_are_those_that_were_read_last(people: People, failing: Failing) -> None:
    before = (await people.everybody(), await people.profiles(), await people.phones(), await people.find("zoe"))
    failing.is_away = True
    assert (
        await people.everybody(),
        await people.profiles(),
        await people.phones(),
        await people.find("zoe"),
    ) == before
    with pytest.raises(OperationalError):
        await people.find("nobody")


async def test_where_nothing_was_read_the_fault_is_told(people: People, failing: Failing) -> None:
    failing.is_away = True
    for ask in (people.everybody, people.profiles, people.phones):
        with pytest.raises(OperationalError):
            await ask()


async def test_who_is_signed_in_stays_so_until_the_end_of_the_session(people: People, failing: Failing) -> None:
    clock = FakeClock()
    sessions = Sessions(failing, people, clock.now, hours=1)  # type: ignore[arg-type]
    token, _ = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    out, ended = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    await sessions.find(token)
    await sessions.sign_out(ended)
    failing.is_away = True
    assert (await sessions.find(token)).person.name == "Zoe"
    for other in (out, "x" * 43):
        with pytest.raises(OperationalError):
            await sessions.find(other)
    clock.advance(seconds=3601)
    with pytest.raises(NotSignedInError):
        await sessions.find(token)


async def test_a_session_that_ended_elsewhere_is_not_taken_from_memory(people: People, failing: Failing) -> None:
    sessions = Sessions(failing, people, FakeClock().now, hours=1)  # type: ignore[arg-type]
    token, opened = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    elsewhere = Sessions(failing, People(failing, hasher=HASHER), FakeClock().now)  # type: ignore[arg-type]
    await elsewhere.revoke("zoe")
    assert await sessions.gone([opened.id]) == {opened.id}
    failing.is_away = True
    with pytest.raises(OperationalError):
        await sessions.find(token)


async def test_the_file_holds_it_over_a_restart_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "last_known.json"
    async with LastKnown(file) as known:
        known.keep_people([ZOE])
        known.keep_phones({"zoe": PHONE})
        known.keep_session("5e55", "zoe", 123)
        known.keep_position(4711)
        known.keep_revision("0042")
    again = LastKnown(file)
    assert (list(again.people), dict(again.phones), again.session("5e55")) == ([ZOE], {"zoe": PHONE}, ("zoe", 123))
    assert (again.position, again.revision) == (4711, "0042")
    assert file.stat().st_mode & 0o777 == 0o600


@given(st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.text("ab"), st.lists).map(orjson.dumps))
def test_a_file_that_cannot_be_read_counts_as_none(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.mktemp("known") / "last_known.json"
    file.write_bytes(data)
    assert (list(LastKnown(file).people), LastKnown(file).revision) == ([], "")


async def test_a_disk_that_is_full_ends_nothing(tmp_path: Path) -> None:
    async with LastKnown(tmp_path / "gone" / "last_known.json") as known:
        known.keep_people([ZOE])
        await known.save()
        (tmp_path / "gone").mkdir()
    assert list(LastKnown(tmp_path / "gone" / "last_known.json").people) == [ZOE]


def test_sessions_are_bounded_and_the_one_not_seen_for_longest_goes() -> None:
    known = LastKnown()
    for number in range(MOST_SESSIONS_KNOWN):
        known.keep_session(str(number), "zoe", 1)
    known.keep_session("0", "zoe", 1)
    known.keep_session("one more", "zoe", 1)
    assert known.session("0") is not None
    assert known.session("1") is None


async def test_tables_are_trusted_only_when_they_were_the_newest(migrated_url: str) -> None:
    known = LastKnown()
    with pytest.raises(OperationalError):
        await migrate_or_trust(NOWHERE, known)
    known.keep_revision("an older one")
    with pytest.raises(OperationalError):
        await migrate_or_trust(NOWHERE, known)
    await migrate(migrated_url)
    await migrate_or_trust(migrated_url, known)
    assert known.revision == newest_revision()
    await migrate_or_trust(NOWHERE, known)


async def test_records_begin_where_they_were_last_known_to_be_written(sqlite_store: Store) -> None:
    known = LastKnown()
    async with Records(sqlite_store, interval_s=0.01, known=known) as records:
        records.keep(500, [])
        await records.flush()
    assert known.position == 500
    nowhere = Store(NOWHERE)
    away = Records(nowhere, known=known)
    assert await away.resume(900) == 500
    assert await away.resume(300) == 300
    await nowhere.close()
