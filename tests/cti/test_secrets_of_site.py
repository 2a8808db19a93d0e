"""Secrets are read from where the files say, and told to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from cti.secrets_of_site import MOST_CHARACTERS, SecretError, read_secret
from ivr.secret_references import SecretReference


def test_a_secret_comes_from_the_environment_or_a_file_beside_the_site(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("Bearer abc\n")
    assert read_secret(SecretReference(env="TOKEN"), tmp_path, {"TOKEN": " Bearer abc "}) == "Bearer abc"
    assert read_secret(SecretReference(file="token"), tmp_path, {}) == "Bearer abc"


@pytest.mark.parametrize("content", [b"", b" \n", b"hunter2\r\nX: y", b"hunter2\x00", b"g\xc3\xbcnter", b"\xff\xfe"])
def test_what_is_no_secret_is_said_without_saying_what_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(SecretError) as raised:
        read_secret(SecretReference(file="token"), tmp_path, {})
    assert "token" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_one_that_is_missing_or_too_long_is_said(tmp_path: Path) -> None:
    with pytest.raises(SecretError, match="environment variable TOKEN, which is not set"):
        read_secret(SecretReference(env="TOKEN"), tmp_path, {})
    with pytest.raises(SecretError, match=r"cannot be read from .*none: FileNotFoundError"):
        read_secret(SecretReference(file="none"), tmp_path, {})
    with pytest.raises(SecretError, match="one line of plain ASCII in the environment variable TOKEN"):
        read_secret(SecretReference(env="TOKEN"), tmp_path, {"TOKEN": "x" * (MOST_CHARACTERS + 1)})
