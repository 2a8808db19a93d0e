"""What callers did in a flow, as people ask for it: per node and step, and how many needed no agent.

**Containment rate** = calls that ended self-served / calls that are over, where

- calls are those that arrived in the time asked for, came into the flow by their number (or dialled the number, where
  it is told per number), and have ended; those that were refused are left out: nothing was offered to them;
- self-served is the outcome of a call whose flow came to its end as designed, without an agent, a message, a transfer
  or a promise to call back. Who hangs up in the middle of a flow counts as not contained: whether they had heard
  enough is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy.engine import Connection

from acd.model import Outcome
from screenpop.db.flow_numbers import QUARTER_US, Sums, endings, sums_of, versions_of
from screenpop.model import Value

_LEFT_OUT = (Outcome.REFUSED.value,)


class Containment(Value):
    """`rate`: contained / calls; null without calls."""

    calls: int = 0
    contained: int = 0
    rate: float | None = None


class NumberContainment(Containment):
    """Of those who dialled one number."""

    number: str


class StepNumbers(Value):
    """`left`: ways out and how often each was taken; `stayed_us`: all stays together, those of callers who are still
    there left out; `now`: callers who are there now."""

    step: str
    entered: int
    hung_up: int
    timed_out: int
    invalid: int
    stayed_us: int
    left: Mapping[str, int]
    now: int


class NodeNumbers(Value):
    """A node: `entered` is how often calls came to its first step; the rest are sums over its steps."""

    node: str
    entered: int
    hung_up: int
    timed_out: int
    invalid: int
    stayed_us: int
    now: int
    steps: tuple[StepNumbers, ...]


class FlowNumbers(Value):
    """[since, until) in microseconds UTC, `since` drawn to a quarter of an hour; `version`: the one asked for, empty:
    all; `versions`: those by which callers went, the last one first."""

    flow: str
    since: int
    until: int
    version: str
    versions: tuple[str, ...]
    containment: Containment
    numbers: tuple[NumberContainment, ...]
    nodes: tuple[NodeNumbers, ...]


Ending = tuple[str, str, str, int]


def flow_numbers(
    connection: Connection,
    flow: str,
    since_at: int,
    until_at: int,
    version: str = "",
    standing: Mapping[tuple[str, str], int] | None = None,
) -> FlowNumbers:
    """What happened in a flow in the quarters of an hour from the one of `since_at` to the one before `until_at`;
    `standing`: who is where now."""
    since_at -= since_at % QUARTER_US
    ended = [each for each in endings(connection, since_at, until_at) if each[0] == flow]
    return FlowNumbers(
        flow=flow,
        since=since_at,
        until=until_at,
        version=version,
        versions=tuple(versions_of(connection, flow, since_at, until_at)),
        containment=containment(ended),
        numbers=by_number(ended),
        nodes=by_node(flow, sums_of(connection, since_at, until_at, flow, version), standing or {}),
    )


def containment(endings: Iterable[Ending]) -> Containment:
    """Of (flow, number, outcome, calls)."""
    calls = contained = 0
    for _, _, outcome, count in endings:
        if outcome not in _LEFT_OUT:
            calls += count
            contained += count if outcome == Outcome.SELF_SERVED.value else 0
    return Containment(calls=calls, contained=contained, rate=contained / calls if calls else None)


def by_number(endings: Iterable[Ending]) -> tuple[NumberContainment, ...]:
    """The same for each dialled number, most called first."""
    numbers: dict[str, list[Ending]] = {}
    for ending in endings:
        numbers.setdefault(ending[1], []).append(ending)
    found = [NumberContainment(number=number, **containment(each).model_dump()) for number, each in numbers.items()]
    return tuple(sorted((each for each in found if each.calls), key=lambda each: (-each.calls, each.number)))


def by_node(
    flow: str, sums: Mapping[tuple[str, str], Sums], standing: Mapping[tuple[str, str], int]
) -> tuple[NodeNumbers, ...]:
    """The nodes of a flow where anything happened or anybody is, by their names."""
    steps: dict[str, list[StepNumbers]] = {}
    for name, step in sorted({*sums, *standing}, key=lambda spot: _in_order(spot[1])):
        if name == flow:
            found = sums.get((name, step), Sums())
            steps.setdefault(node_of(step), []).append(
                StepNumbers(
                    step=step, entered=found.entered, hung_up=found.hung_up, timed_out=found.timed_out,
                    invalid=found.invalid, stayed_us=found.stayed_us, left=dict(sorted(found.ways.items())),
                    now=standing.get((name, step), 0),
                )
            )  # fmt: skip
    return tuple(_node(name, tuple(steps[name])) for name in sorted(steps))


def node_of(step: str) -> str:
    """The node that a step stands in."""
    return step.partition(":")[0]


def _in_order(step: str) -> list[tuple[bool, int, str]]:
    """As steps stand in the file: the tenth after the second."""
    parts = step.replace(".", ":").split(":")
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def _node(name: str, steps: tuple[StepNumbers, ...]) -> NodeNumbers:
    return NodeNumbers(
        node=name,
        entered=sum(each.entered for each in steps if each.step == f"{name}:0"),
        hung_up=sum(each.hung_up for each in steps),
        timed_out=sum(each.timed_out for each in steps),
        invalid=sum(each.invalid for each in steps),
        stayed_us=sum(each.stayed_us for each in steps),
        now=sum(each.now for each in steps),
        steps=steps,
    )


def told(numbers: FlowNumbers) -> list[str]:
    """Lines for people: the flow, its numbers, each node with its steps and ways out."""
    lines = [f"{numbers.flow}: {_contained(numbers.containment)}"]
    lines += [f"  called as {each.number}: {_contained(each)}" for each in numbers.numbers]
    for node in numbers.nodes:
        lines.append(f"{node.node}: {_told(node)}")
        for step in node.steps:
            lines.append(f"  {step.step}: {_told(step)}")
            lines += [f"    {way}: {count}" for way, count in step.left.items()]
    return lines


def _contained(found: Containment) -> str:
    rate = "" if found.rate is None else f", {found.rate:.1%} self-served without an agent"
    return f"{found.calls} calls over{rate}"


def _told(found: NodeNumbers | StepNumbers) -> str:
    ended = found.entered
    mean = f", {found.stayed_us / 1_000_000 / ended:.1f} s each" if ended else ""
    return (
        f"entered {found.entered}{mean}, hung up here {found.hung_up}, "
        f"time-outs {found.timed_out}, invalid keys {found.invalid}"
    )
