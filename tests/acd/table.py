"""Scenario tables: reads the rows of `scenarios/*.yaml` as events, and writes commands as a supervisor says them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from acd.commands import (
    AgentChanged,
    AgentIntervalClosed,
    AgentMoveChanged,
    CallbackChanged,
    Command,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    QueueChanged,
    QueueClosureChanged,
    StageChanged,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    VisitStepped,
    WithdrawOffer,
    WrapUpClosed,
)
from acd.engine import Engine
from acd.events import (
    AgentMoveCancelled,
    AgentMoved,
    CallbackAnswered,
    CallbackCancelled,
    CallbackFailed,
    CallerLeft,
    ClockReached,
    ConfigurationChanged,
    ConnectionFound,
    DesktopChanged,
    Event,
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionDetached,
    InteractionQueued,
    OfferAccepted,
    OfferFailed,
    OfferRejected,
    PhoneChanged,
    PresenceChosen,
    QueueClosed,
    QueueLeft,
    QueueOpened,
    RoutingPaused,
    RoutingResumed,
    TalkEnded,
    WrapUpEnded,
    WrapUpExtended,
)
from acd.model import (
    AgentProfile,
    CallbackRules,
    Configuration,
    Desktop,
    Estimator,
    Outcome,
    Overflow,
    OverflowCause,
    Phone,
    Presence,
    PriorityStep,
    QueueRules,
    Requirement,
    Ring,
    Strategy,
    VisitOutcome,
)

SECOND = 1_000_000
START = 100 * SECOND


def load(path: Path) -> dict[str, Any]:
    """The table as plain values."""
    return dict(YAML(typ="safe").load(path.read_text(encoding="utf-8")))


def configuration(data: dict[str, Any]) -> Configuration:
    """`queues` (ring, wrap_up, short in seconds; priority; needs; …) and `agents` (queues, skills, weight, …)."""
    return Configuration(
        queues=tuple(_queue(name, rules or {}) for name, rules in data["queues"].items()),
        agents=tuple(
            AgentProfile(
                name,
                name.title(),
                tuple(agent["queues"]),
                tuple(agent.get("skills", {}).items()),
                agent.get("weight", 1),
                tuple(agent.get("levels", {}).items()),
                tuple(agent.get("capacity", {"voice": 1}).items()),
            )
            for name, agent in data["agents"].items()
        ),
        desktop_grace_us=60 * SECOND,
        offer_without_desktop=bool(data.get("offer_without_desktop", False)),
    )


def _queue(name: str, rules: dict[str, Any]) -> QueueRules:
    return QueueRules(
        name,
        ring_us=rules.get("ring", 20) * SECOND,
        wrap_up_us=rules.get("wrap_up", 10) * SECOND,
        wrap_up_most_us=rules.get("wrap_up_most", 0) * SECOND,
        short_abandon_us=rules.get("short", 5) * SECOND,
        priority=rules.get("priority", 0),
        requirements=tuple(Requirement(*each) for each in rules.get("needs", {}).items()),
        medium=rules.get("medium", "voice"),
        strategy=Strategy(rules.get("strategy", "longest_idle")),
        ring_at_most=rules.get("ring_at_most", 5),
        relax=tuple(
            Ring(each["after"] * SECOND, tuple(each.get("needs", {}).items()), tuple(each.get("queues", ())))
            for each in rules.get("relax", ())
        ),
        raise_priority=tuple(
            PriorityStep(each["after"] * SECOND, each["by"]) for each in rules.get("raise_priority", ())
        ),
        overflow=tuple(_overflow(each) for each in rules.get("overflow", ())),
        regain_us=rules.get("regain", 0) * SECOND,
        estimator=Estimator(rules.get("estimator", "patience")),
        expected_handling_us=rules.get("expected_handling", 180) * SECOND,
        expected_patience_us=rules.get("expected_patience", 0) * SECOND,
        callback=_callback(rules["callback"]) if "callback" in rules else None,
    )


def _callback(rules: dict[str, Any]) -> CallbackRules:
    """`attempts`, and in seconds `every`, `reserve` and `lasts`."""
    return CallbackRules(rules["attempts"], rules["every"] * SECOND, rules["reserve"] * SECOND, rules["lasts"] * SECOND)


def _overflow(rule: dict[str, Any]) -> Overflow:
    """`{CAUSE: LIMIT, to: QUEUE, joining: …, waiting: …}`; times in seconds."""
    (cause,) = [each for each in OverflowCause if each.value in rule]
    unit = SECOND if cause in (OverflowCause.TIMED_OUT, OverflowCause.LONG_WAIT) else 1
    joining, waiting = rule.get("joining", True), rule.get("waiting", False)
    return Overflow(cause, rule[cause.value] * unit, rule.get("to", ""), joining, waiting)


def run(data: dict[str, Any]) -> tuple[list[list[str]], dict[str, int]]:
    """What the engine answers to each row, and what it counted."""
    engine = Engine(configuration(data), START)
    answers = []
    for row in data["steps"]:
        commands: list[Command] = []
        for event in events(row):
            commands += engine.handle(event, START + round(row["at"] * SECOND))
        answers.append([line for line in map(told, commands) if line])
    return answers, dict(sorted(engine.counts.items()))


def events(row: dict[str, Any]) -> list[Event]:
    """The events that a row's sentence means."""
    verb, *words = row["event"].split()
    if verb == "rules":
        return [ConfigurationChanged(configuration(row))]
    return _VERBS[verb](*words)


