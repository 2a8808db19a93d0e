"""What events mean: each with the headers of Asterisk 22, less one, and with nonsense."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cti import ami_events
from cti.ami_events import (
    BridgeDestroyed,
    BridgeEntered,
    BridgeLeft,
    ChannelCreated,
    ChannelFound,
    ChannelHungUp,
    ChannelRenamed,
    ChannelStateChanged,
    DeviceStateChanged,
    DialBegun,
    DialEnded,
    DigitEnded,
    EndpointReachabilityChanged,
    FullyBooted,
    Held,
    TransferredAttended,
    TransferredBlind,
    Unheld,
    Unknown,
    UserEventCame,
    parse_event,
)
from cti.ami_messages import AmiEvent, as_event, read_headers
from cti.errors import AmiProtocolError

CHANNEL = """Channel: PJSIP/2001-0000002a
ChannelState: 5
ChannelStateDesc: Ringing
CallerIDNum: 49301234
CallerIDName: Ada
ConnectedLineNum: <unknown>
ConnectedLineName: <unknown>
Language: en
AccountCode:
Context: callyard-in
Exten: 100
Priority: 1
Uniqueid: west-17.3
Linkedid: west-17.1"""
BRIDGE = """BridgeUniqueid: b-1
BridgeType: basic
BridgeTechnology: simple_bridge
BridgeCreator: <unknown>
BridgeName: <unknown>
BridgeNumChannels: 1
BridgeVideoSourceMode: none"""

TEXTS = {
    ChannelCreated: f"Event: Newchannel\nPrivilege: call,all\nTimestamp: 12.000034\n{CHANNEL}",
    ChannelStateChanged: f"Event: Newstate\nPrivilege: call,all\n{CHANNEL}",
    ChannelRenamed: "Event: Rename\nChannel: PJSIP/a-1\nNewname: PJSIP/b-1\nUniqueid: west-17.3",
    ChannelHungUp: f"Event: Hangup\n{CHANNEL}\nCause: 16\nCause-txt: Normal Clearing",
    DialBegun: "Event: DialBegin\nChannel: PJSIP/t-1\nUniqueid: west-17.1\nLinkedid: west-17.1\n"
    "DestChannel: PJSIP/2001-2\nDestUniqueid: west-17.3\nDialString: 2001",
    DialEnded: "Event: DialEnd\nUniqueid: west-17.1\nDestChannel: PJSIP/2001-2\nDestUniqueid: west-17.3\n"
    "DialStatus: NOANSWER",
    BridgeEntered: f"Event: BridgeEnter\n{BRIDGE}\n{CHANNEL}",
    BridgeLeft: f"Event: BridgeLeave\n{BRIDGE}\n{CHANNEL}",
    BridgeDestroyed: f"Event: BridgeDestroy\n{BRIDGE}",
    DigitEnded: f"Event: DTMFEnd\n{CHANNEL}\nDigit: #\nDurationMs: 90\nDirection: Received",
    DeviceStateChanged: "Event: DeviceStateChange\nDevice: PJSIP/2001\nState: NOT_INUSE",
    EndpointReachabilityChanged: "Event: ContactStatus\nURI: sip:2001@127.0.0.1:5070\nContactStatus: Reachable\n"
    "AOR: 2001\nEndpointName: 2001\nRoundtripUsec: 311",
    Held: f"Event: Hold\n{CHANNEL}\nMusicClass: default",
    Unheld: f"Event: Unhold\n{CHANNEL}",
    TransferredBlind: "Event: BlindTransfer\nResult: Success\nTransfererChannel: PJSIP/2001-2\n"
    "TransfererUniqueid: west-17.3\nTransfereeChannel: PJSIP/t-1\nTransfereeUniqueid: west-17.1\n"
    f"{BRIDGE}\nIsExternal: Yes\nContext: callyard-out\nExtension: 700",
    TransferredAttended: "Event: AttendedTransfer\nResult: Success\nOrigTransfererUniqueid: west-17.3\n"
    "OrigBridgeUniqueid: b-1\nSecondTransfererUniqueid: west-17.5\nSecondBridgeUniqueid: b-2\n"
    "DestType: Bridge\nDestBridgeUniqueid: b-1\nTransfereeUniqueid: west-17.1\n"
    "TransferTargetUniqueid: west-17.6",
    UserEventCame: f"Event: UserEvent\n{CHANNEL}\nUserEvent: Epoch\nNumber: 7\nUniqueid: mine",
    FullyBooted: "Event: FullyBooted\nStatus: Fully Booted",
    ChannelFound: f"Event: Status\nPrivilege: Call\n{CHANNEL}\nType: PJSIP\nDNID: 100\nTimeToHangup: 0\n"
    "BridgeID: b-1\nApplication: AGI\nData: agi://x/call\nSeconds: 42\nActionID: 1\n"
    "Variable: YARD_INTERACTION=i-1\nVariable: YARD_NOTE=a=b, c\nVariable: YARD_OFFER=(null)",
}

EXPECTED = {
    ChannelCreated: ChannelCreated(
        "west",
        12_000_034,
        uniqueid="west-17.3",
        linkedid="west-17.1",
        channel="PJSIP/2001-0000002a",
        caller_number="49301234",
        caller_name="Ada",
        context="callyard-in",
        exten="100",
        state="Ringing",
    ),
    ChannelStateChanged: ChannelStateChanged(
        "west", None, "west-17.3", "west-17.1", "PJSIP/2001-0000002a", state="Ringing"
    ),
    ChannelRenamed: ChannelRenamed("west", None, "west-17.3", channel="PJSIP/a-1", new_name="PJSIP/b-1"),
    ChannelHungUp: ChannelHungUp(
        "west", None, "west-17.3", "west-17.1", "PJSIP/2001-0000002a", cause=16, cause_text="Normal Clearing"
    ),
    DialBegun: DialBegun("west", None, "west-17.1", "west-17.3", "PJSIP/2001-2", dial_string="2001"),
    DialEnded: DialEnded("west", None, "west-17.1", "west-17.3", status="NOANSWER"),
    BridgeEntered: BridgeEntered(
        "west",
        None,
        bridge_id="b-1",
        uniqueid="west-17.3",
        linkedid="west-17.1",
        channel="PJSIP/2001-0000002a",
        bridge_type="basic",
        technology="simple_bridge",
    ),
    BridgeLeft: BridgeLeft("west", None, bridge_id="b-1", uniqueid="west-17.3", channel="PJSIP/2001-0000002a"),
    BridgeDestroyed: BridgeDestroyed("west", None, bridge_id="b-1"),
    DigitEnded: DigitEnded("west", None, "west-17.3", "PJSIP/2001-0000002a", digit="#", direction="Received"),
    DeviceStateChanged: DeviceStateChanged("west", None, device="PJSIP/2001", state="NOT_INUSE"),
    EndpointReachabilityChanged: EndpointReachabilityChanged(
        "west", None, aor="2001", uri="sip:2001@127.0.0.1:5070", status="Reachable"
    ),
    Held: Held("west", None, "west-17.3", "PJSIP/2001-0000002a"),
    Unheld: Unheld("west", None, "west-17.3", "PJSIP/2001-0000002a"),
    TransferredBlind: TransferredBlind(
        "west", None, "Success", "west-17.3", "west-17.1", bridge_id="b-1", context="callyard-out", exten="700"
    ),
    TransferredAttended: TransferredAttended(
        "west",
        None,
        result="Success",
        transferer_uniqueid="west-17.3",
        second_transferer_uniqueid="west-17.5",
        transferee_uniqueid="west-17.1",
        target_uniqueid="west-17.6",
        bridge_id="b-1",
        second_bridge_id="b-2",
        dest_type="Bridge",
        dest_bridge_id="b-1",
    ),
    FullyBooted: FullyBooted("west", None),
    ChannelFound: ChannelFound(
        "west",
        None,
        uniqueid="west-17.3",
        linkedid="west-17.1",
        channel="PJSIP/2001-0000002a",
        caller_number="49301234",
        caller_name="Ada",
        context="callyard-in",
        exten="100",
        state="Ringing",
        application="AGI",
        bridge_id="b-1",
        seconds=42,
        variables={"YARD_INTERACTION": "i-1", "YARD_NOTE": "a=b, c", "YARD_OFFER": ""},
    ),
}

REQUIRED = {
    ChannelCreated: ["Uniqueid", "Linkedid", "Channel", "ChannelStateDesc"],
    ChannelStateChanged: ["Uniqueid", "Linkedid", "Channel", "ChannelStateDesc"],
    ChannelRenamed: ["Uniqueid", "Channel", "Newname"],
    ChannelHungUp: ["Uniqueid", "Linkedid", "Channel", "Cause"],
    DialBegun: ["DestUniqueid", "DestChannel"],
    DialEnded: ["DestUniqueid", "DialStatus"],
    BridgeEntered: ["BridgeUniqueid", "Uniqueid", "Linkedid", "Channel"],
    BridgeLeft: ["BridgeUniqueid", "Uniqueid", "Channel"],
    BridgeDestroyed: ["BridgeUniqueid"],
    DigitEnded: ["Uniqueid", "Channel", "Digit", "Direction"],
    DeviceStateChanged: ["Device", "State"],
    EndpointReachabilityChanged: ["AOR", "ContactStatus"],
    Held: ["Uniqueid", "Channel"],
    Unheld: ["Uniqueid", "Channel"],
    TransferredBlind: ["Result"],
    TransferredAttended: ["Result"],
    UserEventCame: ["UserEvent"],
    FullyBooted: [],
    ChannelFound: ["Uniqueid", "Linkedid", "Channel", "ChannelStateDesc", "Seconds"],
}


def event_of(text: str) -> AmiEvent:
    return as_event("west", read_headers("\r\n".join(text.split("\n")).encode()))


def without(text: str, header: str) -> str:
    return "\n".join(line for line in text.split("\n") if not line.startswith(f"{header}:"))


@pytest.mark.parametrize("kind", EXPECTED, ids=lambda kind: kind.__name__)
def test_each_event_is_read_into_its_value(kind: type) -> None:
    assert parse_event(event_of(TEXTS[kind])) == EXPECTED[kind]


@pytest.mark.parametrize(
    ("kind", "header"),
    [(kind, header) for kind, headers in REQUIRED.items() for header in headers],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_a_missing_required_header_is_an_error_with_the_events_text(kind: type, header: str) -> None:
    text = without(TEXTS[kind], header)
    with pytest.raises(AmiProtocolError) as caught:
        parse_event(event_of(text))
    assert header in str(caught.value)
    assert repr(text)[1:60] in str(caught.value)


def test_every_kind_of_event_is_tested_here() -> None:
    kinds = set(ami_events.ChannelEvent.__args__) - {Unknown}
    assert kinds == set(TEXTS) == set(REQUIRED) == set(EXPECTED) | {UserEventCame}
    for kind in kinds:
        assert [one.name for one in dataclasses.fields(kind)][:2] == ["node", "at_us"]


def test_headers_that_asterisk_leaves_out_are_empty() -> None:
    begun = parse_event(event_of("Event: DialBegin\nDestChannel: Local/1-1\nDestUniqueid: 5.1"))
    assert begun == DialBegun("west", None, "", "5.1", "Local/1-1", "")
    blind = parse_event(event_of("Event: BlindTransfer\nResult: Fail"))
    assert blind == TransferredBlind("west", None, "Fail", "", "", "", "", "")


def test_an_unknown_caller_is_empty() -> None:
    text = TEXTS[ChannelCreated].replace("49301234", "<unknown>").replace("Ada", "<unknown>")
    created = parse_event(event_of(text))
    assert isinstance(created, ChannelCreated)
    assert (created.caller_number, created.caller_name) == ("", "")


def test_a_user_events_own_fields_come_after_its_name() -> None:
    came = parse_event(event_of(TEXTS[UserEventCame]))
    assert isinstance(came, UserEventCame)
    assert came.name == "Epoch"
    assert came.uniqueid == "west-17.3"
    assert came.fields.pairs == (("Number", "7"), ("Uniqueid", "mine"))


def test_a_user_event_of_no_channel() -> None:
    came = parse_event(
        event_of("Event: UserEvent\nPrivilege: user,all\nUserEvent: Epoch\nActionID: x-1\nUniqueid: mine")
    )
    assert isinstance(came, UserEventCame)
    assert (came.name, came.uniqueid, dict(came.fields)) == ("Epoch", "", {"Uniqueid": "mine"})


def test_an_event_that_means_nothing_to_us_is_kept_whole() -> None:
    event = event_of("Event: MusicOnHoldStart\nUniqueid: 5.1\nTimestamp: 3.5")
    assert parse_event(event) == Unknown("west", 3_500_000, event)


@pytest.mark.parametrize(("kind", "old"), [(ChannelHungUp, "Cause: 16"), (ChannelFound, "Seconds: 42")])
def test_a_number_that_is_none_is_an_error(kind: type, old: str) -> None:
    name = old.split(":")[0]
    with pytest.raises(AmiProtocolError, match=f"{name} must be a whole number, is 'soon'"):
        parse_event(event_of(TEXTS[kind].replace(old, f"{name}: soon")))


def test_a_variable_without_equals_is_an_error() -> None:
    with pytest.raises(AmiProtocolError, match="NAME=value"):
        parse_event(event_of(TEXTS[ChannelFound] + "\nVariable: odd"))


def test_a_channel_without_variables_or_bridge() -> None:
    text = without(without(TEXTS[ChannelFound], "Variable"), "BridgeID")
    found = parse_event(event_of(text))
    assert isinstance(found, ChannelFound)
    assert (found.bridge_id, found.variables) == ("", {})


NAMES = sorted({line.split(":")[0] for text in TEXTS.values() for line in text.split("\n")} - {"Event"})


@given(
    st.sampled_from([text.split("\n")[0].removeprefix("Event: ") for text in TEXTS.values()]),
    st.lists(st.tuples(st.sampled_from(NAMES), st.text(max_size=8)), max_size=30),
)
def test_random_headers_raise_only_the_protocol_error(name: str, pairs: list[tuple[str, str]]) -> None:
    text = "\r\n".join([f"Event: {name}", *(f"{header}: {value}" for header, value in pairs)])
    try:
        value = parse_event(as_event("west", read_headers(text.encode())))
    except AmiProtocolError:
        return
    assert value.node == "west"
