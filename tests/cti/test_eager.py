"""A coroutine begun now: its first step at once, the rest where it is awaited."""

from __future__ import annotations

import asyncio

import pytest

from cti.eager import begun


async def test_the_first_step_runs_at_once_and_the_rest_in_the_task() -> None:
    steps: list[str] = []
    first: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    second: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        steps.append("begun")
        steps.append(await first)
        steps.append(await second)
        return "result"

    rest = begun(work())
    assert steps == ["begun"]
    task = asyncio.create_task(rest)
    first.set_result("first")
    second.set_result("second")
    assert await task == "result"
    assert steps == ["begun", "first", "second"]


async def test_what_is_over_before_the_rest_is_awaited_is_not_waited_for() -> None:
    waited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> int:
        return await waited

    rest = begun(work())
    waited.set_result(7)
    assert await rest == 7


async def test_work_without_a_wait_has_its_result() -> None:
    async def work() -> int:
        return 5

    assert await begun(work()) == 5


async def test_what_the_first_step_raises_is_raised_at_once() -> None:
    async def work() -> None:
        raise KeyError("now")

    with pytest.raises(KeyError, match="now"):
        _ = begun(work())


async def test_a_failed_wait_is_heard_where_the_work_waits() -> None:
    waited: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def work() -> str:
        try:
            await waited
        except ValueError as error:
            await asyncio.sleep(0)
            return f"heard {error}"
        return "unheard"

    rest = begun(work())
    waited.set_exception(ValueError("no"))
    assert await rest == "heard no"


async def test_cancelling_reaches_the_work() -> None:
    waited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    tidied = asyncio.Event()

    async def work() -> None:
        try:
            await waited
        finally:
            tidied.set()

    task = asyncio.create_task(begun(work()))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await task
    assert tidied.is_set()
    assert task.cancelled()
    assert waited.cancelled()
