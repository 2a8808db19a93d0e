"""Flows as pictures, and what callers did in them; for supervisors and admins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query

from screenpop.db.flow_numbers import endings
from screenpop.errors import NotFoundError
from screenpop.flow_numbers import Containment, FlowNumbers, containment, flow_numbers
from screenpop.model import Value
from screenpop.ports import Flows
from screenpop.routes.services import Services, SignedIn, WithServices, refuse_agents

router = APIRouter(tags=["flows"])

_LATEST = 2**62
Instant = Annotated[int, Query(ge=0, lt=_LATEST, description="microseconds UTC")]


class FlowLine(Value):
    """A flow in a list. `now`: callers who are in it now; `containment`: of those who called today."""

    flow: str
    title: str
    version: str
    nodes: int
    now: int
    containment: Containment


class GraphLine(Value):
    """A step in words, or a way out of it; `step`: its address; `depth`: how far in it stands."""

    step: str
    depth: int
    text: str
    leads: bool


class GraphNode(Value):
    """A node of the flow, or another flow that it leads to (`is_flow`)."""

    id: str
    title: str
    is_start: bool
    is_flow: bool
    lines: tuple[GraphLine, ...]


class StepWay(Value):
    step: str
    way: str


class GraphEdge(Value):
    """`labels`: the ways out in words; `ways`: which steps are left by which of their ways when a call goes along."""

    source: str
    target: str
    labels: tuple[str, ...]
    ways: tuple[StepWay, ...]


class FlowGraph(Value):
    flow: str
    title: str
    version: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]


@router.get("/flows", summary="Flows, who is in them now, and today's containment; for supervisors")
async def flows(session: SignedIn, services: WithServices) -> list[FlowLine]:
    refuse_agents(session)
    site = _flows(services)
    since = site.today()
    ended = await services.store.look(lambda connection: endings(connection, since, _LATEST))
    standing = _standing(services)
    return [
        FlowLine(
            flow=flow,
            title=title,
            version=site.version,
            nodes=site.size(flow),
            now=sum(count for (name, _), count in standing.items() if name == flow),
            containment=containment(each for each in ended if each[0] == flow),
        )
        for flow, title in site.titles().items()
    ]


@router.get("/flows/{flow}/graph", summary="A flow's nodes with their steps in words, and where its ways out lead")
async def graph(session: SignedIn, services: WithServices, flow: str) -> FlowGraph:
    refuse_agents(session)
    site = _flows(services)
    title = _title(site.titles(), flow)
    boxes = site.graph(flow)
    return FlowGraph(
        flow=flow,
        title=title,
        version=site.version,
        nodes=tuple(
            GraphNode(
                id=box.id,
                title=box.title,
                is_start=at == 0,
                is_flow=box.is_other,
                lines=tuple(
                    GraphLine(step=line.step, depth=line.depth, text=line.text, leads=line.leads) for line in box.lines
                ),
            )
            for at, box in enumerate(boxes)
        ),
        edges=tuple(
            GraphEdge(
                source=box.id,
                target=arrow.target,
                labels=tuple(arrow.labels),
                ways=tuple(StepWay(step=step, way=way) for step, way in arrow.ways),
            )
            for box in boxes
            for arrow in box.arrows
        ),
    )


@router.get("/flows/{flow}/numbers", summary="What callers did at each node and step; without times: today")
async def numbers(
    session: SignedIn,
    services: WithServices,
    flow: str,
    since: Instant | None = None,
    until: Instant | None = None,
    version: Annotated[str, Query(max_length=64, pattern="^[0-9a-f]*$")] = "",
) -> FlowNumbers:
    refuse_agents(session)
    site = _flows(services)
    _title(site.titles(), flow)
    since_at = site.today() if since is None else since
    until_at = _LATEST if until is None else until
    standing = _standing(services)
    return await services.store.look(
        lambda connection: flow_numbers(connection, flow, since_at, until_at, version, standing)
    )


def _flows(services: Services) -> Flows:
    if services.flows is None:
        raise NotFoundError("flows: expected a server that carries some out")
    return services.flows


def _standing(services: Services) -> Mapping[tuple[str, str], int]:
    return {} if services.footfall is None else services.footfall.standing()


def _title(titles: Mapping[str, str], flow: str) -> str:
    if flow not in titles:
        raise NotFoundError(f"flow {flow[:80]}: expected one of {', '.join(titles)}")
    return titles[flow]
