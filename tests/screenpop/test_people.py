from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, text

from acd.model import AgentProfile
from screenpop.csv_file import ImportResult
from screenpop.db.store import Store
from screenpop.db.tables import person
from screenpop.entries import COLUMNS, OPTIONAL_COLUMNS, Entry, entry_from_words
from screenpop.errors import ImportFileError, InvalidRequestError, NotFoundError, PasswordTooWeakError
from screenpop.model import Role
from screenpop.people import People
from tests.screenpop.office import HASHER

HEADER = ",".join(COLUMNS) + "\n"
GOOD = HEADER + (
    "Maria,Maria Alvarez,agent,1001,sip,,billing;support,billing:8;technical:4\n"
    "ada,Ada,admin;agent,1002,sip,192.0.2.7:5060,,\n"
    "sven,Sven,supervisor,,,,,\n"
)


@pytest.fixture
def people(store: Store) -> People:
    return People(store, hasher=HASHER)


def written(tmp_path: Path, data: str) -> Path:
    file = tmp_path / "people.csv"
    file.write_text(data, encoding="utf-8")
    return file


async def test_an_import_makes_agents_and_phones(people: People, tmp_path: Path) -> None:
    assert await people.import_people(written(tmp_path, GOOD)) == ImportResult(3, 0)
    assert await people.profiles() == [
        AgentProfile("ada", "Ada"),
        AgentProfile("maria", "Maria Alvarez", ("billing", "support"), (("billing", 8), ("technical", 4))),
    ]
    phones = await people.phones()
    assert set(phones) == {"maria", "ada"}
    assert (phones["ada"].extension, phones["ada"].kind, phones["ada"].address) == ("1002", "sip", "192.0.2.7:5060")
    assert len({phone.secret for phone in phones.values()}) == 2
    assert all(len(phone.secret) >= 20 for phone in phones.values())


async def test_a_second_import_changes_people_and_keeps_their_secrets(people: People, tmp_path: Path) -> None:
    await people.import_people(written(tmp_path, GOOD))
    await people.set_password("maria", "long enough 1")
    before = await people.phones()
    changed = HEADER + "maria,Maria B.,agent,1001,sip,,support,\n"
    assert await people.import_people(written(tmp_path, changed)) == ImportResult(0, 1)
    found = await people.find("maria")
    assert found is not None
    assert (found.name, found.queues, found.skills) == ("Maria B.", ("support",), ())
    assert await people.phones() == before
    assert await people.check_password("maria", "long enough 1") is not None


async def test_weight_levels_and_capacity_reach_the_engine_and_are_replaced(people: People, tmp_path: Path) -> None:
    row = "maria,Maria,agent,,,,billing,,3,support:2;billing:1,chat:3\n"
    assert await people.import_people(written(tmp_path, HEADER + row)) == ImportResult(1, 0)
    (profile,) = await people.profiles()
    assert profile == AgentProfile(
        "maria",
        "Maria",
        ("billing",),
        weight=3,
        queue_levels=(("billing", 1), ("support", 2)),
        capacity=(("voice", 1), ("chat", 3)),
    )
    await people.import_people(written(tmp_path, HEADER + "maria,Maria,agent,,,,billing,,,,voice:0\n"))
    assert await people.profiles() == [AgentProfile("maria", "Maria", ("billing",), capacity=(("voice", 0),))]


async def test_a_file_from_before_these_columns_is_still_read(people: People, tmp_path: Path) -> None:
    earlier = ",".join(each for each in COLUMNS if each not in OPTIONAL_COLUMNS)
    await people.import_people(written(tmp_path, earlier + "\nmaria,Maria,agent,,,,billing,\n"))
    assert await people.profiles() == [AgentProfile("maria", "Maria", ("billing",))]


