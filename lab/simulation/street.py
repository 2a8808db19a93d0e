"""A day in the simulation: callers, agents, faults, and the judge; `python -m lab.simulation.street --seed 7` again.

The world goes on by events of its own (a caller comes, a phone is answered, a link breaks), whether a server lives or
not. A server lives until it is crashed, between any two turns of its loop; then it is started again on its journal.

One world with one state and its judge: hence more than 400 lines.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import logging
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from acd.commands import InteractionClosed, OfferInteraction
from acd.events import InteractionQueued
from acd.invariants import check
from acd.model import AgentProfile, AgentState, Configuration, Outcome, QueueRules
from acd.snapshot import agent_view
from cti.journal import read_segment, replay, segment_paths
from lab.simulation.life import QUEUE, START_US, Life
from lab.simulation.switch import Caller, Leg, Switch
from lab.simulation.virtual_loop import Crash

SECOND = 1_000_000
AGENTS = {"maria": "2001", "jon": "2002", "wei": "2003"}
RING_S = 12.0
#: A Dial ends by itself so long after it began, whatever becomes of the server.
DIAL_S = 20.0
CALLERS = 12
COMING_S = 40.0
FAULTS_END_S = 70.0
#: By then everybody has been served or has left.
END_S = 150.0
LOOK_EVERY_S = 0.5
#: Seconds after which a picture has to be true, and whoever has come so much sooner is served sooner.
REST_S, ORDER_SLACK_S, SAME_INSTANT_S = 1.0, 3.0, 0.3
SITE = Configuration(
    queues=(QueueRules(QUEUE, ring_us=round(RING_S * SECOND), wrap_up_us=5 * SECOND, short_abandon_us=5 * SECOND),),
    agents=tuple(AgentProfile(name, name.title(), (QUEUE,)) for name in AGENTS),
)
_DECLINED, _NO_ANSWER, _NORMAL = 21, 19, 16


@dataclass(slots=True)
class Judgement:
    """What was wrong in one run; nothing when `faults` is empty."""

    seed: int
    faults: list[str] = field(default_factory=list)
    events: int = 0
    turns: int = 0
    kinds: Counter[str] = field(default_factory=Counter)


class Street:
    """The world of one seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.judgement = Judgement(seed)
        self._folder = folder
        self._chance = random.Random(seed)
        self._now_s = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, bool, Callable[[], None]]] = []
        self._life: Life | None = None
        self._crash_at = 0
        self._is_link_up = True
        self._link_epoch = 0
        self._last_word_s = 0.0
        self._stopped_until = 0.0
        self._counts: Counter[str] = Counter()
        self._truth: dict[str, tuple[str, float]] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self._true_since_s = 0.0
        self.switch = Switch(self._chance, lambda: self._now_s, self._tell)

    # --- time ------------------------------------------------------------------------------------------------

    def at(self, when_s: float, act: Callable[[], None], *, for_life: bool = False) -> None:
        """Have something happen. `for_life`: the server has to run for it; while it is stopped, it comes later."""
        heapq.heappush(self._due, (max(when_s, self._now_s), next(self._order), for_life, act))

    def _within(self, low_s: float, high_s: float, act: Callable[[], None]) -> None:
        self.at(self._now_s + self._chance.uniform(low_s, high_s), act)

    def pass_time(self, most_s: float) -> None:
        """Between two turns of the server's loop: its crash, its stop, or the world's next event."""
        self.judgement.turns += 1
        self._crash_at -= 1
        if self._crash_at == 0:
            self.judgement.kinds["kill"] += 1
            raise Crash
        if self._now_s >= END_S:
            raise Crash
        while self._now_s < self._stopped_until:
            self._go_on(self._stopped_until)
        if most_s > 0:
            self._go_on(self._now_s + most_s, one=True)

    def _go_on(self, until_s: float, *, one: bool = False) -> None:
        """The world's events until then (with `one`: at most one)."""
        while self._due and self._due[0][0] <= until_s:
            when_s, _, for_life, act = heapq.heappop(self._due)
            self._now_s = max(self._now_s, when_s)
            if for_life and self._now_s < self._stopped_until:
                self.at(self._stopped_until, act, for_life=True)
                continue
            self.judgement.events += 1
            act()
            if one:
                return
        self._now_s = max(self._now_s, until_s)

    # --- playing ---------------------------------------------------------------------------------------------

    def play(self) -> Judgement:
        """From the first caller to the end, through as many lives as there are crashes."""
        for number in range(1, CALLERS + 1):
            self.at(self._chance.uniform(1.0, COMING_S), self._comer(f"c{number}"))
        for _ in range(self._chance.randrange(4)):
            self.at(self._chance.uniform(3.0, FAULTS_END_S), self._break_link)
        if self._chance.random() < 0.3:
            self.at(self._chance.uniform(3.0, FAULTS_END_S), self._stop)
        self.at(0.0, self._look)
        while self._now_s < END_S:
            self._live()
            if self._now_s < END_S:
                self._go_on(self._now_s + self._chance.choice((0.0, 0.5, 3.0, 8.0)))
        self._judge()
        return self.judgement

    def _live(self) -> None:
        self._crash_at = self._chance.randrange(1, 700) if self._now_s < FAULTS_END_S else 0
        self._life = life = Life(
            self._folder, SITE, AGENTS, self.switch, self._chance, lambda: self._now_s, self.pass_time
        )
        self._link_epoch += 1
        life.link.is_up = self._is_link_up
        try:
            life.run()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001  # whatever ends the server is a fault
            self.judgement.faults.append(f"the server ended: {type(error).__name__}: {error!r}"[:500])
            self._now_s = END_S
        self._end_life(life)

    def _end_life(self, life: Life) -> None:
        self._life = None
        self._counts |= Counter(life.dispatcher.counts)
        if self._now_s >= END_S:
            self._see_the_end(life)
        life.drop()
        for caller in self.switch.callers.values():
            if caller.is_here and not caller.is_dialling:
                caller.away_since_s = self._now_s if caller.away_since_s is None else caller.away_since_s
                self._within(0.5, 1.5, self._retry(caller))

    # --- callers ---------------------------------------------------------------------------------------------

    def _comer(self, name: str) -> Callable[[], None]:
        def come() -> None:
            caller = Caller(name, self._now_s)
            caller.away_since_s = self._now_s
            self.switch.come(caller)
            self._retry(caller)()
            if self._chance.random() < 0.15:
                self._within(2.0, 40.0, lambda: self._give_up(caller))

        return come

    def _give_up(self, caller: Caller) -> None:
        if caller.is_here and not caller.talks:
            caller.gave_up = True
            self._hang_up(caller)

    def _hang_up(self, caller: Caller) -> None:
        self.switch.hang_up(caller)
        if self._life is not None:
            self._life.leave(caller)

    def _retry(self, caller: Caller) -> Callable[[], None]:
        """The call asks for an AGI session until there is a server."""

        def enter() -> None:
            if not caller.is_here or caller.is_dialling:
                return
            if self._life is None:
                self._within(0.5, 1.5, enter)
            elif caller.id not in self._life.lines:
                self._life.enter(caller)

        return enter

    # --- agents ----------------------------------------------------------------------------------------------

    def _ring(self, caller: Caller, leg: Leg) -> None:
        """A phone rings: what its agent does."""
        self.at(self._now_s + DIAL_S, lambda: self._end_leg(caller, leg, _NO_ANSWER, only_ringing=True))
        chance = self._chance.random()
        if chance < 0.80:
            self._within(0.3, 6.0, lambda: self._answer(caller, leg))
        elif chance < 0.88:
            self._within(0.3, 4.0, lambda: self._end_leg(caller, leg, _DECLINED, only_ringing=True))

    def _answer(self, caller: Caller, leg: Leg) -> None:
        if leg.uniqueid in caller.legs and not leg.is_up and caller.is_here:
            self.switch.answer(caller, leg)
            talk = self._end_leg if self._chance.random() < 0.6 else self._caller_ends
            self._within(1.0, 12.0, lambda: talk(caller, leg, _NORMAL))

    def _caller_ends(self, caller: Caller, leg: Leg, cause: int) -> None:
        """A talk that began and that the caller ended while nobody heard leaves no trace in Asterisk: its record says
        abandoned. That is known, and not what is looked for here; such callers talk on until somebody hears."""
        if leg.uniqueid not in caller.legs:
            return
        is_stopped = self._now_s < self._stopped_until
        if is_stopped or self._life is None or self._life.recovery.why_not:
            self._within(0.5, 1.0, lambda: self._caller_ends(caller, leg, cause))
        else:
            self._hang_up(caller)

    def _end_leg(self, caller: Caller, leg: Leg, cause: int, *, only_ringing: bool = False) -> None:
        if leg.uniqueid in caller.legs and not (only_ringing and leg.is_up):
            self.switch.end_leg(caller, leg, cause)

    # --- what the server hears -------------------------------------------------------------------------------

    def _tell(self, name: str, headers: dict[str, str]) -> None:
        """An event of the switch: for the server, if it can hear; and for whoever acts on it here."""
        self._react(name, headers)
        if self._life is None or not self._is_link_up:
            return
        epoch = self._link_epoch
        when_s = max(self._last_word_s, self._now_s + self._chance.uniform(0.0, 0.02))
        self._last_word_s = when_s
        for _ in range(2 if self._chance.random() < 0.02 else 1):
            self.at(when_s, lambda: self._deliver(epoch, name, headers), for_life=True)

    def _deliver(self, epoch: int, name: str, headers: dict[str, str]) -> None:
        if self._life is not None and epoch == self._link_epoch:
            self._life.hear(name, headers)

    def _react(self, name: str, headers: dict[str, str]) -> None:
        if name == "DialBegin":
            caller = self.switch.callers[headers["Uniqueid"]]
            self._ring(caller, caller.legs[headers["DestUniqueid"]])
            alone = len(caller.legs) == 1
            if not alone:
                self.judgement.faults.append(f"two phones at once for {caller.id} at {self._now_s:.2f} s")
        elif name == "Hangup" and headers["Uniqueid"] != headers["Linkedid"]:
            self.at(self._now_s + 0.01, lambda: self._dial_over(headers["Linkedid"]))
        elif name == "Hangup" and self._life is not None:
            self._life.leave(self.switch.callers[headers["Uniqueid"]])

    def _dial_over(self, caller_id: str) -> None:
        caller = self.switch.callers[caller_id]
        if not caller.is_here or caller.is_dialling:
            return
        line = self._life.lines.get(caller_id) if self._life is not None else None
        if line is not None:
            line.dial_over()
        else:
            self._retry(caller)()

    # --- faults ----------------------------------------------------------------------------------------------

    def _break_link(self) -> None:
        if self._is_link_up:
            self.judgement.kinds["link"] += 1
            self._is_link_up = False
            self._link_epoch += 1
            if self._life is not None:
                self._life.link.is_up = False
                self._life.recovery.link_lost("lab1", "simulated")
            self._within(0.1, 6.0, self._mend_link)

    def _mend_link(self) -> None:
        self._is_link_up = True
        self._link_epoch += 1
        if self._life is not None:
            self._life.link.is_up = True
            self._life.recovery.read_again()

    def _stop(self) -> None:
        self.judgement.kinds["stop"] += 1
        self._stopped_until = self._now_s + self._chance.uniform(2.0, 9.0)

    # --- looking ---------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Hold what the server believes of each agent against the truth, when both have been at rest for a while."""
        self.at(self._now_s + LOOK_EVERY_S, self._look)
        for agent in AGENTS:
            state = self.switch.agent(agent)
            if self._truth.get(agent, ("", 0.0))[0] != state:
                self._truth[agent] = (state, self._now_s)
        life = self._life
        if life is None or life.recovery.why_not or not self._is_link_up or self._now_s < self._stopped_until:
            self._true_since_s = self._now_s
        elif self._now_s - self._true_since_s >= REST_S:
            self._compare(life)

    def _compare(self, life: Life) -> None:
        for agent, (state, since_s) in self._truth.items():
            view = agent_view(life.engine, agent)
            assert view is not None
            told = {AgentState.TALKING: "talking", AgentState.RESERVED: "ringing"}.get(view.state, "idle")
            if self._told.get(view.id, ("", 0.0))[0] != told:
                self._told[view.id] = (told, self._now_s)
            since_s = max(since_s, self._told[view.id][1])
            is_ringing_soon = state == "idle" and told == "ringing"
            if self._now_s - since_s >= REST_S and state != told and not is_ringing_soon:
                self.judgement.faults.append(f"at {self._now_s:.1f} s {view.id} is {state}, told {view.state}")

    # --- judging ---------------------------------------------------------------------------------------------

    def _see_the_end(self, life: Life) -> None:
        """While the last life still stands: its picture against the truth."""
        faults = self.judgement.faults
        faults += [f"invariant: {each}" for each in check(life.engine)]
        for agent in life.dispatcher.board().agents:
            if agent.state is not AgentState.READY:
                faults.append(f"{agent.id} is {agent.state} at the end, expected ready")
        for view in life.dispatcher.board().interactions:
            faults.append(f"{view.id} is still {view.stage} at the end")

    def _judge(self) -> None:
        faults = self.judgement.faults
        faults += [f"twice: {each}" for each in self.switch.doubled]
        faults += [f"{name}: {count}" for name, count in self._counts.items() if name.startswith("violation:")]
        story = self._story()
        outcomes = story.outcomes
        faults += [f"{one} was offered before {other}" for one, other in self._overtaken(story)]
        for caller in self.switch.callers.values():
            if caller.is_here:
                faults.append(f"{caller.id} is still on the line")
            elif not caller.talks and not caller.gave_up:
                faults.append(f"{caller.id} was lost")
            own = outcomes.get(caller.id, [])
            expected = Outcome.SERVED if caller.talks else None
            if len(own) != 1 or (expected is not None and own[0] is not expected):
                if own or caller.talks or not caller.gave_up:
                    faults.append(f"{caller.id}: outcomes {[str(each) for each in own]}, talked with {caller.talks}")

    def _overtaken(self, story: _Story) -> Iterator[tuple[str, str]]:
        """Who was offered before somebody who had come well before them and had asked for an agent by then."""
        came = {each.id: each.came_s for each in self.switch.callers.values()}
        for name, offered_s in story.offered_s.items():
            for other, other_s in story.offered_s.items():
                had_asked = story.asked_s[other] <= offered_s and came[other] < came[name] - ORDER_SLACK_S
                if had_asked and other_s > offered_s + SAME_INSTANT_S:
                    yield name, other

    def _story(self) -> _Story:
        """What the whole journal says, decided once more."""
        story = _Story()
        for path in segment_paths(self._folder):
            for entry, _, commands in replay(read_segment(path)):
                at_s = 0.0 if entry is None else (entry.now - START_US) / SECOND
                if entry is not None and isinstance(entry.event, InteractionQueued):
                    story.asked_s.setdefault(entry.event.interaction_id, at_s)
                for command in commands:
                    if isinstance(command, OfferInteraction):
                        story.offered_s.setdefault(command.interaction_id, at_s)
                    elif isinstance(command, InteractionClosed):
                        story.outcomes.setdefault(command.interaction_id, []).append(command.outcome)
        return story


