from __future__ import annotations

from ivr.errors import MOST_LISTED, IvrError, Problem, SiteError, did_you_mean, one_of, quote


def test_problems_come_in_order_and_each_once() -> None:
    late, early = Problem("b.yaml", 1, 1, "x"), Problem("a.yaml", 10, 2, "y")
    error = SiteError([late, early, late])

    assert error.problems == (early, late)
    assert str(error) == "a.yaml:10:2: y\nb.yaml:1:1: x"


def test_long_words_are_cut_and_kept_on_one_line() -> None:
    assert quote("a\nb") == '"a b"'
    assert quote("x" * 100) == f'"{"x" * 57}..."'


def test_what_was_expected_reads_as_a_sentence() -> None:
    assert one_of([]) == "expected none"
    assert one_of(["a"]) == "expected a"
    assert one_of(["a", "b", "c"]) == "expected a, b or c"
    assert one_of(map(str, range(MOST_LISTED + 5))).endswith(f"{MOST_LISTED - 1} or one of 5 more")


def test_only_near_words_are_suggested() -> None:
    assert did_you_mean("biling", ["billing", "support"]) == '; did you mean "billing"?'
    assert did_you_mean("x", ["billing", "support"]) == ""


def test_every_error_has_a_code_of_its_own() -> None:
    errors: list[type[IvrError]] = [IvrError, *IvrError.__subclasses__()]

    assert len({each.code for each in errors}) == len(errors)