async def test_a_level_in_a_queue_that_the_site_does_not_know_is_refused(store: Store, tmp_path: Path) -> None:
    strict = People(store, hasher=HASHER, queues=("billing",), skills=())
    file = written(tmp_path, HEADER + "maria,Maria,agent,,,,billing,,,billing:2;sales:2,\n")
    with pytest.raises(ImportFileError, match="queues: expected one of billing, got 'sales'"):
        await strict.import_people(file)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("a b,A,agent,,,,,", "username: expected letters a–z, digits, . _ -, at most 64, got 'a b'"),
        ("a,A,boss,,,,,", "role: expected agent, supervisor, admin, got 'boss'"),
        ("a,A,agent,10x,,,,", "extension: expected at most 16 digits, got '10x'"),
        ("a,A,agent,1001,fax,,,", "phone: expected sip or webrtc, got 'fax'"),
        ("a,A,agent,,sip,,,", "extension: expected one for a person with a phone, got nothing"),
        ("a,A,agent,1001,sip,a b,,", "address: expected a SIP address like 192.0.2.7:5060, got 'a b'"),
        ("a,A,agent,,,,,billing", "skills: expected skill:level like billing:5, got 'billing'"),
        ("a,A,agent,,,,,billing:11", "skills: billing: expected a level from 1 to 10, got 11"),
        ("a,A,agent,,,,,billing:1;billing:2", "skills: 'billing' stands there twice"),
        ("a,A,agent,,,,bil ling,", "queues: expected names of queues, got 'bil ling'"),
        ("maria,A,agent,,,,,", "username: 'maria' stands in line 2 already"),
        ("a,A,agent,1002,sip,,,", "extension: 1002 belongs to ada already"),
        (",A,agent,,,,,", "username: expected a value, got nothing"),
        ("a,A,agent,,,,,,11", "weight: expected 1 to 10, got '11'"),
        ("a,A,agent,,,,,,much", "weight: expected 1 to 10, got 'much'"),
        ("a,A,agent,,,,,,,billing", "levels: expected queue:level like billing:2, got 'billing'"),
        ("a,A,agent,,,,,,,billing:0", "levels: billing: expected a level from 1 to 10, got 0"),
        ("a,A,agent,,,,,,,bil ling:1", "levels: expected names of queues, got 'bil ling'"),
        ("a,A,agent,,,,,,,,chat", "capacity: expected medium:number like chat:3, got 'chat'"),
        ("a,A,agent,,,,,,,,chat:21", "capacity: chat: expected 0 to 20, got 21"),
        ("a,A,agent,,,,,,,,voice:2", "capacity: voice: expected 0 to 1, got 2"),
        ("a,A,agent,,,,,,,,Chat!:2", "capacity: expected a medium like chat, got 'Chat!'"),
    ],
)
async def test_one_fault_stops_the_whole_import(people: People, tmp_path: Path, row: str, fault: str) -> None:
    file = written(tmp_path, GOOD + row + "\n")
    with pytest.raises(ImportFileError) as refused:
        await people.import_people(file)
    assert refused.value.faults == (f"{file}:5: {fault}",)
    assert await people.everybody() == []


async def test_an_extension_of_somebody_else_is_refused(people: People, tmp_path: Path) -> None:
    await people.add(Entry("zoe", "Zoe", extension="1001", phone="sip"))
    with pytest.raises(ImportFileError, match=":2: extension: 1001 belongs to zoe already"):
        await people.import_people(written(tmp_path, GOOD))


async def test_two_people_may_swap_their_extensions(people: People, tmp_path: Path) -> None:
    await people.import_people(written(tmp_path, GOOD))
    swapped = HEADER + "maria,Maria,agent,1002,sip,,,\nada,Ada,agent,1001,sip,,,\n"
    await people.import_people(written(tmp_path, swapped))
    assert {name: phone.extension for name, phone in (await people.phones()).items()} == {
        "maria": "1002",
        "ada": "1001",
    }


async def test_a_person_added_by_hand_cannot_sign_in_until_they_have_a_password(people: People) -> None:
    await people.add(entry_from_words("Zoe", "Zoë 张", "agent", "1001", "billing", "billing:5"))
    assert await people.check_password("zoe", "") is None
    await people.set_password("zoe", "long enough 1")
    signed_in = await people.check_password("zoe", "long enough 1")
    assert signed_in is not None
    assert (signed_in.name, signed_in.roles) == ("Zoë 张", (Role.AGENT,))
    assert await people.check_password("zoe", "long enough 2") is None


async def test_a_name_that_is_taken_is_refused(people: People) -> None:
    await people.add(Entry("zoe", "Zoe"))
    with pytest.raises(InvalidRequestError, match="this one is taken"):
        await people.add(Entry("zoe", "Another"))


def test_words_of_a_command_line_are_checked_like_a_file() -> None:
    with pytest.raises(ImportFileError, match="command line:1: role: expected agent, supervisor, admin, got 'boss'"):
        entry_from_words("zoe", "Zoe", "boss", "", "", "")


@pytest.mark.parametrize("password", ["", "short", "x" * 9, "x" * 257])
async def test_passwords_have_a_length(people: People, password: str) -> None:
    with pytest.raises(PasswordTooWeakError, match=f"expected 10 to 256 characters, got {len(password)}"):
        await people.set_password("maria", password)


async def test_nobody_gets_no_password(people: People) -> None:
    with pytest.raises(NotFoundError, match="'nobody'"):
        await people.set_password("nobody", "long enough 1")


async def test_passwords_are_kept_as_argon2_and_strengthened_when_the_rule_grows(store: Store) -> None:
    weak = People(store, hasher=PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    await weak.add(Entry("zoe", "Zoe"))
    await weak.set_password("zoe", "long enough 1")
    strong = People(store, hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    assert await strong.check_password("zoe", "long enough 1") is not None
    async with store.read() as connection:
        kept = await connection.scalar(select(person.c.password_hash))
    assert kept is not None
    assert kept.startswith("$argon2id$v=19$m=16,t=2")


async def test_a_new_password_ends_the_sessions(store: Store, people: People) -> None:
    await people.add(Entry("zoe", "Zoe"))
    async with store.write() as connection:
        await connection.execute(text("INSERT INTO session VALUES ('h', 'zoe', 1, 2, '')"))
    await people.set_password("zoe", "long enough 1")
    async with store.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM session")) == 0
