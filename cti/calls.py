"""Calls: which channels carry which interaction, and who talks to whom. Pure: events in, changes out.

A call is the channels that carry one interaction id, and whoever shares a bridge with one of them. Who talks to
whom is read from bridges only; the return of a Dial, its status and a channel's application decide nothing.
Everything of Asterisk is known by (node, uniqueid). Late, doubled and missing events are normal: an event for a
channel that is not known changes nothing, and `reconcile` repairs what a gap in the events has cost.

A phone counts as used by something else while any channel of its endpoint lives that is not the ringing or
bridged leg of a live call of ours (an agent who calls us as a customer uses it too). So the time between the end of a
bridge and the hang-up of the agent's channel is "used", and nobody is offered to a phone that has not hung up yet.

One model with one state, read as a list of what each event changes: hence more than 400 lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cti.ami_events import (
    BridgeEntered,
    BridgeLeft,
    ChannelCreated,
    ChannelEvent,
    ChannelFound,
    ChannelHungUp,
    ChannelRenamed,
    ChannelStateChanged,
    DeviceStateChanged,
    DialBegun,
    DigitEnded,
)

Key = tuple[str, str]

#: Variables that every channel of ours carries (see the dialplan).
VARIABLE_INTERACTION = "CALLYARD_INTERACTION"
VARIABLE_OFFER = "CALLYARD_OFFER"
VARIABLE_AGENT = "CALLYARD_AGENT"
#: While a flow gives the caller to somebody: on the caller to whom, on the other leg `LEG`.
VARIABLE_TRANSFER = "CALLYARD_TRANSFER"
LEG = "leg"

#: Device states that mean "no phone there" (https://docs.asterisk.org, Device State).
UNREACHABLE_STATES = frozenset({"UNAVAILABLE", "INVALID"})


@dataclass(frozen=True, slots=True)
class LegRinging:
    interaction_id: str
    agent_id: str
    node: str
    channel: str


@dataclass(frozen=True, slots=True)
class LegGone:
    """The agent's channel hung up. `was_connected`: it had shared a bridge with the caller."""

    interaction_id: str
    agent_id: str
    cause: int
    was_connected: bool


@dataclass(frozen=True, slots=True)
class TalkBegan:
    interaction_id: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class TalkOver:
    interaction_id: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class TransferBegan:
    """The caller talks to somebody outside the queues, to whom the flow gave them."""

    interaction_id: str
    to: str


@dataclass(frozen=True, slots=True)
class CallerGone:
    interaction_id: str
    node: str


@dataclass(frozen=True, slots=True)
class PhoneUse:
    """`used`: something lives on the agent's phone that is not a ringing or bridged leg of ours."""

    agent_id: str
    used: bool


@dataclass(frozen=True, slots=True)
class PhoneReach:
    agent_id: str
    reachable: bool


@dataclass(frozen=True, slots=True)
class DigitPressed:
    interaction_id: str
    digit: str


Change = LegRinging | LegGone | TalkBegan | TalkOver | TransferBegan | CallerGone | PhoneUse | PhoneReach | DigitPressed


@dataclass(slots=True)
class _Channel:
    key: Key
    name: str
    linkedid: str
    interaction_id: str = ""
    agent_id: str = ""
    is_caller: bool = False
    bridge: str = ""
    was_connected: bool = False
    disowned: bool = False
    #: Of a caller: to whom the flow gave them last, since they waited for an agent.
    given_to: str = ""
    #: The far end of a transfer: not ours, so that an agent's phone counts as used.
    is_transfer: bool = False


def endpoint_of(channel: str) -> str:
    """`PJSIP/2001-0000002a` → `PJSIP/2001`."""
    return channel.rpartition("-")[0] or channel


