"""Where a site's files say that a secret is, so that it never stands in them."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, model_validator

from ivr.errors import quote
from ivr.values import Part, Text, wrong


def _environment(text: str) -> str:
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,99}", text):
        raise wrong(f"{quote(text)} is not an environment variable: expected capitals, digits and _")
    return text


class SecretReference(Part):
    """Where a secret is read from when it is needed: an environment variable or a file."""

    env: Annotated[str, AfterValidator(_environment)] | None = None
    file: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _never_in_clear(cls, value: object) -> object:
        if not isinstance(value, dict):
            raise wrong("a secret is never written here: expected { env: NAME } or { file: path }")
        if len(value) != 1:
            raise wrong("a secret comes from one place: expected either { env: NAME } or { file: path }")
        return value
