"""What is kept of answers is of the kind that the step says."""

from __future__ import annotations

import pytest

from ivr.kept_values import KINDS, Kind, as_kind


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        ("text", "Anna, 12.50", "Anna, 12.50"),
        ("number", "12.50", "12.50"),
        ("number", "-3", "-3"),
        ("number", "1.5e3", "1500"),
        ("number", "2E-2", "0.02"),
        ("number", "12,50", None),
        ("number", "1e999", None),
        ("number", "EUR 12", None),
        ("integer", "-12", "-12"),
        ("integer", "12.0", None),
        ("integer", "1234567890123456", None),
        ("digits", "004711", "004711"),
        ("digits", "-4711", None),
        ("digits", "٤٧", None),
        ("yes_no", "true", "true"),
        ("yes_no", "No", "false"),
        ("yes_no", "1", None),
        ("date", "2026-11-27", "2026-11-27"),
        ("date", "2026-11-27T14:30:00Z", "2026-11-27T14:30:00Z"),
        ("date", "2026-02-30", None),
        ("date", "27.11.2026", None),
    ],
)
def test_a_value_is_of_its_kind_or_none(kind: Kind, text: str, kept: str | None) -> None:
    assert as_kind(text, kind) == kept


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_of_every_kind(kind: Kind) -> None:
    assert as_kind("", kind) == ""
