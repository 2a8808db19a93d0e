"""Figures of a whole server: what is documented is told, what is told is documented, and nobody stands in a label."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from acd.events import (
    DesktopChanged,
    InteractionArrived,
    InteractionQueued,
    OfferAccepted,
    PhoneChanged,
    PresenceChosen,
    TalkEnded,
)
from acd.model import Desktop, Outcome, Phone, Presence
from acd.snapshot import QueueView
from cti.config import load_settings
from cti.main import Server
from cti.metrics import METRICS, longest_wait_s
from cti.settings import ConfigError, MetricsSettings
from screenpop.entries import Entry
from tests.cti.test_main import HELLO, asterisk, serving, settings_for, until_ready
from tests.fakes.ami import FakeAmi
from tests.fakes.site import write_site

__all__ = ["asterisk"]

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"


async def ask(server: Server, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{server.web_port}/api/metrics", headers=headers)


def families(text: str) -> dict[str, Metric]:
    found = list(text_string_to_metric_families(text))
    by_name = {each.name: each for each in found}
    assert len(by_name) == len(found), "a counter and a gauge of one name"
    return by_name


def samples(text: str) -> dict[tuple[str, str], float]:
    """Name and the labels' values → value."""
    return {
        (each.name, ",".join(each.labels.values())): each.value
        for family in families(text).values()
        for each in family.samples
    }


async def everything_happens(server: Server) -> None:
    """A caller who is served and one who waits, with a number that would be seen anywhere."""
    submit = server.dispatcher.submit
    server.dispatcher.on_order = lambda order: None  # no phone is really rung
    submit(PhoneChanged("kim", Phone.FREE))
    submit(DesktopChanged("kim", Desktop.THERE))
    submit(PresenceChosen("kim", Presence.READY))
    for number in ("1", "2"):
        submit(InteractionArrived(f"lab1-1700000000.{number}", caller="+498912345678", dialled="+4989100"))
        submit(InteractionQueued(f"lab1-1700000000.{number}", "billing"))
    [offer] = server.dispatcher.open_offers()
    submit(OfferAccepted(offer.offer_id))
    submit(TalkEnded(offer.interaction_id, "kim"))
    submit(TalkEnded(offer.interaction_id, "kim"))  # ignored, and counted


async def test_what_is_told_is_documented_and_the_other_way_round(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        await until_ready(server)
        told = families((await ask(server)).text)
    page = DOCUMENT.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(callyard_\w+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", page, re.MULTILINE)
    written = {
        (name.removesuffix("_total") if kind == "counter" else name): (
            kind,
            tuple(re.findall(r"`(\w+)`", labels)),
            text,
        )
        for name, kind, labels, text in rows
    }
    ours = {name: each for name, each in told.items() if name.startswith("callyard_")}
    assert set(written) == set(ours)
    assert len(rows) == len(METRICS)
    for name, family in ours.items():
        kind, labels, meaning = written[name]
        assert (kind, meaning) == (family.type, family.documentation), name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(labels), name
    foreign = {f"{name}_total" if each.type == "counter" else name for name, each in told.items() if name not in ours}
    assert foreign == set(re.findall(r"`((?:process|python)_\w+)`", page))


async def test_figures_say_what_happened_and_name_nobody(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        await until_ready(server)
        await server._people.add(Entry("kim", "Kim Long", queues=("billing",)))
        server.reload()
        await until_known(server, "kim")
        await until_ready(server)
        await everything_happens(server)
        text = (await ask(server)).text
        found = samples(text)
    assert found["callyard_ready", ""] == 1
    assert found["callyard_queue_waiting", "billing"] == 1
    assert found["callyard_queue_longest_wait_seconds", "billing"] > 0
    assert found["callyard_queue_agents_signed_in", "billing"] == 1
    assert found["callyard_agents", "wrap_up"] == 1
    assert found["callyard_calls_open", "queued"] == 1
    assert found["callyard_offers_total", ""] == 1
    assert found["callyard_offers_ended_total", "accepted"] == 1
    assert found["callyard_ami_up", "lab1"] == 1
    assert found["callyard_ami_logins_total", "lab1"] == 1
    assert found["callyard_engine_counts_total", "TalkEnded:not_talking"] == 1
    assert found["callyard_journal_entries_total", ""] == server._journal.position
    assert found["callyard_journal_bytes", ""] > 0
    assert found["callyard_event_loop_lag_seconds_count", ""] > 0
    assert found["callyard_disk_free_bytes", ""] > 0
    assert found["process_open_fds", ""] > 3
    assert {label for (name, label) in found if name == "callyard_calls_total"} == set(Outcome)
    for word in ("12345678", "1700000000", "kim", "Kim"):
        assert word not in text


async def until_known(server: Server, agent: str) -> None:
    async with asyncio.timeout(10):
        while agent not in {each.id for each in server.dispatcher.board().agents}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_link_that_is_lost_is_told(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    async with serving(settings_for(tmp_path, asterisk)) as server:
        await until_ready(server)
        await asterisk.stop()
        async with asyncio.timeout(10):
            while "link_down" not in server.recovery.why_not:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        found = samples((await ask(server)).text)
        assert found["callyard_ami_lost_total", "lab1"] == 1
        assert found["callyard_ready", ""] == 0
        assert found["callyard_why_not", "link_down"] == 1


async def test_only_this_machine_or_the_token_may_ask(tmp_path: Path, asterisk: FakeAmi) -> None:
    write_site(tmp_path / "site", HELLO)
    settings = settings_for(tmp_path, asterisk)
    async with serving(settings) as server:
        assert (await ask(server)).status_code == 200
        refused = await ask(server, **{"X-Forwarded-For": "192.0.2.7"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await ask(server, **{"Via": "1.1 proxy"})).status_code == 403, "a proxy that does not say for whom"
        assert (await ask(server, **{"Via": "1.1 proxy", "Authorization": "Bearer"})).status_code == 403
    settings = settings.model_copy(update={"metrics": MetricsSettings(token=SecretStr("s3cret"))})
    async with serving(settings) as server:
        elsewhere = {"X-Forwarded-For": "192.0.2.7"}
        assert (await ask(server, **elsewhere)).status_code == 403
        assert (await ask(server, **elsewhere, Authorization="Bearer wrong")).status_code == 403
        answer = await ask(server, **elsewhere, Authorization="Bearer s3cret")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_the_token_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "callyard.yaml"
    file.write_text("metrics: { token_file: here.token }\n")
    settings = load_settings(file, environment={})
    with pytest.raises(ConfigError, match=r"metrics.token_file: cannot read .*here.token"):
        settings.metrics.read_token()
    (tmp_path / "here.token").write_text("abc\n")
    assert settings.metrics.read_token() == "abc"
    assert MetricsSettings().read_token() == ""
    file.write_text("metrics: { token: a, token_file: b }\n")
    with pytest.raises(ConfigError, match="at most one of token, token_file"):
        load_settings(file, environment={})


def test_nobody_who_waits_has_waited_for_nothing() -> None:
    assert longest_wait_s(QueueView("q", "Q", 0, 0, 0, 0), 5_000_000) == 0
    assert longest_wait_s(QueueView("q", "Q", 1, 2_000_000, 0, 0), 5_000_000) == 3
