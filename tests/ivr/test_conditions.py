from __future__ import annotations

import pytest

from ivr.conditions import MOST_CHARACTERS, Condition, ConditionError

KNOWN = ("caller", "account", "language", "customer.vip", "customer.matches", "customer.name")


@pytest.mark.parametrize(
    ("text", "variables", "holds"),
    [
        ("customer.vip", {"customer.vip": "true"}, True),
        ("customer.vip", {"customer.vip": "no"}, False),
        ("customer.vip", {}, False),
        ("!customer.vip && caller != ''", {"caller": "+4989"}, True),
        ("customer.matches > 1", {"customer.matches": "2"}, True),
        ("customer.matches > 1", {"customer.matches": "many"}, False),
        ('language == "zh" || customer.name == "Ada"', {"customer.name": "Ada"}, True),
        ('caller.startsWith("+49") ? size(caller) > 5 : false', {"caller": "+498999"}, True),
        ('caller in ["1", "2"]', {"caller": "2"}, True),
        ("int(account) % 2 == 0", {"account": "100202"}, True),
        ('string(customer.matches).matches("^[0-9]$")', {}, True),
        ("account", {"account": "yes"}, True),
        ("account", {"account": "perhaps"}, False),
        ("caller == 'a \"all(\" b'", {}, False),
    ],
)
def test_a_condition_holds_or_not(text: str, variables: dict[str, str], holds: bool) -> None:
    condition = Condition(text)

    condition.check(KNOWN)
    assert condition.holds(variables) is holds


def test_names_stand_with_their_places() -> None:
    assert Condition("customer.vip && caller . startsWith('x.y') || true").names == (
        ("customer.vip", 0),
        ("caller", 16),
    )


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("customer.vip &&", "the condition cannot be read: mismatched input '<EOF>'", 15),
        ("caller ==\n&& 3", "the condition cannot be read: extraneous input '&&'", 10),
        (" " * (MOST_CHARACTERS + 1), f"the condition has {MOST_CHARACTERS + 1} characters: expected at most 400", 0),
        ('caller == "" // "\n|| [1].all(x, x > 0) // "', '"all" cannot be called in a condition', 24),
        ("[1].map(caller, caller)", '"map" cannot be called in a condition', 3),
        ("[1]  .  exists (caller, true)", '"exists" cannot be called in a condition', 5),
        ("caller.exists_one(x, x)", '"exists_one" cannot be called in a condition', 0),
        ("has(customer.name)", '"has" cannot be called in a condition', 0),
        ("caller == ''' '''", "a text in three quotes is not allowed", 10),
        ("caller == r'x'", "a letter in front of a quote is not allowed", 10),
        ("customer['vip']", 'unknown variable "customer"', 0),
        ("caller || custmer.vip", 'unknown variable "custmer.vip"', 10),
        ("caller > 5", "the condition cannot be evaluated: the kinds do not fit", 0),
        ("1 / 0 == 1", "the condition cannot be evaluated", 0),
        ("int('x') == 1", "the condition cannot be evaluated", 0),
        ("size(caller)", "the condition gives 1: expected true or false", 0),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, message: str, offset: int) -> None:
    with pytest.raises(ConditionError) as caught:
        Condition(text).check(KNOWN)

    assert str(caught.value).startswith(message)
    assert caught.value.offset == offset


def test_a_condition_that_fails_on_a_value_says_so() -> None:
    with pytest.raises(ConditionError, match="cannot be evaluated"):
        Condition("int(account) > 5").holds({"account": "none"})


def test_long_values_are_cut() -> None:
    assert Condition("size(caller) == 256").holds({"caller": "9" * 10_000})


def test_deep_nesting_ends_in_an_error_not_in_a_crash() -> None:
    with pytest.raises(ConditionError, match="cannot be read"):
        Condition("(" * 199 + "1" + ")" * 199)
    with pytest.raises(ConditionError, match="gives 1"):
        Condition("-" * 390 + "1").check(())
