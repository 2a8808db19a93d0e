"""Whose name stands on an order."""

from __future__ import annotations

import os

import pytest

from cti.terminal import giver


def test_somebody_without_a_name_is_known_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert giver() == f"{os.getuid()} (command)"
