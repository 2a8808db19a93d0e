"""A call's session as the exchange uses it: remembers what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from acd.commands import Fact, OfferInteraction
from cti.ivr_session import IvrSession


class FakeSession:
    """`told`: (what, of what) in order; `rung` is set by the first ring."""

    def __init__(self, interaction_id: str, log: list[tuple[str, str]] | None = None) -> None:
        self.interaction_id = interaction_id
        self.told: list[tuple[str, str]] = [] if log is None else log
        self.facts: list[Fact] = []
        self.rung = asyncio.Event()
        self.is_over = False
        self.message = ""
        self.place = ("lab1", interaction_id, f"PJSIP/trunk-{interaction_id}")

    def press(self, digit: str) -> None:
        self.told.append(("digit", digit))

    def cut_prompt(self) -> None:
        self.told.append(("cut", ""))

    def ring(self, offers: Sequence[OfferInteraction]) -> None:
        self.told.append(("ring", " ".join(offer.offer_id for offer in offers)))
        self.rung.set()

    def withdraw(self, offer_id: str) -> None:
        self.told.append(("withdraw", offer_id))

    def hand_over_message(self) -> None:
        self.told.append(("message", self.message))

    def notice(self, fact: Fact) -> None:
        self.facts.append(fact)

    def as_session(self) -> IvrSession:
        return cast(IvrSession, self)
