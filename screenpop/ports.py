"""What the web side needs of the routing side, as Protocols; `cti.main` hands in the real thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from acd.events import Event
from acd.snapshot import Board
from acd.why import Why


class Desk(Protocol):
    """The routing engine as a screen sees it. Both calls run on the event loop and never wait."""

    def submit(self, event: Event) -> None:
        """Hand an event to the engine; its facts come back through `Live.publish`."""
        ...

    def board(self) -> Board:
        """Queues, agents and open interactions now."""
        ...

    def now(self) -> int:
        """The engine's clock: microseconds UTC."""
        ...

    def health(self) -> dict[str, object]:
        """`ready` (bool), `why_not` (list of words) and details of the links."""
        ...


class Exposition(Protocol):
    """Figures for programs that watch."""

    @property
    def content_type(self) -> str: ...
    @property
    def token(self) -> str:
        """Lets those in who ask from elsewhere than this machine; empty: nobody."""
        ...

    def text(self, *, database_up: bool, desktops: int) -> bytes:
        """All of them now; runs on the event loop and never waits."""
        ...


class Inquiry(Protocol):
    """Answers that take a while, because the journal is replayed for them; it is no part of the desk."""

    async def why(self, wanted: str) -> Why | None:
        """Why this offer (`<interaction>/<n>`) was made, or why this interaction waits or was offered last; None
        when the journal does not know it. Raises TimeoutError when too many ask, or when it takes too long."""
        ...


class DrawnLine(Protocol):
    """A step of a box in words, or one of its ways out (`leads`)."""

    @property
    def depth(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def leads(self) -> bool: ...
    @property
    def step(self) -> str: ...


class DrawnArrow(Protocol):
    """To another box. `ways`: (step, way out) by which calls go along it."""

    @property
    def labels(self) -> Sequence[str]: ...
    @property
    def target(self) -> str: ...
    @property
    def ways(self) -> Sequence[tuple[str, str]]: ...


class DrawnBox(Protocol):
    """A node of a flow, or another flow that it leads to."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def is_other(self) -> bool: ...
    @property
    def lines(self) -> Sequence[DrawnLine]: ...
    @property
    def arrows(self) -> Sequence[DrawnArrow]: ...


class Flows(Protocol):
    """The flows that new calls go through."""

    @property
    def version(self) -> str:
        """Of the site's files, as long as the sums of numbers keep it."""
        ...

    def titles(self) -> Mapping[str, str]:
        """Flow → what people call it, empty where the file does not say."""
        ...

    def size(self, flow: str) -> int:
        """How many nodes it has."""
        ...

    def graph(self, flow: str) -> Sequence[DrawnBox]:
        """Its boxes, the start first. KeyError if there is no such flow."""
        ...

    def today(self) -> int:
        """When the day began at the site, microseconds UTC."""
        ...


class PublishedVersion(Protocol):
    """`calls`: callers in progress who began on its files; `of`: the version whose files were made live again, or 0."""

    @property
    def number(self) -> int: ...
    @property
    def hash(self) -> str: ...
    @property
    def published_at(self) -> int: ...
    @property
    def by(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def of(self) -> int: ...
    @property
    def is_live(self) -> bool: ...
    @property
    def calls(self) -> int: ...


class PublishAnswer(Protocol):
    """What is live now, whether it is new, or everything that is wrong with the files."""

    @property
    def number(self) -> int: ...
    @property
    def is_new(self) -> bool: ...
    @property
    def problems(self) -> Sequence[str]: ...


class CheckAnswer(Protocol):
    """What is wrong with the working files, what might be, and whether they are those that are live."""

    @property
    def problems(self) -> Sequence[str]: ...
    @property
    def hints(self) -> Sequence[str]: ...
    @property
    def is_live(self) -> bool: ...


class ChangedFlow(Protocol):
    """A flow whose graph differs: `added`, `removed` or `changed`, and how."""

    @property
    def flow(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def diff(self) -> str: ...


class Differences(Protocol):
    """Of files and of flows; `problems` where flows cannot be compared, since files are wrong."""

    @property
    def diff(self) -> str: ...
    @property
    def flows(self) -> Sequence[ChangedFlow]: ...
    @property
    def problems(self) -> Sequence[str]: ...


class Publishing(Protocol):
    """Published versions of the site's files."""

    async def versions(self) -> Sequence[PublishedVersion]:
        """Newest first."""
        ...

    async def diff(self, old: int, new: int) -> Differences | None:
        """The differences of two versions, `new` 0: of the working files; None where one is not kept."""
        ...

    async def check(self) -> CheckAnswer:
        """Hold the working files against everything but the voice; changes nothing."""
        ...

    async def publish(self, by: str, note: str) -> PublishAnswer:
        """Check, render and make live the working files."""
        ...

    async def roll_back(self, by: str, number: int, note: str) -> PublishAnswer:
        """Make an earlier version live again; 0: the one before."""
        ...


class Standing(Protocol):
    """Knows where callers are."""

    def standing(self) -> Mapping[tuple[str, str], int]:
        """Flow and step → how many callers are there now."""
        ...