def _queue_event(caller: str, queue: str, *options: str) -> list[Event]:
    given = dict(zip(options[::2], options[1::2], strict=True))
    asked = given.pop("asked", None)
    callback = given.pop("callback", "")
    wished, length = given.pop("prefers", None), int(given.pop("for", 0))
    most = int(given.pop("at-most", 0))
    return [
        InteractionQueued(
            caller,
            queue,
            priority=int(given.pop("priority", 0)),
            requirements=tuple(Requirement(skill, int(level)) for skill, level in given.items()),
            first_asked_at=None if asked is None else START + int(asked) * SECOND,
            preferred=tuple(wished.split(",")) if wished else (),
            preferred_us=length * SECOND,
            max_wait_us=most * SECOND,
            callback_number=callback,
        )
    ]


def _close(queue: str, *options: str) -> list[Event]:
    """`close QUEUE [until SECONDS] [keep]`."""
    until = START + int(options[1]) * SECOND if "until" in options else 0
    return [QueueClosed(queue, until, "keep" in options, "lena", "outage")]


def _sign_in(agent: str) -> list[Event]:
    return [
        PhoneChanged(agent, Phone.FREE),
        DesktopChanged(agent, Desktop.THERE),
        PresenceChosen(agent, Presence.READY),
    ]


def _move(move_id: str, agent: str, *options: str) -> list[Event]:
    """`add` and `remove` (queues with commas), `from` and `until` (seconds), in any order."""
    given = dict(zip(options[::2], options[1::2], strict=True))
    add, remove = (tuple(given[word].split(",")) if word in given else () for word in ("add", "remove"))
    begins, ends = (START + int(given[word]) * SECOND if word in given else 0 for word in ("from", "until"))
    return [AgentMoved(move_id, agent, add, remove, begins, ends, "sue")]


_VERBS: dict[str, Callable[..., list[Event]]] = {
    "sign-in": _sign_in,
    "presence": lambda agent, presence, reason="": [PresenceChosen(agent, Presence(presence), reason)],
    "move": _move,
    "cancel-move": lambda move_id, agent: [AgentMoveCancelled(move_id, agent, "sue")],
    "phone": lambda agent, phone: [PhoneChanged(agent, Phone(phone))],
    "desktop": lambda agent, desktop: [DesktopChanged(agent, Desktop(desktop))],
    "arrive": lambda caller, number="": [InteractionArrived(caller, number)],
    "write": lambda caller, medium: [InteractionArrived(caller, medium=medium)],
    "queue": _queue_event,
    "leave-queue": lambda caller, outcome: [QueueLeft(caller, VisitOutcome(outcome))],
    "hang-up": lambda caller: [CallerLeft(caller)],
    "flow-ends": lambda caller, outcome: [FlowEnded(caller, Outcome(outcome))],
    "accept": lambda offer: [OfferAccepted(offer)],
    "reject": lambda offer: [OfferRejected(offer)],
    "fail": lambda offer: [OfferFailed(offer)],
    "customer-answers": lambda offer: [CallbackAnswered(offer)],
    "callback-fails": lambda offer, detail: [CallbackFailed(offer, detail)],
    "cancel-callback": lambda caller, by="": [CallbackCancelled(caller, by)],
    "found": lambda caller, agent: [ConnectionFound(caller, agent)],
    "talk-ends": lambda caller, agent: [TalkEnded(caller, agent)],
    "wrap-up-ends": lambda agent, caller, result="": [WrapUpEnded(agent, caller, result)],
    "extend-wrap-up": lambda agent, caller, by: [WrapUpExtended(agent, caller, int(by) * SECOND)],
    "detach": lambda caller: [InteractionDetached(caller)],
    "attach": lambda caller: [InteractionAttached(caller)],
    "pause": lambda reason: [RoutingPaused(reason)],
    "resume": lambda: [RoutingResumed()],
    "close": _close,
    "open": lambda queue: [QueueOpened(queue, "lena")],
    "clock": lambda: [ClockReached()],
}


# --- commands in words ---------------------------------------------------------------------------------------


def told(command: Command) -> str:
    """One command as one line; empty for what only repeats the line before it in other words."""
    return _TOLD[type(command)](command)


