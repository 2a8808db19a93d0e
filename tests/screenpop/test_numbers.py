from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from screenpop.errors import InvalidRequestError
from screenpop.numbers import Caller, NumberPlan, written

GERMANY = NumberPlan("DE", {"2001", "123456789"})


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("+4930901820", "+4930901820"),
        ("030 901820", "+4930901820"),
        ("030/90-18-20", "+4930901820"),
        ("004930901820", "+4930901820"),
        ("4930901820", "+4930901820"),
        ("+86 138 0013 8001", "+8613800138001"),
        (" +442079460101 ", "+442079460101"),
        ("+4930901820;ext=12", "+4930901820"),
    ],
)
def test_numbers_become_e164(raw: str, number: str) -> None:
    assert GERMANY.caller(raw).number == number
    assert GERMANY.e164(raw) == number


@pytest.mark.parametrize("raw", ["2001", "110", "*43", "123456", "123456789"])
def test_extensions_are_not_phone_numbers(raw: str) -> None:
    assert GERMANY.caller(raw) == Caller("internal", "", raw)
    with pytest.raises(InvalidRequestError, match="expected a phone number"):
        GERMANY.e164(raw)


@pytest.mark.parametrize("raw", ["", "  ", "anonymous", "Anonymous", "Restricted", "unknown", "s"])
def test_withheld_is_said_so(raw: str) -> None:
    assert GERMANY.caller(raw) == Caller("withheld", "", "")


@pytest.mark.parametrize(
    "raw",
    ["+", "+1", "+999999999999999", "not a number at all 1234567", "'; DROP TABLE --1234567", "<script>1234567"],
)
def test_what_is_no_number_is_shown_as_it_came(raw: str) -> None:
    caller = GERMANY.caller(raw)
    assert (caller.kind, caller.number, caller.text) == ("unreadable", "", raw)


def test_the_same_digits_mean_another_number_in_another_country() -> None:
    assert NumberPlan("GB").caller("020 7946 0101").number == "+442079460101"
    assert NumberPlan("CN").caller("138 0013 8001").number == "+8613800138001"
    # Without the plus: the country's own reading first, then the international one.
    assert NumberPlan("GB").caller("8613800138001").number == "+8613800138001"


def test_a_country_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="'Germany'"):
        NumberPlan("Germany")


def test_numbers_are_written_as_people_write_them() -> None:
    assert written("+4930901820") == "+49 30 901820"
    assert written("nonsense") == "nonsense"


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(raw: str) -> None:
    caller = GERMANY.caller(raw)
    assert (caller.number != "") == (caller.kind == "number")
    assert len(caller.number) <= 20
