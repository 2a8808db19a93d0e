"""Conditions that nobody can fulfil are told from those that somebody can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.conditions import Condition
from ivr.verdicts import can_hold

LANGUAGES = {"language": ("en", "zh")}


@pytest.mark.parametrize(
    "text",
    [
        'caller == "1" && caller == "2"',
        'language == "fr"',
        '!(language in ["en", "zh"])',
        "customer.vip && !customer.vip",
        "customer.matches > 3 && customer.matches < 4",
        "customer.matches < 0",
        "int(account) > 5 && int(account) < 6",
        "int(account) < 5 && account == '7'",
        'caller == "" ? false : caller == ""',
        "false",
        "account in ['a', 'b'] && account != 'a' && account != \"b\"",
    ],
)
def test_what_nobody_can_fulfil_is_seen(text: str) -> None:
    assert not can_hold(Condition(text), LANGUAGES)


@pytest.mark.parametrize(
    "text",
    [
        'caller == "1" || caller == "2"',
        'language == "zh" && customer.vip',
        "customer.matches > 3 && customer.matches < 5",
        "int(account) > 5 && int(account) < 7",
        'caller != "1" && caller != "2"',
        'a != b && a != "" && b != "" && a != "true" && b != "true"',
        "account",
        "true",
        # Not judged:
        'caller.startsWith("1") && caller == "2"',
        "int(account) + 1 < int(account)",
        'account < "a" && account > "b"',
        r'account == "\x41" && account == "B"',
        " && ".join(f'{name} != "1"' for name in "abcdefghi"),
    ],
)
def test_what_somebody_can_fulfil_or_nobody_can_tell_passes(text: str) -> None:
    assert can_hold(Condition(text), LANGUAGES)


TERM = st.sampled_from(
    ['a == "x"', 'a != "x"', 'b == "y"', 'b in ["x", "y"]', "customer.vip", "customer.matches > 1", "int(a) < 7"]
)
TERMS = st.lists(st.tuples(st.sampled_from(["", "!"]), TERM), min_size=1, max_size=5)
VALUES = st.fixed_dictionaries(
    {
        "a": st.sampled_from(["x", "y", "", "6", "7", "12", "-3", "q"]),
        "b": st.sampled_from(["x", "y", "z", ""]),
        "customer.vip": st.sampled_from(["true", "false"]),
        "customer.matches": st.integers(0, 4).map(str),
    }
)


@given(TERMS, VALUES)
def test_what_some_values_fulfil_is_never_called_impossible(
    terms: list[tuple[str, str]], values: dict[str, str]
) -> None:
    condition = Condition(" && ".join(f"{sign}({term})" for sign, term in terms))
    try:
        holds = condition.holds(values)
    except Exception:  # noqa: BLE001 (int of a text: does not hold)
        holds = False

    assert can_hold(condition, {}) or not holds
