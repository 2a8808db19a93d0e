"""The call model: what recorded conversations of a real Asterisk mean, and what each event changes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cti.ami_events import (
    BridgeEntered,
    BridgeLeft,
    ChannelCreated,
    ChannelEvent,
    ChannelFound,
    ChannelHungUp,
    ChannelRenamed,
    DeviceStateChanged,
    DialBegun,
    DigitEnded,
)
from cti.calls import (
    CallerGone,
    Calls,
    Change,
    DigitPressed,
    LegGone,
    LegRinging,
    PhoneReach,
    PhoneUse,
    TalkBegan,
    TalkOver,
    TransferBegan,
    endpoint_of,
)
from tests.fakes import recording

N = recording.NODE
PHONES = {"PJSIP/2001": "maria", "PJSIP/2002": "jon"}


def words(change: Change) -> str:
    """A change as a row of a table shows it; there is one caller, who needs no name."""
    match change:
        case LegRinging():
            return f"{change.agent_id} rings"
        case LegGone():
            how = "connected" if change.was_connected else "unanswered"
            return f"{change.agent_id}'s leg gone, cause {change.cause}, {how}"
        case TalkBegan():
            return f"talk with {change.agent_id}"
        case TalkOver():
            return f"talk with {change.agent_id} over"
        case TransferBegan():
            return f"talk with {change.to} outside the queues"
        case CallerGone():
            return "caller gone"
        case PhoneUse():
            return f"{change.agent_id}'s phone {'used' if change.used else 'not used'}"
        case PhoneReach():
            return f"{change.agent_id}'s phone {'there' if change.reachable else 'away'}"
        case DigitPressed():
            return f"digit {change.digit}"


@dataclass(frozen=True)
class Picture:
    """Everything that others can ask."""

    callers: dict[str, tuple[str, str] | None]
    talks: tuple[tuple[str, str], ...]
    used: dict[str, bool]
    legs: dict[tuple[str, str], tuple[str, str] | None]
    size: int


def picture(calls: Calls) -> Picture:
    callers = calls.callers()
    return Picture(
        callers={each: calls.caller_channel(each) for each in callers},
        talks=calls.talks(),
        used={agent: calls.is_used(agent) for agent in PHONES.values()},
        legs={(each, agent): calls.leg_channel(each, agent) for each in callers for agent in PHONES.values()},
        size=len(calls),
    )


def claim(calls: Calls, event: ChannelEvent) -> None:
    """What the session does when a caller comes into our AGI, which is soon after their channel came to be."""
    if isinstance(event, ChannelCreated) and event.context == "callyard-inbound":
        calls.claim_caller(event.node, event.uniqueid, event.channel, event.uniqueid)


def replay(name: str) -> list[tuple[str, str]]:
    """(event and whose, changes) of a recording, rows without a change left out."""
    calls = Calls(PHONES)
    rows = []
    for event in recording.events(name):
        if isinstance(event, list):
            before = picture(calls)
            assert calls.reconcile(N, event) == (), "Asterisk's own list says what its events said"
            fresh = Calls(PHONES)
            fresh.reconcile(N, event)
            assert picture(calls) == picture(fresh) == before
            continue
        changes = calls.apply(event)
        claim(calls, event)
        if shown := [words(change) for change in changes if not _is_boring(change)]:
            rows.append((_title(event), ", ".join(shown)))
    assert len(calls) == 0
    return rows


def _is_boring(change: Change) -> bool:
    return isinstance(change, PhoneReach)


def _title(event: ChannelEvent) -> str:
    channel = getattr(event, "channel", "") or getattr(event, "dest_channel", "")
    return f"{type(event).__name__} {PHONES.get(endpoint_of(channel), 'caller')}"


RECORDED: dict[str, list[tuple[str, str]]] = {
    "answered": [
        ("DialBegun maria", "maria rings"),
        ("BridgeEntered caller", "talk with maria"),
        ("BridgeLeft maria", "maria's phone used, talk with maria over"),
        ("ChannelHungUp maria", "maria's leg gone, cause 16, connected, maria's phone not used"),
        ("ChannelHungUp caller", "caller gone"),
    ],
    # Asterisk ends the leg first, and it must not look like the agent's fault: "gone" alone decides nothing.
    "abandoned_while_ringing": [
        ("DialBegun maria", "maria rings"),
        ("ChannelHungUp maria", "maria's leg gone, cause 16, unanswered"),
        ("ChannelHungUp caller", "caller gone"),
    ],
    "busy_phone": [
        ("DialBegun maria", "maria rings"),
        ("ChannelHungUp maria", "maria's leg gone, cause 17, unanswered"),
        ("ChannelHungUp caller", "caller gone"),
    ],
    # The model alone does not know that we hung up; the exchange does, and disowns the leg.
    "withdrawn_offer": [
        ("DialBegun maria", "maria rings"),
        ("ChannelHungUp maria", "maria's leg gone, cause 16, unanswered"),
        ("ChannelHungUp caller", "caller gone"),
    ],
    "agent_dials_colleague": [
        ("ChannelCreated maria", "maria's phone used"),
        ("ChannelCreated jon", "jon's phone used"),
        ("ChannelHungUp maria", "maria's phone not used"),
        ("ChannelHungUp jon", "jon's phone not used"),
    ],
    # Both leave the Dial's bridge and meet again in the room: told as the end of a talk and its beginning anew.
    "redirected_to_conference": [
        ("DialBegun maria", "maria rings"),
        ("BridgeEntered caller", "talk with maria"),
        ("BridgeLeft maria", "maria's phone used, talk with maria over"),
        ("BridgeEntered maria", "talk with maria, maria's phone not used"),
        ("BridgeLeft maria", "maria's phone used, talk with maria over"),
        ("ChannelHungUp maria", "maria's leg gone, cause 16, connected, maria's phone not used"),
        ("ChannelHungUp caller", "caller gone"),
    ],
    "phone_comes_and_goes": [],
}


def test_every_recording_has_a_table() -> None:
    assert recording.names() == sorted(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_conversation_means(name: str) -> None:
    rows = replay(name)
    if name == "agent_dials_colleague":
        rows.sort(key=lambda row: (row[0].split()[0], -len(row[0])))  # which of the two goes first is Asterisk's
    if name == "redirected_to_conference":
        rows = _whoever_comes_last(rows)
    assert rows == RECORDED[name]


def _whoever_comes_last(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Whether caller or agent enters a room last is left to Asterisk's threads."""
    bridges = ("BridgeEntered", "BridgeLeft")
    return [
        (f"{title.split()[0]} maria", changes) if title.startswith(bridges) and "used" in changes else (title, changes)
        for title, changes in rows
    ]


