"""What AMI events mean: typed values for the call model, everything else kept as `Unknown`.

What belongs here: reading headers into values. What does not: any state, any decision. Longer than other files
because it is a straight list: one value and one reader for each event.

Each value carries `node` and `at_us` (Asterisk's own time, microseconds UTC, or None). Ids are opaque strings and
known only together with their node. Asterisk writes `<unknown>` for a number or name that it does not have: here
that is an empty string. Header names are those of Asterisk 20 and newer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from cti.ami_messages import AmiEvent, Headers, quote
from cti.errors import AmiProtocolError


@dataclass(frozen=True, slots=True)
class ChannelCreated:
    """A channel exists. `state` as Asterisk words it: Down, Ring, Ringing, Up …"""

    node: str
    at_us: int | None
    uniqueid: str
    linkedid: str
    channel: str
    caller_number: str
    caller_name: str
    context: str
    exten: str
    state: str


@dataclass(frozen=True, slots=True)
class ChannelStateChanged:
    """A channel rings, or is up."""

    node: str
    at_us: int | None
    uniqueid: str
    linkedid: str
    channel: str
    state: str


@dataclass(frozen=True, slots=True)
class ChannelRenamed:
    """A channel has another name (masquerade); its uniqueid stays. `channel` is the name it had."""

    node: str
    at_us: int | None
    uniqueid: str
    channel: str
    new_name: str


@dataclass(frozen=True, slots=True)
class ChannelHungUp:
    """A channel is gone. `cause` is the ISDN cause (16: normal, 17: busy, 21: declined …)."""

    node: str
    at_us: int | None
    uniqueid: str
    linkedid: str
    channel: str
    cause: int
    cause_text: str


@dataclass(frozen=True, slots=True)
class DialBegun:
    """A channel is being rung. `caller_uniqueid` is empty when Asterisk itself rings (Originate)."""

    node: str
    at_us: int | None
    caller_uniqueid: str
    dest_uniqueid: str
    dest_channel: str
    dial_string: str


@dataclass(frozen=True, slots=True)
class DialEnded:
    """Ringing ended. `status`: ANSWER, BUSY, CANCEL, CHANUNAVAIL, CONGESTION, NOANSWER."""

    node: str
    at_us: int | None
    caller_uniqueid: str
    dest_uniqueid: str
    status: str


@dataclass(frozen=True, slots=True)
class BridgeEntered:
    """A channel joined a bridge: it talks to whoever else is in there."""

    node: str
    at_us: int | None
    bridge_id: str
    uniqueid: str
    linkedid: str
    channel: str
    bridge_type: str
    technology: str


@dataclass(frozen=True, slots=True)
class BridgeLeft:
    """A channel left a bridge."""

    node: str
    at_us: int | None
    bridge_id: str
    uniqueid: str
    channel: str


@dataclass(frozen=True, slots=True)
class BridgeDestroyed:
    """A bridge is gone."""

    node: str
    at_us: int | None
    bridge_id: str


@dataclass(frozen=True, slots=True)
class DigitEnded:
    """A key was pressed and let go. `direction`: Received (by Asterisk, from the caller) or Sent."""

    node: str
    at_us: int | None
    uniqueid: str
    channel: str
    digit: str
    direction: str


@dataclass(frozen=True, slots=True)
class DeviceStateChanged:
    """A phone as Asterisk sees it: NOT_INUSE, INUSE, RINGING, BUSY, UNAVAILABLE …"""

    node: str
    at_us: int | None
    device: str
    state: str


@dataclass(frozen=True, slots=True)
class EndpointReachabilityChanged:
    """A phone's address can be reached, or not: Reachable, Unreachable, NonQualified, Removed …"""

    node: str
    at_us: int | None
    aor: str
    uri: str
    status: str


@dataclass(frozen=True, slots=True)
class Held:
    """A phone put its call on hold."""

    node: str
    at_us: int | None
    uniqueid: str
    channel: str


@dataclass(frozen=True, slots=True)
class Unheld:
    """A phone took its call back from hold."""

    node: str
    at_us: int | None
    uniqueid: str
    channel: str


@dataclass(frozen=True, slots=True)
class TransferredBlind:
    """Somebody sent the other side of a bridge elsewhere. Ids that Asterisk does not know are empty.

    `result` is Success, or why it failed (Fail, Invalid, Not Permitted).
    """

    node: str
    at_us: int | None
    result: str
    transferer_uniqueid: str
    transferee_uniqueid: str
    bridge_id: str
    context: str
    exten: str


@dataclass(frozen=True, slots=True)
class TransferredAttended:
    """Somebody joined two of their calls. Ids that Asterisk does not know are empty.

    `dest_type`: Bridge, App, Link, Threeway or Fail; `dest_bridge_id` where it is a bridge.
    """

    node: str
    at_us: int | None
    result: str
    transferer_uniqueid: str
    second_transferer_uniqueid: str
    transferee_uniqueid: str
    target_uniqueid: str
    bridge_id: str
    second_bridge_id: str
    dest_type: str
    dest_bridge_id: str


