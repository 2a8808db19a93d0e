"""Answers to surveys, counted: by survey, question and queue."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from screenpop.db.tables import survey_answer

#: Kinds of answer in one summary; a survey of 20 questions with 10 keys in 100 queues has as many.
MOST_ROWS = 20_000


@dataclass(slots=True)
class Tally:
    """What was answered to one question by callers of one queue. `values`: key → how often."""

    survey: str
    question: str
    queue: str
    values: dict[str, int] = field(default_factory=dict)

    @property
    def answers(self) -> int:
        return sum(self.values.values())

    @property
    def mean(self) -> float:
        return sum(int(value) * count for value, count in self.values.items()) / self.answers


async def tally(connection: AsyncConnection, *, since: int, until: int) -> list[Tally]:
    """Answers given from `since` until before `until` (microseconds UTC), by survey, question and queue."""
    columns = survey_answer.c
    place = (columns.survey, columns.question, columns.queue, columns.value)
    found = await connection.execute(
        select(*place, func.count().label("count"))
        .where(columns.answered_at >= since, columns.answered_at < until)
        .group_by(*place)
        .order_by(*place)
        .limit(MOST_ROWS)
    )
    tallies: dict[tuple[str, str, str], Tally] = {}
    for survey, question, queue, value, count in found:
        key = (survey or "", question or "", queue or "")
        tallies.setdefault(key, Tally(*key)).values[value or "0"] = count
    return list(tallies.values())
