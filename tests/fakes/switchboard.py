"""An exchange on a dispatcher, with one node in memory: everything between AMI and the engine, without a network."""

from __future__ import annotations

from pathlib import Path

from acd.model import Configuration
from cti.exchange import Exchange
from tests.acd.desk import SITE
from tests.fakes.link import ami_event, node
from tests.fakes.office import Office
from tests.fakes.sessions import FakeSession

EXTENSIONS = {"maria": "2001", "jon": "2002"}


class Switchboard:
    """Short ways to say what Asterisk says. The caller of interaction `c` is channel `c`, maria's leg is `m`."""

    def __init__(self, folder: Path, *, pop_wait_s: float = 5.0, configuration: Configuration = SITE) -> None:
        self.office = Office(folder / "journal", configuration)
        self.dispatcher = self.office.dispatcher
        self.desktops = self.office.desktops
        self.node, self.link = node()
        self.exchange = Exchange(self.dispatcher, self.desktops, {"lab1": self.node}, pop_wait_s=pop_wait_s)
        self.exchange.assign_phones(EXTENSIONS, fixed=EXTENSIONS)
        self.exchange.retell_phones()
        self.sessions: dict[str, FakeSession] = {}

    def arrive(self, interaction_id: str) -> FakeSession:
        """A caller's channel comes to be and enters our AGI."""
        channel = f"PJSIP/trunk-{interaction_id}"
        self.say(
            "Newchannel", Uniqueid=interaction_id, Linkedid=interaction_id, Channel=channel, ChannelStateDesc="Ring"
        )
        session = self.sessions[interaction_id] = FakeSession(interaction_id, self.desktops.log)
        self.exchange.enter(session.as_session(), "lab1", interaction_id, channel)
        return session

    def queue(self, interaction_id: str) -> FakeSession:
        """A caller arrives and asks for an agent of billing."""
        session = self.arrive(interaction_id)
        self.office.call(interaction_id)
        return session

    def say(self, name: str, **headers: str) -> None:
        """An AMI event comes."""
        self.exchange.take(ami_event(name, **headers))

    def new_leg(self, uniqueid: str, extension: str, linkedid: str = "") -> None:
        self.say("Newchannel", Uniqueid=uniqueid, Linkedid=linkedid or uniqueid,
                 Channel=f"PJSIP/{extension}-{uniqueid}", ChannelStateDesc="Down")  # fmt: skip

    def dial(self, caller: str, leg: str, extension: str = "2001") -> None:
        """A leg comes to be and begins to ring."""
        self.new_leg(leg, extension, caller)
        self.say("DialBegin", Uniqueid=caller, DestUniqueid=leg, DestChannel=f"PJSIP/{extension}-{leg}")

    def bridge(self, bridge: str, *uniqueids: str) -> None:
        for uniqueid in uniqueids:
            self.say("BridgeEnter", BridgeUniqueid=bridge, Uniqueid=uniqueid, Linkedid=uniqueid, Channel="")

    def unbridge(self, bridge: str, *uniqueids: str) -> None:
        for uniqueid in uniqueids:
            self.say("BridgeLeave", BridgeUniqueid=bridge, Uniqueid=uniqueid, Channel="")

    def hang_up(self, uniqueid: str, cause: int = 16) -> None:
        self.say("Hangup", Uniqueid=uniqueid, Linkedid=uniqueid, Channel="", Cause=str(cause))

    async def close(self) -> None:
        await self.exchange.offers.close()
        self.office.close()
