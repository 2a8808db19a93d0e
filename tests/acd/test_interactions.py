"""One outcome for every way an interaction can end."""

from __future__ import annotations

import pytest

from acd.interactions import Interaction, outcome_when_caller_left, outcome_when_flow_ended, visit_outcome
from acd.model import Outcome, Stage, VisitOutcome


def interaction(stage: Stage, served_by: str = "", transferred_to: str = "") -> Interaction:
    return Interaction(
        "i1", "", "", "", "voice", 0, False, stage=stage, served_by=served_by, transferred_to=transferred_to
    )


@pytest.mark.parametrize(
    ("stage", "served_by", "outcome"),
    [
        (Stage.IN_FLOW, "", Outcome.ABANDONED_IN_FLOW),
        (Stage.IN_FLOW, "maria", Outcome.SERVED),
        (Stage.QUEUED, "", Outcome.ABANDONED_IN_QUEUE),
        (Stage.QUEUED, "maria", Outcome.ABANDONED_IN_QUEUE),
        (Stage.OFFERED, "", Outcome.ABANDONED_RINGING),
        (Stage.TALKING, "maria", Outcome.SERVED),
    ],
)
def test_the_caller_left(stage: Stage, served_by: str, outcome: Outcome) -> None:
    assert outcome_when_caller_left(interaction(stage, served_by)) is outcome


@pytest.mark.parametrize(
    ("said", "served_by", "outcome"),
    [
        (Outcome.SELF_SERVED, "", Outcome.SELF_SERVED),
        (Outcome.SELF_SERVED, "maria", Outcome.SERVED),
        (Outcome.SERVED, "", Outcome.SELF_SERVED),
        (Outcome.SERVED, "maria", Outcome.SERVED),
        (Outcome.LOST, "maria", Outcome.LOST),
        (Outcome.VOICEMAIL, "", Outcome.VOICEMAIL),
    ],
)
def test_the_flow_ended(said: Outcome, served_by: str, outcome: Outcome) -> None:
    assert outcome_when_flow_ended(interaction(Stage.IN_FLOW, served_by), said) is outcome


@pytest.mark.parametrize("served_by", ["", "maria"])
def test_who_was_given_to_somebody_else_was_transferred_out(served_by: str) -> None:
    gone = interaction(Stage.IN_FLOW, served_by, "+4930123")
    assert outcome_when_caller_left(gone) is Outcome.TRANSFERRED_OUT
    assert outcome_when_flow_ended(gone, Outcome.SELF_SERVED) is Outcome.TRANSFERRED_OUT
    assert outcome_when_flow_ended(gone, Outcome.SERVED) is Outcome.TRANSFERRED_OUT
    assert outcome_when_flow_ended(gone, Outcome.VOICEMAIL) is Outcome.VOICEMAIL


@pytest.mark.parametrize("outcome", list(Outcome))
def test_the_visit_that_is_cut_short(outcome: Outcome) -> None:
    if outcome is Outcome.LOST:
        expected = VisitOutcome.LOST
    elif outcome.value.startswith("abandoned"):
        expected = VisitOutcome.ABANDONED
    else:
        expected = VisitOutcome.WITHDRAWN
    assert visit_outcome(outcome) is expected


def test_offerable_means_queued_and_in_our_hands() -> None:
    waiting = interaction(Stage.QUEUED)
    assert (waiting.is_waiting, waiting.is_offerable) == (True, True)
    waiting.attached = False
    assert (waiting.is_waiting, waiting.is_offerable) == (True, False)
    assert not interaction(Stage.OFFERED).is_offerable
    assert not interaction(Stage.TALKING).is_waiting
