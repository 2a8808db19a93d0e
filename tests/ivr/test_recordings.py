"""Prompts stand once and are said by their id; a recording replaces the rendered text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.prompt_texts import PromptTexts
from ivr.recordings import listed
from ivr.schema import Flow
from ivr.step_kinds.hearing import SayStep
from ivr.steps import Play, Prompt, ReadDigits
from tests.ivr.sites import Ride, flow, problems_in, site_with, write_site

PROMPTS = """
welcome:
  note: Friendly.
  en: Welcome.
  zh: 欢迎。
plain: Just English.
owed: You call from {caller:digits}.
"""


def record(folder: Path, *names: str) -> None:
    for name in names:
        file = folder / "sounds" / "prompts" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sound")


def test_a_prompt_is_said_by_its_id_in_the_callers_language(tmp_path: Path) -> None:
    site = site_with(tmp_path, "- say: { prompt: welcome }\n- say: { prompt: plain }", prompts_yaml=PROMPTS)
    ride = Ride(site, language="zh")

    assert ride.heard == Play((Prompt("欢迎。", "zh"),))
    assert ride.done() == Play((Prompt("Just English.", "en"),))


def test_a_recording_replaces_the_text_in_its_language_alone(tmp_path: Path) -> None:
    record(tmp_path, "en/welcome.wav")
    site = site_with(tmp_path, "- say: { prompt: welcome }", prompts_yaml=PROMPTS)

    assert Ride(site).heard == Play((Prompt("Welcome.", "en", "prompts/en/welcome"),))
    assert Ride(site, language="zh").heard == Play((Prompt("欢迎。", "zh"),))


def test_a_text_with_values_is_never_replaced(tmp_path: Path) -> None:
    record(tmp_path, "en/owed.wav")
    site = site_with(tmp_path, "- say: { prompt: owed }", prompts_yaml=PROMPTS)

    assert Ride(site, {"caller": "12"}).heard == Play((Prompt("You call from 1 2.", "en"),))


def test_a_prompt_may_stand_wherever_a_text_may(tmp_path: Path) -> None:
    record(tmp_path, "en/welcome.wav")
    queues = """
    billing:
      title: Billing
      announcement: { prompt: welcome }
      tell: { wait: true, texts: { soon: { prompt: welcome }, minute: { prompt: plain } } }
      callback: { greeting: { prompt: welcome }, ask: { prompt: welcome } }
    """
    settings = (Path(__file__).parent / "small" / "site.yaml").read_text(encoding="utf-8")
    settings = settings.replace("message: Please call again later.", "message: { prompt: plain }")
    steps = """
    - collect: { prompt: welcome }
      into: account
      digits: 2
      confirm: { prompt: read-back }
    - queue: billing
    """
    prompts = PROMPTS + "read-back: 'You typed {account:digits}.'\n"
    trunks = "carrier: { host: 192.0.2.1 }\n"
    site = site_with(tmp_path, steps, prompts_yaml=prompts, queues_yaml=queues, site_yaml=settings, trunks_yaml=trunks)
    recorded = Prompt("Welcome.", "en", "prompts/en/welcome")
    ride = Ride(site)

    assert isinstance(ride.heard, ReadDigits)
    assert ride.heard.prompts == (recorded,)
    asked = ride.press("47")
    assert isinstance(asked, ReadDigits)
    assert asked.prompts == (Prompt("You typed 4 7.", "en"),)
    waiting = ride.execution.waiting_in("billing")
    assert waiting.comfort == (recorded,)
    assert waiting.waits[:2] == (recorded, Prompt("Just English.", "en"))
    assert site.settings.fail_safe.message == {"en": "Just English."}


def test_unused_prompts_and_recordings_that_nobody_hears_are_hints(tmp_path: Path) -> None:
    record(tmp_path, "en/owed.wav", "en/wellcome.wav", "zh/plain.ulaw", "en/welcome.wav", "en/notes.txt")
    steps = "- say: { prompt: welcome }\n- say: { prompt: owed }"
    site = site_with(tmp_path, steps, prompts_yaml=PROMPTS)

    assert [str(each) for each in site.hints] == [
        'prompts.yaml:6:1: nothing says the prompt "plain"',
        "sounds/prompts/en/owed.wav:1:1: nobody hears this recording: its text has values in it, which no recording "
        "can say: callers hear the rendered text",
        'sounds/prompts/en/wellcome.wav:1:1: nobody hears this recording: no prompt "wellcome": expected owed, plain '
        'or welcome; did you mean "welcome"?',
        'sounds/prompts/zh/plain.ulaw:1:1: nobody hears this recording: prompt "plain" has no text in zh: expected it '
        "in prompts.yaml",
    ]


def test_prompts_are_listed_with_what_is_recorded(tmp_path: Path) -> None:
    record(tmp_path, "en/welcome.gsm", "en/owed.wav")
    site = site_with(tmp_path, "- say: { prompt: welcome }", prompts_yaml=PROMPTS)

    assert [(each.id, each.language, each.state, each.recorded, each.is_missing) for each in listed(site)] == [
        ("welcome", "en", "recorded", "prompts/en/welcome.gsm", False),
        ("welcome", "zh", "rendered", "", True),
        ("plain", "en", "rendered", "", True),
        ("owed", "en", "rendered (has values)", "", False),
    ]


def test_a_new_recording_makes_another_version(tmp_path: Path) -> None:
    before = site_with(tmp_path, "- say: { prompt: welcome }", prompts_yaml=PROMPTS).version
    record(tmp_path, "en/welcome.wav")

    assert load_site(tmp_path).version != before


def test_an_unknown_id_is_told_with_the_nearest(tmp_path: Path) -> None:
    found = problems_in(tmp_path, {"flows/main.yaml": flow("- say: { prompt: welcom }"), "prompts.yaml": PROMPTS})

    assert found == [
        'flows/main.yaml:4:22: unknown prompt "welcom": expected owed, plain or welcome; did you mean "welcome"?'
    ]


@pytest.mark.parametrize("prompts", ["welcome: { en: [] }", "- a list", "welcome: [", "welcome: { note: 5 }"])
def test_a_prompt_that_is_wrong_in_its_file_is_not_told_again_where_it_is_said(tmp_path: Path, prompts: str) -> None:
    files = {"flows/main.yaml": flow("- say: { prompt: welcome }"), "prompts.yaml": prompts}
    with pytest.raises(SiteError) as caught:
        load_site(write_site(tmp_path, files))

    assert {problem.file for problem in caught.value.problems} == {"prompts.yaml"}


def test_a_flow_that_is_read_without_a_book_has_its_prompts_without_texts() -> None:
    read = Flow.model_validate({"start": "a", "nodes": {"a": ({"say": {"prompt": "welcome"}},)}})

    step = read.nodes["a"][0]
    assert isinstance(step, SayStep)
    assert isinstance(step.say, PromptTexts)
    assert (step.say, step.say.id) == ({}, "welcome")