def test_a_phone_that_signs_on_is_there_until_it_signs_off() -> None:
    calls = Calls(PHONES)
    changes = [
        change
        for event in recording.events("phone_comes_and_goes")
        if not isinstance(event, list)
        for change in calls.apply(event)
    ]
    reach = [change for change in changes if change.agent_id == "jon"]  # type: ignore[union-attr]
    assert reach == [PhoneReach("jon", True), PhoneReach("jon", False)]


def test_a_recording_tells_nothing_of_the_machine_it_was_taken_on() -> None:
    for name in recording.names():
        text = (recording.FOLDER / f"{name}.ami").read_text()
        assert text.startswith("# Asterisk 2")
        assert not any(
            word in text for word in ("/home", "/root", "/tmp", "Secret:", "Key:", str(recording.FOLDER.parents[2]))
        )


# --- one event at a time ----------------------------------------------------------------------------------


def created(uniqueid: str, channel: str, linkedid: str = "", context: str = "") -> ChannelCreated:
    return ChannelCreated(N, None, uniqueid, linkedid or uniqueid, channel, "", "", context, "", "Down")


def dial(caller: str, leg: str) -> DialBegun:
    return DialBegun(N, None, caller, leg, "", "")


def enter(uniqueid: str, bridge: str) -> BridgeEntered:
    return BridgeEntered(N, None, bridge, uniqueid, uniqueid, "", "", "")


def leave(uniqueid: str, bridge: str) -> BridgeLeft:
    return BridgeLeft(N, None, bridge, uniqueid, "")


def hung_up(uniqueid: str, cause: int = 16) -> ChannelHungUp:
    return ChannelHungUp(N, None, uniqueid, uniqueid, "", cause, "")


def found(uniqueid: str, channel: str, bridge: str = "", **variables: str) -> ChannelFound:
    return ChannelFound(N, None, uniqueid, uniqueid, channel, "", "", "", "", "Up", "", bridge, 1, variables)


def ringing() -> Calls:
    """A caller `c` whose call rings at maria's phone."""
    calls = Calls(PHONES)
    calls.apply(created("c", "PJSIP/trunk-1", context="callyard-inbound"))
    calls.claim_caller(N, "c", "PJSIP/trunk-1", "c")
    calls.apply(created("m", "PJSIP/2001-1", "c"))
    assert calls.apply(dial("c", "m")) == (LegRinging("c", "maria", N, "PJSIP/2001-1"),)
    return calls


def talking() -> Calls:
    calls = ringing()
    calls.apply(enter("m", "b"))
    assert calls.apply(enter("c", "b")) == (TalkBegan("c", "maria"),)
    return calls


def test_a_leg_that_we_ring_is_no_foreign_use_of_the_phone() -> None:
    assert not ringing().is_used("maria")


