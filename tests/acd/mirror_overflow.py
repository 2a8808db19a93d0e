"""Test support: the naive account of overflow, regained places and expected waits, judged after each event.

Numbers of agents are read when the whole answer has been taken, lines as they stood when somebody joined or left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acd.commands import (
    AgentChanged,
    AgentMoveChanged,
    Command,
    OfferClosed,
    TalkClosed,
    VisitClosed,
    VisitOpened,
    VisitStepped,
    WrapUpClosed,
)
from acd.events import ClockReached, Event, InteractionQueued
from acd.model import Estimator, OfferOutcome, Overflow, OverflowCause, QueueRules, Stage, VisitOutcome

if TYPE_CHECKING:
    from tests.acd.mirror import Mirror

WAITING = (Stage.QUEUED, Stage.OFFERED)


@dataclass
class Line:
    """A queue as it stood when somebody joined or left it: how many are in it, how many unserved are before them, how
    long the first of these has waited, and what was seen until then."""

    queue: str
    length: int
    ahead: int
    head_waited: int
    handled: tuple[int, int]
    left: tuple[int, int]


@dataclass
class Step:
    """Somebody joined a queue, or overflowed from it."""

    interaction_id: str
    line: Line
    chain: tuple[str, ...]
    entered: int
    opened: VisitOpened | None = None
    closed: VisitClosed | None = None


@dataclass
class Account:
    """`talks`, `handled`, `leavers`, `waited`: by queue, of all time. `gone`: (queue, caller) → (until, asked, id)."""

    talks: dict[str, int] = field(default_factory=dict)
    handled: dict[str, int] = field(default_factory=dict)
    leavers: dict[str, int] = field(default_factory=dict)
    waited: dict[str, int] = field(default_factory=dict)
    gone: dict[tuple[str, str], tuple[int, int, str]] = field(default_factory=dict)
    offered_at: dict[str, int] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    looked_at: set[str] = field(default_factory=set)


class Overflows:
    """Feed it each command, then let it judge; it raises AssertionError where an answer breaks a rule."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.account = Account()

    # --- what the answer says ------------------------------------------------------------------------------

    def asks(self, command: VisitOpened, event: InteractionQueued) -> bool:
        """Whether the flow asked for this visit; else overflow led here."""
        before = (each.interaction_id for each in self.account.steps if each.opened)
        return event.interaction_id == command.interaction_id and command.interaction_id not in before

    def take_visit(self, command: VisitOpened, event: Event, now: int) -> None:
        """After the mirror has put them into the line."""
        caller = self.mirror.callers[command.interaction_id]
        caller.by_promise = command.callback_number != ""
        asks = isinstance(event, InteractionQueued) and self.asks(command, event)
        if isinstance(event, InteractionQueued) and asks:
            caller.chain = (command.queue,)
            caller.wait_until = now + event.max_wait_us if event.max_wait_us and not event.callback_number else 0
            until, asked, gone = self.account.gone.pop((command.queue, caller.who), (0, 0, ""))
            if until > now:
                caller.asked = min(caller.asked or 0, asked)
            assert command.regained == (gone if until > now else "")
        else:
            assert command.queue not in caller.chain, "a chain came back to a queue"
            caller.chain += (command.queue,)
        line = self._line(command.interaction_id, command.queue, now)
        step = Step(command.interaction_id, line, caller.chain, now, opened=command)
        self.account.steps.append(step)

    def take_visit_end(self, command: VisitClosed, now: int) -> None:
        """Before the mirror has taken them out of the line."""
        caller, account = self.mirror.callers[command.interaction_id], self.account
        if command.outcome is VisitOutcome.OVERFLOWED and command.cause:
            line = self._line(command.interaction_id, command.queue, now)
            step = Step(command.interaction_id, line, caller.chain, command.entered_at, closed=command)
            account.steps.append(step)
        if not caller.by_promise:
            self._add(account.waited, command.queue, now - command.entered_at)
        if command.outcome is VisitOutcome.ABANDONED:
            self._add(account.leavers, command.queue, 1)
            rules = self.mirror.rules_of(caller.chain[0])
            if rules is not None and rules.regain_us and caller.who:
                kept = (now + rules.regain_us, caller.asked or 0, command.interaction_id)
                account.gone[caller.chain[0], caller.who] = kept

    def take_other(self, command: Command, now: int) -> None:
        match command:
            case OfferClosed():
                if command.outcome is not OfferOutcome.ACCEPTED:
                    self.account.looked_at.add(command.interaction_id)
                else:
                    self.account.offered_at[command.offer_id] = command.offered_at
            case TalkClosed():
                started = self.account.offered_at.get(command.talk_id, command.started_at)
                self._add(self.account.talks, command.queue, 1)
                self._add(self.account.handled, command.queue, now - started)
            case WrapUpClosed():
                queue = self.mirror.served_in[command.talk_id]
                self._add(self.account.handled, queue, now - command.started_at)
            case _:
                pass

    def forget(self, queues: set[str]) -> None:
        """Queues that the rules no longer have."""
        for sums in (self.account.talks, self.account.handled, self.account.leavers, self.account.waited):
            for queue in [each for each in sums if each not in queues]:
                del sums[queue]
        self.account.gone = {key: kept for key, kept in self.account.gone.items() if key[0] in queues}

    def _add(self, sums: dict[str, int], queue: str, value: int) -> None:
        if self.mirror.rules_of(queue) is not None:
            sums[queue] = sums.get(queue, 0) + value

    def _line(self, interaction_id: str, queue: str, now: int) -> Line:
        mirror, account = self.mirror, self.account
        line = sorted(
            mirror.rank(each) for each in mirror.callers if mirror.waits_in(each, queue) or each == interaction_id
        )
        unserved = [each for *_, each in line if mirror.callers[each].stage is not Stage.OFFERED]
        ringing = len(line) - len(unserved)
        place = line.index(mirror.rank(interaction_id))
        head = mirror.callers[unserved[0]].entered if unserved else now
        return Line(
            queue,
            len(line),
            max(0, place - ringing),
            now - head,
            (account.talks.get(queue, 0), account.handled.get(queue, 0)),
            (account.leavers.get(queue, 0), account.waited.get(queue, 0)),
        )

    # --- what should have been -----------------------------------------------------------------------------

    def judge(self, event: Event, answer: tuple[Command, ...], offered: set[tuple[str, str]], now: int) -> None:
        vague = is_vague(event, answer)
        for at, step in enumerate(self.account.steps):
            later = self.account.steps[at + 1 :]
            after = next((each for each in later if each.interaction_id == step.interaction_id), None)
            mine = [each for each in self.account.steps if each.interaction_id == step.interaction_id]
            if step.opened is not None:
                self._judge_joining(step, after, offered, now, vague)
            elif not any(each.opened and each.entered == now and each.chain == step.chain for each in mine):
                self._judge_leaving(step, offered, now, vague)
        self._judge_who_stays(event, offered, now)
        self.account.steps.clear()
        self.account.looked_at.clear()

    def _judge_joining(
        self, step: Step, after: Step | None, offered: set[tuple[str, str]], now: int, vague: bool
    ) -> None:
        assert step.opened is not None
        told = step.opened
        if told.callback_number:
            assert after is None or after.closed is None, "a promise does not overflow"
            return
        closed = after.closed if after is not None and after.closed is not None else None
        if step.line.queue in self.mirror.closed:
            kept = closed is not None and closed.cause == OverflowCause.CLOSED
            assert kept, "joined a closed queue"
            assert after is not None
            assert self._went_to(after) == ""
            return
        if vague:
            return
        mean, _ = self._expected(step)
        assert abs(told.expected_wait_us - mean) <= 1 or (
            told.expected_wait_us == 0 and self._served_at_once(step, offered)
        )
        assert told.expected_most_us >= told.expected_wait_us
        if closed is not None and closed.visit_id != told.visit_id:
            closed = None
        wanted = self._first_that_holds(step, offered, now, joining=True)
        found = (closed.cause, self._went_to(after)) if closed is not None and after is not None else None
        if None in wanted:  # who may stay may still be looked at while waiting, in the same answer
            wanted += self._first_that_holds(step, offered, now, joining=False)
        assert found in wanted, f"{step}: expected one of {wanted}, got {found}"

    def _judge_leaving(self, step: Step, offered: set[tuple[str, str]], now: int, vague: bool) -> None:
        assert step.closed is not None
        if step.closed.cause == OverflowCause.CLOSED or (vague and step.closed.cause != OverflowCause.TIMED_OUT):
            return
        wait_until = self.mirror.callers[step.interaction_id].wait_until
        if wait_until and wait_until <= now:
            assert (step.closed.cause, self._went_to(step)) == (OverflowCause.TIMED_OUT, "")
            return
        found = (step.closed.cause, self._went_to(step))
        assert found in self._first_that_holds(step, offered, now, joining=False), f"{step} should not have left"

    def _went_to(self, step: Step) -> str:
        """The queue that took them, or empty: the flow."""
        assert step.closed is not None
        number = int(step.closed.visit_id.rpartition("#")[2])
        follows = f"{step.interaction_id}#{number + 1}"
        return next(
            (each.line.queue for each in self.account.steps if each.opened and each.opened.visit_id == follows), ""
        )

    def _first_that_holds(
        self, step: Step, offered: set[tuple[str, str]], now: int, *, joining: bool
    ) -> list[tuple[str, str] | None]:
        """What may happen: one thing, or two where an expected wait is at the limit."""
        rules = self.mirror.rules_of(step.line.queue)
        assert rules is not None
        possible: list[tuple[str, str] | None] = []
        for each in rules.overflow:
            if not _is_looked_at(each, joining) or not self._leads_on(each, step.chain):
                continue
            holds = self._holds(each, step, offered, now)
            if holds is not False:
                possible.append((each.cause.value, each.queue))
            if holds is True:
                return possible
        return [*possible, None]

    def _holds(self, each: Overflow, step: Step, offered: set[tuple[str, str]], now: int) -> bool | None:
        """None: too close to say."""
        match each.cause:
            case OverflowCause.TIMED_OUT:
                return now - step.entered >= each.at
            case OverflowCause.FULL:
                return step.line.length - 1 >= each.at
            case OverflowCause.FEW_SIGNED_IN:
                return len(list(self._there(step.line.queue))) < each.at
            case OverflowCause.FEW_READY:
                return self._few_ready(step.line.queue, offered, each.at)
            case _:
                mean, known = self._expected(step)
                if self._served_at_once(step, offered):
                    return None if self.mirror.callers[step.interaction_id].preferred or step.closed else False
                return None if known and abs(mean - each.at) <= 2 else not known or mean > each.at

    def _few_ready(self, queue: str, offered: set[tuple[str, str]], fewest: int) -> bool:
        return len([each for each in self.mirror.free(offered, queue) if self._serves(each, queue)]) < fewest

    def _leads_on(self, each: Overflow, chain: tuple[str, ...]) -> bool:
        return not each.queue or (each.queue not in chain and each.queue not in self.mirror.closed)

    def _serves(self, agent_id: str, queue: str) -> bool:
        agents = self.mirror.configuration.agents
        return any(each.id == agent_id and queue in self.mirror.serves(each) for each in agents)

    def _there(self, queue: str) -> Iterator[str]:
        """Signed-in agents of the queue."""
        for agent_id in self.mirror.there():
            if self._serves(agent_id, queue):
                yield agent_id

    def _served_at_once(self, step: Step, offered: set[tuple[str, str]]) -> bool:
        """Some free agent may have been able to take them."""
        free = self.mirror.free(offered, step.line.queue)
        return any(self.mirror.could(each, step.interaction_id, step.line.queue) for each in free)

    def _expected(self, step: Step) -> tuple[float, bool]:
        line = step.line
        rules = self.mirror.rules_of(line.queue)
        assert rules is not None
        at_work = [each for each in self._there(line.queue) if self.mirror.works(each)]
        if not at_work:
            return 0.0, False
        talks, handled = line.handled
        handling = max(1.0, (10 * rules.expected_handling_us + handled) / (10 + talks))
        if rules.estimator is Estimator.HEAD_OF_LINE:
            return float(line.head_waited), True
        leave = _leave_rate(rules, *line.left) if rules.estimator is Estimator.PATIENCE else 0.0
        rate = len(at_work) / handling
        return sum(1.0 / (rate + place * leave) for place in range(line.ahead + 1)), True

    def _judge_who_stays(self, event: Event, offered: set[tuple[str, str]], now: int) -> None:
        """Nobody waits beyond a time-out that was looked at, or in a queue that wants them only with more agents."""
        for interaction_id, caller in self.mirror.callers.items():
            if caller.stage is not Stage.QUEUED and not any(each == interaction_id for each, _ in offered):
                continue
            if caller.number:
                continue
            timed = isinstance(event, ClockReached) or interaction_id in self.account.looked_at
            assert not timed or not 0 < caller.wait_until <= now, f"{interaction_id} waits beyond its time"
            rules = self.mirror.rules_of(caller.queue)
            for each in rules.overflow if rules else ():
                over = timed and each.cause is OverflowCause.TIMED_OUT and now - caller.entered >= each.at
                few = each.cause is OverflowCause.FEW_SIGNED_IN and each.joining and each.waiting
                few = few and len(list(self._there(caller.queue))) < each.at
                assert not (over or few) or not self._leads_on(each, caller.chain), f"{interaction_id}: {each}"


def is_vague(event: Event, answer: tuple[Command, ...]) -> bool:
    """Several things were due, each at its instant: what stood where in between is not known here."""
    return isinstance(event, ClockReached) and any(
        isinstance(each, AgentChanged | AgentMoveChanged | VisitStepped) for each in answer
    )


def _leave_rate(rules: QueueRules, leavers: int, waited: int) -> float:
    if rules.expected_patience_us:
        return (5 + leavers) / (5 * rules.expected_patience_us + waited)
    return leavers / waited if leavers >= 10 and waited else 0.0


def _is_looked_at(each: Overflow, joining: bool) -> bool:
    if each.cause is OverflowCause.TIMED_OUT:
        return not joining
    if each.cause in (OverflowCause.FULL, OverflowCause.FEW_READY):
        return joining
    return each.joining if joining else each.waiting
