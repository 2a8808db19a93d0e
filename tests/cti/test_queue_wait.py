"""A caller waits for an agent, from the AGI socket to the engine, against a scripted Asterisk.

Longer than 400 lines: each way in which a wait can end.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from acd.commands import OfferClosed, TalkClosed, VisitClosed, VisitOpened
from acd.events import (
    CallerLeft,
    ClockReached,
    ConnectionFound,
    InteractionQueued,
    OfferRejected,
    QueueClosed,
    QueueLeft,
    TalkEnded,
)
from acd.model import OfferOutcome, Outcome, Overflow, OverflowCause, Requirement, Stage, VisitOutcome
from tests.acd.desk import SITE
from tests.cti.conversations import QUEUE, C, one_call, outcome, serve, submitted
from tests.fakes.clock import settle
from tests.fakes.reception import Reception

pytestmark = pytest.mark.usefixtures("short_lags")


async def test_a_caller_waits_with_music_is_rung_through_and_goes_on_in_the_flow(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await serve(reception, call)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Thank you")
        call.end_prompt()
        await call.over()
        assert call.heard() == ["answered", "music default", "dial /1", "play Thank-you", "done, cause 16"]
        assert outcome(reception) == (Outcome.SERVED, "normal")
        assert [visit.outcome for visit in reception.board.office.every(VisitClosed)] == [VisitOutcome.ANSWERED]


async def test_the_pop_is_shown_before_the_phone_rings(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.desktops.holds_pops = True
        reception.board.office.sign_in("maria")
        await reception.board.desktops.popped()
        await settle()
        assert "dial /1" not in call.log
        reception.board.desktops.show()
        await call.logged("dial /1")


async def test_an_offer_withdrawn_before_the_ring_is_not_dialled(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.desktops.holds_pops = True
        reception.board.office.sign_in("maria")
        await reception.board.desktops.popped()
        reception.dispatcher.submit(OfferRejected(f"{C}/1"))
        reception.board.desktops.show()
        reception.board.office.sign_in("jon")
        await call.logged("dial /2")
        assert "dial /1" not in call.log


async def test_after_a_phone_that_is_busy_the_caller_hears_music_and_keeps_their_place(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.hang_up("m", 17)
        call.end_dial(f"{C}/1|BUSY|17|")
        await call.logged("music default", 2)
        assert [closed.outcome for closed in reception.board.office.every(OfferClosed)] == [OfferOutcome.REJECTED]
        view = reception.view()
        assert view is not None
        assert view.stage is Stage.QUEUED
        assert len(reception.board.office.every(VisitOpened)) == 1


async def test_a_dial_that_ends_without_any_leg_fails_the_offer(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        call.end_dial(f"{C}/1|CHANUNAVAIL|0|")
        await call.logged("music default", 2)
        [closed] = reception.board.office.every(OfferClosed)
        assert (closed.outcome, closed.detail) == (OfferOutcome.FAILED, "CHANUNAVAIL|0|")


async def test_a_talk_of_which_ami_told_nothing_is_a_talk_all_the_same(tmp_path: Path) -> None:
    """The link was down from the ring to the end: only the Dial's own result knows."""
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Thank you")
        assert submitted(reception, TalkEnded) == [TalkEnded(C, "maria", gap=True)]
        assert [closed.outcome for closed in reception.board.office.every(OfferClosed)] == [OfferOutcome.ACCEPTED]


async def test_a_talk_whose_offer_came_due_before_anybody_could_tell_is_a_talk_all_the_same(tmp_path: Path) -> None:
    """The process was stopped while the phone was answered and they talked; the deadline was the first that it saw."""
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.office.clock.advance(seconds=25)
        reception.dispatcher.submit(ClockReached())
        [closed] = reception.board.office.every(OfferClosed)
        assert closed.outcome is OfferOutcome.EXPIRED
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Thank you")
        assert submitted(reception, TalkEnded) == [TalkEnded(C, "maria", gap=True)]
        assert [talk.agent_id for talk in reception.board.office.every(TalkClosed)] == ["maria"]


