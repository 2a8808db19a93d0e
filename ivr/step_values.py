"""The kinds of value that only steps of a flow have: keys, counts of digits, retries, priorities, preferred agents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from ivr.errors import did_you_mean, quote
from ivr.values import Name, OneOrSeveral, Seconds, Text, in_turn, wrong

#: Words for the keys that YAML would take for something else.
KEY_WORDS = {"star": "*", "hash": "#"}
MOST_PREFERRED = 20
#: The target that means: go on with the next step.
CONTINUE = "continue"

LookUpField = Literal["number", "account", "pin"]
#: Beside the field by which a customer is found.
PIN: Final = "pin"


def _key(text: str) -> str:
    key = KEY_WORDS.get(text, text)
    if len(key) != 1 or key not in "0123456789*#":
        raise wrong(f"{quote(text)} is not a key: expected 0 to 9, star or hash{did_you_mean(text, KEY_WORDS)}")
    return key


def some_keys(keys: Any) -> Any:
    if keys == {}:
        raise wrong("the menu has no keys: expected at least one, such as 1: billing")
    for word, sign in KEY_WORDS.items() if isinstance(keys, dict) else ():
        if word in keys and sign in keys:
            raise wrong(f"{quote(word)} and {quote(sign)} are the same key: expected one of them")
    return keys


def _digits(value: Any) -> Any:
    match = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", value) if isinstance(value, str) else None
    if match is not None:
        least, most = int(match[1]), int(match[2])
    elif isinstance(value, int) and not isinstance(value, bool):
        least = most = value
    else:
        raise wrong(f"{quote(value)} is not a count of digits: expected a number such as 6 or a range such as 4-8")
    if not 1 <= least <= most <= 32:
        raise wrong(f"{quote(value)} digits cannot be read: expected 1 to 32, the smaller number first")
    return (least, most)


def _retries(count: int) -> int:
    if not 0 <= count <= 9:
        raise wrong(f"{count} retries: expected 0 to 9")
    return count


def _priority(priority: int) -> int:
    if not -1000 <= priority <= 1000:
        raise wrong(f"priority {priority}: expected -1000 to 1000")
    return priority


def _preferred(agents: tuple[str, ...]) -> tuple[str, ...]:
    if not 1 <= len(agents) <= MOST_PREFERRED or len(set(agents)) != len(agents):
        raise wrong(f"expected 1 to {MOST_PREFERRED} agents, each once")
    return agents


def some_nodes(nodes: Mapping[str, Any]) -> Mapping[str, Any]:
    if not nodes:
        raise wrong("the flow has no nodes: expected at least one, such as welcome:")
    return nodes


def _node_name(name: str) -> str:
    if name == CONTINUE:
        raise wrong(f"{quote(CONTINUE)} cannot name a node: it means the next step")
    return name


def _message_length(seconds: float) -> float:
    if not 1 <= seconds <= 600:
        raise wrong(f"{seconds:g}s for a message: expected 1s to 10m")
    return seconds


def _silence(seconds: float) -> float:
    if seconds != int(seconds) or seconds > 60:
        raise wrong(f"{seconds:g}s of silence: expected whole seconds, at most 60s, or 0s for none")
    return seconds


def _case(text: str) -> str:
    if not re.fullmatch(r"[\w +@#*-]{1,64}", text):
        raise wrong(f"{quote(text)} is not a case: expected a value of letters, digits, spaces and _ + @ # * -")
    return text


def some_cases(cases: Mapping[str, Any]) -> Mapping[str, Any]:
    if not cases:
        raise wrong("the switch has no cases: expected at least one, such as en: welcome")
    return cases


def one_field(lookup: Mapping[str, str]) -> Mapping[str, str]:
    if lookup.keys() == {PIN}:
        raise wrong("a PIN alone finds nobody: expected for example { account: $account, pin: $pin }")
    if len(lookup.keys() - {PIN}) != 1:
        raise wrong("a lookup is by exactly one field: expected for example { account: $account }")
    return lookup


Key = Annotated[str, AfterValidator(_key), WithJsonSchema({"type": "string", "pattern": "^([0-9*#]|star|hash)$"})]
#: A key that stands as a value, where YAML reads a digit as a number.
PressedKey = Annotated[Key, BeforeValidator(lambda key: str(key) if type(key) is int else key)]
Priority = Annotated[int, AfterValidator(_priority)]
#: Agents' ids, `last`, or values that stand for an id, best first.
Preferred = Annotated[
    tuple[Text, ...],
    BeforeValidator(in_turn),
    AfterValidator(_preferred),
    OneOrSeveral(),
]
Retries = Annotated[int, AfterValidator(_retries), WithJsonSchema({"type": "integer", "minimum": 0, "maximum": 9})]
DigitCount = Annotated[
    tuple[int, int],
    BeforeValidator(_digits),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 32},
                {"type": "string", "pattern": "^[0-9]{1,2}-[0-9]{1,2}$"},
            ]
        }
    ),
]
MessageLength = Annotated[Seconds, AfterValidator(_message_length)]
Silence = Annotated[Seconds, AfterValidator(_silence)]
Case = Annotated[str, AfterValidator(_case)]
NodeName = Annotated[Name, AfterValidator(_node_name)]
