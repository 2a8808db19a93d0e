"""Test support: the rows that a report would have of a day, folded from facts alone, as tables of text.

`interactions`, `visits`, `steps`, `offers`, `talks` and `tiles`; instants in seconds, `-` for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from acd.commands import (
    AgentIntervalClosed,
    Command,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    VisitStepped,
    WrapUpClosed,
)

Row = tuple[str, ...]

HEADS: dict[str, Row] = {
    "interactions": ("interaction", "arrived", "closed", "outcome", "short", "agent"),
    "visits": ("visit", "queue", "asked", "entered", "closed", "outcome", "agent"),
    "steps": ("visit", "at", "cause", "ring", "priority"),
    "offers": ("offer", "visit", "agent", "queue", "offered", "closed", "outcome"),
    "talks": ("talk", "agent", "queue", "started", "ended", "wrapped_up", "how"),
    "tiles": ("agent", "state", "reason", "from", "to"),
}


def rows(commands: Iterable[Command], start: int) -> dict[str, list[Row]]:
    """The tables, each in the order of its first instant and then its id. Raises AssertionError when something began
    and did not end, ended and did not begin, or ended twice."""
    opened: dict[tuple[str, str], Command] = {}
    tables: dict[str, list[tuple[tuple[Any, ...], Row]]] = {name: [] for name in HEADS}

    def at(instant: int) -> str:
        return f"{(instant - start) / 1_000_000:g}"

    def add(table: str, order: tuple[Any, ...], *values: object) -> None:
        tables[table].append((order, tuple(str(value) if value != "" else "-" for value in values)))

    def began(kind: str, name: str, command: Command) -> None:
        assert (kind, name) not in opened, f"{kind} {name} began twice"
        opened[kind, name] = command

    def ended(kind: str, name: str) -> Any:
        assert (kind, name) in opened, f"{kind} {name} ended without a beginning, or twice"
        return opened.pop((kind, name))

    def interaction_closed(c: InteractionClosed) -> None:
        first = ended("interaction", c.interaction_id)
        short = "short" if c.short else ""
        order = (first.arrived_at, c.interaction_id)
        add(
            "interactions", order, c.interaction_id, at(first.arrived_at), at(c.closed_at), c.outcome, short, c.agent_id
        )

    def visit_closed(c: VisitClosed) -> None:
        first = ended("visit", c.visit_id)
        assert (first.entered_at, first.queue) == (c.entered_at, c.queue)
        order = (c.entered_at, c.visit_id)
        asked, closed = at(first.first_asked_at), at(c.closed_at)
        add("visits", order, c.visit_id, c.queue, asked, at(c.entered_at), closed, c.outcome, c.agent_id)

    def stepped(c: VisitStepped) -> None:
        add("steps", (c.stepped_at, c.visit_id), c.visit_id, at(c.stepped_at), c.cause, c.ring, c.priority)

    def offer_closed(c: OfferClosed) -> None:
        first = ended("offer", c.offer_id)
        assert (first.offered_at, first.agent_id, first.queue) == (c.offered_at, c.agent_id, c.queue)
        order = (c.offered_at, c.offer_id)
        offered, closed = at(c.offered_at), at(c.closed_at)
        add("offers", order, c.offer_id, c.visit_id, c.agent_id, c.queue, offered, closed, c.outcome)

    def talk_closed(c: TalkClosed) -> None:
        first = ended("talk", c.talk_id)
        assert (first.started_at, first.agent_id) == (c.started_at, c.agent_id)
        if c.wrap_up_until:
            began("wrap-up", c.talk_id, c)
        else:
            talked(c, "", "")

    def talked(c: TalkClosed, until: str, how: str) -> None:
        order = (c.started_at, c.talk_id)
        add("talks", order, c.talk_id, c.agent_id, c.queue, at(c.started_at), at(c.ended_at), until, how)

    def wrapped_up(c: WrapUpClosed) -> None:
        talked(ended("wrap-up", c.talk_id), at(c.ended_at), "timed_out" if c.timed_out else c.disposition or "by_hand")

    def tile(c: AgentIntervalClosed) -> None:
        add("tiles", (c.agent_id, c.from_at, c.to_at), c.agent_id, c.state, c.reason, at(c.from_at), at(c.to_at))

    take: dict[type, Callable[[Any], None]] = {
        InteractionOpened: lambda c: began("interaction", c.interaction_id, c),
        InteractionClosed: interaction_closed,
        VisitOpened: lambda c: began("visit", c.visit_id, c),
        VisitClosed: visit_closed,
        VisitStepped: stepped,
        OfferInteraction: lambda c: began("offer", c.offer_id, c),
        OfferClosed: offer_closed,
        TalkOpened: lambda c: began("talk", c.talk_id, c),
        TalkClosed: talk_closed,
        WrapUpClosed: wrapped_up,
        AgentIntervalClosed: tile,
    }
    for command in commands:
        if type(command) in take:
            take[type(command)](command)
    assert not opened, f"began and did not end: {sorted(opened)}"
    return {name: [row for _, row in sorted(table)] for name, table in tables.items()}


def text(name: str, table: Sequence[Row]) -> str:
    """One table in aligned columns, with its head."""
    lines = [HEADS[name], *table]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADS[name]))]
    return "\n".join(
        "  ".join(f"{word:{width}}" for word, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def read(written: str) -> list[Row]:
    """The rows of a table written as text, its head checked by the caller."""
    return [tuple(line.split()) for line in written.splitlines() if line.strip()]
