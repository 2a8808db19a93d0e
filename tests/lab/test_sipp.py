"""SIPp against our own phones and callers, and against itself."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.caller import Caller, Identity, StayOn, Wait
from lab.phone import Behaviour, Phone
from lab.sipp import SippCaller, SippError, SippLine, agents, callers, read_log, read_statistics

pytestmark = pytest.mark.asterisk

CALLS = [SippCaller(f"+44123456780{index}", "2001", f"Caller {index}") for index in range(5)]


async def test_callers_are_answered_by_a_phone_and_wait_to_be_hung_up(tmp_path: Path) -> None:
    phone = Phone("2001", Behaviour(answer_after_s=0.05, talk_s=0.2), lines=5)
    place = ("127.0.0.1", await phone.start())
    async with callers(tmp_path, place, CALLS, rate=50) as run:
        result = await run.finished(20)
    await phone.stop()
    assert (result.successful, result.failed, result.timeouts, result.status) == (5, 0, 0, 0)
    assert sorted(result.order("answered")) == [call.number for call in CALLS]
    assert sorted(result.order("hung_up")) == [call.number for call in CALLS]
    assert {(call.caller_number, call.caller_name) for call in phone.calls} == {(c.number, c.name) for c in CALLS}


async def test_refused_callers_are_failed_calls(tmp_path: Path) -> None:
    phone = Phone("2001", Behaviour(reject=486))
    place = ("127.0.0.1", await phone.start())
    async with callers(tmp_path, place, CALLS[:2]) as run:
        result = await run.finished(20)
    await phone.stop()
    assert (result.successful, result.failed) == (0, 2)
    assert result.status != 0
    assert result.lines == ()


async def test_waiters_give_up(tmp_path: Path) -> None:
    phone = Phone("2001", Behaviour(answer_after_s=0, talk_s=None), lines=5)
    place = ("127.0.0.1", await phone.start())
    async with callers(tmp_path, place, CALLS[:3], gives_up_after_s=0.2) as run:
        result = await run.finished(20)
    await phone.stop()
    assert (result.successful, result.failed) == (3, 0)
    assert sorted(result.order("gave_up")) == [call.number for call in CALLS[:3]]
    assert {call.ended_by for call in phone.calls} == {"remote"}


async def test_a_caller_whom_nobody_hangs_up_is_a_time_out(tmp_path: Path) -> None:
    phone = Phone("2001", Behaviour(answer_after_s=0, talk_s=None))
    place = ("127.0.0.1", await phone.start())
    async with callers(tmp_path, place, CALLS[:1], limit_s=1) as run:
        result = await run.finished(20)
    await phone.stop()
    assert (result.successful, result.status != 0) == (0, True)


async def test_agents_answer_a_caller_and_hang_up(tmp_path: Path) -> None:
    async with agents(tmp_path, talk_s=0.3) as run:
        record = await Caller(Identity("+4930"), ("127.0.0.1", run.port)).call("2007", (StayOn(10),))
        result = await run.stop()
    assert (record.ended_by, record.status) == ("remote", 200)
    assert [(line.what, line.number, line.extension) for line in result.lines] == [
        ("ringing", "+4930", "2007"),
        ("answered", "+4930", "2007"),
        ("hung_up", "+4930", "2007"),
    ]
    assert (result.successful, result.failed) == (1, 0)


async def test_agents_take_it_when_the_caller_leaves_first(tmp_path: Path) -> None:
    async with agents(tmp_path, talk_s=10) as run:
        record = await Caller(Identity("+4930"), ("127.0.0.1", run.port)).call("2007", (Wait(0.1),))
        result = await run.stop()
    assert record.ended_by == "caller"
    assert result.order("caller_left") == ["+4930"]
    assert result.successful == 1


async def test_sipp_calls_sipp(tmp_path: Path) -> None:
    async with agents(tmp_path / "agents", ring_s=0.05, talk_s=0.2) as desk:
        async with callers(tmp_path / "callers", ("127.0.0.1", desk.port), CALLS, rate=50) as street:
            calling = await street.finished(20)
        answering = await desk.stop()
    assert (calling.successful, answering.successful) == (5, 5)
    assert set(answering.order("answered")) == set(calling.order("answered"))


async def test_leaving_the_context_ends_the_process(tmp_path: Path) -> None:
    async with agents(tmp_path) as run:
        os.kill(run.pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(run.pid, 0)


async def test_a_taken_port_is_an_error_that_says_so(tmp_path: Path) -> None:
    phone = Phone("2001")
    port = await phone.start()
    with pytest.raises(SippError, match="did not start"):
        async with agents(tmp_path, port=port):
            raise AssertionError("started")
    await phone.stop()


async def test_a_name_that_would_break_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="semicolon"):
        async with callers(tmp_path, ("127.0.0.1", 9), [SippCaller("1;2", "3")]):
            raise AssertionError("started")


def test_a_log_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("12 ringing +4930 2001 lab1-1/3\n13 answered +4930 2001 \nnoise\n\n14 hung")
    assert read_log(path) == (
        SippLine(12, "ringing", "+4930", "2001", "lab1-1/3"),
        SippLine(13, "answered", "+4930", "2001"),
    )
    assert read_log(tmp_path / "none") == ()


def test_statistics_without_rows_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SippError, match="came 0 lines"):
        read_statistics(tmp_path / "none")
    (tmp_path / "stat").write_text("a;b\n1;2\n")
    with pytest.raises(SippError, match=r"expected columns SuccessfulCall\(C\)"):
        read_statistics(tmp_path / "stat")


async def test_keys_are_pressed_after_the_answer(tmp_path: Path) -> None:
    phone = Phone("2001", Behaviour(answer_after_s=0, talk_s=0.1))
    place = ("127.0.0.1", await phone.start())
    calls = [SippCaller("+441234567800", "2001", keys="1#")]
    async with callers(tmp_path, place, calls, limit_s=5):
        scenario = (tmp_path / "caller.xml").read_text()
    await phone.stop()
    assert [scenario.count(f"Signal=[field{at}]") for at in (3, 4, 5)] == [1, 1, 0]
    assert scenario.index("ACK [next_url]") < scenario.index("Signal=[field3]") < scenario.index('request="BYE"')
    assert (tmp_path / "callers.csv").read_text() == "SEQUENTIAL\n+441234567800;2001;;1;#\n"


@pytest.mark.parametrize("keys", [("1", "12"), ("1", "x")])
async def test_keys_that_differ_in_number_or_are_none_are_refused(tmp_path: Path, keys: tuple[str, ...]) -> None:
    calls = [SippCaller("+441234567800", "2001", keys=pressed) for pressed in keys]
    with pytest.raises(ValueError, match="as many keys of every caller"):
        async with callers(tmp_path, ("127.0.0.1", 9), calls):
            pass
