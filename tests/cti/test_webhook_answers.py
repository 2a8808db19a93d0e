"""Whatever another program answers, what is kept of it is text that is safe to say and carry, or nothing."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti.webhook_answers import AnswerError, read_values
from ivr.kept_values import Kept

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)


def read(body: str, at: str) -> str:
    return read_values(body.encode(), {"x": Kept(at=at)})["x"]


@pytest.mark.parametrize(
    ("body", "at", "kept"),
    [
        ('{"a": {"b": "c"}}', "a.b", "c"),
        ('{"items": [{"n": 1}, {"n": 2}]}', "items.1.n", "2"),
        ("[[7]]", "0.0", "7"),
        ('{"a": 12.50}', "a", "12.50"),
        ('{"a": 123456789012345678901234567890}', "a", "123456789012345678901234567890"),
        ('{"a": true}', "a", "true"),
        ('{"a": false}', "a", "false"),
        ('{"a": null}', "a", ""),
        ("{}", "a.b.c", ""),
        ("[1]", "5", ""),
        ("[1]", "999999999", ""),
        ("[1]", "b", ""),
        ('{"a": "x"}', "a.0", ""),
        ('{"a": "[[[[\\"{{{"}', "a", '[[[["{{{'),
    ],
)
def test_a_value_is_found_at_its_place(body: str, at: str, kept: str) -> None:
    assert read(body, at) == kept


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"), (b"{", "not_json"), (b"Infinity", "not_json"), (b"[" * 40 + b"]" * 40, "too_deep"),
        (b'"' + b"[" * 99_999, "not_json"), (b'{"a": {}}', "wrong_type"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_a_word(body: bytes, reason: str) -> None:
    with pytest.raises(AnswerError) as raised:
        read_values(body, {"x": Kept(at="a")})
    assert raised.value.reason == reason


@given(answer=ANYTHING, at=st.sampled_from(["a", "a.b", "0", "a.0.c", "b.1"]))
def test_what_is_kept_is_one_short_line(answer: object, at: str) -> None:
    try:
        kept = read(json.dumps(answer), at)
    except AnswerError:
        return
    assert len(kept) <= 256
    assert len(kept.splitlines()) <= 1


@given(body=st.binary(max_size=200))
def test_no_answer_does_more_than_be_refused(body: bytes) -> None:
    with suppress(AnswerError):
        read_values(body, {"x": Kept(at="a.b")})
