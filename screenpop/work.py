"""The pop: one interaction in an agent's hands, put together from what is already in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acd.commands import OfferInteraction
from acd.model import VOICE, Reason
from acd.snapshot import AgentView, InteractionView
from screenpop.customers import Match
from screenpop.messages import Why, Work, WorkStage
from screenpop.numbers import NumberPlan
from screenpop.text import storable


def offered_work(
    offer: OfferInteraction, interaction: InteractionView, match: Match | None, plan: NumberPlan, title: str
) -> Work:
    """The pop of an offer."""
    return _work(
        interaction,
        match,
        plan,
        title,
        offer_id=offer.offer_id,
        queue=offer.queue,
        stage="offered",
        since=offer.offered_at,
        deadline=offer.expires_at,
        reason=offer.reason,
        calling_back=offer.callback_number != "",
    )


def work_in_hand(
    interaction: InteractionView,
    stage: WorkStage,
    since: int,
    deadline: int,
    match: Match | None,
    plan: NumberPlan,
    title: str,
) -> Work:
    """An interaction that an agent holds already, as the engine knows it (after the server started anew)."""
    return _work(
        interaction,
        match,
        plan,
        title,
        offer_id=interaction.offer_id,
        queue=interaction.queue,
        stage=stage,
        since=since,
        deadline=deadline,
        reason=interaction.reason,
        calling_back=stage == "offered" and interaction.is_promised,
    )


def recorded_work(recorded: Mapping[str, Any], agent: AgentView, match: Match, title: str) -> Work:
    """A wrap-up whose call is over, from what the records say (`screenpop.db.history.one`)."""
    visit = recorded["visits"][-1] if recorded["visits"] else {}
    talks = [talk for talk in recorded["talks"] if talk["agent_id"] == agent.id]
    return with_match(
        Work(
            interaction_id=recorded["id"],
            offer_id=talks[-1]["id"] if talks else "",
            stage="wrap_up",
            queue=last_queue(recorded),
            queue_title=title,
            caller=match.caller.number or recorded["caller"] or "",
            caller_text=match.caller.text,
            caller_kind=match.caller.kind,
            dialled=recorded["dialled"] or "",
            medium=recorded["medium"] or VOICE,
            flow=recorded["flow"] or "",
            priority=visit.get("priority") or 0,
            arrived_at=recorded["arrived_at"] or 0,
            first_asked_at=visit.get("first_asked_at") or 0,
            since=agent.since,
            deadline=agent.deadline,
            attributes=visit.get("attributes") or {},
            reason=None,
            match=match.word,
            customer=None,
            candidates=(),
            history=(),
        ),
        match,
    )


def last_queue(recorded: Mapping[str, Any]) -> str:
    """The queue in which an interaction was last, or empty."""
    return (recorded["visits"][-1]["queue"] or "") if recorded["visits"] else ""


def with_match(work: Work, match: Match) -> Work:
    """The same work with what is now known of the caller."""
    return work.model_copy(
        update={
            "match": match.word,
            "customer": match.customers[0] if match.word == "one" else None,
            "candidates": match.customers if match.word == "several" else (),
            "history": match.history,
        }
    )


def why(reason: Reason | None) -> Why | None:
    if reason is None:
        return None
    return Why(
        rule=reason.rule,
        key=reason.key,
        runner_up=reason.runner_up,
        runner_up_key=reason.runner_up_key,
        passed_over=reason.passed_over,
    )


def _work(
    interaction: InteractionView,
    match: Match | None,
    plan: NumberPlan,
    title: str,
    *,
    offer_id: str,
    queue: str,
    stage: WorkStage,
    since: int,
    deadline: int,
    reason: Reason | None,
    calling_back: bool,
) -> Work:
    caller = match.caller if match is not None else plan.caller(storable(interaction.caller))
    known = match or Match("withheld" if caller.kind == "withheld" else "unavailable", caller)
    return with_match(
        Work(
            interaction_id=interaction.id,
            offer_id=offer_id,
            stage=stage,
            queue=queue,
            queue_title=title,
            caller=caller.number or storable(interaction.caller),
            caller_text=caller.text,
            caller_kind=caller.kind,
            dialled=storable(interaction.dialled),
            medium=interaction.medium,
            flow=interaction.flow,
            priority=interaction.priority,
            arrived_at=interaction.arrived_at,
            first_asked_at=interaction.first_asked_at,
            since=since,
            deadline=deadline,
            attributes={storable(name): storable(value) for name, value in interaction.attributes},
            reason=why(reason),
            match=known.word,
            customer=None,
            candidates=(),
            history=(),
            calling_back=calling_back,
        ),
        known,
    )