class Calls:
    """All channels of all nodes as far as they matter to interactions and agents' phones."""

    def __init__(self, phones: Mapping[str, str] | None = None) -> None:
        self._agents: dict[str, str] = dict(phones or {})
        self._channels: dict[Key, _Channel] = {}
        self._callers: dict[str, Key] = {}
        self._bridges: dict[Key, set[Key]] = {}
        self._talks: dict[tuple[str, str], Key] = {}
        self._used: set[str] = set()
        self._by_agent: dict[str, set[Key]] = {}

    # --- what the dispatcher tells ---------------------------------------------------------------------

    def assign_phones(self, phones: Mapping[str, str]) -> tuple[Change, ...]:
        """Set whose phone each endpoint is (`PJSIP/2001` → agent id)."""
        self._agents = dict(phones)
        self._by_agent = {}
        for channel in self._channels.values():
            channel.agent_id = self._agents.get(endpoint_of(channel.name), channel.agent_id)
            self._index_agent(channel)
        return self._phone_changes(sorted({*self._agents.values(), *self._used}))

    def claim_caller(self, node: str, uniqueid: str, channel: str, interaction_id: str) -> None:
        """The session that talks with `uniqueid` says which interaction it carries."""
        known = self._channels.get((node, uniqueid))
        if known is None:
            known = self._channels[node, uniqueid] = _Channel((node, uniqueid), channel, uniqueid)
        self._mark_caller(known, interaction_id)

    def disown_leg(self, interaction_id: str, agent_id: str) -> tuple[Change, ...]:
        """The offer was withdrawn: the leg, while it lives, is no longer ours, and the phone is used until it ends."""
        for channel in self._legs(interaction_id, agent_id):
            channel.disowned = True
        return self._phone_changes([agent_id])

    def give(self, interaction_id: str, to: str) -> None:
        """From now on whoever is dialled for this caller is outside the queues; `to` empty: agents again."""
        key = self._callers.get(interaction_id)
        if key is not None:
            self._channels[key].given_to = to

    # --- what anybody may ask --------------------------------------------------------------------------

    def caller_channel(self, interaction_id: str) -> tuple[str, str] | None:
        """(node, channel name) of the caller, or None when they are gone."""
        key = self._callers.get(interaction_id)
        return None if key is None else (key[0], self._channels[key].name)

    def leg_channel(self, interaction_id: str, agent_id: str) -> tuple[str, str] | None:
        """(node, channel name) of the agent's leg in this call, or None."""
        for channel in self._legs(interaction_id, agent_id):
            return channel.key[0], channel.name
        return None

    def is_given(self, interaction_id: str) -> bool:
        """Whether somebody outside the queues is rung for this caller, or talks to them."""
        return any(each.is_transfer and each.interaction_id == interaction_id for each in self._channels.values())

    def ringing_legs(self) -> tuple[LegRinging, ...]:
        """The legs of ours that have not been in a bridge."""
        return tuple(
            LegRinging(channel.interaction_id, channel.agent_id, channel.key[0], channel.name)
            for _, channel in sorted(self._channels.items())
            if channel.agent_id
            and channel.interaction_id
            and not channel.was_connected
            and not channel.disowned
            and not channel.is_transfer
        )

    def is_talking(self, interaction_id: str, agent_id: str) -> bool:
        return (interaction_id, agent_id) in self._talks

    def talks(self) -> tuple[tuple[str, str], ...]:
        """(interaction, agent) pairs that share a bridge."""
        return tuple(sorted(self._talks))

    def is_alive(self, interaction_id: str) -> bool:
        """Whether the interaction's caller lives."""
        return interaction_id in self._callers

    def has_channel(self, node: str, uniqueid: str) -> bool:
        """Whether this channel lives, whoever's it is."""
        return (node, uniqueid) in self._channels

    def callers(self) -> tuple[str, ...]:
        """Interactions whose caller lives."""
        return tuple(sorted(self._callers))

    def is_used(self, agent_id: str) -> bool:
        return agent_id in self._used

    def __len__(self) -> int:
        return len(self._channels)

    # --- what Asterisk tells ---------------------------------------------------------------------------

    def apply(self, event: ChannelEvent) -> tuple[Change, ...]:
        """Take one event; answer what it changed, in the order in which the engine must hear it."""
        match event:
            case ChannelCreated():
                return self._create(event)
            case ChannelRenamed():
                return self._rename(event)
            case DialBegun():
                return self._begin_dial(event)
            case BridgeEntered():
                return self._enter_bridge((event.node, event.uniqueid), event.bridge_id)
            case BridgeLeft():
                return self._leave_bridge((event.node, event.uniqueid), event.bridge_id)
            case ChannelHungUp():
                return self._hang_up(event)
            case DigitEnded():
                return self._press_digit(event)
            case DeviceStateChanged():
                return self._change_device(event.device, event.state)
            case ChannelStateChanged() | _:
                return ()

    def reconcile(self, node: str, found: Iterable[ChannelFound]) -> tuple[Change, ...]:
        """Replace what is known of `node` by what Asterisk says now; answer the difference."""
        callers_before = {i for i, key in self._callers.items() if key[0] == node}
        talks_before = set(self._talks)
        for key in [key for key in self._channels if key[0] == node]:
            self._forget(key)
        for bridge in [bridge for bridge in self._bridges if bridge[0] == node]:
            del self._bridges[bridge]
        self._talks = {pair: bridge for pair, bridge in self._talks.items() if bridge[0] != node}
        for channel in found:
            self._adopt(channel)
        for bridge in sorted(bridge for bridge in self._bridges if bridge[0] == node):
            self._talks.update(dict.fromkeys(self._pairs(bridge), bridge))
        changes: list[Change] = list(self._phone_changes(sorted({*self._agents.values(), *self._used})))
        changes += [TalkOver(*pair) for pair in sorted(talks_before - set(self._talks))]
        changes += [TalkBegan(*pair) for pair in sorted(set(self._talks) - talks_before)]
        for bridge in sorted(bridge for bridge in self._bridges if bridge[0] == node):
            changes += self._transfers(bridge)
        changes += [CallerGone(i, node) for i in sorted(callers_before - set(self._callers))]
        return tuple(changes)

    # --- one event each --------------------------------------------------------------------------------

    def _create(self, event: ChannelCreated) -> tuple[Change, ...]:
        key = (event.node, event.uniqueid)
        if key in self._channels:
            return ()
        channel = self._channels[key] = _Channel(key, event.channel, event.linkedid)
        channel.agent_id = self._agents.get(endpoint_of(event.channel), "")
        # The linkedid is a hint only: it keeps a phone that we ring from counting as used by something else
        # in the moment before DialBegin names the call.
        relative = self._channels.get((event.node, event.linkedid))
        if channel.agent_id and relative is not None and relative.is_caller:
            channel.interaction_id, channel.is_transfer = relative.interaction_id, relative.given_to != ""
        return self._index_and_tell(channel)

    def _rename(self, event: ChannelRenamed) -> tuple[Change, ...]:
        channel = self._channels.get((event.node, event.uniqueid))
        if channel is not None:
            channel.name = event.new_name
        return ()

    def _begin_dial(self, event: DialBegun) -> tuple[Change, ...]:
        caller = self._channels.get((event.node, event.caller_uniqueid))
        leg = self._channels.get((event.node, event.dest_uniqueid))
        if caller is None or leg is None or not caller.is_caller:
            return ()
        if caller.given_to:
            leg.interaction_id, leg.is_transfer = caller.interaction_id, True
            return self._phone_changes([leg.agent_id])
        if leg.was_connected or not leg.agent_id:
            # Old news, held back while the world was read: the phone has been answered since.
            return ()
        leg.interaction_id = caller.interaction_id
        ringing = LegRinging(leg.interaction_id, leg.agent_id, event.node, leg.name)
        return (ringing, *self._phone_changes([leg.agent_id]))

    def _enter_bridge(self, key: Key, bridge_id: str) -> tuple[Change, ...]:
        channel = self._channels.get(key)
        if channel is None or channel.bridge == bridge_id:
            return ()
        left = self._leave_bridge(key, channel.bridge) if channel.bridge else ()
        bridge = (key[0], bridge_id)
        channel.bridge = bridge_id
        self._bridges.setdefault(bridge, set()).add(key)
        began: list[Change] = []
        for pair in sorted(self._pairs(bridge) - set(self._talks)):
            self._talks[pair] = bridge
            began.append(TalkBegan(*pair))
        given = self._transfers(bridge)
        return (*left, *began, *given, *self._phone_changes([agent for _, agent in self._pairs(bridge)]))

    def _leave_bridge(self, key: Key, bridge_id: str) -> tuple[Change, ...]:
        channel = self._channels.get(key)
        if channel is None or channel.bridge != bridge_id:
            return ()
        channel.bridge = ""
        bridge = (key[0], bridge_id)
        inside = self._bridges.get(bridge, set())
        inside.discard(key)
        if not inside:
            self._bridges.pop(bridge, None)
        still = self._pairs(bridge)
        over = sorted(pair for pair, where in self._talks.items() if where == bridge and pair not in still)
        for pair in over:
            del self._talks[pair]
        used = self._phone_changes([agent for _, agent in over])
        return (*used, *(TalkOver(*pair) for pair in over))

    def _hang_up(self, event: ChannelHungUp) -> tuple[Change, ...]:
        key = (event.node, event.uniqueid)
        channel = self._channels.get(key)
        if channel is None:
            return ()
        changes: list[Change] = list(self._leave_bridge(key, channel.bridge)) if channel.bridge else []
        is_caller = channel.is_caller and self._callers.get(channel.interaction_id) == key
        self._forget(key)
        if is_caller:
            changes.append(CallerGone(channel.interaction_id, event.node))
            changes += self._phone_changes(sorted({*self._agents_of(channel.interaction_id), channel.agent_id}))
        elif channel.agent_id:
            if channel.interaction_id and not (channel.disowned or channel.is_caller or channel.is_transfer):
                changes.append(LegGone(channel.interaction_id, channel.agent_id, event.cause, channel.was_connected))
            changes += self._phone_changes([channel.agent_id])
        return tuple(changes)

    def _press_digit(self, event: DigitEnded) -> tuple[Change, ...]:
        channel = self._channels.get((event.node, event.uniqueid))
        if channel is None or not channel.is_caller or event.direction != "Received":
            return ()
        return (DigitPressed(channel.interaction_id, event.digit),)

    def _change_device(self, device: str, state: str) -> tuple[Change, ...]:
        agent_id = self._agents.get(device)
        if agent_id is None:
            return ()
        return (PhoneReach(agent_id, state.upper() not in UNREACHABLE_STATES),)

    # --- bookkeeping -----------------------------------------------------------------------------------

    def _adopt(self, found: ChannelFound) -> None:
        key = (found.node, found.uniqueid)
        channel = self._channels[key] = _Channel(key, found.channel, found.linkedid)
        interaction_id = found.variables.get(VARIABLE_INTERACTION, "")
        channel.agent_id = found.variables.get(VARIABLE_AGENT, "") or self._agents.get(endpoint_of(found.channel), "")
        given_to = found.variables.get(VARIABLE_TRANSFER, "")
        if interaction_id and given_to == LEG:
            channel.interaction_id, channel.is_transfer = interaction_id, True
        elif interaction_id and found.variables.get(VARIABLE_OFFER):
            channel.interaction_id = interaction_id
        elif interaction_id and not found.variables.get(VARIABLE_AGENT):
            self._mark_caller(channel, interaction_id)
            channel.given_to = given_to
        self._index_agent(channel)
        if found.bridge_id:
            channel.bridge = found.bridge_id
            self._bridges.setdefault((found.node, found.bridge_id), set()).add(key)

    def _mark_caller(self, channel: _Channel, interaction_id: str) -> None:
        channel.is_caller = True
        channel.interaction_id = interaction_id
        self._callers[interaction_id] = channel.key

    def _forget(self, key: Key) -> None:
        channel = self._channels.pop(key)
        if channel.is_caller and self._callers.get(channel.interaction_id) == key:
            del self._callers[channel.interaction_id]
        if channel.agent_id:
            self._by_agent.get(channel.agent_id, set()).discard(key)

    def _index_agent(self, channel: _Channel) -> None:
        if channel.agent_id:
            self._by_agent.setdefault(channel.agent_id, set()).add(channel.key)

    def _index_and_tell(self, channel: _Channel) -> tuple[Change, ...]:
        self._index_agent(channel)
        return self._phone_changes([channel.agent_id]) if channel.agent_id else ()

    def _pairs(self, bridge: Key) -> set[tuple[str, str]]:
        inside = [self._channels[key] for key in self._bridges.get(bridge, ())]
        interactions = {channel.interaction_id for channel in inside if channel.is_caller}
        pairs = set()
        for channel in inside:
            if channel.agent_id and not (channel.disowned or channel.is_caller or channel.is_transfer):
                for interaction_id in interactions:
                    channel.was_connected = True
                    channel.interaction_id = channel.interaction_id or interaction_id
                    pairs.add((interaction_id, channel.agent_id))
        return pairs

    def _transfers(self, bridge: Key) -> list[TransferBegan]:
        """Callers in this bridge who talk to the far end of a transfer of theirs."""
        inside = [self._channels[key] for key in sorted(self._bridges.get(bridge, ()))]
        far = {channel.interaction_id for channel in inside if channel.is_transfer}
        callers = (channel for channel in inside if channel.is_caller and channel.given_to)
        return [TransferBegan(each.interaction_id, each.given_to) for each in callers if each.interaction_id in far]

    def _legs(self, interaction_id: str, agent_id: str) -> list[_Channel]:
        channels = (self._channels[key] for key in sorted(self._by_agent.get(agent_id, ())))
        return [
            each
            for each in channels
            if each.interaction_id == interaction_id and not (each.is_caller or each.is_transfer)
        ]

    def _agents_of(self, interaction_id: str) -> set[str]:
        legs = (channel for channel in self._channels.values() if channel.agent_id and not channel.is_caller)
        return {leg.agent_id for leg in legs if leg.interaction_id == interaction_id}

    def _is_ours(self, channel: _Channel) -> bool:
        if channel.is_caller or channel.disowned or channel.is_transfer or channel.interaction_id not in self._callers:
            return False
        return not channel.was_connected or (channel.interaction_id, channel.agent_id) in self._talks

    def _phone_changes(self, agents: Iterable[str]) -> tuple[Change, ...]:
        changes: list[Change] = []
        for agent_id in agents:
            if not agent_id:
                continue
            used = any(not self._is_ours(self._channels[key]) for key in self._by_agent.get(agent_id, ()))
            if used != (agent_id in self._used):
                (self._used.add if used else self._used.discard)(agent_id)
                changes.append(PhoneUse(agent_id, used))
        return tuple(changes)
