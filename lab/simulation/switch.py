"""Asterisk as the simulation has it: channels, bridges and Dials, events for whoever listens, and the truth.

Nothing here knows of engine or server. What happens is told as AMI events while the link is up, in order, late, now
and then twice; what happens while it is down is told to nobody, and `rows` answers `Status` with what there is.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

NODE = "lab1"
Row = list[tuple[str, str]]


@dataclass(slots=True)
class Leg:
    """An agent's phone as one Dial of one caller has it."""

    uniqueid: str
    agent: str
    extension: str
    offer: str
    is_up: bool = False

    @property
    def channel(self) -> str:
        return f"PJSIP/{self.extension}-{self.uniqueid}"


@dataclass(slots=True)
class Caller:
    """A caller's channel. `served_by`: noted by the dialplan when a talk ends, until somebody asks."""

    id: str
    came_s: float
    is_here: bool = True
    legs: dict[str, Leg] = field(default_factory=dict)
    talks_with: str = ""
    served_by: str = ""
    #: Since when nobody of ours has the call (CALLYARD_AWAY_SINCE), and how long that was before (CALLYARD_LOST).
    away_since_s: float | None = None
    lost_s: float = 0.0
    rung_s: list[float] = field(default_factory=list)
    talks: list[str] = field(default_factory=list)
    gave_up: bool = False

    @property
    def channel(self) -> str:
        return f"PJSIP/trunk-{self.id}"

    @property
    def is_dialling(self) -> bool:
        """A Dial has the call: it is in nobody's AGI."""
        return bool(self.legs)


class Switch:
    """The channels there are. `tell`: an AMI event for the server, as (name, headers)."""

    def __init__(
        self, chance: random.Random, now_s: Callable[[], float], tell: Callable[[str, dict[str, str]], None]
    ) -> None:
        self._chance = chance
        self._now_s = now_s
        self._tell = tell
        self._numbers = 0
        self.callers: dict[str, Caller] = {}
        self.doubled: list[str] = []

    # --- what happens ----------------------------------------------------------------------------------------

    def come(self, caller: Caller) -> None:
        self.callers[caller.id] = caller
        self._channel("Newchannel", caller.id, caller.channel, caller.id, ChannelStateDesc="Ring")

    def dial(self, caller: Caller, offers: list[tuple[str, str, str]]) -> None:
        """Ring the phones of (offer, agent, extension)."""
        if not caller.is_here or caller.is_dialling:
            return
        for offer, agent, extension in offers:
            if any(leg.agent == agent for each in self.callers.values() for leg in each.legs.values()):
                continue  # a phone of one line is busy: the Dial goes on without it
            self._numbers += 1
            leg = Leg(f"leg{self._numbers}", agent, extension, offer)
            caller.legs[leg.uniqueid] = leg
            caller.rung_s.append(self._now_s())
            self._channel("Newchannel", leg.uniqueid, leg.channel, caller.id, ChannelStateDesc="Down")
            self._tell("DialBegin", {"Uniqueid": caller.id, "DestUniqueid": leg.uniqueid, "DestChannel": leg.channel})

    def answer(self, caller: Caller, leg: Leg) -> None:
        """The agent picks up: the caller and they share a bridge."""
        for other in list(caller.legs.values()):
            if other is not leg:
                self.end_leg(caller, other, 26)
        leg.is_up = True
        caller.talks_with = leg.agent
        if caller.talks:
            self.doubled.append(f"{caller.id}: {caller.talks[-1]}, then {leg.agent}")
        caller.talks.append(leg.agent)
        for uniqueid, channel in ((caller.id, caller.channel), (leg.uniqueid, leg.channel)):
            self._bridge("BridgeEnter", caller, uniqueid, channel)

    def end_leg(self, caller: Caller, leg: Leg, cause: int) -> None:
        """A phone stops ringing, or the agent hangs up; the Dial is over with the last."""
        if caller.legs.pop(leg.uniqueid, None) is None:
            return
        if leg.is_up:
            self._bridge("BridgeLeave", caller, leg.uniqueid, leg.channel)
            self._bridge("BridgeLeave", caller, caller.id, caller.channel)
            caller.talks_with, caller.served_by = "", leg.agent
        self._channel("Hangup", leg.uniqueid, leg.channel, caller.id, Cause=str(cause))

    def hang_up(self, caller: Caller) -> None:
        """The caller's channel ends, and what rings or talks with it."""
        if not caller.is_here:
            return
        caller.is_here = False
        for leg in list(caller.legs.values()):
            self.end_leg(caller, leg, 16)
        self._channel("Hangup", caller.id, caller.channel, caller.id, Cause="16")

    def hang_up_channel(self, channel: str) -> bool:
        """As AMI's Hangup; whether there was one."""
        for caller in self.callers.values():
            if caller.is_here and caller.channel == channel:
                self.hang_up(caller)
                return True
            for leg in list(caller.legs.values()):
                if leg.channel == channel:
                    self.end_leg(caller, leg, 16)
                    return True
        return False

    def agent(self, agent: str) -> str:
        """`talking`, `ringing` or `idle`."""
        own = [leg for each in self.callers.values() for leg in each.legs.values() if leg.agent == agent]
        return "talking" if any(leg.is_up for leg in own) else "ringing" if own else "idle"

    # --- what there is ---------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """The answer to `Status`."""
        found: list[Row] = []
        for caller in self.callers.values():
            if caller.is_here:
                bridge = f"b-{caller.id}" if caller.talks_with else ""
                found.append(_row(caller.id, caller.channel, caller.id, bridge, CALLYARD_INTERACTION=caller.id))
            for leg in caller.legs.values():
                own = {"CALLYARD_INTERACTION": caller.id, "CALLYARD_OFFER": leg.offer, "CALLYARD_AGENT": leg.agent}
                found.append(_row(leg.uniqueid, leg.channel, caller.id, f"b-{caller.id}" if leg.is_up else "", **own))
        return [*found, [("Event", "StatusComplete")]]

    def phone(self, extension: str) -> str:
        """A device state."""
        busy = any(leg.extension == extension for each in self.callers.values() for leg in each.legs.values())
        return "INUSE" if busy else "NOT_INUSE"

    def _channel(self, event: str, uniqueid: str, channel: str, linkedid: str, **more: str) -> None:
        self._tell(event, {"Uniqueid": uniqueid, "Linkedid": linkedid, "Channel": channel, **more})

    def _bridge(self, event: str, caller: Caller, uniqueid: str, channel: str) -> None:
        self._tell(
            event,
            {"BridgeUniqueid": f"b-{caller.id}", "Uniqueid": uniqueid, "Linkedid": caller.id, "Channel": channel},
        )


def _row(uniqueid: str, channel: str, linkedid: str, bridge: str, **variables: str) -> Row:
    return [
        ("Event", "Status"), ("Channel", channel), ("ChannelStateDesc", "Up"), ("Uniqueid", uniqueid),
        ("Linkedid", linkedid), ("BridgeID", bridge), ("Seconds", "1"),
        *(("Variable", f"{name}={value}") for name, value in variables.items()),
    ]  # fmt: skip
