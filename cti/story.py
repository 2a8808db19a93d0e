"""The story of each call, one readable line per step, for people who watch (the demo, a terminal)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from acd.commands import (
    AgentMoveChanged,
    CallbackChanged,
    Command,
    InteractionClosed,
    InteractionOpened,
    OfferClosed,
    OfferInteraction,
    QueueClosureChanged,
    TalkClosed,
    TalkOpened,
    VisitClosed,
    VisitOpened,
    VisitStepped,
    WrapUpClosed,
)
from acd.explain import RUNG_TOGETHER
from acd.model import ANSWERED_BY_COLLEAGUE, CallbackState, OfferOutcome, Outcome, OverflowCause, Reason

_ORDINALS = {1: "st", 2: "nd", 3: "rd"}

_OUTCOMES = {
    Outcome.SERVED: "done: served",
    Outcome.SELF_SERVED: "done: served by the flow itself",
    Outcome.VOICEMAIL: "done: left a message",
    Outcome.ABANDONED_IN_FLOW: "hung up in the flow",
    Outcome.ABANDONED_IN_QUEUE: "gave up waiting",
    Outcome.ABANDONED_RINGING: "gave up while a phone rang",
    Outcome.CALLBACK_FAILED: "the callback failed",
    Outcome.CALLED_IN: "called in before we called back",
    Outcome.TRANSFERRED_OUT: "transferred out",
    Outcome.REFUSED: "refused",
    Outcome.LOST: "LOST",
}
_OFFERS = {
    OfferOutcome.REJECTED: "{agent} rejected it; the caller keeps their place",
    OfferOutcome.EXPIRED: "{agent} did not answer in {seconds} s; the caller keeps their place",
    OfferOutcome.WITHDRAWN: "taken back from {agent}",
    OfferOutcome.FAILED: "the phone of {agent} could not be rung ({detail}); the caller keeps their place",
}


_CAUSES: dict[str, str] = {
    OverflowCause.TIMED_OUT: "has waited long enough for {queue}",
    OverflowCause.FULL: "not taken by {queue}: too many wait",
    OverflowCause.LONG_WAIT: "given away by {queue}: the wait would be too long",
    OverflowCause.FEW_SIGNED_IN: "given away by {queue}: too few are signed in",
    OverflowCause.FEW_READY: "not taken by {queue}: too few are ready",
    OverflowCause.CLOSED: "given away by {queue}: it is closed",
}


def _expected(wait_us: int) -> str:
    return f", expected to wait {seconds(wait_us)} s" if wait_us else ""


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, 11th …"""
    suffix = "th" if number % 100 in (11, 12, 13) else _ORDINALS.get(number % 10, "th")
    return f"{number}{suffix}"


def seconds(length_us: int) -> str:
    return f"{length_us / 1e6:.0f}" if length_us >= 9_500_000 else f"{length_us / 1e6:.1f}"


def explain(reason: Reason, names: Mapping[str, str]) -> str:
    """Why this agent, in words: the rule, the runner-up, and how many could not be considered."""
    text = reason.rule.replace("_", " ")
    if reason.runner_up:
        text += f", before {names.get(reason.runner_up, reason.runner_up)}"
    elif reason.passed_over and RUNG_TOGETHER not in dict(reason.passed_over):
        text += ", the only one free"
    if reason.passed_over:
        text += " (" + ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in reason.passed_over) + ")"
    return text


def moved(command: AgentMoveChanged) -> str:
    """A temporary move in words."""
    parts = [f"to {', '.join(command.add)}"] if command.add else []
    parts += [f"away from {', '.join(command.remove)}"] if command.remove else []
    by = f" by {command.by}" if command.by else ""
    return f"move {' and '.join(parts)}{by}: {command.state.value}"


@dataclass(frozen=True, slots=True)
class _Step:
    """What was told of a visit last."""

    entered_at: int
    ring: int
    priority: int


def _callback(fact: CallbackChanged) -> str:
    """How the promise stands, in words; empty where another line says it."""
    match fact.state:
        case CallbackState.PROMISED if fact.not_before:
            return f"not reached ({fact.detail.replace('_', ' ')}); to be called again"
        case CallbackState.PROMISED if not fact.detail:
            return "to be called back; they need not stay on the line"
        case CallbackState.CALLING:
            return f"calling them back, {ordinal(fact.attempts)} call"
        case CallbackState.ANSWERED:
            return "they are on the line; the agent's phone rings"
        case CallbackState.CANCELLED:
            return "nobody is to call them back any more" + (f" ({fact.detail})" if fact.detail else "")
        case _:
            return ""


