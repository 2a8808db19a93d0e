"""Flow tests as real calls come out as without a telephone; one whose prompts differ is seen."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.flow_tests import ReadTest, read_tests
from ivr.loader import load_site
from lab.hearing import rendered
from lab.live_flow_tests import LiveStage, open_live_stage
from lab.paths import repository

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

DESK, CLOSED_AT_NIGHT, ERRANDS, OUTSIDE = (f"+49899999860{at}" for at in range(4))
FLOWS = {
    "desk": """
start: door
nodes:
  door:
    - answer
    - lookup: { number: $caller }
    - menu: Press one for an agent, two for a message.
      keys: { 1: agent, 2: message }
      retries: 0
  agent:
    - set: { topic: Garden }
    - queue: support
      priority: 3
      closed: message
      served: [say: "Goodbye, {customer.name}."]
      timed_out: [say: Nobody came.]
  message:
    - voicemail: Leave a message.
      otherwise: [say: You said nothing.]
""",
    "night": """
start: door
nodes:
  door:
    - hours: office
      closed: [refuse: closed]
    - answer
    - say: Day.
""",
    "errands": """
start: door
nodes:
  door:
    - answer
    - play: greeting.wav
    - goto: ask
  ask:
    - collect: Your account number, please.
      into: account
      digits: 3-4
      retries: 1
      invalid: Three or four digits.
      otherwise: nothing
    - lookup: { account: $account }
      unknown: [say: "Nobody has account {account:digits}."]
      several: [say: Several have it.]
      found: known
  known:
    - set: { greeting: Dear }
    - if: customer.vip
      then: [set: { greeting: Dearest }]
    - say: "{greeting} {customer.name}"
    - flow: farewell
  nothing:
    - say: You typed nothing.
""",
    "outside": """
start: door
nodes:
  door:
    - answer
    - webhook: crm
      path: /accounts/{caller}
      query: { line: $dialled }
      keep: { name: people.1.name, open: { at: account.open, type: number } }
      not_found: [{ say: We do not know you. }, hangup]
      failed: [{ say: We cannot look. }, hangup]
    - say: "{name}, you owe {open:money}."
    - webhook: crm
      send: { name: $name, vip: true, count: 3 }
      failed: [hangup]
    - menu: Press one to get it in writing.
      keys: { 1: write }
      retries: 0
      wait: 20s
  write:
    - send_text: "You owe {open}."
      otherwise: [{ say: We could not send it. }, hangup]
    - say: It is on its way.
""",
    "farewell": "start: door\nnodes:\n  door:\n    - say: Farewell.\n    - hangup\n",
}
TESTS = f"""
served:
  given: {{ number: "{DESK}", caller: "+4930901820", at: 2026-11-23T10:00, customer: {{ name: Anna }} }}
  dialogue:
    - hears: Press one
    - presses: 1
    - expects: {{ queue: support, priority: 3, attributes: {{ topic: Garden }} }}
    - queue: served
    - hears: Goodbye, Anna
    - expects: {{ ended: normal }}
not served:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: timed_out, hears: Nobody came, expects: {{ ended: normal }}]
closed, and nothing to say:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: closed, message: none, hears: You said nothing, expects: {{ ended: normal }}]
a message:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 2, message: left, expects: {{ ended: normal }}]
by day:
  given: {{ number: "{CLOSED_AT_NIGHT}", at: 2026-11-23T10:00 }}
  dialogue: [hears: Day, expects: {{ ended: normal }}]
by night:
  given: {{ number: "{CLOSED_AT_NIGHT}", at: 2026-11-23T23:00 }}
  dialogue: [expects: {{ refused: closed }}]
a recording, a wrong account, a right one:
  given:
    number: "{ERRANDS}"
    at: 2026-11-23T10:00
    customers: [{{ name: Omar, account: "1006", vip: yes }}, {{ name: Ava, account: "1010" }}]
  dialogue:
    - hears: greeting.wav
    - hears: Your account number
    - presses: 12#
    - hears: Three or four digits
    - presses: 1006
    - hears: Dearest Omar
    - hears: Farewell
    - expects: {{ ended: normal }}
not a VIP:
  given: {{ number: "{ERRANDS}", at: 2026-11-23T10:00, customers: [{{ name: Ava, account: "1010" }}] }}
  dialogue: [presses: 1010, hears: Dear Ava, expects: {{ ended: normal }}]
