"""Who is calling: customers found by number or account, kept for the pop until the interaction is over."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Literal, Self

import structlog
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError

from screenpop.db import customers, history
from screenpop.db.records import Records
from screenpop.db.store import Store
from screenpop.db.tables import interaction
from screenpop.errors import InvalidRequestError, NotFoundError
from screenpop.model import Customer, PastInteraction
from screenpop.numbers import Caller, NumberPlan
from screenpop.pins import Pins, look_hash
from screenpop.text import storable

log = structlog.get_logger(__name__)

MatchWord = Literal["none", "one", "several", "withheld", "unavailable"]
#: What a flow may look a customer up by.
FIELDS = ("number", "account", "id")
_PAST_SHOWN = 5
#: So many are read when a call arrives: flows ask how often somebody has called today.
_PAST_READ = 20

Find = Callable[[Connection], tuple[Customer, ...]]


@dataclass(frozen=True, slots=True)
class Match:
    """What is known of a caller. `history`: their last interactions, or those of the number when nobody fits.

    `refused`: why a PIN did not do, `wrong` or `blocked`; nobody is found then.
    """

    word: MatchWord
    caller: Caller
    customers: tuple[Customer, ...] = ()
    history: tuple[PastInteraction, ...] = ()
    #: More of them than are shown, where the call has just arrived.
    past: tuple[PastInteraction, ...] = ()
    refused: str = ""

    @property
    def matches(self) -> int:
        return len(self.customers)

    @property
    def values(self) -> Mapping[str, str]:
        return self.customers[0].fields() if self.word == "one" else {}


def _word(found: tuple[Customer, ...]) -> MatchWord:
    if not found:
        return "none"
    return "one" if len(found) == 1 else "several"


class CustomerDirectory:
    """Customers, looked up while a call goes on.

    A look-up answers after at most `wait_s`, if need be with `unavailable`; the query itself goes on, and what it
    finds late still reaches the pop. Whom the arrival found by the caller's number is not searched for again by it
    for `fresh_s`. At most `at_once` look-ups run, at most `kept` results are kept (the oldest go first). Use as a
    context: leaving ends the look-ups.
    """

    def __init__(
        self,
        store: Store,
        plan: NumberPlan,
        records: Records,
        *,
        pins: Pins | None = None,
        wait_s: float = 1.0,
        query_s: float = 15.0,
        at_once: int = 64,
        kept: int = 10_000,
        fresh_s: float = 5.0,
    ) -> None:
        self._store = store
        self.plan = plan
        self._records = records
        self._pins = pins
        self._wait_s = wait_s
        self._query_s = query_s
        self._at_once = at_once
        self._most_kept = kept
        self._fresh_s = fresh_s
        self._kept: OrderedDict[str, Match] = OrderedDict()
        #: By interaction: the number that the arrival looked up, what it found, and until when that is fresh.
        self._arrived: dict[str, tuple[str, Match, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        #: Called with the interaction's id whenever its kept match has changed.
        self.changed: Callable[[str], None] = lambda interaction_id: None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- for the call ---------------------------------------------------------------------------------

    async def match_caller(self, interaction_id: str, number: str) -> Match:
        """Find who calls from `number` (as Asterisk gave it) and keep the result for the pop."""
        caller = self.plan.caller(storable(number))
        if caller.kind != "number":
            match = Match("withheld" if caller.kind == "withheld" else "none", caller)
            self._keep(interaction_id, match)
            self._records.keep_customer(interaction_id, "", None, "")
            return match
        self._keep(interaction_id, Match("unavailable", caller))
        match = await self._look(
            interaction_id, caller, "matched", lambda connection: customers.look_by_number(connection, caller.number)
        )
        if match.word != "unavailable" and interaction_id in self._kept:
            until = asyncio.get_running_loop().time() + self._fresh_s
            self._arrived[interaction_id] = (number, match, until)
        return match

    async def look_up(self, interaction_id: str, by: str, value: str, pin: str | None = None) -> Match:
        """Find by one of `FIELDS`; a single match replaces the kept result for the pop.

        An unknown field, or a value that cannot be one, finds nobody. With a `pin` only who has it is found.
        """
        caller = self._caller_of(interaction_id)
        if pin is not None:
            return await self._look_up_by_pin(interaction_id, caller, by, storable(value.strip()), pin)
        known = self._just_found(interaction_id, value) if by == "number" else None
        if known is not None:
            return known
        find = self._finder(by, storable(value.strip()))
        if find is None:
            return Match("none", caller)
        return await self._look(interaction_id, caller, "looked_up", find)

    async def _look_up_by_pin(self, interaction_id: str, caller: Caller, by: str, value: str, pin: str) -> Match:
        find = self._finder(by, value) or (lambda connection: ())
        if self._pins is None:
            return Match("unavailable", caller)

        def ask(connection: Connection) -> tuple[tuple[Customer, ...], str | None]:
            people = find(connection)
            return people, look_hash(connection, people[0].id) if len(people) == 1 else None

        try:
            async with asyncio.timeout(self._wait_s):
                people, known = await self._store.look(ask)
            whose = people[0].id if len(people) == 1 else f"{by} {value}"
            if self._pins.is_blocked(interaction_id, whose):
                log.warning("pin.blocked", interaction_id=interaction_id)
                return Match("none", caller, refused="blocked")
            is_right = await self._pins.fits(interaction_id, whose, known, pin)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("look-up failed", interaction_id=interaction_id, why=_why(error))
            return Match("unavailable", caller)
        if len(people) != 1:
            return Match(_word(people), caller, people)
        if not is_right:
            return Match("none", caller, refused="wrong")
        customer_id = people[0].id
        return await self._look(
            interaction_id, caller, "looked_up", lambda connection: customers.look_by_id(connection, customer_id)
        )

    async def last_agent(self, interaction_id: str) -> str:
        """Who last talked to this interaction's customer, or to its caller's number where nobody fits; empty when
        nobody is known, or when it cannot be found in `wait_s`."""
        match = self._kept.get(interaction_id)
        if match is None or not (match.word == "one" or match.caller.number):
            return ""
        try:
            async with asyncio.timeout(self._wait_s), self._store.read() as connection:
                return await history.last_agent(
                    connection,
                    customer_id=match.customers[0].id if match.word == "one" else "",
                    number=match.caller.number,
                    besides=interaction_id,
                )
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("last agent not found", interaction_id=interaction_id, why=_why(error))
            return ""

    def _just_found(self, interaction_id: str, number: str) -> Match | None:
        """What the arrival found by this number a moment ago, if nothing has replaced it: now it is looked up."""
        known, match, until = self._arrived.get(interaction_id, ("", None, 0.0))
        if match is None or known != number or asyncio.get_running_loop().time() >= until:
            return None
        if match.word == "one":
            self._records.keep_customer(interaction_id, match.caller.number, match.customers[0].id, "looked_up")
        return match

    def kept(self, interaction_id: str) -> Match | None:
        return self._kept.get(interaction_id)

    def pass_on(self, interaction_id: str, to: str) -> None:
        """Who this interaction is with, the other is with too (a message that its caller left)."""
        match = self._kept.get(interaction_id)
        if match is not None:
            self._keep(to, match)
            customer_id = match.customers[0].id if match.word == "one" else None
            how = "looked_up" if customer_id else ""
            self._records.keep_customer(to, match.caller.number, customer_id, how)

    def forget(self, interaction_id: str) -> None:
        self._kept.pop(interaction_id, None)
        self._arrived.pop(interaction_id, None)

    async def recall(self, interaction_id: str, number: str) -> None:
        """Find again what was known of an interaction before the server started anew; `changed` tells the result."""
        caller = self.plan.caller(storable(number))
        if interaction_id in self._kept:
            return
        self._keep(interaction_id, Match("unavailable", caller))

        def find(connection: Connection) -> tuple[Customer, ...]:
            customer_id = connection.scalar(select(interaction.c.customer_id).where(interaction.c.id == interaction_id))
            known = customers.look_by_id(connection, customer_id) if customer_id else ()
            if known:
                return known
            return customers.look_by_number(connection, caller.number) if caller.number else ()

        if caller.kind == "withheld":
            self._keep(interaction_id, Match("withheld", caller))
        await self._look(interaction_id, caller, "", find)

    async def recorded(self, interaction_id: str) -> tuple[dict[str, Any], Match] | None:
        """An interaction that is over, with who it was with; None when it is unknown or the database is away."""
        try:
            async with asyncio.timeout(self._query_s), self._store.read() as connection:
                found = await history.one(connection, interaction_id)
                if found is None:
                    return None
                caller = self.plan.caller(found["caller"] or "")
                known = await customers.by_id(connection, found["customer_id"]) if found["customer_id"] else None
                people: tuple[Customer, ...] = (known,) if known else ()
                if not people and caller.number:
                    people = await customers.by_number(connection, caller.number)
                word = "withheld" if caller.kind == "withheld" and not people else _word(people)
                match = Match(word, caller, people)
                past = await connection.run_sync(_past, interaction_id, people, caller)
                return found, replace(match, history=past)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("records not read", interaction_id=interaction_id, why=_why(error))
            return None

    # --- for the agent --------------------------------------------------------------------------------

    async def choose(self, interaction_id: str, customer_id: str, caller_number: str) -> Match:
        """Say which customer an interaction is with. Raises NotFoundError when there is no such customer."""
        async with self._store.read() as connection:
            chosen = await customers.by_id(connection, customer_id)
            if chosen is None:
                raise NotFoundError(f"customer {customer_id!r}: expected one that exists")
            past = await history.of_customer(connection, chosen.id, limit=_PAST_SHOWN, besides=interaction_id)
        match = Match("one", self.plan.caller(caller_number), (chosen,), past)
        self._records.keep_customer(interaction_id, match.caller.number, chosen.id, "chosen")
        if interaction_id in self._kept:
            self._kept[interaction_id] = match
            self._arrived.pop(interaction_id, None)
        return match

    async def idle(self) -> None:
        """Wait until no look-up is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # --- looking --------------------------------------------------------------------------------------

    def _caller_of(self, interaction_id: str) -> Caller:
        kept = self._kept.get(interaction_id)
        return kept.caller if kept is not None else Caller("withheld", "", "")

    def _finder(self, by: str, value: str) -> Find | None:
        if not value:
            return None
        match by:
            case "number":
                try:
                    number = self.plan.e164(value)
                except InvalidRequestError:
                    return None
                return lambda connection: customers.look_by_number(connection, number)
            case "account":
                return lambda connection: customers.look_by_account(connection, value)
            case "id":
                return lambda connection: customers.look_by_id(connection, value)
            case _:
                log.error("look-up by an unknown field", by=by, expected=FIELDS)
                return None

    async def _look(self, interaction_id: str, caller: Caller, how: str, find: Find) -> Match:
        unavailable = Match("unavailable", caller)
        if len(self._tasks) >= self._at_once:
            log.warning("look-up refused, too many under way", interaction_id=interaction_id)
            return unavailable
        found: asyncio.Future[Match] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._search(interaction_id, caller, how, find, found))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(self._wait_s):
                return await asyncio.shield(found)
        except TimeoutError:
            log.warning("look-up takes too long", interaction_id=interaction_id, waited_s=self._wait_s)
            return unavailable

    async def _search(
        self, interaction_id: str, caller: Caller, how: str, find: Find, found: asyncio.Future[Match]
    ) -> None:
        match = Match("unavailable", caller)
        before = self._kept.get(interaction_id)
        most = _PAST_READ if how == "matched" else _PAST_SHOWN

        def ask(connection: Connection) -> tuple[tuple[Customer, ...], tuple[PastInteraction, ...] | SQLAlchemyError]:
            people = find(connection)
            if before is not None and before.word == "one" and [each.id for each in people] == [before.customers[0].id]:
                return people, before.history  # read a moment ago, in the same call
            try:
                return people, _past(connection, interaction_id, people, caller, most)
            except SQLAlchemyError as error:  # who they are counts for more than what was
                return people, error

        try:
            async with asyncio.timeout(self._query_s):
                people, past = await self._store.look(ask)
            if isinstance(past, SQLAlchemyError):
                log.warning("history not read", interaction_id=interaction_id, why=_why(past))
                past = ()
            match = Match(_word(people), caller, people, past[:_PAST_SHOWN], past=past)
            self._learn(interaction_id, match, how)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("look-up failed", interaction_id=interaction_id, why=_why(error))
        finally:
            if not found.done():
                found.set_result(match)

    # --- keeping --------------------------------------------------------------------------------------

    def _keep(self, interaction_id: str, match: Match) -> None:
        self._kept[interaction_id] = match
        while len(self._kept) > self._most_kept:
            oldest, _ = self._kept.popitem(last=False)
            self._arrived.pop(oldest, None)

    def _learn(self, interaction_id: str, match: Match, how: str) -> None:
        if interaction_id not in self._kept or (how == "looked_up" and match.word != "one"):
            return
        if how == "" and match.word == "none" and match.caller.kind == "withheld":
            return
        self._kept[interaction_id] = match
        self._arrived.pop(interaction_id, None)
        if how:
            customer_id = match.customers[0].id if match.word == "one" else None
            self._records.keep_customer(interaction_id, match.caller.number, customer_id, how if customer_id else "")
        self.changed(interaction_id)


def _past(
    connection: Connection,
    interaction_id: str,
    people: tuple[Customer, ...],
    caller: Caller,
    most: int = _PAST_SHOWN,
) -> tuple[PastInteraction, ...]:
    """What happened before: with the customer, or with the caller's number where not exactly one fits."""
    if len(people) == 1:
        return history.look_of_customer(connection, people[0].id, limit=most, besides=interaction_id)
    if not caller.number:
        return ()
    return history.look_of_number(connection, caller.number, limit=most, besides=interaction_id)


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