@dataclass(frozen=True, slots=True)
class UserEventCame:
    """The dialplan or an AMI client said something; `uniqueid` is empty when no channel did."""

    node: str
    at_us: int | None
    name: str
    uniqueid: str
    fields: Headers


@dataclass(frozen=True, slots=True)
class FullyBooted:
    """Asterisk is ready; comes after each login too."""

    node: str
    at_us: int | None


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event that means nothing to us, kept whole."""

    node: str
    at_us: int | None
    event: AmiEvent


@dataclass(frozen=True, slots=True)
class ChannelFound:
    """A channel that is there, as `Status` lists it. `bridge_id` is empty outside bridges.

    `seconds`: how long it exists. `variables`: those that the action asked for; an unset one is empty.
    """

    node: str
    at_us: int | None
    uniqueid: str
    linkedid: str
    channel: str
    caller_number: str
    caller_name: str
    context: str
    exten: str
    state: str
    application: str
    bridge_id: str
    seconds: int
    variables: Mapping[str, str] = field(default_factory=dict)


ChannelEvent = (
    ChannelCreated
    | ChannelStateChanged
    | ChannelRenamed
    | ChannelHungUp
    | DialBegun
    | DialEnded
    | BridgeEntered
    | BridgeLeft
    | BridgeDestroyed
    | DigitEnded
    | DeviceStateChanged
    | EndpointReachabilityChanged
    | Held
    | Unheld
    | TransferredBlind
    | TransferredAttended
    | UserEventCame
    | FullyBooted
    | ChannelFound
    | Unknown
)


def parse_event(event: AmiEvent) -> ChannelEvent:
    """Read an event. AmiProtocolError with its text when a header is missing that it must have."""
    read = _READERS.get(event.name.lower())
    return read(event) if read is not None else Unknown(event.node, event.at_us, event)


def _found(event: AmiEvent) -> ChannelFound:
    return ChannelFound(
        event.node,
        event.at_us,
        uniqueid=event.require("Uniqueid"),
        linkedid=event.require("Linkedid"),
        channel=event.require("Channel"),
        caller_number=_known(event, "CallerIDNum"),
        caller_name=_known(event, "CallerIDName"),
        context=event.get("Context"),
        exten=event.get("Exten"),
        state=event.require("ChannelStateDesc"),
        application=event.get("Application"),
        bridge_id=event.get("BridgeID"),
        seconds=_number(event, "Seconds"),
        variables=_variables(event),
    )


def _variables(event: AmiEvent) -> dict[str, str]:
    """Read the `Variable: NAME=value` headers, one for each variable asked for; unset ones are empty."""
    variables = {}
    for pair in event.all("Variable"):
        name, equals, value = pair.partition("=")
        if not equals:
            raise AmiProtocolError(f"{event.node}: expected Variable: NAME=value, got {quote(pair)}")
        variables[name] = "" if value == _UNSET else value
    return variables


# What Asterisk 22 prints for a variable that is not set; one that really holds this text cannot be told from it.
_UNSET = "(null)"


def _known(event: AmiEvent, header: str) -> str:
    value = event.get(header)
    return "" if value == "<unknown>" else value


def _number(event: AmiEvent, header: str) -> int:
    value = event.require(header)
    try:
        return int(value)
    except ValueError:
        raise AmiProtocolError(
            f"{event.node}: event {event.name}: {header} must be a whole number, is {quote(value)}: {quote(event.text)}"
        ) from None


def _created(event: AmiEvent) -> ChannelCreated:
    return ChannelCreated(
        event.node,
        event.at_us,
        uniqueid=event.require("Uniqueid"),
        linkedid=event.require("Linkedid"),
        channel=event.require("Channel"),
        caller_number=_known(event, "CallerIDNum"),
        caller_name=_known(event, "CallerIDName"),
        context=event.get("Context"),
        exten=event.get("Exten"),
        state=event.require("ChannelStateDesc"),
    )


def _state_changed(event: AmiEvent) -> ChannelStateChanged:
    return ChannelStateChanged(
        event.node,
        event.at_us,
        uniqueid=event.require("Uniqueid"),
        linkedid=event.require("Linkedid"),
        channel=event.require("Channel"),
        state=event.require("ChannelStateDesc"),
    )


def _renamed(event: AmiEvent) -> ChannelRenamed:
    return ChannelRenamed(
        event.node,
        event.at_us,
        uniqueid=event.require("Uniqueid"),
        channel=event.require("Channel"),
        new_name=event.require("Newname"),
    )


def _hung_up(event: AmiEvent) -> ChannelHungUp:
    return ChannelHungUp(
        event.node,
        event.at_us,
        uniqueid=event.require("Uniqueid"),
        linkedid=event.require("Linkedid"),
        channel=event.require("Channel"),
        cause=_number(event, "Cause"),
        cause_text=event.get("Cause-txt"),
    )


def _dial_begun(event: AmiEvent) -> DialBegun:
    return DialBegun(
        event.node,
        event.at_us,
        caller_uniqueid=event.get("Uniqueid"),
        dest_uniqueid=event.require("DestUniqueid"),
        dest_channel=event.require("DestChannel"),
        dial_string=event.get("DialString"),
    )


def _dial_ended(event: AmiEvent) -> DialEnded:
    return DialEnded(
        event.node,
        event.at_us,
        caller_uniqueid=event.get("Uniqueid"),
        dest_uniqueid=event.require("DestUniqueid"),
        status=event.require("DialStatus"),
    )


def _bridge_entered(event: AmiEvent) -> BridgeEntered:
    return BridgeEntered(
        event.node,
        event.at_us,
        bridge_id=event.require("BridgeUniqueid"),
        uniqueid=event.require("Uniqueid"),
        linkedid=event.require("Linkedid"),
        channel=event.require("Channel"),
        bridge_type=event.get("BridgeType"),
        technology=event.get("BridgeTechnology"),
    )


def _bridge_left(event: AmiEvent) -> BridgeLeft:
    return BridgeLeft(
        event.node,
        event.at_us,
        bridge_id=event.require("BridgeUniqueid"),
        uniqueid=event.require("Uniqueid"),
        channel=event.require("Channel"),
    )


def _bridge_destroyed(event: AmiEvent) -> BridgeDestroyed:
    return BridgeDestroyed(event.node, event.at_us, bridge_id=event.require("BridgeUniqueid"))


def _digit_ended(event: AmiEvent) -> DigitEnded:
    return DigitEnded(
        event.node,
        event.at_us,
        uniqueid=event.require("Uniqueid"),
        channel=event.require("Channel"),
        digit=event.require("Digit"),
        direction=event.require("Direction"),
    )


def _device_changed(event: AmiEvent) -> DeviceStateChanged:
    return DeviceStateChanged(event.node, event.at_us, device=event.require("Device"), state=event.require("State"))


def _reachability_changed(event: AmiEvent) -> EndpointReachabilityChanged:
    return EndpointReachabilityChanged(
        event.node,
        event.at_us,
        aor=event.require("AOR"),
        uri=event.get("URI"),
        status=event.require("ContactStatus"),
    )


def _held(event: AmiEvent) -> Held:
    return Held(event.node, event.at_us, uniqueid=event.require("Uniqueid"), channel=event.require("Channel"))


def _unheld(event: AmiEvent) -> Unheld:
    return Unheld(event.node, event.at_us, uniqueid=event.require("Uniqueid"), channel=event.require("Channel"))


def _transferred_blind(event: AmiEvent) -> TransferredBlind:
    return TransferredBlind(
        event.node,
        event.at_us,
        result=event.require("Result"),
        transferer_uniqueid=event.get("TransfererUniqueid"),
        transferee_uniqueid=event.get("TransfereeUniqueid"),
        bridge_id=event.get("BridgeUniqueid"),
        context=event.get("Context"),
        exten=event.get("Extension"),
    )


def _transferred_attended(event: AmiEvent) -> TransferredAttended:
    return TransferredAttended(
        event.node,
        event.at_us,
        result=event.require("Result"),
        transferer_uniqueid=event.get("OrigTransfererUniqueid"),
        second_transferer_uniqueid=event.get("SecondTransfererUniqueid"),
        transferee_uniqueid=event.get("TransfereeUniqueid"),
        target_uniqueid=event.get("TransferTargetUniqueid"),
        bridge_id=event.get("OrigBridgeUniqueid"),
        second_bridge_id=event.get("SecondBridgeUniqueid"),
        dest_type=event.get("DestType"),
        dest_bridge_id=event.get("DestBridgeUniqueid"),
    )


def _user_event(event: AmiEvent) -> UserEventCame:
    """Read a user event: the channel's headers come before the header UserEvent, its own fields after it.

    Asterisk adds the ActionID of the client that raised it to the fields; it is none of them.
    """
    event.require("UserEvent")
    pairs = event.headers.pairs
    place = next(i for i, (header, _) in enumerate(pairs) if header.lower() == "userevent")
    before = Headers(pairs[:place])
    return UserEventCame(
        event.node,
        event.at_us,
        name=pairs[place][1],
        uniqueid=before.get("Uniqueid", ""),
        fields=Headers(pair for pair in pairs[place + 1 :] if pair[0] != "ActionID"),
    )


def _fully_booted(event: AmiEvent) -> FullyBooted:
    return FullyBooted(event.node, event.at_us)


_READERS: Mapping[str, Callable[[AmiEvent], ChannelEvent]] = {
    "newchannel": _created,
    "newstate": _state_changed,
    "rename": _renamed,
    "hangup": _hung_up,
    "dialbegin": _dial_begun,
    "dialend": _dial_ended,
    "bridgeenter": _bridge_entered,
    "bridgeleave": _bridge_left,
    "bridgedestroy": _bridge_destroyed,
    "dtmfend": _digit_ended,
    "devicestatechange": _device_changed,
    "contactstatus": _reachability_changed,
    "hold": _held,
    "unhold": _unheld,
    "blindtransfer": _transferred_blind,
    "attendedtransfer": _transferred_attended,
    "userevent": _user_event,
    "fullybooted": _fully_booted,
    "status": _found,
}
