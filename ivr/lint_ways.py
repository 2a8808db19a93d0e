"""Where calls may go in the flows of a site: what is never reached, loops, ways out, sub-flows that come back.

All of it follows `Layout`s, over the borders of flows: a jump (`flow`) goes on in another flow for good, a sub-flow
comes back. A flow with a target that is missing says nothing about its ways, because then nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property

from ivr.errors import Problem, did_you_mean, one_of, quote
from ivr.layout import Layout, Placed, successors
from ivr.lint import Names, flows_named
from ivr.positions import Document
from ivr.step_kinds.leading import FlowStep, ReturnStep, SubflowStep

#: Flows may enter each other so deep; each is carried on the call's channel.
MOST_NESTED = 8

_ENDLESS = "a loop without end: no step on it waits for the caller, such as menu, collect or queue"
_NO_WAY_OUT = "no way out: from here callers can only hang up; expected a way that ends, or leads to an agent"

Place = tuple[str, str]
"""A flow and an address in it."""


def check_ways(documents: Mapping[str, Document], names: Names) -> Iterator[Problem]:
    """Everything wrong with where calls may go, in all flows."""
    ways = _Ways(names)
    for flow, layout in names.layouts.items():
        if not layout.missing:
            yield from _unreached(documents[flow], layout)
        yield from ways.check_subflows(documents[flow], flow)
    if ways.is_circular or any(layout.missing for layout in names.layouts.values()):
        return
    loops = list(ways.check_loops(documents))
    yield from loops or ways.check_endings(documents)
    yield from ways.check_answers(documents)


def _unreached(document: Document, layout: Layout) -> Iterator[Problem]:
    reached = _reached_in(layout)
    entered = {address.partition(":")[0] for address in reached}
    for node, first in layout.nodes.items():
        if first is not None and node not in entered:
            yield document.problem(
                ("nodes", node), f"node {quote(node)} is never reached: nothing leads to it", at_key=True
            )
    for placed in layout.steps.values():
        if placed.address not in reached and placed.previous in reached:
            yield document.problem(placed.path, "this step is never reached: the step before it always leads elsewhere")


def _reached_in(layout: Layout) -> frozenset[str]:
    first = layout.first()
    return _closure([] if first is None else [first], lambda address: successors(layout.steps[address]))


def _closure(begin: Iterable[str], following: Callable[[str], Iterable[str]]) -> frozenset[str]:
    """All that can be reached."""
    reached: set[str] = set()
    waiting = list(begin)
    while waiting:
        each = waiting.pop()
        if each not in reached:
            reached.add(each)
            waiting += following(each)
    return frozenset(reached)


class _Ways:
    def __init__(self, names: Names) -> None:
        self._names = names
        self._layouts = names.layouts
        self.is_circular = False
        #: Asked at every step that leads there, so each flow is looked at once.
        self._passing: dict[str, bool] = {}

    def _steps(self) -> Iterator[tuple[Place, Placed]]:
        for flow, layout in self._layouts.items():
            for address, placed in layout.steps.items():
                yield (flow, address), placed

    def _at(self, place: Place) -> Placed:
        return self._layouts[place[0]].steps[place[1]]

    def _first(self, flow: str) -> Place | None:
        first = self._layouts[flow].first() if flow in self._layouts else None
        return None if first is None else (flow, first)

    # --- sub-flows -----------------------------------------------------------------------------------------

    def check_subflows(self, document: Document, flow: str) -> Iterator[Problem]:
        """Sub-flows come back: they are no circle, not too deep, and return by the ways that are named."""
        for placed in self._layouts[flow].steps.values():
            step = placed.step
            if isinstance(step, SubflowStep) and step.subflow in self._layouts:
                yield from self._check_subflow(document, flow, placed, step)
            elif isinstance(step, ReturnStep) and flow not in self._entered:
                message = f"nothing comes back from here: expected a step such as - subflow: {flow} in another flow"
                yield document.problem(placed.path, message)

    def _check_subflow(self, document: Document, flow: str, placed: Placed, step: SubflowStep) -> Iterator[Problem]:
        at = (*placed.path, "subflow")
        if flow in self._names.reached_from(step.subflow):
            self.is_circular = True
            yield document.problem(at, f"flow {quote(step.subflow)} leads back into {quote(flow)}: expected no circle")
        elif not self.is_circular and self._depth(flow) > MOST_NESTED:
            yield document.problem(at, f"sub-flows are nested deeper than {MOST_NESTED} levels: expected fewer")
        words = self._returned(step.subflow)
        for way in step.returns:
            if way not in words:
                message = f"flow {quote(step.subflow)} never returns {quote(way)}: expected "
                message += one_of(words).removeprefix("expected ") if words else "a return there with this word"
                message += did_you_mean(way, words)
                yield document.problem((*placed.path, "returns", way), message, at_key=True)

    def _jumps(self, flow: str) -> Iterator[str]:
        for placed in self._layouts[flow].steps.values():
            if isinstance(placed.step, FlowStep) and placed.step.flow in self._layouts:
                yield placed.step.flow

    def _returned(self, flow: str) -> list[str]:
        """The words by which a call comes back from a flow, or from one that it jumps to."""
        steps = (placed.step for each in _closure([flow], self._jumps) for placed in self._layouts[each].steps.values())
        return sorted({step.return_ for step in steps if isinstance(step, ReturnStep) and step.return_})

    @cached_property
    def _entered(self) -> frozenset[str]:
        """Flows from which a call may come back."""
        subflows = [placed.step.subflow for _, placed in self._steps() if isinstance(placed.step, SubflowStep)]
        return _closure([flow for flow in subflows if flow in self._layouts], self._jumps)

    def _depth(self, flow: str) -> int:
        """How deep sub-flows are nested in a flow, and in those that it jumps to; no circle may be left."""
        depth = 0
        level = _closure([flow], self._jumps)
        while depth <= MOST_NESTED:
            below = [
                placed.step.subflow
                for each in level
                for placed in self._layouts[each].steps.values()
                if isinstance(placed.step, SubflowStep) and placed.step.subflow in self._layouts
            ]
            if not below:
                break
            depth += 1
            level = _closure(below, self._jumps)
        return depth

    # --- loops without waiting -----------------------------------------------------------------------------

    def check_loops(self, documents: Mapping[str, Document]) -> Iterator[Problem]:
        """Loops on which nobody is waited for: the caller would be stuck in them. Reported where the loop closes."""
        seen: set[Place] = set()
        for place, _ in self._steps():
            if place not in seen:
                for closing in self._loops_from(place, seen):
                    yield documents[closing[0]].problem(self._at(closing).path, _ENDLESS)

    def _loops_from(self, start: Place, seen: set[Place]) -> Iterator[Place]:
        """Depth first, without recursion: the places from which the way leads back to a place on the way."""
        way: list[tuple[Place, Iterator[Place]]] = [(start, self._hurried(start))]
        on_way = {start}
        seen.add(start)
        while way:
            place, following = way[-1]
            onward = next(following, None)
            if onward is None:
                way.pop()
                on_way.discard(place)
            elif onward in on_way:
                yield place
            elif onward not in seen:
                seen.add(onward)
                on_way.add(onward)
                way.append((onward, self._hurried(onward)))

    def _hurried(self, place: Place) -> Iterator[Place]:
        """Where the call may go from here without anybody being waited for."""
        flow, _ = place
        placed = self._at(place)
        if placed.step.waits:
            return
        if isinstance(placed.step, FlowStep) and (first := self._first(placed.step.flow)) is not None:
            yield first
        if not isinstance(placed.step, SubflowStep) or self._passes(placed.step.subflow):
            for onward in successors(placed):
                yield flow, onward

    def _passes(self, flow: str) -> bool:
        """Whether a call may come back from a sub-flow without having been waited for."""
        if flow not in self._passing:
            self._passing[flow] = self._comes_back(flow)
        return self._passing[flow]

    def _comes_back(self, flow: str) -> bool:
        first = self._first(flow)
        if first is None:
            return True
        seen: set[Place] = set()
        waiting = [first]
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            placed = self._at(place)
            if not placed.step.waits and self._may_come_back(placed):
                return True
            waiting += self._hurried(place)
        return False

    def _may_come_back(self, placed: Placed) -> bool:
        """Whether the flow may be over after this step, and the call not."""
        if isinstance(placed.step, SubflowStep) and not self._passes(placed.step.subflow):
            return False
        if isinstance(placed.step, FlowStep):
            return self._first(placed.step.flow) is None
        return isinstance(placed.step, ReturnStep) or _runs_off(placed)

    # --- ways out ------------------------------------------------------------------------------------------

    def check_endings(self, documents: Mapping[str, Document]) -> Iterator[Problem]:
        """Places from which callers come nowhere but by hanging up; the first of each flow."""
        leading: dict[Place, list[Place]] = {}
        ending: list[Place] = []
        for place, placed in self._steps():
            if placed.step.serves or self._ends(placed):
                ending.append(place)
            for onward in self._onward(place):
                leading.setdefault(onward, []).append(place)
        seen: set[Place] = set()
        while ending:
            place = ending.pop()
            if place not in seen:
                seen.add(place)
                ending += leading.get(place, ())
        for flow, layout in self._layouts.items():
            reached = _reached_in(layout)
            stuck = [each for each in layout.steps if each in reached and (flow, each) not in seen]
            if stuck:
                asking = next((each for each in stuck if layout.steps[each].step.waits), stuck[0])
                yield documents[flow].problem(layout.steps[asking].path, _NO_WAY_OUT)

    def _onward(self, place: Place) -> Iterator[Place]:
        placed = self._at(place)
        if isinstance(placed.step, FlowStep) and (first := self._first(placed.step.flow)) is not None:
            yield first
        for onward in successors(placed):
            yield place[0], onward

    def _ends(self, placed: Placed) -> bool:
        """Whether the call, or the flow, may be over after this step."""
        if isinstance(placed.step, FlowStep):
            return self._first(placed.step.flow) is None
        return _runs_off(placed) or not (placed.exits or placed.step.falls_through)

    # --- before the answer ---------------------------------------------------------------------------------

    def check_answers(self, documents: Mapping[str, Document]) -> Iterator[Problem]:
        """Steps for calls that are not answered, at which every call has been."""
        unanswered = self._unanswered()
        for flow, layout in self._layouts.items():
            answered = (each for each in layout.steps if (flow, each) not in unanswered)
            for address in _reached_in(layout).intersection(answered):
                step = layout.steps[address].step
                if step.once_answered:
                    message = f"every call has been answered before it comes here: expected {step.once_answered}"
                    yield documents[flow].problem(layout.steps[address].path, message)

    def _unanswered(self) -> set[Place]:
        """Places to which a call may come that has not been answered."""
        led_to = {name for layout in self._layouts.values() for name in flows_named(layout)}
        begun = {rule.flow for rule in self._names.numbers} | (self._layouts.keys() - led_to)
        waiting = [first for flow in sorted(begun) if (first := self._first(flow)) is not None]
        seen: set[Place] = set()
        while waiting:
            place = waiting.pop()
            if place in seen:
                continue
            seen.add(place)
            placed = self._at(place)
            if not placed.step.answers:
                waiting += self._onward(place)
                if isinstance(placed.step, SubflowStep) and (first := self._first(placed.step.subflow)) is not None:
                    waiting.append(first)
        return seen


def _runs_off(placed: Placed) -> bool:
    return None in placed.exits.values() or (placed.step.falls_through and placed.after is None)
