"""Whom we may call: ordinary numbers of the site's country, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.outbound import Outbound, Refused, is_dialable

GERMANY = Outbound("DE")


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("030 901820", "+4930901820"),
        ("030901820", "+4930901820"),
        ("+49 30 901820", "+4930901820"),
        ("0049 30 901820", "+4930901820"),
        ("0151 23456789", "+4915123456789"),
    ],
)
def test_ordinary_numbers_of_the_country_are_called(typed: str, number: str) -> None:
    assert GERMANY.check(typed) == number


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", "invalid"),
        ("12", "invalid"),
        ("0301", "invalid"),
        ("030901820@elsewhere", "invalid"),
        ("030901820,,1", "invalid"),
        ("030901820;ext=5", "invalid"),
        ("٠٣٠٩٠١٨٢٠", "invalid"),
        ("0" * 40, "invalid"),
        ("110", "short"),
        ("112", "short"),
        ("116117", "short"),
        ("0900 1234567", "costly"),
        ("0180 5123456", "costly"),
        ("0800 1234567", "costly"),
        ("+33 1 42 34 56 78", "abroad"),
        ("+882 16 1234 5678", "abroad"),
        ("+1 212 555 2368", "abroad"),
    ],
)
def test_others_are_not(typed: str, reason: str) -> None:
    assert GERMANY.check(typed) == Refused(reason)


def test_neighbours_who_share_a_country_code_are_abroad() -> None:
    assert Outbound("US").check("+1 416 555 0134") == Refused("abroad")
    assert Outbound("US").check("911") == Refused("short")
    assert Outbound("US").check("(212) 555-2368") == "+12125552368"


def test_without_a_country_nobody_is_called() -> None:
    assert Outbound().check("+4930901820") == Refused("abroad")
    assert Outbound().check("030901820") == Refused("invalid")


@given(st.text(max_size=40) | st.text("+0123456789 -()/.", max_size=20))
def test_only_digits_and_the_plus_pass(typed: str) -> None:
    checked = GERMANY.check(typed)
    assert isinstance(checked, Refused) or (is_dialable(checked) and checked.startswith("+49"))


@pytest.mark.parametrize("text", ["+4930901820\n", "4930901820", "+49 30", "+4930901820&PJSIP/1", "+0301234567", ""])
def test_what_is_no_e164_is_never_dialled(text: str) -> None:
    assert not is_dialable(text)


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("030901820", "+4930901820"),
        ("+4930901820", "+4930901820"),
        ("4930901820", "+4930901820"),
        ("004930901820", "+4930901820"),
        ("0033142345678", "+33142345678"),
        (" 030 901820 ", "+4930901820"),
        ("2001", ""),
        ("110", ""),
        ("", ""),
        ("anonymous", ""),
        ("030901820;ext=5", ""),
        ("٠٣٠٩٠١٨٢٠", ""),
        ("0" * 40, ""),
    ],
)
def test_a_callers_number_is_written_as_promises_name_it(raw: str, number: str) -> None:
    assert GERMANY.written(raw) == number


def test_without_a_country_only_international_numbers_can_be_read() -> None:
    assert [Outbound().written(raw) for raw in ("+4930901820", "4930901820", "030901820")] == ["+4930901820"] * 2 + [""]


@given(st.text(max_size=40))
def test_whatever_the_network_gives_is_read_or_left(raw: str) -> None:
    assert (number := GERMANY.written(raw)) == "" or is_dialable(number)
