"""How a caller comes to a promise to be called back: the dialogue, its words, and the flow step that leads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.callback_dialogue import OURS, PLACES, TRIES, Dialogue, key_offer, static
from ivr.interpreter import texts
from ivr.site import Site
from ivr.steps import (
    End,
    Ending,
    Instruction,
    KeyOffer,
    Play,
    Promise,
    Promised,
    Prompt,
    ReadDigits,
)
from ivr.trail import Missed
from ivr.waiting import waiting_in
from tests.ivr.sites import Ride, flow, problems_in, site_with

QUEUES = """
billing: { title: Billing, callback: { greeting: This is us., key: 1, offer_over: 3m } }
support: { title: Support }
"""
TRUNKS = "carrier: { host: carrier.example }\n"
STEPS = """
- callback: billing
  priority: 3
  attributes: { note: "was {caller}" }
  promised: [say: Yes.]
  otherwise: [say: No.]
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return site_with(tmp_path, STEPS, queues_yaml=QUEUES, trunks_yaml=TRUNKS)


def said(asked: Instruction) -> str:
    assert isinstance(asked, Play | ReadDigits)
    [prompt] = asked.prompts
    return prompt.text


def wish(number: str) -> Promise:
    return Promise("billing", number, 3, (("note", "was +4930123456"),))


def test_whose_number_is_shown_is_promised_at_once(site: Site) -> None:
    ride = Ride(site, {"caller": "+4930123456"})
    assert ride.heard == wish("+4930123456")
    assert said(ride.feed(Promised())) == OURS["promised"]["en"]
    assert said(ride.done()) == "Yes."
    assert ride.done() == End(Ending.DESIGNED)


def test_whose_number_is_withheld_types_one_hears_it_and_confirms(site: Site) -> None:
    ride = Ride(site, {"caller": ""}, language="zh")
    assert ride.heard == ReadDigits(
        (Prompt(OURS["ask"]["zh"], "zh"),), most=18, terminator="#", first_s=8.0, between_s=4.0
    )
    assert said(ride.press("030123")) == "我们将拨打0 3 0 1 2 3。正确请按一，重新输入请按二。"
    asked = ride.press("1")
    assert isinstance(asked, Promise)
    assert asked.number == "030123"
    assert said(ride.feed(Promised())) == OURS["promised"]["zh"]


def test_a_number_that_may_not_be_called_is_refused_and_another_asked_for(site: Site) -> None:
    ride = Ride(site, {"caller": "+1900"})
    assert said(ride.feed(Promised("abroad"))) == OURS["ask"]["en"]
    ride.press("0900")
    assert isinstance(ride.press("1"), Promise)
    assert said(ride.feed(Promised("costly"))) == OURS["refused"]["en"]
    assert said(ride.done()) == OURS["ask"]["en"]
    ride.press("030")
    ride.press("1")
    assert said(ride.feed(Promised())) == OURS["promised"]["en"]


@pytest.mark.parametrize("typed", ["", "12*"])
def test_who_types_no_number_is_asked_again_and_then_goes_on_without(site: Site, typed: str) -> None:
    ride = Ride(site, {"caller": ""})
    for _ in range(TRIES - 1):
        assert said(ride.press(typed)) == OURS["ask"]["en"]
    assert said(ride.press(typed)) == "No."


def test_who_does_not_confirm_types_again(site: Site) -> None:
    ride = Ride(site, {"caller": ""})
    ride.press("030")
    assert said(ride.press("2")) == OURS["ask"]["en"]
    ride.press("031")
    assert said(ride.silence()) == OURS["ask"]["en"]


def test_keys_that_were_not_asked_for_and_silence_are_counted(site: Site) -> None:
    ride = Ride(site, {"caller": ""})
    ride.execution.happenings.clear()

    def missed() -> list[bool]:
        found = [each.timed_out for each in ride.execution.happenings if isinstance(each, Missed)]
        ride.execution.happenings.clear()
        return found

    ride.press("12*")
    assert missed() == [False]
    ride.press("030")
    ride.press("2")
    assert missed() == [], "to enter it again is an answer"
    ride.press("030")
    ride.press("7")
    assert missed() == [False]


def test_silence_and_a_number_that_may_not_be_called_are_counted(site: Site) -> None:
    ride = Ride(site, {"caller": ""})
    ride.silence()
    ride.press("0900")
    ride.press("1")
    ride.feed(Promised("costly"))
    ride.done()
    ride.press("030")
    ride.silence()
    told = [each for each in ride.execution.happenings if isinstance(each, Missed)]
    assert told == [Missed("main", "welcome:0", timed_out) for timed_out in (True, False, True)]


