"""Calls that a flow gives away, from the AGI socket to the engine, and what the phones of agents count as meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from acd.events import CallTransferred
from acd.model import Outcome, Phone
from acd.snapshot import agent_view
from cti.ami_events import ChannelFound
from cti.calls import Calls, PhoneUse, TransferBegan
from cti.outbound import Outbound
from cti.transfers import Reach, TrunkLine
from tests.cti.conversations import C, one_call, outcome, submitted
from tests.cti.test_calls import PHONES, N
from tests.fakes.reception import Reception

pytestmark = pytest.mark.usefixtures("short_lags")

REACH = Reach(Outbound("DE"), (TrunkLine("carrier", most=30),), {"maria": "2001", "jon": "2002"})
NUMBER = """
  door:
    - transfer: { number: "+4930901820" }
      busy: [{ say: Busy }, hangup]
      refused: [{ say: Refused }, hangup]
      then: [{ say: Goodbye }, hangup]
"""
AGENT = """
  door:
    - answer
    - transfer: { extension: "2001" }
"""
TRUNKS = "carrier: { host: 192.0.2.7 }\n"


def phone(reception: Reception, agent_id: str) -> Phone:
    view = agent_view(reception.board.office.engine, agent_id)
    assert view is not None
    return view.phone


async def test_who_hangs_up_while_they_talk_was_transferred_out(tmp_path: Path) -> None:
    async with one_call(tmp_path, NUMBER, reach=REACH, trunks=TRUNKS) as (reception, call):
        dialled = "PJSIP/+4930901820@trunk-carrier,30,+4930901820,+4989100,carrier,30"
        await call.logged(f"transfer {dialled}")
        reception.board.dial(C, "far", "trunk-carrier")
        reception.board.bridge("b", "far", C)
        assert submitted(reception, CallTransferred) == [CallTransferred(C, "+4930901820")]
        call.hang_up()
        await call.over()
        assert outcome(reception) == (Outcome.TRANSFERRED_OUT, "+4930901820")


async def test_the_flow_goes_on_when_the_far_end_has_hung_up(tmp_path: Path) -> None:
    async with one_call(tmp_path, NUMBER, reach=REACH, trunks=TRUNKS, prompts_end=True) as (reception, call):
        await call.logged("transfer PJSIP/+4930901820@trunk-carrier,30,+4930901820,+4989100,carrier,30")
        assert not call.is_renewed_while_dialling
        call.press("7")
        call.end_dial("ANSWER|16|3|+4930901820")
        await call.playing("Goodbye")
        await call.logged("done, cause 16")
        assert outcome(reception) == (Outcome.TRANSFERRED_OUT, "+4930901820")
        assert (C, "transfer to +4930901820: answered") in reception.story


async def test_a_number_that_is_busy_leads_its_own_way(tmp_path: Path) -> None:
    async with one_call(tmp_path, NUMBER, reach=REACH, trunks=TRUNKS, prompts_end=True) as (reception, call):
        await call.logged("transfer PJSIP/+4930901820@trunk-carrier,30,+4930901820,+4989100,carrier,30")
        call.end_dial("BUSY|17||+4930901820")
        await call.playing("Busy")
        await call.logged("done, cause 16")
        assert outcome(reception)[0] is Outcome.SELF_SERVED


async def test_a_hostile_value_is_refused_and_dials_nobody(tmp_path: Path) -> None:
    nodes = NUMBER.replace('"+4930901820"', "$typed").replace(
        "  door:\n", '  door:\n    - set: { typed: "030901820&PJSIP/2002,99,g" }\n'
    )
    async with one_call(tmp_path, nodes, reach=REACH, trunks=TRUNKS, prompts_end=True) as (_, call):
        await call.playing("Refused")
        assert not any(line.startswith("transfer") for line in call.log)


async def test_who_comes_back_after_a_restart_is_not_transferred_a_second_time(tmp_path: Path) -> None:
    async with one_call(tmp_path, NUMBER, reach=REACH, trunks=TRUNKS, prompts_end=True) as (reception, call):
        await call.logged("transfer PJSIP/+4930901820@trunk-carrier,30,+4930901820,+4989100,carrier,30")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        call.variables["CALLYARD_TRANSFERRED"] = "ANSWER|16|60|+4930901820"  # noted by the dialplan meanwhile
        await call.enter()
        await call.playing("Goodbye")
        await call.logged("done, cause 16")
        assert len([line for line in call.log if line.startswith("transfer")]) == 1
        assert outcome(reception) == (Outcome.TRANSFERRED_OUT, "+4930901820")


async def test_what_an_earlier_transfer_left_on_the_call_is_not_taken_for_this_one(tmp_path: Path) -> None:
    before = {"CALLYARD_TRANSFERRED": "ANSWER|16|60|+49305"}
    async with one_call(tmp_path, NUMBER, reach=REACH, trunks=TRUNKS, variables=before) as (_, call):
        await call.logged("transfer PJSIP/+4930901820@trunk-carrier,30,+4930901820,+4989100,carrier,30")


async def test_an_agent_who_talks_outside_the_queues_is_busy_and_not_in_a_talk_of_ours(tmp_path: Path) -> None:
    async with one_call(tmp_path, AGENT, reach=REACH) as (reception, call):
        board = reception.board
        board.office.sign_in("maria")
        await call.logged("transfer PJSIP/2001,30,2001,,,0")
        board.dial(C, "m")
        assert phone(reception, "maria") is Phone.BUSY
        assert board.link.named("Hangup") == [], "it rings for no offer, and is not to be hung up for that"
        board.bridge("b", "m", C)
        assert phone(reception, "maria") is Phone.BUSY
        view = reception.view()
        assert view is not None
        assert (view.stage.value, view.agent_id) == ("in_flow", "")
        board.unbridge("b", "m", C)
        board.hang_up("m")
        assert phone(reception, "maria") is Phone.FREE
        call.end_dial("ANSWER|16|3|2001")
        await call.logged("done, cause 16")
        assert outcome(reception) == (Outcome.TRANSFERRED_OUT, "2001")


# --- the picture that is read after a gap ----------------------------------------------------------------------


def found(uniqueid: str, channel: str, bridge: str, **variables: str) -> ChannelFound:
    return ChannelFound(N, None, uniqueid, uniqueid, channel, "", "", "", "", "Up", "", bridge, 1, variables)


def test_a_reading_finds_a_transfer_and_takes_its_far_end_for_no_caller() -> None:
    calls = Calls(PHONES)
    changes = calls.reconcile(
        N,
        [
            found("c", "PJSIP/trunk-1", "b", CALLYARD_INTERACTION="c", CALLYARD_TRANSFER="2001"),
            found("m", "PJSIP/2001-1", "b", CALLYARD_INTERACTION="c", CALLYARD_TRANSFER="leg"),
        ],
    )
    assert changes == (PhoneUse("maria", True), TransferBegan("c", "2001"))
    assert (calls.callers(), calls.talks(), calls.ringing_legs()) == (("c",), (), ())
    assert calls.leg_channel("c", "maria") is None
    assert calls.is_given("c")


def test_agents_who_are_rung_afterwards_are_ours_again(tmp_path: Path) -> None:
    calls = Calls(PHONES)
    calls.claim_caller(N, "c", "PJSIP/trunk-1", "c")
    calls.give("c", "2001")
    calls.give("nobody", "2001")
    calls.give("c", "")
    assert not calls.is_given("c")
