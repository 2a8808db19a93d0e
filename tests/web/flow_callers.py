"""Callers who go through a site's flows without telephony: the real interpreter, counted as real calls are."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from acd.events import CallerLeft, FlowEnded, InteractionArrived, InteractionAttached
from acd.model import Outcome
from cti.footsteps import Footsteps
from ivr.interpreter import Execution
from ivr.steps import (
    CustomerFound,
    Digits,
    Done,
    End,
    Enqueue,
    Instruction,
    LookUpCustomer,
    MessageRecorded,
    Promise,
    Promised,
    QueueEnded,
    ReadDigits,
    RecordMessage,
    Result,
)
from tests.web.floor import Floor

_NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
_S = 1_000_000


@dataclass
class Caller:
    """A call in the flow `main`, whose time goes on only when a test says so."""

    floor: Floor
    name: str
    number: str = "+498999998100"
    at: int = 0

    def __post_init__(self) -> None:
        self.at = self.at or self.floor.desk.now()
        self.execution = Execution(self.floor.site, "main", {"caller": "+442079460101"}, "en")
        self.footsteps = Footsteps(self.floor.footfall, self.execution.version, lambda: self.at)
        self.floor.desk.submit(InteractionArrived(self.name, "+442079460101", dialled=self.number, flow="main"))
        self.floor.desk.submit(InteractionAttached(self.name))
        self.asked = self.answer(None)

    def answer(self, result: Result | None) -> Instruction:
        self.asked = self.execution.advance(result, _NOON)
        self.footsteps.follow(self.execution.happenings)
        return self.asked

    def go_on(self, until: type[Instruction] = ReadDigits) -> Instruction:
        """Hear everything until something of this kind is asked."""
        while not isinstance(self.asked, until | End):
            self.at += 2 * _S
            self.answer(CustomerFound(0) if isinstance(self.asked, LookUpCustomer) else Done())
        return self.asked

    def press(self, keys: str, after_s: float = 3) -> Instruction:
        self.at += round(after_s * _S)
        return self.answer(Digits(keys, timed_out=not keys))

    def hang_up(self, after_s: float = 2) -> None:
        self.at += round(after_s * _S)
        self.footsteps.end(self.asked, None, is_promised=False)
        self.floor.desk.submit(CallerLeft(self.name))


def call_all_day(floor: Floor, calls: int, *, seed: int = 1, still_there: int = 12) -> list[Caller]:
    """Many callers who choose as callers do; the last ones are still in the flow."""
    dice = random.Random(seed)
    now, callers = floor.desk.now(), []
    for number in range(calls):
        begun = now if number >= calls - still_there else now - dice.randrange(3600 * _S)
        caller = Caller(floor, f"caller-{number}", dice.choice(("+498999998100", "+498999998101")), begun)
        callers.append(caller)
        _lead(caller, dice, most=dice.randrange(1, 9) if number >= calls - still_there else 99)
    return callers


def _lead(caller: Caller, dice: random.Random, most: int) -> None:
    for _ in range(most):
        if dice.random() < 0.05:
            return caller.hang_up(dice.uniform(1, 6))
        match caller.asked:
            case End():
                caller.floor.desk.submit(FlowEnded(caller.name, dice.choice((Outcome.SELF_SERVED, Outcome.LOST))))
                return None
            case ReadDigits(most=1):
                caller.press(dice.choice(("1", "1", "1", "2", "2", "2", "3", "9", "")), dice.uniform(1, 5))
            case ReadDigits():
                caller.press(dice.choice(("100201", "100202", "12", "")), dice.uniform(4, 9))
            case LookUpCustomer():
                found = dice.random() < 0.6
                caller.answer(CustomerFound(1, {"name": "Amelia", "vip": "true"}) if found else CustomerFound(0))
            case Enqueue():
                caller.at += dice.randrange(20 * _S, 240 * _S)
                if dice.random() < 0.2:
                    return caller.hang_up()
                caller.answer(QueueEnded(dice.choice(("served",) * 5 + ("timed_out", "closed"))))
            case RecordMessage():
                caller.at += dice.randrange(5 * _S, 60 * _S)
                caller.answer(MessageRecorded(dice.choice(("message.wav", ""))))
            case Promise():
                caller.answer(Promised())
            case _:
                caller.at += dice.randrange(_S, 5 * _S)
                caller.answer(Done())
    return None
