"""`callyard status` against a whole server, and against what is no server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from acd.events import InteractionArrived, InteractionQueued
from cti.settings import Settings
from cti.status_command import Picture, ServerAwayError, lines, look, plain, status
from lab.program import answering, open_program
from tests.cti.test_main import HELLO, asterisk, serving, settings_for, until_ready
from tests.fakes.ami import FakeAmi
from tests.fakes.site import write_site

__all__ = ["asterisk"]


async def test_a_server_is_shown_on_one_screen(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        await until_ready(server)
        server.dispatcher.submit(InteractionArrived("c", caller="+498912345678"))
        server.dispatcher.submit(InteractionQueued("c", "billing"))
        picture = await asyncio.to_thread(look, settings.model_copy(update={"web_port": server.web_port}))
    shown = lines(picture)
    assert shown[0] == "routing calls"
    assert "links      lab1 up" in shown
    assert "calls      in_flow 0, offered 0, queued 1, talking 0" in shown
    assert "queue      billing     1 wait,     0 s longest, 0 of 0 agents ready" in shown
    assert any(line.startswith("records    ") and line.endswith(" lost") for line in shown)
    assert shown[-1] == "alarms     none"
    assert len(shown) < 25
    told = json.loads(json.dumps(plain(picture)))
    assert (told["running"], told["ready"], told["links"]) == (True, True, {"lab1": "up"})
    assert told["queues"]["billing"]["waiting"] == 1
    assert "12345678" not in json.dumps(told) + "\n".join(shown)


def test_what_is_wrong_stands_on_the_screen() -> None:
    shown = lines(
        Picture(
            {
                "ready": False,
                "why_not": ["link_down", "database"],
                "links": {"lab1": "down"},
                "records_waiting": 12,
                "records_refused": 1,
                "records_trouble": "locked",
                "emergencies": [{"kind": "close_queue", "target": "billing"}],
                "alarms": [{"alarm": "crowd:billing", "says": "9 wait", "since": 1_700_000_000_000_000}],
            },
            {
                "callyard_queue_waiting": {("billing",): 9.0},
                "callyard_queue_closed": {("billing",): 1.0},
                "callyard_queue_promised": {("billing",): 2.0},
            },
        )
    )
    assert shown[0] == "NOT ROUTING: link_down, database"
    assert "records    12 to be written, 1 lost; the database does not answer: locked" in shown
    assert "emergency  close_queue billing" in shown
    assert any("2 to call back, closed" in line for line in shown)
    assert shown[-1].startswith("ALARM      crowd, billing: 9 wait, since ")


async def test_without_a_server_it_says_so(tmp_path: Path) -> None:
    async with open_program(answering(404, {})) as program:
        settings = Settings(data_dir=tmp_path, web_port=program.port)
        with pytest.raises(ServerAwayError, match=r"answers 404: is that Callyard"):
            await asyncio.to_thread(look, settings)
    with pytest.raises(ServerAwayError, match=r"no server answers at 127\.0\.0\.1"):
        await asyncio.to_thread(look, settings)


@pytest.mark.parametrize(("ready", "code"), [(True, 0), (False, 1)])
def test_its_ending_says_whether_calls_are_routed(
    ready: bool, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = Picture({"ready": ready, "why_not": [] if ready else ["starting"]})
    assert ended(monkeypatch, lambda settings: picture) == code
    assert json.loads(capsys.readouterr().out)["ready"] is ready


def test_no_server_is_another_ending(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def away(settings: Settings) -> Picture:
        raise ServerAwayError("nobody")

    assert ended(monkeypatch, away) == 2
    assert json.loads(capsys.readouterr().out) == {"running": False, "why": "nobody"}


def ended(monkeypatch: pytest.MonkeyPatch, seen: Callable[[Settings], Any]) -> int:
    monkeypatch.setattr("cti.status_command.load_settings", Settings)
    monkeypatch.setattr("cti.status_command.look", seen)
    try:
        status(as_json=True)
    except typer.Exit as ending:
        return ending.exit_code
    return 0