def test_after_the_talk_the_phone_is_used_until_it_has_hung_up() -> None:
    calls = talking()
    assert calls.apply(leave("c", "b")) == (PhoneUse("maria", True), TalkOver("c", "maria"))
    assert calls.apply(hung_up("m")) == (LegGone("c", "maria", 16, True), PhoneUse("maria", False))


def test_a_leg_of_a_caller_who_has_gone_is_used_until_it_ends() -> None:
    calls = ringing()
    assert calls.apply(hung_up("c")) == (CallerGone("c", N), PhoneUse("maria", True))


def test_a_disowned_leg_is_foreign_and_its_end_is_not_told() -> None:
    calls = ringing()
    assert calls.disown_leg("c", "maria") == (PhoneUse("maria", True),)
    assert calls.apply(hung_up("m")) == (PhoneUse("maria", False),)


def test_old_news_of_a_dial_does_not_ring_a_phone_that_was_answered() -> None:
    """Held back while the world was read: whoever hears of a ringing leg without an offer hangs it up."""
    calls = talking()
    assert calls.apply(dial("c", "m")) == ()


def test_an_agent_who_calls_as_a_customer_is_a_caller_and_their_phone_is_used() -> None:
    calls = Calls(PHONES)
    assert calls.apply(created("c", "PJSIP/2001-1")) == (PhoneUse("maria", True),)
    calls.claim_caller(N, "c", "PJSIP/2001-1", "c")
    assert calls.is_alive("c")
    assert calls.is_used("maria")
    calls.apply(created("j", "PJSIP/2002-1", "c"))
    calls.apply(dial("c", "j"))
    calls.apply(enter("c", "b"))
    assert calls.apply(enter("j", "b")) == (TalkBegan("c", "jon"),)
    calls.apply(hung_up("j"))
    assert calls.apply(hung_up("c")) == (CallerGone("c", N), PhoneUse("maria", False))
    assert calls.apply(created("x", "PJSIP/2001-2")) == (PhoneUse("maria", True),)


def test_a_restart_finds_an_agent_who_calls_as_a_customer() -> None:
    calls = Calls(PHONES)
    changes = calls.reconcile(N, [found("c", "PJSIP/2001-1", CALLYARD_INTERACTION="c")])
    assert changes == (PhoneUse("maria", True),)
    assert calls.caller_channel("c") == (N, "PJSIP/2001-1")


def test_a_restart_finds_caller_and_leg_by_what_they_carry() -> None:
    calls = Calls(PHONES)
    leg = {"CALLYARD_INTERACTION": "c", "CALLYARD_OFFER": "c/1", "CALLYARD_AGENT": "maria"}
    changes = calls.reconcile(
        N, [found("c", "PJSIP/trunk-1", "b", CALLYARD_INTERACTION="c"), found("m", "PJSIP/2001-1", "b", **leg)]
    )
    assert changes == (TalkBegan("c", "maria"),)
    assert calls.leg_channel("c", "maria") == (N, "PJSIP/2001-1")
    assert calls.reconcile(N, []) == (TalkOver("c", "maria"), CallerGone("c", N))


def test_another_node_is_untouched_by_a_reading() -> None:
    calls = talking()
    assert calls.reconcile("elsewhere", []) == ()
    assert calls.is_talking("c", "maria")


def test_ids_of_two_nodes_are_kept_apart() -> None:
    calls = talking()
    assert calls.apply(ChannelHungUp("elsewhere", None, "c", "c", "", 16, "")) == ()
    assert calls.is_alive("c")


def test_digits_are_the_callers_own_and_only_those_that_asterisk_received() -> None:
    calls = talking()
    assert calls.apply(DigitEnded(N, None, "c", "", "5", "Received")) == (DigitPressed("c", "5"),)
    assert calls.apply(DigitEnded(N, None, "c", "", "5", "Sent")) == ()
    assert calls.apply(DigitEnded(N, None, "m", "", "5", "Received")) == ()


def test_a_renamed_channel_is_acted_on_by_its_new_name() -> None:
    calls = talking()
    calls.apply(ChannelRenamed(N, None, "c", "PJSIP/trunk-1", "PJSIP/trunk-9"))
    assert calls.caller_channel("c") == (N, "PJSIP/trunk-9")


@pytest.mark.parametrize("state", ["UNAVAILABLE", "INVALID", "unavailable"])
def test_a_phone_that_is_away(state: str) -> None:
    calls = Calls(PHONES)
    assert calls.apply(DeviceStateChanged(N, None, "PJSIP/2001", state)) == (PhoneReach("maria", False),)
    assert calls.apply(DeviceStateChanged(N, None, "PJSIP/9999", state)) == ()


def test_phones_that_change_hands_take_their_use_along() -> None:
    calls = Calls(PHONES)
    calls.apply(created("x", "PJSIP/2001-1"))
    changes = calls.assign_phones({"PJSIP/2001": "wei"})
    assert set(changes) == {PhoneUse("maria", False), PhoneUse("wei", True)}
