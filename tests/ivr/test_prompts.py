"""Texts that are said as they stand."""

from __future__ import annotations

import pytest

from ivr.prompts import spoken_in
from ivr.steps import Prompt

TEXTS = {"en": "Closed {until} further notice.", "zh": "今天休息。"}


@pytest.mark.parametrize(("language", "said"), [("zh", "zh"), ("en", "en"), ("fr", "en")])
def test_a_text_is_said_as_it_stands_in_the_callers_language_or_the_default(language: str, said: str) -> None:
    assert spoken_in(TEXTS, language, "en") == Prompt(text=TEXTS[said], language=said)
