"""Other programs are asked in bounded time and at their own place, whatever they answer, or do not."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from cti.webhooks import MOST_REDIRECTS, Breaker, Webhooks
from ivr.steps import WebhookEnded
from lab.ports import free_ports
from lab.program import Manner, Program, Request, answering, open_program, response
from tests.cti.asking import FAILED, KEEP, OK, endpoint, get, post, program, raw, webhooks, why

__all__ = ["program", "webhooks"]


# --- what is asked and what comes back ---------------------------------------------------------------------------


async def test_what_is_asked_arrives_and_what_is_wanted_of_the_answer_is_kept(
    program: Program, webhooks: Webhooks
) -> None:
    program.manner = answering(200, {"customer": {"name": "Anna"}, "balance": 12.50, "more": [1]})
    rules = {"headers": {"X-Site": "Munich"}, "secret_headers": {"Authorization": {"env": "CRM_TOKEN"}}}
    wanted = replace(
        get(f"{program.url}/api/", KEEP, **rules), path="/accounts/10%2F2", query=(("line", "+49 89"), ("a", "b&c"))
    )
    with capture_logs() as logs:
        assert await webhooks.ask(wanted) == WebhookEnded("ok", {"name": "Anna", "balance": "12.5"})
    request = await program.asked(1)
    assert (request.method, request.path) == ("GET", "/api/accounts/10%2F2")
    assert request.fields == {"line": "+49 89", "a": "b&c"}
    assert request.headers["authorization"] == "Bearer s3cr3t"
    assert request.headers["x-site"] == "Munich"
    assert "idempotency-key" not in request.headers
    assert "s3cr3t" not in str(logs)
    assert "Anna" not in str(logs)


async def test_a_post_has_its_body_as_json_or_as_a_form_and_a_key(program: Program, webhooks: Webhooks) -> None:
    sent: dict[str, str | int | float | bool] = {"text": 'Grüße, "Anna"\r\nX: y', "count": 2, "vip": True}
    await webhooks.ask(replace(post(program.url), send=sent, key="lab1-1.1/main/door:1/0"))
    await webhooks.ask(replace(post(program.url, body="form"), send=sent))
    await webhooks.ask(replace(post(program.url), send=None))
    as_json, as_form, without = [await program.asked(count) for count in (1, 2, 3)]
    assert json.loads(as_json.body) == sent
    assert as_json.headers["idempotency-key"] == "lab1-1.1/main/door:1/0"
    assert as_form.fields == {"text": 'Grüße, "Anna"\r\nX: y', "count": "2", "vip": "true"}
    assert without.body == b""
    assert "x" not in as_json.headers


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "ok"), (204, "ok"), (404, "not_found"), (410, "not_found"), (400, "failed"), (503, "failed")],
)
async def test_the_status_decides_how_it_ends(program: Program, webhooks: Webhooks, status: int, outcome: str) -> None:
    program.manner = answering(status)
    assert (await webhooks.ask(get(program.url))).outcome == outcome


async def test_a_secret_that_is_not_there_asks_nobody_and_is_told(program: Program, webhooks: Webhooks) -> None:
    wanted = get(program.url, secret_headers={"Authorization": {"env": "NO_SUCH"}})
    with capture_logs() as logs:
        assert await webhooks.ask(wanted) == FAILED
    assert any("environment variable NO_SUCH" in log.get("error", "") for log in logs)
    assert program.requests == []


async def test_more_than_may_be_sent_is_not_sent(program: Program, webhooks: Webhooks) -> None:
    wanted = replace(post(program.url), send={"a": "x" * 70_000})
    assert await why(webhooks, wanted) == "too_long"
    assert program.requests == []


# --- where it is asked -------------------------------------------------------------------------------------------


async def test_a_redirect_that_stays_with_the_endpoint_is_followed(program: Program, webhooks: Webhooks) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        there = request.target == "/new%20place?a=b%0d%0aX:%20y"
        location = "Location: /new place?a=b%0d%0aX:%20y"
        writer.write(response(200, {"balance": 3}) if there else response(301, None, location))

    program.manner = answer
    assert (await webhooks.ask(get(program.url, KEEP))).values["balance"] == "3"
    assert len(program.requests) == 2


async def test_a_redirect_is_not_followed_for_ever_and_not_with_what_has_an_effect(
    program: Program, webhooks: Webhooks
) -> None:
    program.manner = answering(302, None, "Location: /again")
    assert await why(webhooks, get(program.url)) == "redirected"
    assert len(program.requests) == MOST_REDIRECTS + 1
    program.requests.clear()
    assert await why(webhooks, post(program.url)) == "http_3xx"
    assert len(program.requests) == 1


async def test_a_redirect_to_another_program_never_reaches_it(program: Program, webhooks: Webhooks) -> None:
    async with open_program(answering(200, {})) as other:
        program.manner = answering(302, None, f"Location: {other.url}/")
        assert await why(webhooks, get(program.url)) == "redirected"
        assert other.requests == []
        assert len(program.requests) == 1, "what is refused is not asked of the endpoint either"


async def test_nobody_listens(webhooks: Webhooks) -> None:
    (port,) = free_ports(1)
    assert await why(webhooks, get(f"http://127.0.0.1:{port}")) == "unreachable"


async def test_a_name_that_nothing_stands_behind(webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert await why(webhooks, get("https://nowhere.invalid")) == "unknown_host"


async def test_a_loopback_name_that_leads_elsewhere_is_not_asked(
    webhooks: Webhooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert await why(webhooks, get("http://localhost:8090")) == "unknown_host"


# --- again, later, not at all ------------------------------------------------------------------------------------


def failing(times: int) -> Manner:
    left = [times]

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        left[0] -= 1
        writer.write(response(503 if left[0] >= 0 else 200, {}))

    return answer


async def test_what_has_no_effect_is_tried_again(program: Program, webhooks: Webhooks) -> None:
    program.manner = failing(2)
    assert (await webhooks.ask(get(program.url, retries=2))).outcome == "ok"
    assert len(program.requests) == 3


async def test_what_has_an_effect_is_not_tried_again_unless_that_does_no_harm(
    program: Program, webhooks: Webhooks
) -> None:
    program.manner = failing(1)
    assert await webhooks.ask(post(program.url, retries=2)) == FAILED
    program.manner = failing(1)
    assert await webhooks.ask(replace(post(program.url, retries=2), is_idempotent=True)) == OK
    assert len(program.requests) == 3
    assert len({request.headers["idempotency-key"] for request in program.requests}) == 1


async def test_no_try_begins_that_could_not_end_in_time(program: Program, webhooks: Webhooks) -> None:
    program.manner = answering(503)
    assert await webhooks.ask(get(program.url, retries=3, timeout="250ms")) == FAILED
    assert 1 <= len(program.requests) <= 2


async def test_a_connection_that_is_refused_is_tried_again(webhooks: Webhooks) -> None:
    (port,) = free_ports(1)
    wanted = get(f"http://127.0.0.1:{port}", retries=3)
    asking = asyncio.create_task(webhooks.ask(wanted))
    await asyncio.sleep(0)
    async with open_program(answering(200, {}), port):
        assert (await asking).outcome == "ok"


async def test_an_endpoint_that_is_down_is_left_alone_and_tried_after_the_pause(
    program: Program, tmp_path: Path
) -> None:
    now = [0.0]
    webhooks = Webhooks(lambda: tmp_path, environment={}, now=lambda: now[0])
    program.manner = answering(500)
    wanted = get(program.url, breaker={"failures": 2, "pause": "10s"})
    assert [await why(webhooks, wanted) for _ in range(3)] == ["http_5xx", "http_5xx", "breaker_open"]
    assert webhooks.open_breakers == ["crm"]
    assert len(program.requests) == 2
    now[0] = 10.0
    assert [await why(webhooks, wanted) for _ in range(2)] == ["http_5xx", "breaker_open"]
    program.manner = answering(200)
    now[0] = 20.0
    assert [(await webhooks.ask(wanted)).outcome for _ in range(2)] == ["ok", "ok"]
    assert webhooks.open_breakers == []
    assert webhooks.ended == {("crm", "http_5xx"): 3, ("crm", "breaker_open"): 2, ("crm", "ok"): 2}
    webhooks.close()


def test_only_one_request_tries_an_endpoint_that_was_down() -> None:
    now = [0.0]
    breaker = Breaker(1, 10.0, lambda: now[0])
    assert breaker.lets()
    breaker.took(False)
    assert not breaker.lets()
    now[0] = 10.0
    assert [breaker.lets(), breaker.lets()] == [True, False]
    breaker.took(None)  # given up by its caller: nothing is known
    assert breaker.lets()
    breaker.took(True)
    assert [breaker.lets(), breaker.lets()] == [True, True]


async def test_a_caller_who_hangs_up_ends_the_request_and_says_nothing_of_the_endpoint(
    program: Program, webhooks: Webhooks
) -> None:
    program.manner = raw(then_waits=True)
    wanted = get(program.url, breaker={"failures": 1, "pause": "10s"})
    asking = asyncio.create_task(webhooks.ask(wanted))
    await program.asked(1)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await program.left_alone()
    assert webhooks.open_breakers == []
    program.manner = answering(200)
    assert (await webhooks.ask(wanted)).outcome == "ok"


async def test_who_finds_no_room_in_time_fails(program: Program, webhooks: Webhooks) -> None:
    wanted = get(program.url, at_once=1, timeout="200ms")
    line = webhooks._line(wanted.endpoint)
    await line.slots.acquire()
    assert await why(webhooks, wanted) == "busy"
    line.slots.release()
    assert (await webhooks.ask(wanted)).outcome == "ok"


async def test_an_endpoint_that_is_stuck_holds_up_no_other(program: Program, webhooks: Webhooks) -> None:
    program.manner = raw(then_waits=True)
    stuck = [asyncio.create_task(webhooks.ask(get(program.url, at_once=3, timeout="10s"))) for _ in range(20)]
    await program.asked(3)
    async with open_program(answering(200, {})) as other:
        wanted = replace(get(other.url), endpoint=endpoint(other.url).model_copy(update={"name": "other"}))
        async with asyncio.timeout(1):
            assert (await webhooks.ask(wanted)).outcome == "ok"
    assert len(program.requests) == 3
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)


async def test_rules_that_change_begin_a_line_of_their_own(program: Program, webhooks: Webhooks) -> None:
    program.manner = answering(500)
    assert await why(webhooks, get(program.url, breaker={"failures": 1})) == "http_5xx"
    assert await why(webhooks, get(program.url, breaker={"failures": 1})) == "breaker_open"
    assert await why(webhooks, get(program.url, breaker={"failures": 1}, timeout="1s")) == "http_5xx"
