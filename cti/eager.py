"""Beginning a coroutine now and leaving the rest of it to a task, so that its first step waits for no turn."""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

Result = TypeVar("Result")


def begun(work: Coroutine[Any, Any, Result]) -> Coroutine[Any, Any, Result]:
    """Run `work` up to its first wait and return what is left of it, to be awaited in a task.

    What the first step raises is raised here. That step belongs to no task: it must not enter `asyncio.timeout`, a
    task group or whatever else asks for the current task.
    """
    try:
        waits_for = work.send(None)
    except StopIteration as end:
        return _ended(end.value)
    return _rest(work, waits_for)


async def _ended(value: Result) -> Result:
    return value


async def _rest(work: Coroutine[Any, Any, Result], waits_for: Any) -> Result:
    return await _resumed(work, waits_for)


@types.coroutine
def _resumed(work: Coroutine[Any, Any, Result], waits_for: Any) -> Generator[Any, Any, Result]:
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001  # cancelled, or closed: `work` hears it where it waits
                waits_for = work.throw(error)
            else:
                waits_for = work.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
