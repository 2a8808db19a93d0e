"""What comes before a call's flow because of an emergency order: a notice, or the end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cti.ports import Announced, Measures
from ivr.prompts import spoken_in
from ivr.settings import NumberRule, canonical
from ivr.steps import Cause, End, Ending, Prompt


@dataclass(frozen=True, slots=True)
class Prelude:
    """`prompts` are heard by an answered caller; `end`: the call ends then. `why`: the orders, for the story."""

    prompts: tuple[Prompt, ...]
    why: tuple[str, ...]
    end: End | None = None


class NoMeasures:
    """Nothing is ordered."""

    def closed(self, numbers: Collection[str]) -> Announced | None:
        return None

    def notices(self, numbers: Collection[str]) -> Sequence[Announced]:
        return ()


def prelude(measures: Measures, dialled: str, rule: NumberRule, default: str) -> Prelude | None:
    """What a new call to this number meets before its flow; None: nothing.

    A closed number without a text is refused unanswered, so that the network tells the caller; with one it is
    answered, said, and ended.
    """
    numbers = (canonical(dialled), canonical(rule.number))
    closed = measures.closed(numbers)
    if closed is not None:
        said = _said([closed], rule.language, default)
        cause = Cause.NORMAL if said else Cause.CLOSED
        return Prelude(said, (closed.why,), End(Ending.REFUSED, cause, closed.why))
    notices = measures.notices(numbers)
    if not notices:
        return None
    return Prelude(_said(notices, rule.language, default), tuple(each.why for each in notices))


def _said(orders: Sequence[Announced], language: str, default: str) -> tuple[Prompt, ...]:
    return tuple(spoken_in(each.texts, language, default) for each in orders if each.texts)
