"""A queue's indexes follow the stage, and answer the two questions of matching."""

from __future__ import annotations

from acd.interactions import Interaction
from acd.matching import Terms
from acd.model import QueueRules, Stage
from acd.queues import Queue
from acd.ranking import rank_key


def waiting(interaction_id: str, asked: int, *needs: tuple[str, int], priority: int = 0) -> Interaction:
    interaction = Interaction(interaction_id, "", "", "", "voice", 0, False, stage=Stage.QUEUED)
    interaction.first_asked_at = asked
    interaction.rank, interaction.terms = rank_key(priority, asked, interaction_id), Terms(needs, (), ("billing",))
    return interaction


def filed(*interactions: Interaction) -> Queue:
    queue = Queue(QueueRules("billing"))
    for interaction in interactions:
        queue.file(interaction)
        queue.file_offer(interaction)
    return queue


def test_filing_twice_changes_nothing() -> None:
    interaction = waiting("i1", 5)
    queue = filed(interaction, interaction)
    assert queue.totals().waiting == 1
    assert queue.agrees(filed(interaction))


def test_the_offered_wait_but_are_not_offerable() -> None:
    interaction = waiting("i1", 5)
    queue = filed(interaction)
    interaction.stage = Stage.OFFERED
    assert not queue.offers(interaction)
    queue.file(interaction)
    queue.file_offer(interaction)
    assert queue.holds(interaction)
    assert queue.offers(interaction)
    assert (queue.totals().waiting, queue.best_waiting("amy", {})) == (1, None)


def test_who_leaves_is_in_no_index() -> None:
    interaction = waiting("i1", 5)
    queue = filed(interaction)
    interaction.stage = Stage.TALKING
    assert not queue.holds(interaction)
    queue.file(interaction)
    queue.file_offer(interaction)
    assert queue.agrees(filed())
    assert queue.totals().oldest_asked_at == 0


def test_the_first_in_line_whom_these_skills_serve() -> None:
    queue = filed(
        waiting("i1", 1, ("french", 5)),
        waiting("i2", 3),
        waiting("i3", 2, ("vpn", 2)),
        waiting("i4", 9, ("vpn", 7), priority=1),
    )
    assert queue.best_waiting("amy", {}) == (0, 3, "i2")
    assert queue.best_waiting("amy", {"vpn": 2}) == (0, 2, "i3")
    assert queue.best_waiting("amy", {"vpn": 7, "french": 5}) == (-1, 9, "i4")
    assert filed().best_waiting("amy", {}) is None


def test_the_oldest_is_who_asked_first_whatever_the_priority() -> None:
    assert filed(waiting("i1", 4, priority=5), waiting("i2", 2)).totals().oldest_asked_at == 2