async def test_the_flow_goes_on_only_when_ami_has_told_of_the_end_of_the_talk(tmp_path: Path) -> None:
    async with one_call(tmp_path, QUEUE) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await settle()
        assert "play Thank-you" not in call.log
        reception.board.unbridge("b", "m", C)
        await call.playing("Thank you")
        assert len(reception.board.office.every(TalkClosed)) == 1


ANNOUNCED = QUEUE.replace(
    "    - queue: billing\n", "    - queue: billing\n      announcement: Please wait\n      announce_every: 60s\n"
)


async def test_an_announcement_is_cut_when_the_phone_is_to_ring(tmp_path: Path) -> None:
    async with one_call(tmp_path, ANNOUNCED) as (reception, call):
        await call.playing("Please wait")
        assert "music stopped" in call.log
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        assert call.heard()[-2:] == ["cut", "dial /1"]


async def test_a_cut_that_came_too_soon_is_made_again_when_the_phone_is_to_ring(tmp_path: Path) -> None:
    """The announcement had been asked for, but did not play yet when the pop went out."""
    async with one_call(tmp_path, ANNOUNCED) as (reception, call):
        await call.playing("Please wait")
        reception.board.desktops.holds_pops = True
        listening, reception.board.link.on_action = reception.board.link.on_action, lambda action, headers: None
        reception.board.office.sign_in("maria")
        await reception.board.link.asked("ControlPlayback")
        assert call.is_playing
        reception.board.link.on_action = listening
        reception.board.desktops.show()
        await call.logged("dial /1")


async def test_an_announcement_comes_again_after_its_pause(tmp_path: Path) -> None:
    nodes = ANNOUNCED.replace("60s", "100ms")
    async with one_call(tmp_path, nodes, prompts_end=True) as (_, call):
        await call.playing("Please wait", 3)
        await call.logged("music default", 3)


