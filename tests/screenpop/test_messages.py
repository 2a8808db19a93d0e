"""docs/api.md says what the models say."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from screenpop import messages
from screenpop.messages import AnyDesktopMessage, ServerMessage, Work
from screenpop.model import Customer, PastInteraction

PAGE = Path("docs/api.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    start = PAGE.index(title)
    return PAGE[start : PAGE.index("\n##", start + 1)]


def kinds(union: object) -> dict[str, type[BaseModel]]:
    return {typing.get_args(each.model_fields["type"].annotation)[0]: each for each in typing.get_args(union)}


def rows(text: str) -> dict[str, str]:
    return dict(re.findall(r"^\| `(\w+)` \| (.*)$", text, re.MULTILINE))


@pytest.mark.parametrize(
    ("title", "union"), [("### Server → desktop", ServerMessage), ("### Desktop → server", AnyDesktopMessage)]
)
def test_every_message_and_field_is_documented(title: str, union: object) -> None:
    documented = rows(section(title))
    known = kinds(union)
    assert set(documented) == set(known)
    for kind, model in known.items():
        for field in set(model.model_fields) - {"type", "id"}:
            assert f"`{field}`" in documented[kind], f"{kind}.{field}"


def test_every_field_of_the_pop_is_documented() -> None:
    text = section("### Server → desktop")
    text = text[text.index("`work`: `{") :]
    text = text[: text.index("}`.")]
    for model in (Work, Customer, PastInteraction, messages.Why):
        for field in model.model_fields:
            assert re.search(rf"\b{field}\b", text), f"{model.__name__}.{field}"


def test_every_field_of_queue_totals_is_documented() -> None:
    documented = rows(section("### Server → desktop"))["queues"]
    assert [field for field in messages.QueueTotals.model_fields if field not in documented] == []
