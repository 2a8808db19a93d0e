"""The example site is right, and does what its own comments promise."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import (
    Answer,
    Cause,
    End,
    Ending,
    Enqueue,
    LookUpCustomer,
    MessageRecorded,
    Play,
    ReadDigits,
    RecordMessage,
)
from tests.ivr.sites import Ride

FOLDER = Path(__file__).parents[2] / "site"


@pytest.fixture(scope="module")
def site() -> Site:
    return load_site(FOLDER)


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def start_of_main(site: Site, language: str = "en") -> Ride:
    ride = Ride(site, {"caller": "+442079460104"}, language=language)
    assert ride.heard == Answer()
    assert isinstance(ride.done(), Play)
    assert isinstance(ride.done(), LookUpCustomer)
    return ride


def test_no_text_is_left_without_a_language_that_main_line_callers_hear(site: Site) -> None:
    assert [str(each) for each in site.untranslated] == []


def test_a_vip_goes_to_billing_with_priority(site: Site) -> None:
    ride = start_of_main(site)
    assert isinstance(ride.found(1, vip="true", name="Omar Haddad"), ReadDigits)
    ride.press("1")
    ride.press("100608")
    queued = ride.found(1, vip="true", name="Omar Haddad")

    assert isinstance(queued, Enqueue)
    assert (queued.queue, queued.priority) == ("billing", 10)
    assert dict(queued.attributes) == {
        "menu main-menu": "1 billing",
        "account": "100608",
        "topic": "Billing",
        "vip": "customer with priority",
    }


def test_a_mandarin_caller_who_types_nothing_goes_to_billing_in_mandarin(site: Site) -> None:
    ride = start_of_main(site, language="zh")
    ride.found(0)
    for _ in range(3):
        ride.silence()
    queued = ride.silence()

    assert isinstance(queued, Enqueue)
    assert queued.skills == (("mandarin", 3),)
    assert queued.waiting.comfort[0].language == "zh"
    assert isinstance(ride.leave_queue("served"), Play)
    assert ride.done() == End(Ending.DESIGNED)


def test_support_is_one_key_away_and_may_be_all_busy(site: Site) -> None:
    ride = start_of_main(site)
    ride.found(2)
    queued = ride.press("2")

    assert isinstance(queued, Enqueue)
    assert (queued.queue, queued.priority) == ("support", 0)
    assert isinstance(ride.leave_queue("timed_out"), RecordMessage)
    assert ride.feed(MessageRecorded("c-1.wav")) == End(Ending.DESIGNED)


@pytest.mark.parametrize(
    ("when", "is_open"),
    [
        (datetime(2027, 3, 3, 9, 0, tzinfo=UTC), True),
        (datetime(2027, 3, 3, 20, 0, tzinfo=UTC), False),
        (datetime(2027, 1, 6, 9, 0, tzinfo=UTC), False),
        (datetime(2026, 12, 31, 10, 0, tzinfo=UTC), True),
        (datetime(2026, 12, 24, 10, 0, tzinfo=UTC), False),
    ],
)
def test_the_office_is_refused_unanswered_outside_its_hours(site: Site, when: datetime, is_open: bool) -> None:
    rule = site.route("+498999998200")
    assert rule is not None
    heard = Ride(site, flow=rule.flow, now=when).heard

    assert heard == (Answer() if is_open else End(Ending.REFUSED, Cause.CLOSED, "office door:0.closed:0"))


def test_people_have_known_queues_and_skills_and_no_password(site: Site) -> None:
    people = rows("people.csv")

    assert {"maria", "ben", "wei", "visitor"} <= {each["username"] for each in people}
    assert sum(each["role"] == "agent" for each in people) >= 7
    assert {"supervisor", "admin"} <= {each["role"] for each in people}
    assert not {"password", "secret"} & people[0].keys()
    for each in people:
        assert set(filter(None, each["queues"].split(";"))) <= site.queues.keys()
        assert {part.partition(":")[0] for part in filter(None, each["skills"].split(";"))} <= site.skills.keys()


def test_every_queue_has_agents_who_have_what_it_needs(site: Site) -> None:
    for queue in site.queues.values():
        able = 0
        for each in rows("people.csv"):
            levels = dict(part.split(":") for part in filter(None, each["skills"].split(";")))
            fits = all(int(levels.get(skill, 0)) >= level for skill, level in queue.skills.items())
            able += queue.id in each["queues"].split(";") and fits
        assert able >= (3 if queue.medium == "voice" else 1), queue.id


def test_customers_are_some_ambiguous_and_some_with_several_numbers() -> None:
    customers = rows("customers.csv")
    numbers = [number for each in customers for number in each["numbers"].split(";")]
    extensions = {each["extension"] for each in rows("people.csv")}

    assert len(customers) >= 30
    assert len(numbers) - len(set(numbers)) == 1
    assert sum(";" in each["numbers"] for each in customers) >= 4
    assert len({each["account"] for each in customers}) == len(customers)
    assert not extensions & {number.lstrip("+") for number in numbers}
    assert sum(each["vip"] == "yes" for each in customers) >= 3
