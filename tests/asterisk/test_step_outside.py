"""Flows that ask other programs, as callers meet them: dialling ahead meanwhile, hanging up, a killed server."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.program import Program, Request, answering, open_program, response
from lab.sip_call import SipCall
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import MAIN_LINE, Ears, Stage, copy_site, eventually, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

DOOR, MIDDLE, TEXT = (f"+4989999986{at:02d}" for at in range(3))
SLOW_S = 2.0
FLOWS = {
    # The answer is waited for before the caller is asked anything.
    "door": """
start: door
nodes:
  door:
    - answer
    - webhook: crm
      send: { who: $caller }
      music: default
      keep: { greeting: greeting }
      failed: [{ say: We cannot say. }, hangup]
    - menu: Billing or technical help?
      keys: { 2: technical }
      wait: 20s
  technical:
    - menu: Telephone or internet?
      keys: { 1: account }
      wait: 20s
  account:
    - collect: Your number?
      into: account
      digits: 6
      end: none
      wait: 20s
    - say: "{greeting} {account:digits}."
""",
    # … and between the questions.
    "middle": """
start: door
nodes:
  door:
    - answer
    - menu: Welcome to the line on which everything can be dialled at once.
      keys: { 2: technical }
      wait: 20s
  technical:
    - menu: Telephone or internet?
      keys: { 1: account }
      wait: 20s
  account:
    - webhook: crm
      query: { who: $caller }
      say: One moment, please.
      failed: [{ say: We cannot say. }, hangup]
    - collect: Your number?
      into: account
      digits: 6
      end: none
      wait: 20s
    - say: "It is {account:digits}."
""",
    "text": """
start: door
nodes:
  door:
    - answer
    - set: { case: "4711" }
    - send_text: "Your case {case} is open."
      sent: [{ say: The message is on its way. }, hangup]
      otherwise: [{ say: We could not send it. }, hangup]
""",
}


async def slowly(_: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(SLOW_S)
    writer.write(response(200, {"greeting": "Your number is"}))


async def never(_: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def program() -> AsyncIterator[Program]:
    async with open_program(slowly) as program:
        yield program


def _site(folder: Path, program: Program) -> Path:
    site = copy_site(folder)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(f'"{DOOR}": {{ flow: door }}\n"{MIDDLE}": {{ flow: middle }}\n"{TEXT}": {{ flow: text }}\n')
    for name, text in FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    crm = f"crm: {{ url: '{program.url}/crm', timeout: 8s, breaker: {{ failures: 100 }} }}\n"
    endpoints = f"{crm}gateway: {{ url: '{program.url}/sms' }}\n"
    (site / "webhooks.yaml").write_text(endpoints, encoding="utf-8")
    with (site / "site.yaml").open("a", encoding="utf-8") as file:
        file.write("text_messages: { webhook: gateway }\n")
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory, program: Program) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("outside")
    async with open_stage(folder / "world", _site(folder, program), people_with_phones=()) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage, program: Program) -> AsyncIterator[None]:
    program.manner = slowly
    program.requests.clear()
    program.given_up = 0
    yield
    await stage.clear()


async def _dial(stage: Stage, number: str) -> tuple[SipCall, Hearing]:
    call = await stage.dial(number, stage.new_number())
    hearing = Hearing(call)
    async with asyncio.timeout(10):
        await call.media_up.wait()
    return call, hearing


async def test_what_is_dialled_in_one_breath_while_a_webhook_is_waited_for_gets_there(
    stage: Stage, program: Program
) -> None:
    call, hearing = await _dial(stage, DOOR)
    ears = Ears(call)
    request = await program.asked(1)
    assert request.fields == {"who": call.caller_number}
    await call.media.press("21100201")
    await hearing.hears("Your number is 1 0 0 2 0 1.")
    assert ears.loud > 25, "music while the answer is waited for"
    assert await stage.outcome(await stage.arrived(call.caller_number)) == "self_served"


async def test_what_is_dialled_during_the_first_word_gets_past_a_webhook_in_between(
    stage: Stage, program: Program
) -> None:
    call, hearing = await _dial(stage, MIDDLE)
    await call.media.press("21100201")
    await hearing.hears("It is 1 0 0 2 0 1.")
    assert (await program.asked(1)).fields == {"who": call.caller_number}
    assert len(program.requests) == 1


async def test_who_waits_hears_what_the_step_says_and_who_hangs_up_ends_the_request(
    stage: Stage, program: Program
) -> None:
    program.manner = never
    call, hearing = await _dial(stage, MIDDLE)
    await call.media.press("2")
    await hearing.hears("Telephone or internet?")
    await call.media.press("1")
    await hearing.hears("One moment, please.")
    await program.asked(1)
    await call.hang_up()
    await program.left_alone(limit_s=5)
    assert await stage.outcome(await stage.arrived(call.caller_number)) == "abandoned_in_flow"


async def test_a_killed_server_asks_again_under_the_same_key_and_the_call_goes_on(
    stage: Stage, program: Program
) -> None:
    program.manner = never
    call, hearing = await _dial(stage, DOOR)
    first = await program.asked(1)
    program.manner = slowly
    await stage.restart()
    second = await program.asked(2)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    await hearing.hears("Billing or technical help?")
    await stage.restart()  # what was answered is not asked again
    await hearing.hears("Billing or technical help?")
    await call.media.press("21100201")
    await hearing.hears("Your number is 1 0 0 2 0 1.")
    assert len(program.requests) == 2


async def test_one_that_is_stuck_harms_no_other_call(stage: Stage, program: Program) -> None:
    program.manner = never
    stuck = [await _dial(stage, DOOR) for _ in range(5)]
    await program.asked(5)
    _, hearing = await _dial(stage, MAIN_LINE)
    await hearing.hears("Welcome to Northwind.")
    for _, each in stuck:
        await each.hears("We cannot say.")


@pytest.mark.parametrize(
    ("greeting", "text"),
    [
        ("Your\r\nAction: Hangup\r\n\r\n", "Your Action: Hangup  1 0 0 2 0 1."),
        ('"; HANGUP\n\n', '"; HANGUP  1 0 0 2 0 1.'),
    ],
)
async def test_whatever_is_answered_is_only_ever_said(stage: Stage, program: Program, greeting: str, text: str) -> None:
    program.manner = answering(200, {"greeting": greeting})
    call, hearing = await _dial(stage, DOOR)
    await call.media.press("21100201")
    await hearing.hears(text)


async def test_a_text_message_is_handed_over_once_and_told(stage: Stage, program: Program) -> None:
    program.manner = answering(202)
    call, hearing = await _dial(stage, TEXT)
    await hearing.hears("The message is on its way.")
    request = await program.asked(1)
    assert (request.method, request.path) == ("POST", "/sms")
    assert request.fields == {"to": call.caller_number, "text": "Your case 4711 is open."}
    program.manner = answering(500)
    _, hearing = await _dial(stage, TEXT)
    await hearing.hears("We could not send it.")
    await eventually("the log of it", lambda: "http_5xx" in stage.log())
    assert "Your case" not in stage.log()
