"""What may stand in a flow file: the models of its steps.

A step is known by its one step word (`say:`, `menu:`, …); there is no `type:`. A step that leads somewhere lists
its ways out in `exits()`, in a fixed order; the layout, the checks and the interpreter all follow these.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, TypeAdapter

from ivr.conditions import Condition
from ivr.errors import did_you_mean, one_of, quote
from ivr.step_values import (
    CONTINUE,
    DigitCount,
    Key,
    LookUpField,
    MessageLength,
    NodeName,
    Preferred,
    Priority,
    Retries,
    Silence,
    one_field,
    some_keys,
    some_nodes,
)
from ivr.values import (
    Announcements,
    Name,
    Part,
    Seconds,
    SkillChoice,
    SkillLevel,
    Sounds,
    Text,
    Texts,
    VariableName,
    wrong,
)

#: How a wait for an agent may end.
QUEUE_EXITS = ("served", "timed_out", "full", "long_wait", "nobody", "closed")
#: The wait ended in a promise to call back; where nothing else is said, with the call.
PROMISED_EXIT = "promised"


def _target_kind(value: Any) -> str:
    return "kind:steps" if isinstance(value, tuple) else "kind:node"


#: Where to go on: a node's name, `continue`, or steps written right here.
Target = Annotated[
    Annotated[Name, Tag("kind:node")] | Annotated[tuple["Step", ...], Tag("kind:steps")], Discriminator(_target_kind)
]


class BaseStep(Part):
    """What all steps share: their word, their ways out, and whether they wait for the caller."""

    word: ClassVar[str]
    #: The step waits for the caller or for an agent, so that a loop through it is not a runaway.
    waits: ClassVar[bool] = False
    #: The next step may be reached without any of the ways out.
    falls_through: ClassVar[bool] = False

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        """Way out → where it leads; a way is the path of keys in the file."""
        return {}


class AnswerStep(BaseStep):
    """Answer the call."""

    word = "answer"
    falls_through = True
    answer: None


class RefuseStep(BaseStep):
    """End the call without answering it: the caller hears busy, or the network's notice."""

    word = "refuse"
    refuse: Literal["busy", "closed", "blocked"]


class SayStep(BaseStep):
    """Say a text."""

    word = "say"
    falls_through = True
    say: Texts
    barge_in: bool = False


class PlayStep(BaseStep):
    """Play a sound file."""

    word = "play"
    falls_through = True
    play: Sounds
    barge_in: bool = False


class MenuStep(BaseStep):
    """Let the caller choose by one key."""

    word = "menu"
    waits = True
    menu: Texts
    keys: Annotated[Mapping[Key, Target], BeforeValidator(some_keys)]
    wait_s: Seconds = Field(5.0, alias="wait")
    retries: Retries = 2
    barge_in: bool = True
    invalid: Texts | None = None
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {**{("keys", key): target for key, target in self.keys.items()}, ("otherwise",): self.otherwise}


class CollectStep(BaseStep):
    """Let the caller type digits into a variable."""

    word = "collect"
    falls_through = True
    waits = True
    collect: Texts
    into: VariableName
    digits: DigitCount
    end: Literal["hash", "star", "none"] = "hash"
    wait_s: Seconds = Field(5.0, alias="wait")
    between_s: Seconds = Field(3.0, alias="between")
    retries: Retries = 2
    barge_in: bool = True
    invalid: Texts | None = None
    secret: bool = False
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("otherwise",): self.otherwise}


class HoursStep(BaseStep):
    """Go on by whether a calendar is open now."""

    word = "hours"
    hours: Name
    open: Target = CONTINUE
    closed: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("open",): self.open, ("closed",): self.closed}


class LookupStep(BaseStep):
    """Find the customer."""

    word = "lookup"
    lookup: Annotated[Mapping[LookUpField, str], AfterValidator(one_field)]
    found: Target = CONTINUE
    several: Target = CONTINUE
    unknown: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("found",): self.found, ("several",): self.several, ("unknown",): self.unknown}


class SetStep(BaseStep):
    """Keep values under names."""

    word = "set"
    falls_through = True
    set: Mapping[VariableName, str]


class IfStep(BaseStep):
    """Go on by a condition."""

    word = "if"
    if_: str = Field(alias="if")
    then: Target = CONTINUE
    else_: Target = Field(CONTINUE, alias="else")

    @cached_property
    def condition(self) -> Condition:
        """The compiled condition; raises ConditionError."""
        return Condition(self.if_)

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("then",): self.then, ("else",): self.else_}


class QueueStep(BaseStep):
    """Wait for an agent."""

    word = "queue"
    waits = True
    queue: Name
    priority: Priority = 0
    skills: Mapping[Name, SkillLevel] = Field(default_factory=dict)
    any_skill: tuple[SkillChoice, ...] = ()
    prefer: Preferred = ()
    prefer_for_s: Seconds = Field(30.0, alias="prefer_for")
    attributes: Mapping[VariableName, str] = Field(default_factory=dict)
    announcement: Announcements | None = None
    announce_every_s: Seconds | None = Field(None, alias="announce_every")
    max_wait_s: Seconds | None = Field(None, alias="max_wait")
    music: Name | None = None
    served: Target | None = None
    timed_out: Target | None = None
    full: Target | None = None
    long_wait: Target | None = None
    nobody: Target | None = None
    closed: Target | None = None
    promised: Target | None = None
    then: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        named = {way: getattr(self, way) for way in QUEUE_EXITS}
        given: dict[tuple[str, ...], Target] = {(way,): to for way, to in named.items() if to is not None}
        if len(given) < len(named):
            given["then",] = self.then
        return given if self.promised is None else {**given, (PROMISED_EXIT,): self.promised}


