"""A flow laid out: every step with its address, what follows it, and where its ways out lead.

An address is `node:index`, and inside steps written in place `node:index.way:index`, for example
`billing:1.found:0`. It is stable as long as the flow's text is, so a call can carry it and go on there.
A list of steps written in place that runs off its end goes on after the step that holds it; a node that runs
off its end ends the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ivr.errors import UnknownPlaceError
from ivr.schema import Flow
from ivr.step_kinds.base import BaseStep, Target, Way
from ivr.step_values import CONTINUE

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A step in its place. None as an address means the end of the flow. `path` is where it stands in the file."""

    address: str
    path: Path
    step: BaseStep
    after: str | None
    exits: Mapping[Way, str | None]
    previous: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """A target that names no node."""

    path: Path
    node: str


@dataclass(frozen=True, slots=True)
class Layout:
    """All steps of a flow by address."""

    start: str
    steps: Mapping[str, Placed]
    missing: tuple[Missing, ...]
    #: Node → address of its first step; None for a node without steps, which ends the flow.
    nodes: Mapping[str, str | None]

    def first(self) -> str | None:
        """The flow's first step; None for a flow that ends at once."""
        return self.nodes.get(self.start)

    def resume(self, address: str) -> str | None:
        """The step at an address, or the first of its node if the node has changed. Raises UnknownPlaceError."""
        if address in self.steps:
            return address
        node = address.partition(":")[0]
        if node not in self.nodes:
            raise UnknownPlaceError(f"there is no node {node}: expected one of {', '.join(self.nodes)}")
        return self.nodes[node]


def lay_out(flow: Flow) -> Layout:
    """Give every step its address and resolve every target."""
    return _Surveyor(flow).survey()


class _Surveyor:
    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.steps: dict[str, Placed] = {}
        self.missing: list[Missing] = []
        self.nodes = {name: f"{name}:0" if steps else None for name, steps in flow.nodes.items()}

    def survey(self) -> Layout:
        if self.flow.start not in self.nodes:
            self.missing.append(Missing(("start",), self.flow.start))
        for name, steps in self.flow.nodes.items():
            self._list(name, ("nodes", name), steps, None)
        return Layout(self.flow.start, self.steps, tuple(self.missing), self.nodes)

    def _list(self, prefix: str, path: Path, steps: tuple[BaseStep, ...], after: str | None) -> None:
        for index, step in enumerate(steps):
            address = f"{prefix}:{index}"
            following = f"{prefix}:{index + 1}" if index + 1 < len(steps) else after
            here = (*path, index)
            exits = {way: self._exit(address, here, way, to, following) for way, to in step.exits().items()}
            previous = f"{prefix}:{index - 1}" if index else None
            self.steps[address] = Placed(address, here, step, following, exits, previous)

    def _exit(self, address: str, path: Path, way: Way, to: Target, after: str | None) -> str | None:
        if isinstance(to, tuple):
            self._list(f"{address}.{way[-1]}", (*path, *way), to, after)
            return f"{address}.{way[-1]}:0" if to else after
        if to == CONTINUE:
            return after
        if to not in self.nodes:
            self.missing.append(Missing((*path, *way), to))
            return None
        return self.nodes[to]


def successors(placed: Placed) -> Iterator[str]:
    """Addresses that the call may go to from this step, within the flow."""
    for address in placed.exits.values():
        if address is not None:
            yield address
    if placed.step.falls_through and placed.after is not None:
        yield placed.after
