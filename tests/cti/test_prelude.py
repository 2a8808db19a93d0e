"""What emergency orders make of a new call: refused, told, or told something first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from acd.commands import InteractionClosed
from acd.model import Outcome
from cti import arrivals as arrivals_module
from cti.place import SitePlace
from cti.ports import Announced
from cti.sounds import SoundCache, Speech
from tests.fakes.reception import Reception
from tests.fakes.site import small_site

HELLO = "\n  door:\n    - menu: Hello\n      keys: { 1: line }\n      wait: 60s\n  line:\n    - queue: billing\n"
NUMBERS = '"+4989100": { flow: main }\n"+49892xx": { flow: main, language: de }\n'


@pytest.fixture(autouse=True)
def short_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals_module, "HANGUP_LAG_S", 0.05)


@dataclass(frozen=True)
class Told:
    why: str
    texts: Mapping[str, str]


@dataclass
class FakeMeasures:
    """Orders by number; "" is for all."""

    shut: dict[str, Told] = field(default_factory=dict)
    first: dict[str, list[Told]] = field(default_factory=dict)

    def closed(self, numbers: Collection[str]) -> Announced | None:
        return next((told for number, told in self.shut.items() if number in numbers), None)

    def notices(self, numbers: Collection[str]) -> Sequence[Announced]:
        return [told for number, all_told in self.first.items() if number in {*numbers, ""} for told in all_told]


def closed(reception: Reception) -> tuple[Outcome, str]:
    fact = reception.board.office.last(InteractionClosed)
    return fact.outcome, fact.detail


async def test_a_closed_number_is_refused_unanswered_and_counted(tmp_path: Path) -> None:
    measures = FakeMeasures(shut={"4989100": Told("emergency 7: flood", {})})
    async with Reception(tmp_path, HELLO, measures=measures) as reception, reception.call() as call:
        await call.over()
        assert call.log == ["done, cause 31"]
        assert closed(reception) == (Outcome.REFUSED, "emergency 7: flood")
        assert reception.arrivals.counts["closed_number"] == 1
        assert ("lab1-1.1", "emergency 7: flood") in reception.story


async def test_a_closed_number_with_a_text_is_answered_told_and_ended(tmp_path: Path) -> None:
    measures = FakeMeasures(shut={"49892xx": Told("emergency 7", {"en": "Closed", "de": "Zu"})})
    async with Reception(tmp_path, HELLO, measures=measures, numbers=NUMBERS) as reception:
        async with reception.call(number="+4989212", prompts_end=True) as call:
            await call.over()
            assert call.log == ["renewed", "answered", "play Zu", "done, cause 16"]
            assert closed(reception) == (Outcome.REFUSED, "emergency 7")


async def test_notices_are_heard_before_the_flow_in_the_callers_language(tmp_path: Path) -> None:
    measures = FakeMeasures(
        first={"": [Told("emergency 1", {"en": "Outage {name}", "de": "Ausfall"}), Told("emergency 2", {"en": "Two"})]}
    )
    async with Reception(tmp_path, HELLO, measures=measures, numbers=NUMBERS) as reception:
        async with reception.call(number="+4989212", prompts_end=True) as call:
            await call.logged("play Hello")
            assert call.log == ["renewed", "answered", "play Ausfall", "play Two", "state saved", "play Hello"]
        async with reception.call(uniqueid="lab1-1.2", prompts_end=True) as call:
            await call.logged("play Hello")
            assert "play Outage-{name}" in call.log
        assert reception.arrivals.counts["noticed"] == 2


async def test_keys_pressed_during_a_notice_are_meant_for_the_flow(tmp_path: Path) -> None:
    measures = FakeMeasures(first={"": [Told("emergency 1", {"en": "Outage"})]})
    async with Reception(tmp_path, HELLO, measures=measures) as reception, reception.call() as call:
        await call.playing("Outage")
        call.press("1")
        call.end_prompt()
        await call.logged("music default")
        assert "cut" not in call.log


async def test_a_call_in_progress_is_left_alone(tmp_path: Path) -> None:
    measures = FakeMeasures()
    async with Reception(tmp_path, HELLO, measures=measures) as reception, reception.call() as call:
        await call.playing("Hello")
        call.press("1")
        await call.logged("music default")
        measures.shut["4989100"] = Told("emergency 7", {})
        measures.first[""] = [Told("emergency 1", {"en": "Outage"})]
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.logged("music default", 2)
        assert "play Outage" not in call.log


async def test_a_caller_whose_notice_was_cut_off_by_a_restart_hears_it_again(tmp_path: Path) -> None:
    measures = FakeMeasures(shut={"4989100": Told("emergency 7", {"en": "Closed"})})
    async with Reception(tmp_path, HELLO, measures=measures) as reception, reception.call() as call:
        await call.playing("Closed")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.logged("play Closed", 2)
        call.end_prompt()
        await call.over()
        assert call.log.count("answered") == 1
        assert closed(reception) == (Outcome.REFUSED, "emergency 7")


# --- the site as the switch asks it -------------------------------------------------------------------------------


async def test_the_site_names_queues_numbers_and_languages(tmp_path: Path) -> None:
    site = small_site(tmp_path / "site", HELLO, numbers=NUMBERS)
    place = SitePlace(lambda: site, SoundCache(tmp_path / "sounds"))
    assert list(place.queues()) == ["billing", "tech"]
    assert place.languages() == ("en", "de")
    assert [place.number(text) for text in ("+49 89 100", "4989100", "+4989212", "+49892XX")] == [
        "4989100",
        "4989100",
        "4989212",
        "49892xx",
    ]
    assert [place.number(text) for text in ("", "+491", "hello")] == [None, None, None]


async def test_what_cannot_be_spoken_is_said_with_the_reason(tmp_path: Path) -> None:
    site = small_site(tmp_path / "site", HELLO)
    spoken = SitePlace(lambda: site, SoundCache(tmp_path / "sounds"))
    assert await spoken.speak("Hello", "en") == ""
    mute = SitePlace(lambda: site, SoundCache(tmp_path / "sounds", Speech(program="no-such-program")))
    assert "no-such-program: program not found" in await mute.speak("Hello", "en")
