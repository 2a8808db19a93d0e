"""Whom we may call: ordinary numbers of the site's country, and nothing else."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberType, shortnumberinfo

from cti.outbound import Outbound, Refused, is_dialable
from cti.provisioning_values import EMERGENCY_NUMBERS

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
        ("030 112", "short"),
        ("+49 30 112", "short"),
        ("0049301121234", "short"),
        ("030 110 110", "short"),
        ("1121234567", "short"),
        ("110 110", "short"),
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


AUSTRIA_TOO = Outbound(
    "DE", countries=("DE", "AT"), allow=("+49800", "+4420", "+49112", "+4930"), deny=("+43664", "+498001")
)


@pytest.mark.parametrize(
    ("typed", "checked"),
    [
        ("030 901820", "+4930901820"),
        ("+43 1 5333333", "+4315333333"),
        ("+43 664 1234567", Refused("barred")),
        ("0800 2234567", "+498002234567"),
        ("0800 1234567", Refused("barred")),
        ("+44 20 7946 0018", "+442079460018"),
        ("+44 161 496 0018", Refused("abroad")),
        ("0900 1234567", Refused("costly")),
        ("+43 900 123456", Refused("costly")),
        ("112", Refused("short")),
        ("+49112", Refused("short")),
        ("030 112", Refused("short")),
    ],
)
def test_a_site_may_allow_and_deny_countries_and_beginnings(typed: str, checked: str | Refused) -> None:
    assert AUSTRIA_TOO.check(typed) == checked


def emergency_numbers(country: str) -> list[str]:
    known = (str(each) for each in range(10, 1000) if shortnumberinfo.is_emergency_number(str(each), country))
    return sorted({*known, *EMERGENCY_NUMBERS.get(country, ())})


COUNTRIES = sorted(phonenumbers.SUPPORTED_REGIONS)


@pytest.mark.parametrize("country", COUNTRIES)
def test_no_spelling_of_an_emergency_number_is_called_in_any_country(country: str) -> None:
    """Bare, with blanks, repeated; behind +, 00, the country's own prefixes, and a real area code of it."""
    code = phonenumbers.country_code_for_region(country)
    rules = PhoneMetadata.metadata_for_region(country, None)
    trunk = (rules and rules.national_prefix) or ""
    usual = phonenumbers.example_number_for_type(country, PhoneNumberType.FIXED_LINE)
    behind = phonenumbers.length_of_geographical_area_code(usual) if usual else 0
    area = phonenumbers.national_significant_number(usual)[:behind] if usual else ""
    # The site allows all that it can.
    guard = Outbound(country, countries=tuple(COUNTRIES), allow=tuple(f"+{digit}" for digit in "123456789"))
    for number in emergency_numbers(country):
        spelled = [number, f"+{code}{number}", f"+{code} {number}", f"00{code}{number}", trunk + number, f"0{number}"]
        spelled += [f"({number})", "-".join(number), " ".join(number), f"+{code}{trunk}{number}", f"+{number}"]
        if behind and len(number) > 2:
            local = [number, number * 2] if country not in {"BR", "CL", "NI"} else [number]
            spelled += [f"{start}{area}{each}" for start in (trunk, f"+{code}", f"00{code}") for each in local]
        called = {each: found for each in spelled if isinstance(found := guard.check(each), str)}
        assert not {each: found for each, found in called.items() if found.endswith(number) and not is_plain(found)}, (
            called
        )


def is_plain(called: str) -> bool:
    """Whether what is called is an ordinary number that only ends like an emergency number: nothing but digits of
    subscribers stands in front, so that no exchange hears the end alone."""
    number = phonenumbers.parse(called)
    behind = phonenumbers.length_of_geographical_area_code(number)
    regions = phonenumbers.region_codes_for_country_code(number.country_code or 0)
    whole = phonenumbers.national_significant_number(number)
    parts = {whole, whole[behind:]}
    return not any(shortnumberinfo.is_emergency_number(part, region) for part in parts for region in regions)


@given(st.sampled_from(COUNTRIES), st.text("+0123456789 -()/.", max_size=20))
def test_nothing_that_passes_is_an_emergency_number(country: str, typed: str) -> None:
    called = Outbound(country, countries=tuple(COUNTRIES)).check(typed)
    assert isinstance(called, Refused) or is_plain(called)


@pytest.mark.parametrize("country", COUNTRIES)
def test_ordinary_numbers_of_every_country_are_not_taken_for_emergencies(country: str) -> None:
    for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
        usual = phonenumbers.example_number_for_type(country, kind)
        if usual is not None and usual.national_number != 7410410123:  # made up: behind 74 it begins with 104
            written = phonenumbers.format_number(usual, phonenumbers.PhoneNumberFormat.E164)
            assert Outbound(country).check(written) in (written, Refused("abroad"), Refused("costly"))


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
