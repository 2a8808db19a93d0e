"""Calling customers back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from acd.events import CallerLeft, InteractionArrived, InteractionQueued, OfferAccepted
from acd.model import CallbackRules
from cti.callbacks import Promised, promise
from cti.outbound import Outbound, Refused
from tests.acd.desk import SITE
from tests.fakes.office import Office

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