async def test_who_has_waited_long_enough_leaves_the_queue(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      max_wait: 3s\n")
    async with one_call(tmp_path, nodes, prompts_end=True) as (reception, call):
        await call.logged("music default")
        reception.board.office.clock.advance(seconds=3)
        reception.dispatcher.submit(ClockReached())
        await call.playing("Nobody came")
        await call.over()
        assert "music stopped" in call.log
        assert [visit.outcome for visit in reception.board.office.every(VisitClosed)] == [VisitOutcome.OVERFLOWED]
        assert outcome(reception)[0] is Outcome.SELF_SERVED


async def test_a_call_that_is_offered_is_not_taken_out_of_the_queue(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      max_wait: 1s\n")
    async with Reception(tmp_path, nodes) as reception:
        reception.board.desktops.holds_pops = True
        reception.board.office.sign_in("maria")
        async with reception.call() as call:
            await call.logged("music default")
            reception.board.office.clock.advance(seconds=1)
            reception.dispatcher.submit(ClockReached())
            await settle()
            reception.board.desktops.show()
            await call.logged("dial /1")
            assert "play Nobody-came" not in call.log


async def test_keys_pressed_to_the_agent_are_not_meant_for_the_next_menu(tmp_path: Path) -> None:
    nodes = QUEUE.replace(
        "  thanks:\n    - say: Thank you\n    - hangup\n",
        "  thanks:\n    - menu: How was it\n      keys: { 5: gone }\n      wait: 20ms\n      retries: 0\n",
    )
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        reception.board.dial(C, "m")
        reception.board.bridge("b", "m", C)
        call.press("5")
        reception.board.unbridge("b", "m", C)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("How was it")


async def test_a_second_queue_is_a_second_visit(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - say: Thank you\n    - hangup\n", "    - queue: tech\n")
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await serve(reception, call)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.logged("music default", 2)
        assert [visit.queue for visit in reception.board.office.every(VisitOpened)] == ["billing", "tech"]


# --- what they are told ------------------------------------------------------------------------------------------

TOLD_IN_QUEUE = """
billing:
  title: Billing
  announcement: [Please wait, Still busy]
  announce_every: 100ms
  tell: { position: true, every: 300ms, texts: { thanks: Thanks } }
tech: { title: Tech, music: jazz, announcement: Tech is busy }
"""


def place(number: int) -> str:
    return f"You are number {number} in the line."


def played(text: str) -> str:
    return f"play {text.replace(' ', '-')}"


async def test_announcements_are_told_in_turn_and_the_place_between_them(tmp_path: Path) -> None:
    async with Reception(tmp_path, QUEUE, queues=TOLD_IN_QUEUE) as reception:
        reception.board.office.call("earlier")
        async with reception.call(prompts_end=True) as call:
            await call.playing(place(2), 2)
            said = [line.removeprefix("play ") for line in call.log if line.startswith("play ")]
            assert said[:4] == ["Please-wait", place(2).replace(" ", "-"), "Still-busy", "Please-wait"]
            reception.dispatcher.submit(CallerLeft("earlier"))
            await call.playing(place(1))
            assert call.variables["CALLYARD_TOLD"].startswith("billing|1|0|0|")


async def test_who_was_told_a_place_is_told_no_worse_one_and_thanked(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      announce_every: 0s\n")
    async with Reception(tmp_path, nodes, queues=TOLD_IN_QUEUE) as reception, reception.call(prompts_end=True) as call:
        await call.playing(place(1))
        reception.board.office.call("urgent", priority=5)
        await call.playing("Thanks")
        assert played(place(2)) not in call.log


async def test_what_was_told_holds_for_who_comes_back(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      announce_every: 0s\n")
    async with Reception(tmp_path, nodes, queues=TOLD_IN_QUEUE) as reception, reception.call(prompts_end=True) as call:
        await call.playing(place(1))
        call.end_agi()
        await call.over()
        await call.leave_agi()
        reception.board.office.call("urgent", priority=5)
        await call.enter()
        await call.playing("Thanks")
        assert [line for line in call.log if line.startswith("play ")][:2] == [
            played(place(1)), "play Thanks",
        ]  # fmt: skip


async def test_who_is_moved_to_another_queue_waits_as_it_is_done_there(tmp_path: Path) -> None:
    async with Reception(tmp_path, QUEUE, queues=TOLD_IN_QUEUE) as reception, reception.call(prompts_end=True) as call:
        await call.playing("Please wait")
        reception.dispatcher.submit(QueueLeft(C, VisitOutcome.OVERFLOWED))
        reception.dispatcher.submit(InteractionQueued(C, "tech"))
        await call.playing("Tech is busy")
        await call.logged("music jazz")


async def test_a_queue_that_the_files_do_not_know_changes_nothing_for_who_is_moved_there(tmp_path: Path) -> None:
    queues = "billing: { title: Billing, announcement: Please wait, announce_every: 50ms }\n"
    async with Reception(tmp_path, QUEUE, queues=queues) as reception, reception.call(prompts_end=True) as call:
        await call.playing("Please wait")
        reception.dispatcher.submit(QueueLeft(C, VisitOutcome.OVERFLOWED))
        reception.dispatcher.submit(InteractionQueued(C, "tech"))
        count = call.log.count("play Please-wait")
        await call.playing("Please wait", count + 2)


@pytest.mark.parametrize("prompt", ["Please wait", place(1)])
async def test_whatever_is_said_is_cut_when_the_phone_is_to_ring(tmp_path: Path, prompt: str) -> None:
    async with Reception(tmp_path, QUEUE, queues=TOLD_IN_QUEUE) as reception, reception.call() as call:
        await call.playing("Please wait")
        if prompt == place(1):
            call.end_prompt()
            await call.playing(prompt)
        reception.board.office.sign_in("maria")
        await call.logged("dial /1")
        assert call.heard()[-2:] == ["cut", "dial /1"]


# --- whom they ask for -------------------------------------------------------------------------------------------


async def test_the_flow_says_whom_the_caller_prefers_and_what_they_need(tmp_path: Path) -> None:
    nodes = QUEUE.replace(
        "    - queue: billing\n",
        "    - queue: billing\n      prefer: [jon, last, maria]\n      prefer_for: 20s\n"
        "      skills: { vpn: 2 }\n      any_skill: [{ french: 3, english: 7 }]\n",
    )
    skills = "vpn: VPN\nfrench: French\nenglish: English\n"
    async with Reception(tmp_path, nodes, skills=skills) as reception:
        reception.directory.last_agents[C] = "maria"
        async with reception.call() as call:
            await call.logged("music default")
            [queued] = submitted(reception, InteractionQueued)
            assert isinstance(queued, InteractionQueued)
            assert (queued.preferred, queued.preferred_us) == (("jon", "maria"), 20_000_000)
            assert queued.requirements == (
                Requirement("vpn", 2), Requirement("french", 3, (("english", 7),)),
            )  # fmt: skip


async def test_who_was_never_helped_prefers_nobody(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - queue: billing\n", "    - queue: billing\n      prefer: last\n")
    async with one_call(tmp_path, nodes) as (reception, call):
        await call.logged("music default")
        [queued] = submitted(reception, InteractionQueued)
        assert isinstance(queued, InteractionQueued)
        assert (queued.preferred, queued.preferred_us) == ((), 0)


async def test_a_queue_that_the_engine_does_not_know_is_closed_also_after_a_talk(tmp_path: Path) -> None:
    nodes = QUEUE.replace("    - say: Thank you\n    - hangup\n", "    - queue: sales\n      closed: gone\n")
    queues = "billing: { title: Billing }\nsales: { title: Sales }\n"
    async with one_call(tmp_path, nodes, queues=queues) as (reception, call):
        await call.logged("music default")
        reception.board.office.sign_in("maria")
        await serve(reception, call)
        call.end_dial(f"{C}/1|ANSWER|16|3")
        await call.playing("Nobody came")


# --- how a wait ends without an agent ----------------------------------------------------------------------------

WAYS = "\n  door:\n    - queue: billing\n" + "".join(
    f"      {way}: [say: Way {way}, hangup]\n" for way in ("timed_out", "full", "long_wait", "nobody", "closed")
)


@pytest.mark.parametrize(
    ("cause", "way"),
    [
        (OverflowCause.FULL, "full"),
        (OverflowCause.LONG_WAIT, "long_wait"),
        (OverflowCause.FEW_SIGNED_IN, "nobody"),
        (OverflowCause.FEW_READY, "nobody"),
    ],
)
async def test_who_is_not_taken_in_goes_the_way_of_the_cause(tmp_path: Path, cause: OverflowCause, way: str) -> None:
    rules = replace(SITE.queues[0], overflow=(Overflow(cause, 1),))
    configuration = replace(SITE, queues=(rules, *SITE.queues[1:]))
    async with Reception(tmp_path, WAYS, configuration=configuration) as reception:
        if cause is OverflowCause.FULL:
            reception.board.office.call("earlier")
        async with reception.call() as call:
            await call.playing(f"Way {way}")
            assert "music default" not in call.log


async def test_a_closed_queue_has_its_own_way(tmp_path: Path) -> None:
    async with Reception(tmp_path, WAYS) as reception:
        reception.dispatcher.submit(QueueClosed("billing"))
        async with reception.call() as call:
            await call.playing("Way closed")


async def test_who_is_given_away_by_rule_while_waiting_goes_the_way_of_the_cause(tmp_path: Path) -> None:
    rules = replace(SITE.queues[0], overflow=(Overflow(OverflowCause.TIMED_OUT, 3_000_000, "", False, True),))
    configuration = replace(SITE, queues=(rules, *SITE.queues[1:]))
    async with one_call(tmp_path, WAYS, configuration=configuration) as (reception, call):
        await call.logged("music default")
        reception.board.office.clock.advance(seconds=3)
        reception.dispatcher.submit(ClockReached())
        await call.playing("Way timed_out")


async def test_the_expected_wait_is_told_as_the_engine_sees_it(tmp_path: Path) -> None:
    queues = "billing: { title: Billing, tell: { wait: true } }\ntech: { title: Tech }\n"
    async with Reception(tmp_path, QUEUE, queues=queues) as reception:
        reception.board.office.sign_in("maria")
        reception.board.office.call("earlier")
        reception.dispatcher.submit(ConnectionFound("earlier", "maria"))
        async with reception.call() as call:
            await call.logged("music default")
            view = reception.view()
            assert view is not None
            assert 2.5 * 60e6 < view.expected_wait_us < 4 * 60e6
            await call.playing("The expected wait is about 3 minutes.")