class Story:
    """Turns commands into lines `caller  what happened`, given to `tell`."""

    def __init__(self, tell: Callable[[str], None], names: Callable[[], Mapping[str, str]]) -> None:
        self._tell = tell
        self._names = names
        self._callers: dict[str, str] = {}
        self._asked_at: dict[str, int] = {}
        self._steps: dict[str, _Step] = {}

    def note(self, interaction_id: str, text: str) -> None:
        """A step that the engine does not know of (what the caller chose)."""
        self._tell(f"{self._callers.get(interaction_id, interaction_id):<16} {text}")

    def watch(self, commands: Sequence[Command], now: int) -> None:
        """Hear the dispatcher's commands."""
        for command in commands:
            self._follow(command, now)

    def _name(self, agent_id: str) -> str:
        return self._names().get(agent_id, agent_id)

    def _follow(self, command: Command, now: int) -> None:
        match command:
            case InteractionOpened():
                self._callers[command.interaction_id] = command.caller or "(withheld)"
                late = " while the server was away" if command.gap else ""
                self.note(command.interaction_id, f"arrived on {command.dialled}{late}")
            case VisitOpened():
                self._asked_at[command.interaction_id] = command.first_asked_at
                self._steps[command.interaction_id] = _Step(command.entered_at, 0, command.priority)
                back = ", back in the place they had" if command.regained else ""
                wait = _expected(command.expected_wait_us)
                self.note(
                    command.interaction_id, f"queued for {command.queue} as {ordinal(command.position)}{back}{wait}"
                )
            case VisitClosed() if command.cause in _CAUSES:
                self.note(command.interaction_id, _CAUSES[command.cause].format(queue=command.queue))
            case QueueClosureChanged():
                by = f" by {command.by}" if command.by else ""
                self._tell(f"{command.queue:<16} {'closed' if command.is_closed else 'open again'}{by}")
            case VisitStepped():
                self.note(command.interaction_id, self._stepped(command))
            case AgentMoveChanged():
                self._tell(f"{self._name(command.agent_id):<16} {moved(command)}")
            case OfferInteraction():
                why = explain(command.reason, self._names())
                self.note(command.interaction_id, f"offered to {self._name(command.agent_id)} because {why}")
            case CallbackChanged() if words := _callback(command):
                self.note(command.interaction_id, words)
            case TalkOpened():
                waited = now - self._asked_at.get(command.interaction_id, now)
                self.note(
                    command.interaction_id, f"answered by {self._name(command.agent_id)} after {seconds(waited)} s"
                )
            case OfferClosed() if command.detail == ANSWERED_BY_COLLEAGUE:
                self.note(command.interaction_id, f"no longer rings at {self._name(command.agent_id)}")
            case OfferClosed() if command.outcome in _OFFERS:
                self.note(
                    command.interaction_id,
                    _OFFERS[command.outcome].format(
                        agent=self._name(command.agent_id),
                        seconds=seconds(command.closed_at - command.offered_at),
                        detail=command.detail,
                    ),
                )
            case TalkClosed():
                talked = seconds(command.ended_at - command.started_at)
                then = "wrap-up begins" if command.wrap_up_until else "ready again"
                self.note(command.interaction_id, f"talked {talked} s with {self._name(command.agent_id)}; {then}")
            case WrapUpClosed():
                how = (
                    "wrap-up timed out"
                    if command.timed_out
                    else f"wrap-up done: {command.disposition or 'no result noted'}"
                )
                self.note(command.interaction_id, f"{self._name(command.agent_id)}: {how}")
            case InteractionClosed():
                detail = f" ({command.detail})" if command.outcome in (Outcome.REFUSED, Outcome.LOST) else ""
                self.note(command.interaction_id, _OUTCOMES[command.outcome] + detail)
            case _:
                return
        if len(self._callers) > 20_000:
            self._callers.pop(next(iter(self._callers)))
            self._asked_at.pop(next(iter(self._asked_at)), None)
            self._steps.pop(next(iter(self._steps)), None)

    def _stepped(self, command: VisitStepped) -> str:
        """What is new, in words: the ring, the priority, or that no longer only preferred agents may."""
        before = self._steps.get(command.interaction_id) or _Step(command.stepped_at, 0, command.priority)
        self._steps[command.interaction_id] = _Step(before.entered_at, command.ring, command.priority)
        new = []
        if command.ring > before.ring:
            new.append(f"ring {command.ring}: more agents may")
        if command.priority != before.priority:
            new.append(f"priority {command.priority}")
        if not new:
            new.append("no longer only preferred agents may")
        if command.cause == "nobody":
            return "; ".join(new) + ", at once: nobody signed in could take them"
        return "; ".join(new) + f", after {seconds(command.stepped_at - before.entered_at)} s"
