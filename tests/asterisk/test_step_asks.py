"""Steps that ask and confirm, as callers meet them: typed, read back, corrected, confirmed; yes and no."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.sip_call import SipCall
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import Stage, copy_site, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ACCOUNT, ORDER = (f"+4989999985{at:02d}" for at in range(2))
NUMBERS = f"""
"{ACCOUNT}": {{ flow: account }}
"{ORDER}": {{ flow: order }}
"""
FLOWS = {
    "account": """
start: door
nodes:
  door:
    - answer
    - collect: Your account?
      into: account
      digits: 4
      end: none
      wait: 20s
      confirm: true
      otherwise: [hangup]
    - say: Thank you, it is kept.
    - queue: billing
""",
    "order": """
start: door
nodes:
  door:
    - answer
    - confirm: Do you want to cancel your order?
      keys: { yes: star, no: 5 }
      wait: 20s
      yes: [{ say: The order is gone. }, hangup]
      no: [{ say: The order stays. }, hangup]
""",
}


def _site(folder: Path) -> Path:
    site = copy_site(folder)
    with (site / "numbers.yaml").open("a", encoding="utf-8") as file:
        file.write(NUMBERS)
    for name, text in FLOWS.items():
        (site / "flows" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return site


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("asks")
    async with open_stage(folder / "world", _site(folder), people_with_phones=()) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def _dial(stage: Stage, number: str) -> tuple[SipCall, Hearing]:
    call = await stage.dial(number, stage.new_number())
    hearing = Hearing(call)
    async with asyncio.timeout(10):
        await call.media_up.wait()
    return call, hearing


def _read_back(digits: str) -> str:
    return f"You entered {' '.join(digits)}. Press 1 if that is right, 2 to enter it again."


async def test_a_caller_corrects_and_confirms_what_they_typed_also_after_a_restart(stage: Stage) -> None:
    call, hearing = await _dial(stage, ACCOUNT)
    await hearing.hears("Your account?")
    await call.media.press("1234")
    await hearing.hears(_read_back("1234"))
    await call.media.press("2")
    await hearing.hears("Your account?")
    await call.media.press("5678")
    await hearing.hears(_read_back("5678"))
    await stage.restart()
    await hearing.hears("Your account?")  # what nobody had confirmed is asked for again
    await call.media.press("56781")
    await hearing.hears("Thank you, it is kept.")
    interaction_id = await stage.arrived(call.caller_number)
    visit = await stage.row("the wait", "SELECT attributes FROM queue_visit WHERE interaction_id = ?", interaction_id)
    assert "5678" in visit["attributes"]
    assert "1234" not in visit["attributes"]


@pytest.mark.parametrize(("key", "text"), [("*", "The order is gone."), ("5", "The order stays.")])
async def test_a_caller_says_yes_or_no_by_the_keys_of_the_flow(stage: Stage, key: str, text: str) -> None:
    call, hearing = await _dial(stage, ORDER)
    await hearing.hears("Do you want to cancel your order?")
    await call.media.press(key)
    await hearing.hears(text)