@pytest.mark.parametrize("reason", ["no_callback", "not_waiting"])
def test_no_other_number_helps_where_nobody_is_called_back(site: Site, reason: str) -> None:
    assert said(Ride(site, {"caller": "+4930123456"}).feed(Promised(reason))) == "No."
    ride = Ride(site, {"caller": ""})
    ride.press("030")
    ride.press("1")
    assert said(ride.feed(Promised(reason))) == "No."


def test_refused_three_times_is_the_end_of_it(site: Site) -> None:
    ride = Ride(site, {"caller": ""})
    for _ in range(TRIES):
        ride.press("0900")
        ride.press("1")
        assert said(ride.feed(Promised("costly"))) == OURS["refused"]["en"]
        after = ride.done()
    assert said(after) == "No."


def test_a_wait_that_ended_in_a_promise_ends_the_call_unless_the_flow_says_otherwise(tmp_path: Path) -> None:
    files = {"queues_yaml": QUEUES, "trunks_yaml": TRUNKS}
    quiet = site_with(tmp_path / "a", "- queue: billing\n  then: [say: Bye.]", **files)
    assert Ride(quiet).leave_queue("promised") == End(Ending.DESIGNED)
    told = site_with(tmp_path / "b", "- queue: billing\n  promised: [say: Soon.]\n  then: [say: Bye.]", **files)
    assert Ride(told).leave_queue("promised") == Play((Prompt("Soon."),))


def test_a_queue_that_calls_nobody_back_has_no_dialogue(site: Site) -> None:
    with pytest.raises(KeyError):
        next(Ride(site).execution.promise(Promise("support", "")))


def test_the_key_goes_with_the_wait(site: Site) -> None:
    offered = KeyOffer("1", (Prompt("Press 1 and we call you back; you keep your place."),), 180.0)
    assert waiting_in(site.queues["billing"], "en", "en", {}).offer == offered
    assert waiting_in(site.queues["support"], "en", "en", {}).offer is None
    ride = Ride(site)
    assert ride.execution.waiting_in("billing").offer == offered


@pytest.mark.parametrize(
    ("key", "language", "spoken"), [("#", "en", "Press hash and"), ("*", "zh", "按星号键"), ("7", "zh", "按7键")]
)
def test_keys_are_spoken_by_name(key: str, language: str, spoken: str) -> None:
    offer = key_offer(Dialogue(key=key), language, "en")
    assert offer is not None
    assert offer.prompts[0].text.startswith(spoken)


def test_without_a_key_nothing_is_offered() -> None:
    assert key_offer(Dialogue(), "en", "en") is None
    assert [prompt.text for prompt in static(Dialogue(), "en", "en")] == [
        OURS[which]["en"] for which in ("ask", "refused", "promised")
    ]


def test_everything_but_numbers_is_rendered_in_advance(site: Site) -> None:
    prepared = {prompt.text for prompt in texts(site)}
    assert {OURS["promised"]["zh"], OURS["ask"]["en"], "按1键，我们会给您回电，您的位置会保留。"} <= prepared
    assert set(OURS) == set(PLACES)


def test_words_of_the_site_stand_in_place_of_ours() -> None:
    dialogue = Dialogue(ask={"zh": "号码？"}, refused="No.")
    assert [prompt.text for prompt in static(dialogue, "zh", "en")] == [
        "号码？",
        OURS["refused"]["zh"],
        OURS["promised"]["zh"],
    ]
    assert [which for which, _ in dialogue.given()] == ["ask", "refused"]


def test_a_step_names_a_queue_that_calls_back(tmp_path: Path) -> None:
    steps = "- callback: suport\n- callback: support\n- callback: billing\n  attributes: { note: $nobody }"
    files = {"flows/main.yaml": flow(steps), "queues.yaml": QUEUES, "trunks.yaml": TRUNKS}
    found = problems_in(tmp_path, files)
    assert found[:2] == [
        'flows/main.yaml:4:17: unknown queue "suport": expected billing or support; did you mean "support"?',
        'flows/main.yaml:5:17: queue "support" calls nobody back: expected callback in queues.yaml',
    ]
    assert found[2].startswith('flows/main.yaml:7:27: unknown variable "nobody"')


def test_a_queue_that_cannot_be_read_is_not_held_against_a_step(tmp_path: Path) -> None:
    queues = QUEUES + "broken: { titel: Broken }\n"
    found = problems_in(
        tmp_path, {"flows/main.yaml": flow("- callback: support"), "queues.yaml": queues, "trunks.yaml": TRUNKS}
    )
    assert all(problem.startswith("queues.yaml") for problem in found)
