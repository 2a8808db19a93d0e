"""Circles of queues that refuse callers to each other: seen once, wherever one begins to look."""

from __future__ import annotations

import pytest

from ivr.overflow import OverflowRule, circles


def rules(*leads: str) -> tuple[OverflowRule, ...]:
    return tuple(OverflowRule.model_validate({"longer_than": 1, "to": to}) for to in leads)


@pytest.mark.parametrize(
    ("overflows", "found"),
    [
        ({"a": rules("b"), "b": rules("a")}, [("b", 0, ["a", "b", "a"])]),
        ({"a": rules("b"), "b": rules("a", "flow")}, []),
        ({"a": rules("b"), "b": rules("c"), "c": ()}, []),
        ({"a": rules("a", "nowhere")}, []),
        (
            {"a": rules("b", "c"), "b": rules("c"), "c": rules("c", "a")},
            [("c", 1, ["a", "c", "a"]), ("a", 0, ["b", "c", "a", "b"])],
        ),
    ],
)
def test_circles(overflows: dict[str, tuple[OverflowRule, ...]], found: list[tuple[str, int, list[str]]]) -> None:
    assert list(circles(overflows)) == found


def test_what_is_looked_at_while_waiting_makes_no_circle() -> None:
    waits = (OverflowRule.model_validate({"after": "5s", "to": "b"}),)
    assert list(circles({"a": waits, "b": rules("a")})) == []
    assert waits[0].moments == ("waiting",)
