"""Steps that find something out, keep it, or go on by it; the caller hears nothing of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, model_validator

from ivr.conditions import Condition, ConditionError
from ivr.step_kinds.base import BaseStep, Named, Place, Steps, Target, Thing, Way
from ivr.step_values import CONTINUE, PIN, Case, LookUpField, one_field, some_cases
from ivr.steps import CustomerFound, LookUpCustomer
from ivr.values import Name, VariableName, wrong

if TYPE_CHECKING:
    from ivr.progress import Progress


class HoursStep(BaseStep):
    """Go on by whether a calendar is open now."""

    word = "hours"
    example = "hours: office"
    hours: Name
    open: Target = CONTINUE
    closed: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {("open",): self.open, ("closed",): self.closed}

    def take(self, call: Progress) -> Steps:
        yield from ()
        return ("open",) if call.site.hours[self.hours].is_open(call.now) else ("closed",)

    def named(self) -> Iterator[Named]:
        yield Named(Thing.CALENDAR, self.hours, ("hours",))


class LookupStep(BaseStep):
    """Find the customer."""

    word = "lookup"
    example = "lookup: { account: $account }"
    takes_secrets = True
    lookup: Annotated[Mapping[LookUpField, str], AfterValidator(one_field)]
    found: Target = CONTINUE
    several: Target = CONTINUE
    unknown: Target = CONTINUE
    wrong: Target | None = None
    blocked: Target | None = None

    @model_validator(mode="after")
    def _ways_of_a_pin(self) -> LookupStep:
        for way in ("wrong", "blocked"):
            if PIN not in self.lookup and getattr(self, way) is not None:
                raise wrong(f"{way} is where a PIN leads: expected {{ account: $account, pin: $pin }} with it")
        return self

    def exits(self) -> Mapping[Way, Target]:
        """Where nothing is said of a PIN that does not do, it leads where nobody is found."""
        exits: dict[Way, Target] = {("found",): self.found, ("several",): self.several, ("unknown",): self.unknown}
        given: dict[Way, Target] = {
            (way,): to for way, to in (("wrong", self.wrong), ("blocked", self.blocked)) if to is not None
        }
        return {**exits, **given}

    def take(self, call: Progress) -> Steps:
        by, value = next((by, value) for by, value in self.lookup.items() if by != PIN)
        wanted = call.fill(value)
        pin = call.fill(self.lookup[PIN]) if PIN in self.lookup else None
        found = CustomerFound(0)
        if pin == "":
            found = CustomerFound(0, refused="wrong")
        elif wanted:
            answer = yield LookUpCustomer(by, wanted, pin)
            assert isinstance(answer, CustomerFound)
            found = answer
        if found.matches == 1:
            call.know(found.values)
        call.keep("customer.matches", str(found.matches))
        if found.refused:
            return next(way for way in ((found.refused,), ("unknown",)) if way in self.exits())
        return ("found",) if found.matches == 1 else ("several",) if found.matches else ("unknown",)

    def open_secrets(self) -> Iterator[tuple[Place, str]]:
        if PIN in self.lookup:
            yield ("lookup", PIN), self.lookup[PIN]

    def values(self) -> Iterator[tuple[Place, str]]:
        for by, value in self.lookup.items():
            yield ("lookup", by), value


class SetStep(BaseStep):
    """Keep values under names."""

    word = "set"
    example = "set: { topic: Billing }"
    falls_through = True
    set: Mapping[VariableName, str]

    def take(self, call: Progress) -> Steps:
        yield from ()
        for name, value in self.set.items():
            call.keep(name, call.fill(value))
        return None

    def values(self) -> Iterator[tuple[Place, str]]:
        for name, value in self.set.items():
            yield ("set", name), value

    def assigned(self) -> Iterator[tuple[Place, str]]:
        for name in self.set:
            if name != "language":
                yield ("set", name), name

    def languages(self) -> Iterator[tuple[Place, str]]:
        if "language" in self.set:
            yield ("set", "language"), self.set["language"]

    def told(self) -> Iterator[str]:
        yield from self.set


class IfStep(BaseStep):
    """Go on by a condition."""

    word = "if"
    example = "if: customer.vip"
    if_: str = Field(alias="if")
    then: Target = CONTINUE
    else_: Target = Field(CONTINUE, alias="else")

    @cached_property
    def condition(self) -> Condition:
        """The compiled condition; raises ConditionError."""
        return Condition(self.if_)

    def exits(self) -> Mapping[Way, Target]:
        return {("then",): self.then, ("else",): self.else_}

    def take(self, call: Progress) -> Steps:
        """A condition that cannot be evaluated does not hold: the caller goes on, the log says why."""
        yield from ()
        try:
            return ("then",) if self.condition.holds(call.known) else ("else",)
        except ConditionError as error:
            call.note(str(error))
            return ("else",)

    def conditions(self) -> Iterator[tuple[Place, str]]:
        yield ("if",), self.if_


class SwitchStep(BaseStep):
    """Go on by a value."""

    word = "switch"
    example = "switch: $language"
    takes_secrets = True
    switch: str
    cases: Annotated[Mapping[Case, Target], AfterValidator(some_cases)]
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[Way, Target]:
        return {**{("cases", case): target for case, target in self.cases.items()}, ("otherwise",): self.otherwise}

    def take(self, call: Progress) -> Steps:
        yield from ()
        value = call.fill(self.switch)
        return ("cases", value) if value in self.cases else ("otherwise",)

    def values(self) -> Iterator[tuple[Place, str]]:
        yield ("switch",), self.switch

    def compared(self) -> Iterator[tuple[Place, str, str]]:
        for case in self.cases:
            yield ("cases", case), self.switch, case