@dataclass(slots=True)
class _Story:
    """Of each interaction: when it first asked for an agent, when it was first offered, how it ended."""

    asked_s: dict[str, float] = field(default_factory=dict)
    offered_s: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)


# --- the command ---------------------------------------------------------------------------------------------


@contextmanager
def _place() -> Iterator[Path]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="cy-sim-", dir=memory if memory.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play(seed: int) -> Judgement:
    """One seed from its first caller to its judgement. The server's log is silent meanwhile."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        with _place() as folder:
            return Street(seed, folder / "journal").play()
    finally:
        structlog.reset_defaults()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 when nothing was wrong."""
    parser = argparse.ArgumentParser(prog="python -m lab.simulation.street", description=__doc__)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--seeds", type=int, default=200, help="so many, from 1 (%(default)s)")
    parser.add_argument("--minutes", type=float, default=0.0, help="as many as there is time for")
    chosen = parser.parse_args(arguments)
    began = time.monotonic()
    failed = events = turns = done = 0
    kinds: Counter[str] = Counter()
    seeds = [chosen.seed] if chosen.seed is not None else itertools.count(1)
    for seed in seeds:
        if chosen.seed is None and (
            time.monotonic() - began > chosen.minutes * 60 if chosen.minutes else seed > chosen.seeds
        ):
            break
        found = play(seed)
        done, events, turns = done + 1, events + found.events, turns + found.turns
        kinds += found.kinds
        failed += bool(found.faults)
        for fault in found.faults:
            print(f"seed {seed}: {fault}", flush=True)
    took_s = time.monotonic() - began
    print(
        f"{done} seeds, {failed} with faults; {events:,} events, {turns:,} turns, {dict(kinds)}; "
        f"{done / took_s:.1f} seeds a second"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
