from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from sqlalchemy import text

from screenpop.auth import MOST_SESSIONS, RateLimit, Sessions
from screenpop.db.store import Store
from screenpop.entries import Entry
from screenpop.errors import NotSignedInError, SignInRefusedError, TooManyAttemptsError
from screenpop.people import People
from tests.fakes.clock import FakeClock
from tests.screenpop.office import HASHER, PASSWORD


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def sessions(store: Store, clock: FakeClock) -> Sessions:
    people = People(store, hasher=HASHER)
    await people.add(Entry("zoe", "Zoe"))
    await people.set_password("zoe", PASSWORD)
    return Sessions(store, people, clock.now, hours=1, attempts_per_name=3, attempts_per_address=5, window_s=60)


async def test_a_token_opens_until_it_expires(sessions: Sessions, clock: FakeClock) -> None:
    token, _ = await sessions.sign_in(" Zoe ", PASSWORD, "192.0.2.1")
    assert (await sessions.find(token)).person.name == "Zoe"
    clock.advance(seconds=3599)
    await sessions.find(token)
    clock.advance(seconds=2)
    with pytest.raises(NotSignedInError):
        await sessions.find(token)


async def test_the_database_does_not_hold_the_token(sessions: Sessions, store: Store) -> None:
    token, opened = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    async with store.read() as connection:
        kept = await connection.scalar(text("SELECT token_hash FROM session"))
    assert kept == opened.id
    assert token not in kept
    with pytest.raises(NotSignedInError):
        await sessions.find(opened.id)


@pytest.mark.parametrize("token", ["", "x", "x" * 101, "\ud800", "' OR 1=1 --"])
async def test_other_tokens_open_nothing(sessions: Sessions, token: str) -> None:
    with pytest.raises(NotSignedInError):
        await sessions.find(token)


async def test_signing_out_is_at_once_and_tells_who(sessions: Sessions) -> None:
    ended: list[tuple[list[str], str]] = []

    def note(ids: Collection[str], reason: str) -> None:
        ended.append((list(ids), reason))

    sessions.ended = note
    token, opened = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    other, _ = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    await sessions.sign_out(opened)
    with pytest.raises(NotSignedInError):
        await sessions.find(token)
    found = await sessions.find(other)
    await sessions.revoke("zoe")
    with pytest.raises(NotSignedInError):
        await sessions.find(other)
    assert ended == [([opened.id], "signed_out"), ([found.id], "revoked")]


async def test_which_sessions_have_gone(sessions: Sessions) -> None:
    _, first = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    _, second = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    await sessions.sign_out(first)
    assert await sessions.gone([first.id, second.id, "never"]) == {first.id, "never"}


async def test_unknown_names_and_wrong_passwords_are_told_the_same(sessions: Sessions) -> None:
    said = set()
    for name in ("zoe", "nobody", "\x00\ud800"):
        with pytest.raises(SignInRefusedError) as refused:
            await sessions.sign_in(name, "wrong password", "192.0.2.1")
        said.add(str(refused.value))
    assert len(said) == 1


async def test_an_unknown_name_costs_a_hash_like_a_known_one(store: Store) -> None:
    verified = []

    class Counting(type(HASHER)):  # type: ignore[misc]
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            verified.append(hash)
            return bool(super().verify(hash, password))

    people = People(store, hasher=Counting(time_cost=1, memory_cost=8, parallelism=1))
    assert await people.check_password("nobody", PASSWORD) is None
    assert len(verified) == 1


async def test_a_name_is_blocked_after_too_many_wrong_passwords(sessions: Sessions, clock: FakeClock) -> None:
    for number in range(3):
        with pytest.raises(SignInRefusedError):
            await sessions.sign_in("zoe", "wrong password", f"192.0.2.{number}")
        clock.advance(seconds=10)
    with pytest.raises(TooManyAttemptsError) as blocked:
        await sessions.sign_in("ZOE", PASSWORD, "192.0.2.9")
    assert blocked.value.retry_after_s == 30
    clock.advance(seconds=30)
    await sessions.sign_in("zoe", PASSWORD, "192.0.2.9")


async def test_an_address_is_blocked_whatever_the_names(sessions: Sessions) -> None:
    for number in range(5):
        with pytest.raises(SignInRefusedError):
            await sessions.sign_in(f"name{number}", "wrong password", "192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    await sessions.sign_in("zoe", PASSWORD, "192.0.2.2")


async def test_attempts_at_the_same_time_all_count(sessions: Sessions) -> None:
    attempts = (sessions.sign_in("zoe", "wrong password", "192.0.2.1") for _ in range(10))
    outcomes = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(isinstance(outcome, SignInRefusedError) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, TooManyAttemptsError) for outcome in outcomes) == 7


async def test_who_signs_in_well_is_never_blocked(sessions: Sessions) -> None:
    for _ in range(8):
        await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")


async def test_a_good_sign_in_does_not_forgive_the_address(sessions: Sessions) -> None:
    for number in range(4):
        with pytest.raises(SignInRefusedError):
            await sessions.sign_in(f"name{number}", "wrong password", "192.0.2.1")
    await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    with pytest.raises(SignInRefusedError):
        await sessions.sign_in("name5", "wrong password", "192.0.2.1")
    with pytest.raises(TooManyAttemptsError):
        await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")


def test_a_rate_limit_forgets_the_oldest_keys() -> None:
    limit = RateLimit(1, 60, lambda: 0, keys=2)
    for key in ("a", "b", "c"):
        limit.take(key)
    limit.take("a")
    with pytest.raises(TooManyAttemptsError):
        limit.take("c")


async def test_a_person_has_only_so_many_sessions(sessions: Sessions, store: Store, clock: FakeClock) -> None:
    first, _ = await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    for _ in range(MOST_SESSIONS):
        clock.advance(1)
        await sessions.sign_in("zoe", PASSWORD, "192.0.2.1")
    async with store.read() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM session")) == MOST_SESSIONS
    with pytest.raises(NotSignedInError):
        await sessions.find(first)


async def test_signing_in_and_out_is_audited(sessions: Sessions, store: Store) -> None:
    with pytest.raises(SignInRefusedError):
        await sessions.sign_in("zoe", "wrong password", "192.0.2.1")
    _, opened = await sessions.sign_in("zoe", PASSWORD, "192.0.2.2")
    await sessions.sign_out(opened)
    async with store.read() as connection:
        rows = await connection.execute(text("SELECT action, actor FROM audit ORDER BY id"))
        assert [tuple(row) for row in rows] == [("sign_in_refused", "zoe"), ("sign_in", "zoe"), ("sign_out", "zoe")]
