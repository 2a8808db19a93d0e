"""Reads the secrets to which a site's files refer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from cti.errors import CtiError
from ivr.secret_references import SecretReference

MOST_CHARACTERS = 4096


class SecretError(CtiError):
    """A secret is not where the site's files say; the message says where it was expected, never what it is."""

    code = "secret_missing"
    reason = "secret"


def read_secret(reference: SecretReference, folder: Path, environment: Mapping[str, str]) -> str:
    """The secret, without space around it. Files are found from the site's folder. Raises SecretError."""
    if reference.env is not None:
        if reference.env not in environment:
            raise SecretError(f"is expected in the environment variable {reference.env}, which is not set")
        secret, place = environment[reference.env].strip(), f"the environment variable {reference.env}"
    else:
        file = folder / (reference.file or "")
        place = str(file)
        try:
            with file.open(encoding="utf-8") as opened:
                secret = opened.read(MOST_CHARACTERS + 1).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretError(f"cannot be read from {file}: {type(error).__name__}") from None
    if len(secret) > MOST_CHARACTERS or not re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", secret):
        raise SecretError(f"is expected as one line of plain ASCII in {place}")
    return secret
