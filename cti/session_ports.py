"""What every session shares: whom it asks, what it plays, and how long the dead man's switch waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cti.dispatcher import Dispatcher
from cti.footsteps import NoFootfall
from cti.messages import Messages
from cti.outbound import Outbound
from cti.ports import Directory, Footfall, TextMessages
from cti.recordings import Recordings
from cti.transfers import Reach
from cti.webhooks import Webhooks
from ivr.site import Site

DEAD_MAN_S = 45
RENEW_EVERY_S = 20.0


class Sounds(Protocol):
    """Prompts as files that Asterisk can play."""

    async def path(self, text: str, language: str) -> Path:
        """Raises `SoundError` for what cannot be rendered."""
        ...

    def recorded(self, sound: str) -> Path: ...

    def of(self, site: Site) -> Sounds:
        """The same for a call that began on these files."""
        ...


class Story(Protocol):
    """Who wants to read along what happens to a call."""

    def note(self, interaction_id: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SessionPorts:
    """What every session shares."""

    dispatcher: Dispatcher
    directory: Directory
    sounds: Sounds
    story: Story
    dial_string: Callable[[str, str], str]
    utc: Callable[[], datetime]
    messages: Messages
    recordings: Recordings
    outbound: Callable[[], Outbound] = Outbound
    reach: Callable[[], Reach] = Reach
    webhooks: Webhooks = field(default_factory=Webhooks)
    #: None: nobody sends any.
    text_messages: TextMessages | None = None
    #: Says of an interaction to whom outside the queues it is given; empty: to nobody any more.
    give: Callable[[str, str], None] = lambda interaction_id, to: None
    #: Counts what happens at the steps of flows.
    footfall: Footfall = field(default_factory=NoFootfall)
    #: What a call carries to find the files that it began on.
    version_of: Callable[[Site], str] = lambda site: ""
    dead_man_s: int = DEAD_MAN_S
    renew_every_s: float = RENEW_EVERY_S
