"""What may stand in a flow file: all kinds of step, and the flow that they make.

A step is known by its one step word (`say:`, `menu:`, …); there is no `type:`. The kinds are in `ivr.step_kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag, TypeAdapter
from typing_extensions import TypeAliasType

from ivr.errors import did_you_mean, quote
from ivr.step_kinds.agents import CallbackStep, QueueStep, VoicemailStep
from ivr.step_kinds.asking import CollectStep, ConfirmStep, LanguageStep, MenuStep
from ivr.step_kinds.base import BaseStep
from ivr.step_kinds.consent import RecordStep, SurveyStep
from ivr.step_kinds.hearing import AnswerStep, EarlyStep, PlayStep, RefuseStep, SayStep
from ivr.step_kinds.knowing import HoursStep, IfStep, LookupStep, SetStep, SwitchStep
from ivr.step_kinds.leading import FlowStep, GotoStep, HangupStep, ReturnStep, SubflowStep
from ivr.step_kinds.outside import SendTextStep, WebhookStep
from ivr.step_kinds.transfer import TransferStep
from ivr.step_values import NodeName, some_nodes
from ivr.values import Name, Part, Text, wrong

STEPS: Mapping[str, type[BaseStep]] = {
    step.word: step
    for step in (
        AnswerStep, RefuseStep, EarlyStep, SayStep, PlayStep, LanguageStep, MenuStep, CollectStep, ConfirmStep,
        HoursStep, LookupStep, SetStep, IfStep, SwitchStep, QueueStep, CallbackStep, VoicemailStep, GotoStep, FlowStep,
        SubflowStep, ReturnStep, HangupStep, TransferStep, RecordStep, SurveyStep,
        WebhookStep, SendTextStep,
    )
}  # fmt: skip
#: Steps that need nothing but their word.
BARE_WORDS = ("answer", "hangup", "return")


_SUCH = "expected a step such as say, menu, collect, queue or hangup"


def _word_of(value: Any) -> str:
    words = _words(value) if isinstance(value, dict) else []
    return f"step:{words[0]}" if words else "step:none"


def _words(value: Mapping[str, Any]) -> list[str]:
    """The step words among the keys, but those that are options of another one there: confirm in a collect step."""
    words = [key for key in value if key in STEPS]
    return [word for word in words if not any(word != other and word in STEPS[other].model_fields for other in words)]


def _step(value: Any) -> Any:
    """Accept a bare word for a step, and say in plain words what is not a step."""
    if isinstance(value, str):
        if value in BARE_WORDS:
            return {value: None}
        if value in STEPS:
            raise wrong(f"{quote(value)} needs something after it: expected for example {STEPS[value].example}")
        raise wrong(f"unknown step {quote(value)}: {_SUCH}{did_you_mean(value, STEPS)}")
    if not isinstance(value, dict) or not value:
        raise wrong("expected a step such as - say: Welcome.")
    words = _words(value)
    if len(words) > 1:
        raise wrong(f"two steps in one: {quote(words[0])} and {quote(words[1])}: expected a - before each step")
    if not words:
        first = next(iter(value))
        raise wrong(f"unknown step {quote(first)}: {_SUCH}{did_you_mean(first, STEPS)}")
    return value


if TYPE_CHECKING:
    Step = BaseStep
else:
    # With a name of its own the union is gone through once; otherwise each kind would be gone into from within the one
    # before it, and a few kinds more would be deeper than Python's stack.
    Step = TypeAliasType(
        "Step",
        Annotated[
            Union[tuple(Annotated[kind, Tag(f"step:{word}")] for word, kind in STEPS.items())],  # noqa: UP007 (computed)
            Discriminator(_word_of),
            BeforeValidator(_step),
        ],
    )


class Flow(Part):
    """One flow file: nodes of steps, and the node at which a call starts."""

    title: Text | None = None
    start: Name
    nodes: Annotated[Mapping[NodeName, tuple[Step, ...]], AfterValidator(some_nodes)]


for _kind in STEPS.values():
    _kind.model_rebuild(_types_namespace={"Step": Step})


def flow_schema() -> dict[str, Any]:
    """The JSON schema of a flow file, for editors and for the documentation."""
    schema = TypeAdapter(Flow).json_schema(by_alias=True)
    definitions = schema["$defs"]
    for definition in definitions.values():
        for kind in definition.get("properties", {}).values():
            if isinstance(kind.get("default"), float):
                kind["default"] = f"{kind['default']:g}s"
    for word in BARE_WORDS:
        name = STEPS[word].__name__
        definitions[name] = {"anyOf": [definitions[name], {"const": word}]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
