"""Steps that ask, as callers meet them: typed, read back, corrected, confirmed; yes and no; who proves who they are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from lab.sip_call import SipCall
from tests.asterisk.hearing import Hearing
from tests.asterisk.world import Stage, copy_site, open_stage

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

ACCOUNT, ORDER, PIN, CHOOSE = (f"+4989999987{at:02d}" for at in range(4))
#: Of the site's customers; what she types must stand nowhere.
AMELIA, HER_PIN = "100201", "97531864"
NUMBERS = f"""
"{ACCOUNT}": {{ flow: account }}
"{ORDER}": {{ flow: order }}
"{PIN}": {{ flow: proof }}
"{CHOOSE}": {{ flow: choose }}
"""
FLOWS = {
    "choose": """
start: door
nodes:
  door:
    - answer
    - language: { en: "For English, press one.", zh: 中文请按二。 }
      keys: { 1: en, 2: zh }
    - say: { en: Welcome to English., zh: 欢迎致电。 }
""",
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
    "proof": """
start: door
nodes:
  door:
    - answer
    - set: { account: "100201" }
    - collect: Your PIN?
      into: pin
      digits: 4-8
      end: hash
      wait: 20s
      secret: true
    - lookup: { account: $account, pin: $pin }
      found: [{ say: You are known. }, { queue: billing }]
      wrong: wrong
      blocked: [{ say: That was too often. }, hangup]
      unknown: [{ say: Nobody has that. }, hangup]
  wrong:
    - say: That is not it.
    - goto: door
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
    customers = site / "customers.csv"
    header, *rows = customers.read_text(encoding="utf-8").splitlines()
    customers.write_text(
        "\n".join([f"{header},pin", *(f"{row},{HER_PIN if AMELIA in row else ''}" for row in rows), ""]),
        encoding="utf-8",
    )
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


async def test_who_has_the_pin_is_known_and_who_guesses_is_blocked_and_no_pin_is_written_down(stage: Stage) -> None:
    call, hearing = await _dial(stage, PIN)
    await hearing.hears("Your PIN?")
    await call.media.press("86421357#")
    await hearing.hears("That is not it.")
    await call.media.press(f"{HER_PIN}#")
    await hearing.hears("You are known.")
    interaction_id = await stage.arrived(call.caller_number)
    row = await stage.row(
        "the customer", "SELECT customer_id FROM interaction WHERE id = ? AND customer_id IS NOT NULL", interaction_id
    )
    assert row["customer_id"] == "C1001"
    guesser, hearing = await _dial(stage, PIN)
    for _ in range(3):
        await hearing.hears("Your PIN?")
        await guesser.media.press("86421357#")
        await hearing.hears("That is not it.")
    await guesser.media.press(f"{HER_PIN}#")
    await hearing.hears("That was too often.")
    await stage.restart()
    told = [file for file in (stage.world.folder / "data").rglob("*") if file.is_file()]
    for typed in (HER_PIN, "86421357"):
        assert not [file for file in told if typed.encode() in file.read_bytes()]
        assert typed not in stage.log()


async def test_each_language_is_offered_in_itself_and_the_chosen_one_is_heard(stage: Stage) -> None:
    for key, text, language in (("2", "欢迎致电。", "zh"), ("1", "Welcome to English.", "en")):
        call = await stage.dial(CHOOSE, stage.new_number())
        hearing = Hearing(call)
        await hearing.hears("For English, press one.", "en")
        await hearing.hears("中文请按二。", "zh")
        await call.media.press(key)
        await hearing.hears(text, language)
