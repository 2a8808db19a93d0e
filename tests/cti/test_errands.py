"""A call that asks another program: what its caller hears and may press, hanging up, coming back, being refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from acd.model import Outcome
from cti import errands as errands_module
from cti.ports import TextMessage
from lab.program import Program, Request, answering, open_program, response
from tests.cti.conversations import C, one_call, outcome

pytestmark = pytest.mark.usefixtures("short_lags")

ASK = """
  door:
    - answer
    - webhook: crm
      send: { who: $caller }
      keep: { name: name }
      music: default
      failed: [{ say: Sorry }, hangup]
    - menu: "Hello {name}"
      keys: { 1: one }
      wait: 60s
  one:
    - say: One
    - hangup
"""
TEXT = """
  door:
    - answer
    - set: { mobile: "0171 1234567" }
    - send_text: Hello
      to: $mobile
      otherwise: [{ say: Not sent }, hangup]
    - say: Sent
    - hangup
"""
SITE = (
    "name: Test\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en, de]\ndefault_language: en\n"
    "text_messages: { webhook: crm }\nfail_safe: { message: Nobody is there., take: number }\n"
)


class Slow:
    """Answers once it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()

    async def __call__(self, _: Request, writer: asyncio.StreamWriter) -> None:
        await self.may.wait()
        writer.write(response(200, {"name": "Anna"}))


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    async with open_program(answering(200, {"name": "Anna"})) as program:
        yield program


def endpoints(program: Program, timeout: str = "10s") -> dict[str, str]:
    return {"webhooks": f"crm: {{ url: '{program.url}', timeout: {timeout} }}\n"}


async def test_what_is_pressed_while_the_answer_is_waited_for_is_kept(program: Program, tmp_path: Path) -> None:
    program.manner = slow = Slow()
    async with one_call(tmp_path, ASK, prompts_end=True, **endpoints(program)) as (reception, call):
        await program.asked(1)
        assert "music default" in call.log
        call.press("1")
        slow.may.set()
        await call.playing("One")
        assert "play Hello-Anna" not in call.log  # cut before it began
        assert (C, "webhook crm: ok") in reception.story


async def test_the_music_ends_before_anything_else_is_heard(program: Program, tmp_path: Path) -> None:
    async with one_call(tmp_path, ASK, **endpoints(program)) as (_, call):
        await call.playing("Hello Anna")
        heard = call.heard()
        assert heard.index("music stopped") < heard.index("play Hello-Anna")


async def test_a_caller_who_hangs_up_ends_the_request(program: Program, tmp_path: Path) -> None:
    program.manner = Slow()
    async with one_call(tmp_path, ASK, **endpoints(program)) as (reception, call):
        await program.asked(1)
        call.hang_up()
        await program.left_alone(limit_s=5)
        await call.over()
        assert outcome(reception)[0] is Outcome.ABANDONED_IN_FLOW


async def test_a_call_that_comes_back_asks_again_under_the_same_key(program: Program, tmp_path: Path) -> None:
    program.manner = slow = Slow()
    async with one_call(tmp_path, ASK, **endpoints(program)) as (_, call):
        await program.asked(1)
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        first, second = await program.asked(1), await program.asked(2)
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        slow.may.set()
        await call.playing("Hello Anna")


async def test_what_is_answered_is_on_the_channel_before_anything_else_happens(
    program: Program, tmp_path: Path
) -> None:
    async with one_call(tmp_path, ASK.replace('- menu: "Hello {name}"', '- say: "Hello {name}"\n    - menu: Press'),
                        **endpoints(program)) as (_, call):  # fmt: skip
        await call.playing("Hello Anna")
        _, node, variables, *_ = orjson.loads(call.variables["CALLYARD_STATE"])
        assert (node, variables["name"]) == ("door:2", "Anna")
        call.end_agi()
        await call.over()
        await call.leave_agi()
        await call.enter()
        await call.playing("Hello Anna", 2)
        assert len(program.requests) == 1


async def test_an_errand_that_never_ends_is_given_up(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands_module, "LONGEST_S", 0.05)
    program.manner = Slow()
    async with one_call(tmp_path, ASK, **endpoints(program)) as (_, call):
        await call.playing("Sorry")


# --- text messages -----------------------------------------------------------------------------------------------


class Gateway:
    """Takes messages, or does not."""

    def __init__(self, *, takes: bool = True) -> None:
        self.messages: list[TextMessage] = []
        self.takes = takes

    async def send(self, message: TextMessage) -> bool:
        self.messages.append(message)
        return self.takes


async def test_a_text_message_goes_to_the_number_as_the_world_dials_it(tmp_path: Path, program: Program) -> None:
    gateway = Gateway()
    async with one_call(tmp_path, TEXT, site=SITE, text_messages=gateway, **endpoints(program)) as (reception, call):
        await call.playing("Sent")
        assert gateway.messages == [TextMessage(f"{C}/main/door:2/0", "+491711234567", "Hello", "en", C)]
        assert (C, "text message sent") in reception.story


@pytest.mark.parametrize(
    ("number", "gateway", "reason"),
    [
        ("0900 5 123456", Gateway(), "costly"),
        ("+1 212 555 2368", Gateway(), "abroad"),
        ("112", Gateway(), "short"),
        ("nobody", Gateway(), "invalid"),
        ("0171 1234567", None, "no_gateway"),
        ("0171 1234567", Gateway(takes=False), "failed"),
    ],
)
async def test_a_message_that_may_not_go_or_is_not_taken_leads_elsewhere(
    tmp_path: Path, program: Program, number: str, gateway: Gateway | None, reason: str
) -> None:
    nodes = TEXT.replace("0171 1234567", number)
    async with one_call(tmp_path, nodes, site=SITE, text_messages=gateway, **endpoints(program)) as (reception, call):
        await call.playing("Not sent")
        assert (C, f"text message not sent: {reason}") in reception.story
        assert gateway is None or bool(gateway.messages) is not gateway.takes
