"""Whether a condition can hold at all: tried with every value that could make a difference.

Where a condition only compares (`==`, `!=`, `in`, and `<` with numbers), what matters of a text is which of the
condition's literals it is, or that it is none of them, and whether two texts are the same; of a number, on which side
of a literal it lies. Those values are few, so all of them are tried. One that does more (`startsWith`, arithmetic) is
not judged.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from math import prod

from ivr.conditions import Condition, ConditionError, is_number, is_yes_or_no

MOST_TRIALS = 4096

_LOGIC = frozenset({"_&&_", "_||_", "!_", "_?_:_", "_==_", "_!=_", "@in", "int"})
_ORDER = frozenset({"_<_", "_<=_", "_>_", "_>=_"})
_LITERAL = re.compile(r"\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|(?<![\w.])(-?[0-9]{1,9})(?![\w.])")
#: A text that no flow compares with.
_OTHER = "\u0001"


def can_hold(condition: Condition, domains: Mapping[str, Collection[str]]) -> bool:
    """False when no values of the variables make the condition hold; True also where nobody can tell.

    `domains`: variables that only have these values, such as `language`. The condition has passed its check.
    """
    names = tuple(dict.fromkeys(name for name, _ in condition.names))
    if not condition.functions <= _LOGIC | _ORDER or "\\" in condition.text:
        return True
    is_text = {name: not (name in domains or is_number(name) or is_yes_or_no(name)) for name in names}
    if condition.functions & _ORDER and "int" not in condition.functions and any(is_text.values()):
        return True  # texts are compared letter by letter: literals do not bound them
    candidates = [_candidates(name, condition, domains) for name in names]
    if prod(map(len, candidates)) > MOST_TRIALS:
        return True
    return any(_holds(condition, dict(zip(names, values, strict=True))) for values in product(*candidates))


def _holds(condition: Condition, variables: Mapping[str, str]) -> bool:
    """A condition that cannot be evaluated does not hold, as in a call."""
    try:
        return condition.holds(variables)
    except ConditionError:
        return False


def _candidates(name: str, condition: Condition, domains: Mapping[str, Collection[str]]) -> Sequence[str]:
    if name in domains:
        return sorted(domains[name])
    if is_yes_or_no(name):
        return ("true", "false")
    texts: dict[str, None] = {}
    numbers = {0, 10**9 - 1}
    for match in _LITERAL.finditer(condition.text):
        if match[3] is None:
            text = match[1] if match[2] is None else match[2]
            texts[text] = None
            numbers |= _around(text)
        else:
            numbers |= _around(match[3])
    if is_number(name):
        return [str(number) for number in sorted(numbers) if number >= 0]
    counted = (str(number) for number in sorted(numbers)) if "int" in condition.functions else ()
    return list(dict.fromkeys(["", _OTHER, f"{_OTHER}{name}", "true", *texts, *counted]))


def _around(text: str) -> set[int]:
    number = int(text) if re.fullmatch("-?[0-9]{1,9}", text) else None
    return set() if number is None else {number - 1, number, number + 1}