class CallbackStep(BaseStep):
    """Promise to call the caller back."""

    word = "callback"
    waits = True
    callback: Name
    priority: Priority = 0
    attributes: Mapping[VariableName, str] = Field(default_factory=dict)
    promised: Target = CONTINUE
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("promised",): self.promised, ("otherwise",): self.otherwise}


class VoicemailStep(BaseStep):
    """Record a message."""

    word = "voicemail"
    falls_through = True
    waits = True
    voicemail: Texts
    at_most_s: MessageLength = Field(120.0, alias="at_most")
    silence_s: Silence = Field(5.0, alias="silence")
    otherwise: Target = CONTINUE

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("otherwise",): self.otherwise}


class GotoStep(BaseStep):
    """Go on at another node."""

    word = "goto"
    goto: Name

    def exits(self) -> Mapping[tuple[str, ...], Target]:
        return {("goto",): self.goto}


class FlowStep(BaseStep):
    """Go on at the start of another flow."""

    word = "flow"
    flow: Name


class HangupStep(BaseStep):
    """End the call as designed."""

    word = "hangup"
    hangup: None


STEPS: Mapping[str, type[BaseStep]] = {
    step.word: step
    for step in (
        AnswerStep, RefuseStep, SayStep, PlayStep, MenuStep, CollectStep, HoursStep, LookupStep, SetStep, IfStep,
        QueueStep, CallbackStep, VoicemailStep, GotoStep, FlowStep, HangupStep,
    )
}  # fmt: skip
#: Steps that need nothing but their word.
BARE_WORDS = ("answer", "hangup")


def _word_of(value: Any) -> str:
    words = [key for key in value if key in STEPS] if isinstance(value, dict) else []
    return f"step:{words[0]}" if words else "step:none"


def _step(value: Any) -> Any:
    """Accept a bare word for a step, and say in plain words what is not a step."""
    if isinstance(value, str):
        if value in BARE_WORDS:
            return {value: None}
        if value in STEPS:
            raise wrong(f"{quote(value)} needs something after it: expected for example {_EXAMPLES[value]}")
        raise wrong(f"unknown step {quote(value)}: {one_of(STEPS)}{did_you_mean(value, STEPS)}")
    if not isinstance(value, dict) or not value:
        raise wrong("expected a step such as - say: Welcome.")
    words = [key for key in value if key in STEPS]
    if len(words) > 1:
        raise wrong(f"two steps in one: {quote(words[0])} and {quote(words[1])}: expected a - before each step")
    if not words:
        first = next(iter(value))
        raise wrong(f"unknown step {quote(first)}: {one_of(STEPS)}{did_you_mean(first, STEPS)}")
    return value


_EXAMPLES = {
    "refuse": "refuse: busy", "say": "say: Welcome.", "play": "play: welcome.wav", "menu": "menu: For sales, press 1.",
    "collect": "collect: Please enter your account number.", "hours": "hours: office",
    "lookup": "lookup: { account: $account }", "set": "set: { topic: Billing }", "if": "if: customer.vip",
    "queue": "queue: billing", "callback": "callback: billing", "voicemail": "voicemail: Please leave a message.",
    "goto": "goto: welcome", "flow": "flow: main",
}  # fmt: skip

Step = Annotated[
    Annotated[AnswerStep, Tag("step:answer")]
    | Annotated[RefuseStep, Tag("step:refuse")]
    | Annotated[SayStep, Tag("step:say")]
    | Annotated[PlayStep, Tag("step:play")]
    | Annotated[MenuStep, Tag("step:menu")]
    | Annotated[CollectStep, Tag("step:collect")]
    | Annotated[HoursStep, Tag("step:hours")]
    | Annotated[LookupStep, Tag("step:lookup")]
    | Annotated[SetStep, Tag("step:set")]
    | Annotated[IfStep, Tag("step:if")]
    | Annotated[QueueStep, Tag("step:queue")]
    | Annotated[CallbackStep, Tag("step:callback")]
    | Annotated[VoicemailStep, Tag("step:voicemail")]
    | Annotated[GotoStep, Tag("step:goto")]
    | Annotated[FlowStep, Tag("step:flow")]
    | Annotated[HangupStep, Tag("step:hangup")],
    Discriminator(_word_of),
    BeforeValidator(_step),
]


class Flow(Part):
    """One flow file: nodes of steps, and the node at which a call starts."""

    title: Text | None = None
    start: Name
    nodes: Annotated[Mapping[NodeName, tuple[Step, ...]], AfterValidator(some_nodes)]


for _model in (
    MenuStep,
    CollectStep,
    HoursStep,
    LookupStep,
    IfStep,
    QueueStep,
    CallbackStep,
    VoicemailStep,
    GotoStep,
    Flow,
):
    _model.model_rebuild()


def flow_schema() -> dict[str, Any]:
    """The JSON schema of a flow file, for editors and for the documentation."""
    schema = TypeAdapter(Flow).json_schema(by_alias=True)
    definitions = schema["$defs"]
    for definition in definitions.values():
        for kind in definition["properties"].values():
            if isinstance(kind.get("default"), float):
                kind["default"] = f"{kind['default']:g}s"
    for word in BARE_WORDS:
        name = STEPS[word].__name__
        definitions[name] = {"anyOf": [definitions[name], {"const": word}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
