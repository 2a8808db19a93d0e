"""A flow as a graph: a box for each node, with its steps in words, and arrows to where its ways out lead.

A way that goes on with the next step is no arrow. Steps written in place stand in the box of their node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ivr.site import Site
from ivr.step_kinds.base import BaseStep
from ivr.step_kinds.leading import FlowStep, GotoStep
from ivr.step_values import CONTINUE
from ivr.trail import FLOW, spelled


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a box. `depth`: how far in; `leads`: it only names a way out and where it leads; `step`: the address of
    the step that the line is about."""

    depth: int
    text: str
    leads: bool = False
    step: str = ""


@dataclass(frozen=True, slots=True)
class Arrow:
    """To another box, by these ways out; none where nothing decides. `ways`: which steps are left by which of their
    ways out when a call goes along it, as `ivr.trail` tells them."""

    labels: tuple[str, ...]
    target: str
    ways: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """A node of the flow, or another flow that it leads to, which has no lines."""

    id: str
    title: str
    lines: tuple[Line, ...] = ()
    arrows: tuple[Arrow, ...] = ()

    @property
    def is_other(self) -> bool:
        """Whether it stands for another flow; names of nodes have no spaces."""
        return " " in self.id


def graph(site: Site, flow: str) -> tuple[Box, ...]:
    """The boxes of a flow: the start, its other nodes as the file has them, other flows. KeyError if it is unknown."""
    here = site.flows[flow]
    default = site.settings.default_language
    names = sorted(here.nodes, key=lambda name: name != here.start)
    nodes = [
        Box(name, name, tuple(_lines(here.nodes[name], default, 0, name)), _arrows(name, here.nodes[name]))
        for name in names
    ]
    others = dict.fromkeys(arrow.target for box in nodes for arrow in box.arrows if arrow.target not in here.nodes)
    return (*nodes, *(Box(target, target) for target in others))


def as_text(site: Site, flow: str) -> str:
    """The graph in words, one thing a line, for comparing two versions."""
    title = site.flows[flow].title
    lines = [f"flow {flow}" + (f": {title}" if title else "")]
    for box in graph(site, flow):
        if box.title in site.flows[flow].nodes:
            lines += ["", box.title]
            lines += [f"{'  ' * (line.depth + 1)}{line.text}" for line in box.lines]
    return "\n".join(lines)


def _lines(steps: tuple[BaseStep, ...], default: str, depth: int, prefix: str) -> Iterator[Line]:
    """`prefix`: what the steps' addresses begin with (`ivr.layout`)."""
    for index, step in enumerate(steps):
        address = f"{prefix}:{index}"
        yield Line(depth, _told(step, default), step=address)
        if isinstance(step, GotoStep):
            continue
        for way, target in step.exits().items():
            if isinstance(target, tuple):
                yield Line(depth + 1, f"{way[-1]}:", step=address)
                yield from _lines(target, default, depth + 2, f"{address}.{way[-1]}")
            elif target != CONTINUE:
                yield Line(depth + 1, f"{way[-1]} → {target}", leads=True, step=address)


def _arrows(node: str, steps: tuple[BaseStep, ...]) -> tuple[Arrow, ...]:
    labels: dict[str, dict[str, None]] = {}
    ways: dict[str, list[tuple[str, str]]] = {}
    for target, label, step, way in _leads(node, steps):
        labels.setdefault(target, {}).update({label: None} if label else {})
        ways.setdefault(target, []).append((step, way))
    return tuple(Arrow(tuple(each), target, tuple(ways[target])) for target, each in labels.items())


def _leads(prefix: str, steps: tuple[BaseStep, ...], way_in: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Where steps lead, by which way out in words, and which step is left by which way; `way_in`: that of the step that
    holds them."""
    for index, step in enumerate(steps):
        address = f"{prefix}:{index}"
        if isinstance(step, FlowStep):
            yield f"flow {step.flow}", way_in, address, FLOW
        elif isinstance(step, GotoStep):
            yield step.goto, way_in, address, "goto"
        else:
            for way, target in step.exits().items():
                if isinstance(target, tuple):
                    yield from _leads(f"{address}.{way[-1]}", target, way[-1])
                elif target != CONTINUE:
                    yield target, way[-1], address, spelled(way)


def _told(step: BaseStep, default: str) -> str:
    """A step in words: its word, what stands behind it, and the options that the file gives."""
    if isinstance(step, GotoStep | FlowStep):
        return f"{step.word} → {getattr(step, step.word)}"
    ways = {way[0] for way in step.exits()}
    heard = {place[0] for place, _ in (*step.texts(), *step.sounds())}
    said, options = "", []
    for name, field in type(step).model_fields.items():
        key = field.alias or name
        value = getattr(step, name)
        if key == step.word:
            said = _shown(key, value, default, is_heard=key in heard)
        elif name in step.model_fields_set and key not in ways and value is not None:
            options.append(f"{key} {_shown(name, value, default, is_heard=key in heard)}")
    return (f"{step.word}: {said}" if said else step.word) + (f" ({'; '.join(options)})" if options else "")


def _shown(name: str, value: Any, default: str, *, is_heard: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        if is_heard:
            return _shown(name, value[default], default, is_heard=True)
        return ", ".join(f"{key} {each}" for key, each in value.items())
    if name == "digits":
        least, most = value
        return str(most) if least == most else f"{least}-{most}"
    if isinstance(value, tuple):
        return ", ".join(_shown(name, each, default, is_heard=is_heard) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}s"
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(value)).split())
