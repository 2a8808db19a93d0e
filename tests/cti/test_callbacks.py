"""Calling customers back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import CallbackChanged
from acd.events import (
    CallbackAnswered,
    CallerLeft,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    OfferRejected,
)
from acd.model import CallbackRules
from cti.callbacks import Line, Promised, channel_id, is_callback, promise
from cti.outbound import Outbound, Refused
from tests.acd.desk import SITE
from tests.fakes.clock import settle
from tests.fakes.office import Office
from tests.fakes.switchboard import Switchboard

GERMANY = Outbound("DE")
TYPED, NUMBER = "030 901820", "+4930901820"


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    billing, *others = SITE.queues
    calling_back = replace(SITE, queues=(replace(billing, callback=CallbackRules()), *others))
    made = Office(tmp_path / "journal", configuration=calling_back)
    yield made
    made.close()


def test_who_waits_may_be_promised_and_go_home(office: Office) -> None:
    office.call("c1")
    made = promise(office.dispatcher, office.dispatcher.interaction("c1"), "billing", TYPED, GERMANY)
    assert made == Promised(NUMBER)
    office.dispatcher.submit(CallerLeft("c1"))
    view = office.dispatcher.interaction("c1")
    assert view is not None
    assert (view.is_promised, view.callback_number) == (True, NUMBER)


def test_who_comes_from_the_flow_says_what_they_need(office: Office) -> None:
    office.dispatcher.submit(InteractionArrived("c1"))
    view = office.dispatcher.interaction("c1")
    assert promise(office.dispatcher, view, "billing", TYPED, GERMANY, priority=3) == Promised(NUMBER)
    now = office.dispatcher.interaction("c1")
    assert now is not None
    assert now.priority == 3


def test_a_number_that_may_not_be_called_changes_nothing(office: Office) -> None:
    office.call("c1")
    before = office.dispatcher.interaction("c1")
    assert promise(office.dispatcher, before, "billing", "0900 1234567", GERMANY) == Refused("costly")
    assert office.dispatcher.interaction("c1") == before


def test_a_queue_that_calls_nobody_back_promises_nothing(tmp_path: Path) -> None:
    office = Office(tmp_path / "journal")
    office.call("c1")
    view = office.dispatcher.interaction("c1")
    assert promise(office.dispatcher, view, "billing", TYPED, GERMANY) == Refused("no_callback")
    assert office.dispatcher.interaction("c1") == view
    office.close()


def test_who_is_gone_or_talks_is_promised_nothing(office: Office) -> None:
    assert promise(office.dispatcher, None, "billing", TYPED, GERMANY) == Refused("not_waiting")
    office.sign_in("maria")
    office.dispatcher.submit(InteractionArrived("c1"))
    office.dispatcher.submit(InteractionQueued("c1", "billing"))
    office.dispatcher.submit(OfferAccepted("c1/1"))
    view = office.dispatcher.interaction("c1")
    assert promise(office.dispatcher, view, "billing", TYPED, GERMANY) == Refused("not_waiting")


# --- the calls -----------------------------------------------------------------------------------------------

CALLING = "lab1-callback.c.1"
LINE = Line("carrier", "+498912345", 30.0)


@pytest.fixture
async def board(tmp_path: Path) -> AsyncIterator[Switchboard]:
    """A switchboard where c was promised a call and has gone home; nobody is signed in."""
    billing, *others = SITE.queues
    made = Switchboard(
        tmp_path, configuration=replace(SITE, queues=(replace(billing, callback=CallbackRules()), *others))
    )
    made.exchange.callbacks.line_of = lambda queue: LINE
    made.exchange.callbacks._begun_s = 0.0
    made.dispatcher.submit(InteractionArrived("c", NUMBER, "100", "main"))
    assert promise(made.dispatcher, made.dispatcher.interaction("c"), "billing", NUMBER, GERMANY) == Promised(NUMBER)
    made.dispatcher.submit(CallerLeft("c"))
    yield made
    await made.close()


def details(board: Switchboard) -> list[str]:
    return [each.detail for each in board.office.every(CallbackChanged) if each.not_before]


async def test_the_agent_sees_the_pop_before_the_customer_is_called(board: Switchboard) -> None:
    board.desktops.holds_pops = True
    board.office.sign_in("maria")
    await settle()
    assert board.desktops.log == [("pop", "c/1")]
    assert board.link.named("Originate") == []
    board.desktops.show()
    asked = await board.link.asked("Originate")
    assert (asked["Channel"], asked["ChannelId"]) == (f"PJSIP/{NUMBER}@trunk-carrier", CALLING)
    assert (asked["CallerID"], asked["Timeout"], asked["Async"]) == ("+498912345", "30000", "true")
    assert "__CALLYARD_INTERACTION=c" in asked["Variable"]
    assert "CALLYARD_CALLBACK=c/1" in asked["Variable"]


@pytest.mark.parametrize(
    ("cause", "is_up", "detail"), [(17, False, "busy"), (19, False, "no_answer"), (1, False, "no_such_number"),
                                   (0, False, "no_answer"), (16, True, "left")]
)  # fmt: skip
async def test_who_is_not_reached_is_called_later(board: Switchboard, cause: int, is_up: bool, detail: str) -> None:
    board.office.sign_in("maria")
    await board.link.asked("Originate")
    board.say(
        "Newchannel", Uniqueid=CALLING, Linkedid=CALLING, Channel="PJSIP/trunk-carrier-1", ChannelStateDesc="Down"
    )
    if is_up:
        board.say(
            "Newstate", Uniqueid=CALLING, Linkedid=CALLING, Channel="PJSIP/trunk-carrier-1", ChannelStateDesc="Up"
        )
    board.hang_up(CALLING, cause)
    assert details(board) == [detail]
    view = board.dispatcher.interaction("c")
    assert view is not None
    assert (view.attempts, view.offer_id) == (1, "")


async def test_what_asterisk_refuses_or_never_begins_has_failed(board: Switchboard) -> None:
    board.link.gone.add(f"PJSIP/{NUMBER}@trunk-carrier")
    board.office.sign_in("maria")
    await board.link.asked("Originate")
    await settle()
    assert details(board) == ["refused"]


async def test_a_channel_that_never_came_has_failed(board: Switchboard) -> None:
    board.link.gone.add(CALLING)
    board.office.sign_in("maria")
    await board.link.asked("Getvar")
    await settle()
    assert details(board) == ["failed"]


async def test_without_a_line_nobody_is_called(board: Switchboard) -> None:
    board.exchange.callbacks.line_of = lambda queue: None
    board.office.sign_in("maria")
    await settle()
    assert details(board) == ["no_line"]
    assert board.link.named("Originate") == []


async def test_an_agent_who_refuses_ends_the_call_and_the_next_one_waits_for_its_end(board: Switchboard) -> None:
    board.office.sign_in("maria", "jon")
    await board.link.asked("Originate")
    board.say(
        "Newchannel", Uniqueid=CALLING, Linkedid=CALLING, Channel="PJSIP/trunk-carrier-1", ChannelStateDesc="Down"
    )
    board.dispatcher.submit(OfferRejected("c/1"))
    assert (await board.link.asked("Hangup"))["Channel"] == CALLING
    await settle()
    assert len(board.link.named("Originate")) == 1, "never two calls at once"
    board.hang_up(CALLING, 16)
    assert (await board.link.asked("Originate", 2))["ChannelId"] == "lab1-callback.c.2"


async def test_a_customer_who_has_answered_is_not_hung_up_when_the_agent_refuses(board: Switchboard) -> None:
    board.office.sign_in("maria")
    await board.link.asked("Originate")
    board.dispatcher.submit(CallbackAnswered("c/1"))
    board.dispatcher.submit(OfferRejected("c/1"))
    await settle()
    assert [each for each in board.link.named("Hangup") if each["Channel"] == CALLING] == []


async def test_a_call_that_is_not_there_after_a_gap_has_failed(board: Switchboard) -> None:
    board.office.sign_in("maria")
    await board.link.asked("Originate")
    await settle()
    assert board.exchange.callbacks.lost() == ("c/1",)
    board.exchange.callbacks.fail_lost()
    assert details(board) == ["gap"]


def test_a_channel_id_tells_its_node_and_its_offer() -> None:
    made = channel_id("lab1", "lab1-1700000000.12/3")
    assert made == "lab1-callback.lab1.1700000000.12.3"
    assert made.rpartition("-")[0] == "lab1"
    assert is_callback(made)
    assert not is_callback("lab1-1700000000.12")
