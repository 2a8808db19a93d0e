"""Published versions over REST: supervisors see them, admins make them live, agents neither."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import pytest

from screenpop.db.store import Store
from tests.screenpop.office import Office, office


@dataclass(frozen=True)
class Row:
    number: int
    hash: str = "abc"
    published_at: int = 7
    by: str = "ada"
    note: str = ""
    of: int = 0
    is_live: bool = True
    calls: int = 2


@dataclass(frozen=True)
class Answer:
    number: int = 0
    is_new: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changed:
    flow: str = "main"
    what: str = "changed"
    diff: str = "-  say: One."


@dataclass(frozen=True)
class Differing:
    diff: str
    flows: tuple[Changed, ...] = (Changed(),)
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Checked:
    problems: tuple[str, ...] = ("flows/main.yaml:4:7: no",)
    hints: tuple[str, ...] = ("flows/main.yaml:1:1: perhaps",)
    is_live: bool = False


@dataclass
class OnePress:
    """One version, and whatever it is to answer."""

    answer: Answer = Answer(2, is_new=True)
    asked: list[tuple[object, ...]] = field(default_factory=list)

    async def versions(self) -> Sequence[Row]:
        return [Row(1)]

    async def diff(self, old: int, new: int) -> Differing | None:
        self.asked.append((old, new))
        return None if old == 9 else Differing(f"from {old} to {new}")

    async def check(self) -> Checked:
        self.asked.append(("check",))
        return Checked()

    async def publish(self, by: str, note: str) -> Answer:
        self.asked.append((by, note))
        return self.answer

    async def roll_back(self, by: str, number: int, note: str) -> Answer:
        self.asked.append((by, number, note))
        return self.answer


@pytest.fixture
def press() -> OnePress:
    return OnePress()


@pytest.fixture
async def opened(sqlite_store: Store, press: OnePress) -> AsyncIterator[Office]:
    async with office(sqlite_store, publishing=press) as running:
        yield running


async def test_a_supervisor_sees_versions_and_what_differs(opened: Office, press: OnePress) -> None:
    client = await opened.client("susi")

    assert (await client.get("/api/flows/versions")).json() == [
        {"number": 1, "hash": "abc", "published_at": 7, "by": "ada", "note": "", "of": 0, "is_live": True, "calls": 2}
    ]
    assert (await client.get("/api/flows/versions/2/diff?against=1")).json() == {
        "diff": "from 1 to 2",
        "flows": [{"flow": "main", "what": "changed", "diff": "-  say: One."}],
        "problems": [],
    }
    assert (await client.get("/api/flows/versions/2/diff")).json()["diff"] == "from 2 to 0"
    assert (await client.get("/api/flows/versions/2/diff?against=9")).status_code == 404


async def test_an_admin_checks_publishes_and_rolls_back(opened: Office, press: OnePress) -> None:
    client = await opened.client("ada")

    assert (await client.post("/api/flows/check")).json() == {
        "problems": ["flows/main.yaml:4:7: no"],
        "hints": ["flows/main.yaml:1:1: perhaps"],
        "is_live": False,
    }
    assert (await client.post("/api/flows/publish", json={"note": "new"})).json() == {"number": 2, "is_new": True}
    assert (await client.post("/api/flows/rollback", json={"number": 1})).json() == {"number": 2, "is_new": True}

    assert press.asked == [("check",), ("ada", "new"), ("ada", 1, "")]


async def test_what_is_wrong_with_the_files_is_told_line_by_line(opened: Office, press: OnePress) -> None:
    press.answer = Answer(problems=("flows/main.yaml:4:7: no", "flows/main.yaml:5:7: no"))

    answer = await (await opened.client("ada")).post("/api/flows/publish", json={})

    assert (answer.status_code, answer.json()["code"]) == (422, "unpublishable")
    assert answer.json()["message"].splitlines() == list(press.answer.problems)


async def test_supervisors_do_not_publish_and_agents_see_nothing(opened: Office, press: OnePress) -> None:
    for username, status in (("susi", 403), ("maria", 403), ("", 401)):
        client = await opened.client(username)
        assert (await client.post("/api/flows/check")).status_code == status
        assert (await client.post("/api/flows/publish", json={})).status_code == status
        assert (await client.post("/api/flows/rollback", json={})).status_code == status
    for username, status in (("maria", 403), ("", 401)):
        client = await opened.client(username)
        assert (await client.get("/api/flows/versions")).status_code == status
        assert (await client.get("/api/flows/versions/1/diff")).status_code == status
    assert press.asked == []


async def test_without_a_press_there_is_nothing(sqlite_store: Store) -> None:
    async with office(sqlite_store) as running:
        assert (await (await running.client("susi")).get("/api/flows/versions")).status_code == 404