nobody:
  given: {{ number: "{ERRANDS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 077#, hears: Nobody has account 0 7 7, expects: {{ ended: normal }}]
several:
  given:
    number: "{ERRANDS}"
    at: 2026-11-23T10:00
    customers: [{{ name: Omar, account: "1006" }}, {{ name: Ava, account: "1006" }}]
  dialogue: [presses: 1006, hears: Several have it, expects: {{ ended: normal }}]
typed nothing:
  given: {{ number: "{ERRANDS}", at: 2026-11-23T10:00 }}
  dialogue: [presses: nothing, presses: nothing, hears: You typed nothing, expects: {{ ended: normal }}]
asked and sent:
  given: {{ number: "{OUTSIDE}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue:
    - webhook: {{ name: Anna, open: "12.50" }}
      sends: {{ line: "{OUTSIDE}" }}
    - hears: Anna, you owe twelve euros
    - webhook: ok
      sends: {{ name: Anna, vip: true, count: 3 }}
    - presses: 1
    - send_text: sent
      says: "12.50"
      to: "+4930901820"
    - hears: on its way
    - expects: {{ ended: normal }}
not taken:
  given: {{ number: "{OUTSIDE}", caller: "+4930901820", at: 2026-11-23T10:00 }}
  dialogue: [webhook: ok, webhook: ok, presses: 1, send_text: otherwise, hears: could not, expects: {{ ended: normal }}]
not allowed:
  given: {{ number: "{OUTSIDE}", caller: "+12125552368", at: 2026-11-23T10:00 }}
  dialogue: [webhook: ok, webhook: ok, presses: 1, send_text: otherwise, hears: could not, expects: {{ ended: normal }}]
not known:
  given: {{ number: "{OUTSIDE}", at: 2026-11-23T10:00 }}
  dialogue: [webhook: not_found, hears: do not know you, expects: {{ ended: normal }}]
out of order:
  given: {{ number: "{OUTSIDE}", at: 2026-11-23T10:00 }}
  dialogue: [webhook: failed, hears: cannot look, expects: {{ ended: normal }}]
gone meanwhile:
  given: {{ number: "{OUTSIDE}", at: 2026-11-23T10:00 }}
  dialogue: [webhook: ok, hangs_up]
full:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [presses: 1, queue: full]
wrong itself:
  given: {{ number: "{DESK}", at: 2026-11-23T10:00 }}
  dialogue: [hears: Good morning, presses: 1]
"""


def _write(folder: Path, greeting: Path) -> Path:
    site = folder / "site"
    shutil.copytree(repository() / "site", site)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        for number, flow in ((DESK, "desk"), (CLOSED_AT_NIGHT, "night"), (ERRANDS, "errands"), (OUTSIDE, "outside")):
            file.write(f'"{number}": {{ flow: {flow} }}\n')
    for name, text in FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    with (site / "site.yaml").open("a", encoding="utf-8") as file:
        file.write("text_messages: { webhook: crm, path: /texts }\n")
    (site / "sounds").mkdir(exist_ok=True)
    shutil.copy(greeting, site / "sounds" / "greeting.wav")
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveStage]:
    folder = tmp_path_factory.mktemp("live")
    site = await asyncio.to_thread(_write, folder, await rendered("This was recorded.", "en"))
    async with open_live_stage(site, folder / "stage") as stage:
        yield stage


def _tests(stage: LiveStage) -> dict[str, ReadTest]:
    tests, problems = read_tests(stage.site, "tests/live.yaml", TESTS.encode())
    assert problems == []
    return {test.name: test for test in tests}


@pytest.mark.parametrize(
    "name",
    [
        "served",
        "not served",
        "closed, and nothing to say",
        "a message",
        "by day",
        "by night",
        "a recording, a wrong account, a right one",
        "not a VIP",
        "nobody",
        "several",
        "typed nothing",
        "asked and sent",
        "not taken",
        "not allowed",
        "not known",
        "out of order",
        "gone meanwhile",
    ],
)
async def test_a_real_call_goes_as_its_walk(stage: LiveStage, name: str) -> None:
    verdict = await stage.judge(_tests(stage)[name])

    assert (verdict.failure and str(verdict.failure), verdict.not_played) == (None, "")


async def test_what_cannot_be_brought_about_is_said(stage: LiveStage) -> None:
    assert (await stage.judge(_tests(stage)["full"])).not_played == "a wait that ends full"


async def test_what_fails_without_a_telephone_is_told_as_there(stage: LiveStage) -> None:
    failure = (await stage.judge(_tests(stage)["wrong itself"])).failure

    assert failure is not None
    assert "expected to hear" in failure.message


async def test_a_call_whose_prompts_are_others_than_those_of_the_walk_is_seen(stage: LiveStage) -> None:
    flow = stage.site.folder / "flows" / "night.yaml"
    flow.write_text(FLOWS["night"].replace("Day.", "Something else altogether."), encoding="utf-8")
    changed = load_site(stage.site.folder)  # the server still has the other
    by_day = _tests(stage)["by day"]
    test = replace(by_day, turns=by_day.turns[1:])

    verdict = await stage.on(changed).judge(test)

    assert verdict.failure is not None
    assert "to hear 'Something else altogether.'" in verdict.failure.message


async def test_a_call_that_asks_otherwise_than_its_walk_is_seen(stage: LiveStage) -> None:
    flow = stage.site.folder / "flows" / "outside.yaml"
    flow.write_text(
        FLOWS["outside"].replace("vip: true", "vip: false").replace("count: 3", "more: 4"), encoding="utf-8"
    )
    changed = load_site(stage.site.folder)  # the server still has the other
    test = _tests(stage)["not taken"]

    verdict = await stage.on(changed).judge(test)

    assert verdict.failure is not None
    said = (
        "as a real call: expected another count to be sent; expected another more to be sent; expected another vip to"
    )
    assert said in verdict.failure.message