def _at(instant: int) -> str:
    return f"{(instant - START) / SECOND:g}"


def _closed(command: InteractionClosed) -> str:
    short = " (short)" if command.short else ""
    by = f" by {command.agent_id}" if command.outcome is Outcome.SERVED else ""
    return f"{command.interaction_id} ends: {command.outcome}{by}{short}"


def _agent(command: AgentChanged) -> str:
    reason = f" ({command.reason})" if command.reason else ""
    holding = f" with {command.interaction_id}" if command.interaction_id else ""
    until = f" until {_at(command.deadline)}" if command.deadline else ""
    return f"{command.agent_id} is {command.state}{reason}{holding}{until}"


def _visit_opened(command: VisitOpened) -> str:
    regained = f", as {command.regained} before" if command.regained else ""
    return f"{command.interaction_id} enters {command.queue}, place {command.position}{regained}"


def _visit_closed(command: VisitClosed) -> str:
    by = f" by {command.agent_id}" if command.agent_id else ""
    why = f" ({command.cause})" if command.cause else ""
    return f"{command.interaction_id} leaves {command.queue}: {command.outcome}{why}{by}"


def _closure(command: QueueClosureChanged) -> str:
    by = f" by {command.by}" if command.by else ""
    if not command.is_closed:
        return f"{command.queue} is open{by}"
    until = f" until {_at(command.until_at)}" if command.until_at else ""
    return f"{command.queue} is closed{until}{by} ({command.reason})"


def _queue_totals(command: QueueChanged) -> str:
    closed = ", closed" if command.is_closed else ""
    ready = f"{command.agents_ready} of {command.agents_signed_in} ready"
    return f"{command.queue}: {command.waiting} waiting, {ready}{closed}"


def _visit_stepped(command: VisitStepped) -> str:
    only = ", preferred agents only" if command.preferring else ""
    why = " at once: nobody signed in could" if command.cause == "nobody" else ""
    return f"{command.interaction_id} in {command.queue}: ring {command.ring}, priority {command.priority}{only}{why}"


def _offer(command: OfferInteraction) -> str:
    if command.callback_number:
        number, until = command.callback_number, _at(command.expires_at)
        return f"CALL {number} for {command.offer_id} ({command.queue}), holding {command.agent_id} until {until}"
    at_once = f", {len(command.together)} at once" if command.together else ""
    return f"RING {command.agent_id} for {command.offer_id} ({command.queue}) until {_at(command.expires_at)}{at_once}"


def _callback_told(command: CallbackChanged) -> str:
    calls = f", {command.attempts} calls" if command.attempts else ""
    later = f", not before {_at(command.not_before)}" if command.not_before else ""
    why = f" ({command.detail})" if command.detail else ""
    return f"callback of {command.interaction_id}: {command.state}{calls}{later}{why}"


def _talk_closed(command: TalkClosed) -> str:
    length = f"{(command.ended_at - command.started_at) / SECOND:g} s"
    return f"{command.interaction_id} and {command.agent_id} talked {length}"


def _wrap_up(command: WrapUpClosed) -> str:
    how = "timed out" if command.timed_out else f"done {command.disposition}".strip()
    return f"{command.agent_id} wraps up {command.interaction_id}: {how}"


def _moved(command: AgentMoveChanged) -> str:
    queues = "".join([f" +{queue}" for queue in command.add] + [f" -{queue}" for queue in command.remove])
    until = _at(command.until_at) if command.until_at else ""
    return f"move {command.move_id} of {command.agent_id}{queues} {_at(command.from_at)}-{until}: {command.state}"


_TOLD: dict[type, Callable[[Any], str]] = {
    CallbackChanged: _callback_told,
    OfferInteraction: _offer,
    WithdrawOffer: lambda c: f"STOP ringing {c.agent_id} for {c.interaction_id}",
    InteractionOpened: lambda c: f"{c.interaction_id} arrives",
    InteractionClosed: _closed,
    VisitOpened: _visit_opened,
    VisitClosed: _visit_closed,
    VisitStepped: _visit_stepped,
    OfferClosed: lambda c: f"offer of {c.interaction_id} to {c.agent_id}: {c.outcome}",
    TalkOpened: lambda c: f"{c.interaction_id} and {c.agent_id} talk",
    TalkClosed: _talk_closed,
    WrapUpClosed: _wrap_up,
    AgentIntervalClosed: lambda c: f"{c.agent_id} was {c.state} {_at(c.from_at)}-{_at(c.to_at)}",
    AgentChanged: _agent,
    AgentMoveChanged: _moved,
    QueueChanged: _queue_totals,
    QueueClosureChanged: _closure,
    StageChanged: lambda c: f"{c.interaction_id} back in flow" if c.stage == "in_flow" else "",
}
