"""What callers bring and hear: refusals, names of every kind, prompts and music; and strangers on the FastAGI port.

One world for all tests; nobody is at work between them.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lab.phone import AGENT_TONE_HZ
from lab.sip_call import SipCall
from tests.asterisk.world import (
    BLOCKED,
    BUSY,
    CLOSED,
    MAIN_LINE,
    STRAIGHT,
    UNLISTED,
    Ears,
    Stage,
    copy_site,
    eventually,
    open_stage,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    folder = tmp_path_factory.mktemp("callers")
    async with open_stage(folder / "world", copy_site(folder), people_with_phones=("wei", "olga")) as stage:
        yield stage


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def cleared(stage: Stage) -> AsyncIterator[None]:
    yield
    await stage.clear()


async def _ended(call: SipCall) -> int:
    async with asyncio.timeout(10):
        await call.ended.wait()
    return call.status


# --- refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "status"), [(UNLISTED, 404), (BUSY, 486), (CLOSED, 480), (BLOCKED, 403)])
async def test_a_refused_caller_is_told_why_by_the_network_and_counted(stage: Stage, number: str, status: int) -> None:
    caller = stage.new_number()
    call = await stage.dial(number, caller)
    assert await _ended(call) == status
    assert call.answer_ns is None, "nobody pays for a refusal"
    assert await stage.outcome(await stage.arrived(caller)) == "refused"


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("张伟", "张伟"),
        ('Jean-Luc "JL" O\'Brien', 'Jean-Luc "JL" O\'Brien'),
        ("back\\slash", "back\\slash"),
        ("Иван".encode("cp1251").decode("utf-8", "surrogateescape"), "\ufffd" * 4),
        ("A, B; C | D ${EXTEN} $[1+1]", "A, B; C | D ${EXTEN} $[1+1]"),
    ],
    ids=["chinese", "quotes", "backslash", "cp1251", "dialplan"],
)
async def test_a_callers_name_reaches_phone_and_pop_right_or_with_replacement_characters(
    stage: Stage, sent: str, shown: str
) -> None:
    await stage.at_work("olga")
    other, _ = await stage.queued()
    await stage.rings("olga")
    await stage.talking(other)
    await stage.at_work("wei")
    caller = stage.new_number()
    call = await stage.dial(STRAIGHT, caller, sent)
    ringing = await stage.rings("wei")
    # Asterisk hands SIP's backslashes on as they are and escapes them again.
    assert ringing.caller_name.replace("\\", "") == shown.replace("\\", "")
    assert ringing.caller_number == caller
    assert stage.seen.works[ringing.offer]["attributes"]["caller_name"] == shown
    await stage.talking(call)
    assert not other.ended.is_set(), "no effect on other calls"


async def test_line_ends_in_a_name_start_no_header_and_no_command(stage: Stage) -> None:
    """Asterisk drops a message whose name is broken over lines; what only looks like a line end is text."""
    await stage.at_work("olga")
    caller = stage.new_number()
    await stage.dial_as(f'"Eve\r\n HANGUP" <sip:{stage.new_number()}@127.0.0.1>')
    tricks = "Eve%0d%0aAction: Originate%0d%0a\\r\\nHANGUP"
    call = await stage.dial_as(f'"{tricks}" <sip:{caller}@127.0.0.1>')
    ringing = await stage.rings("olga")
    await stage.talking(call)
    work = stage.seen.works[ringing.offer]
    assert work["caller"] == caller
    assert "\r" not in str(work)
    assert "\n" not in str(work)
    assert (await stage.world.health())["ready"] is True


# --- what is heard -----------------------------------------------------------------------------------------


async def test_prompts_are_heard_in_the_menu_and_music_in_the_queue(stage: Stage) -> None:
    call = await stage.dial(MAIN_LINE, stage.new_number())
    await call.media_up.wait()
    ears = Ears(call)
    await eventually("a prompt", lambda: ears.loud > 50)
    waiting, _ = await stage.queued()
    ears = Ears(waiting)
    await eventually("3 s of music", lambda: ears.loud > 150)
    assert ears.longest_silence_s < 2.0
    assert AGENT_TONE_HZ not in waiting.media.heard_ns


async def test_an_announcement_ends_at_once_when_an_agent_is_found(stage: Stage) -> None:
    waiting, interaction_id = await stage.queued()
    ears = Ears(waiting)
    async with stage.ami() as ami:
        # The first announcement comes a second after the music.
        await ami.event("MusicOnHoldStop", since=len(ami.blocks))
        await stage.at_work("olga")
        ringing = await stage.rings("olga")
        pop_ns = stage.seen.pops_ns[f"{interaction_id}/1"]
        assert (ringing.invite_ns - pop_ns) / 1e6 < 150
        await stage.talking(waiting)
    assert ears.loud > 0


# --- strangers on the FastAGI port -------------------------------------------------------------------------


async def test_strangers_on_the_fastagi_port_have_no_effect_on_calls(stage: Stage) -> None:
    await stage.at_work("olga")
    talking, _ = await stage.queued()
    await stage.talking(talking)
    ears = Ears(talking)
    waiting, waiting_id = await stage.queued()
    strangers = [await _stranger(stage.world.agi_port, index) for index in range(60)]
    fresh, fresh_id = await stage.queued()
    await eventually("2 s of talk", lambda: ears.loud > 100)
    assert ears.longest_silence_s < 0.5
    assert (await stage.world.health())["ready"] is True
    await talking.hang_up()
    for call, interaction_id in ((waiting, waiting_id), (fresh, fresh_id)):
        await stage.talking(call)
        assert len(stage.rung(interaction_id)) == 1
        await call.hang_up()
        assert await stage.outcome(interaction_id) == "served"
    for stranger in strangers:
        stranger.close()


async def _stranger(port: int, index: int) -> socket.socket:
    """One connection: closed at once, reset, half a header, a header of 1 MB, bytes that are no header, silence."""
    loop = asyncio.get_running_loop()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    await loop.sock_connect(sock, ("127.0.0.1", port))
    said = (b"", b"", b"agi_network: yes\nagi_chan", b"agi_x: " + b"x" * (1 << 20), b"\x16\x03\x01\x00\xff" * 50, b"")
    if index % 6 == 1:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    try:
        await loop.sock_sendall(sock, said[index % 6])
    except OSError:  # the server had enough of it
        pass
    if index % 6 in (0, 1):
        sock.close()
    return sock
