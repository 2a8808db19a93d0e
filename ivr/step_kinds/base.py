"""What all kinds of step share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

from pydantic import Discriminator, Tag

from ivr.steps import End, Instruction, Result
from ivr.values import Name, Part, Texts

if TYPE_CHECKING:
    from ivr.progress import Progress

    #: In the checked models it is the union of all kinds (`ivr.schema.Step`).
    Step: TypeAlias = "BaseStep"

Way = tuple[str, ...]
"""A way out, as the path of keys in the file: `("keys", "1")`."""
Place = tuple[str | int, ...]
"""Where something stands in a step, as the path of keys in the file."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The call goes on at the start of another flow."""

    flow: str


@dataclass(frozen=True, slots=True)
class Enter:
    """The call goes through another flow, with these values, and comes back to the step."""

    flow: str
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Return:
    """The call comes back from the flow, by this way where the step that entered it names it."""

    way: str


Steps = Generator[Instruction, Result, Way | Jump | Enter | Return | End | None]
"""A step being carried out: instructions, and then the way out (None: the next step), or where else the call goes."""


def _target_kind(value: Any) -> str:
    return "kind:steps" if isinstance(value, tuple) else "kind:node"


#: Where to go on: a node's name, `continue`, or steps written right here.
Target = Annotated[
    Annotated[Name, Tag("kind:node")] | Annotated[tuple["Step", ...], Tag("kind:steps")],
    Discriminator(_target_kind),
]


class Thing(StrEnum):
    """What a step can name that another file, or another flow, must have."""

    CALENDAR = "calendar"
    FLOW = "flow"
    QUEUE = "queue"
    #: A queue that calls customers back.
    CALLING_BACK = "queue that calls back"
    #: A queue of messages, not of calls.
    MESSAGES = "queue of messages"
    SKILL = "skill"
    #: A line to the telephone network; without a name: whichever there is.
    TRUNK = "trunk"
    #: An endpoint of `webhooks.yaml`.
    WEBHOOK = "webhook"
    #: What sends text messages; it has no name.
    GATEWAY = "gateway"


@dataclass(frozen=True, slots=True)
class Named:
    """A thing that a step names, and where; `at_key`: the name is the key there, not the value."""

    thing: Thing
    name: str
    place: Place
    at_key: bool = False


class BaseStep(Part, ABC):
    """What all steps share: their word, their ways out, what the checks ask of them, and what they do."""

    word: ClassVar[str]
    #: The step as it is written, for who forgot what stands after its word.
    example: ClassVar[str] = ""
    #: The step waits for the caller or for an agent, so that a loop through it is not a runaway.
    waits: ClassVar[bool] = False
    #: The next step may be reached without any of the ways out.
    falls_through: ClassVar[bool] = False
    #: The call has been answered once the step is over.
    answers: ClassVar[bool] = False
    #: What to write instead where the call has been answered; empty for steps that do not mind.
    once_answered: ClassVar[str] = ""
    #: Here callers get what they came for, so that a loop through it does not keep them.
    serves: ClassVar[bool] = False
    #: Secret values may stand in the step's values: they go nowhere that people or files see.
    takes_secrets: ClassVar[bool] = False

    @property
    def leads_to(self) -> str:
        """Where the step leads in one word, for who reads what the caller chose; empty where that says nothing."""
        return ""

    def exits(self) -> Mapping[Way, Target]:
        """Way out → where it leads, in a fixed order."""
        return {}

    @abstractmethod
    def take(self, call: Progress) -> Steps:
        """Carry the step out for a call. Nothing is done here that telephony does: that is asked for."""

    # --- what the checks ask -----------------------------------------------------------------------------

    def texts(self) -> Iterator[tuple[Place, Texts]]:
        """What is said."""
        yield from ()

    def written(self) -> Iterator[tuple[Place, Texts]]:
        """What is sent to be read."""
        yield from ()

    def own_words(self) -> Iterator[tuple[Place, Texts]]:
        """What is said in words of ours; there must be some in the site's default language."""
        yield from ()

    def sounds(self) -> Iterator[tuple[Place, Texts]]:
        """Sound files that are played."""
        yield from ()

    def values(self) -> Iterator[tuple[Place, str]]:
        """Values in which variables may stand."""
        yield from ()

    def takes_secret_at(self, place: Place) -> bool:
        """Whether secret values may stand in the value at this place."""
        return self.takes_secrets

    def conditions(self) -> Iterator[tuple[Place, str]]:
        """Conditions; each compiles with `Condition`."""
        yield from ()

    def compared(self) -> Iterator[tuple[Place, str, str]]:
        """A value, such as `$language`, and what it is held against."""
        yield from ()

    def assigned(self) -> Iterator[tuple[Place, str]]:
        """Names to which the step gives values, where they stand."""
        yield from ()

    def secrets(self) -> Iterator[str]:
        """Names among those assigned whose values are kept secret."""
        yield from ()

    def open_secrets(self) -> Iterator[tuple[Place, str]]:
        """Values that must be variables that are kept secret."""
        yield from ()

    def languages(self) -> Iterator[tuple[Place, str]]:
        """Languages that callers hear from here on."""
        yield from ()

    def named(self) -> Iterator[Named]:
        """Queues, calendars, flows, skills and trunks that must exist."""
        yield from ()

    def told(self) -> Iterator[str]:
        """Names among those assigned whose values agents are told."""
        yield from ()
