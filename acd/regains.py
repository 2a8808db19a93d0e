"""Who gave up and comes back soon gets the old place: what is remembered of them.

Kept per queue in the order of leaving, at most `REMEMBERED` each; entries go when they are used, too old, or too many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acd.interactions import Interaction

if TYPE_CHECKING:
    from acd.floor import Floor

#: So many abandoned callers are remembered per queue.
REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class Regain:
    """`caller` had asked for `queue` and gave up there, or where overflow had led; their place is kept until
    `until_at`, by the rules of when they left."""

    queue: str
    caller: str
    interaction_id: str
    first_asked_at: int
    until_at: int


def note_abandoned(floor: Floor, interaction: Interaction) -> None:
    """A caller gave up in a queue, or while a phone rang. A withheld number cannot be known again."""
    asked = interaction.chain[0]
    queue = floor.queues.get(asked)
    caller = interaction.number or interaction.caller
    if queue is None or not queue.rules.regain_us or not caller:
        return
    callers = floor.regains.setdefault(asked, {})
    callers.pop(caller, None)
    first_asked_at = interaction.rank[1]
    until_at = floor.now + queue.rules.regain_us
    callers[caller] = Regain(asked, caller, interaction.id, first_asked_at, until_at)
    _forget(floor, asked)


def regain(floor: Floor, interaction: Interaction, queue: str) -> str:
    """The id of the abandoned interaction whose place this caller gets, or empty; each place is given once."""
    if queue not in floor.regains:
        return ""
    found = floor.regains[queue].pop(interaction.number or interaction.caller, None)
    _forget(floor, queue)
    if found is None or found.until_at <= floor.now:
        return ""
    interaction.first_asked_at = min(interaction.first_asked_at or 0, found.first_asked_at)
    return found.interaction_id


def _forget(floor: Floor, queue: str) -> None:
    """Drop who left too long ago, and the oldest of too many."""
    callers = floor.regains[queue]
    while callers and (len(callers) > REMEMBERED or next(iter(callers.values())).until_at <= floor.now):
        del callers[next(iter(callers))]
    if not callers:
        del floor.regains[queue]
