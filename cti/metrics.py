"""What programs that watch are told, in Prometheus' text form: every figure there is, read when somebody asks.

`METRICS` is the whole list, and docs/metrics.md tells it. Labels name what a site or this program has a few of (queues,
nodes, endpoints, states, outcomes), never callers, calls, agents or offers.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from acd.model import AgentState, OfferOutcome, Outcome, Stage
from acd.snapshot import QueueView
from cti.arrivals import Arrivals
from cti.dispatcher import Dispatcher
from cti.door import Door
from cti.exchange import Exchange
from cti.fastagi import AgiServer
from cti.journal import Journal
from cti.loop_lag import LoopLag, Spread
from cti.node import Node
from cti.recovery import WhyNot
from cti.webhooks import Webhooks

#: Prometheus' own word for the form of the answer.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Samples = Mapping[tuple[str, ...], float]
Word = TypeVar("Word", bound=str)


@dataclass(frozen=True, slots=True)
class Kind:
    """One metric: its name, `gauge`, `counter` or `histogram`, its labels and what it says."""

    name: str
    type: str
    labels: tuple[str, ...]
    meaning: str


METRICS = (
    Kind("callyard_info", "gauge", ("version",), "1; which version runs"),
    Kind("callyard_site_version", "gauge", (), "number of the site's version that new calls go by"),
    Kind("callyard_ready", "gauge", (), "1 if calls are routed"),
    Kind("callyard_why_not", "gauge", ("word",), "1 for each reason why calls are not routed"),
    Kind("callyard_calls_total", "counter", ("outcome",), "interactions that ended so"),
    Kind("callyard_calls_open", "gauge", ("stage",), "interactions that are there now"),
    Kind("callyard_arrivals_total", "counter", ("what",), "calls that were special on arrival"),
    Kind("callyard_queue_waiting", "gauge", ("queue",), "callers who wait, ringing ones included"),
    Kind("callyard_queue_longest_wait_seconds", "gauge", ("queue",), "how long the first of them has waited"),
    Kind("callyard_queue_agents_ready", "gauge", ("queue",), "agents who would get the next caller"),
    Kind("callyard_queue_agents_signed_in", "gauge", ("queue",), "agents of the queue who are signed in"),
    Kind("callyard_queue_closed", "gauge", ("queue",), "1 while the queue is closed"),
    Kind("callyard_queue_promised", "gauge", ("queue",), "customers to be called back"),
    Kind("callyard_agents", "gauge", ("state",), "agents in this state"),
    Kind("callyard_offers_total", "counter", (), "offers made to agents"),
    Kind("callyard_offers_ended_total", "counter", ("outcome",), "offers that ended so"),
    Kind("callyard_pops_shown_total", "counter", (), "pops shown before the phone rang"),
    Kind("callyard_pops_late_total", "counter", (), "pops not shown by then"),
    Kind("callyard_desktops", "gauge", (), "desktops that are connected"),
    Kind("callyard_ami_up", "gauge", ("node",), "1 while the link to this Asterisk is up"),
    Kind("callyard_ami_logins_total", "counter", ("node",), "times that the link came up; reconnects are all but one"),
    Kind("callyard_ami_lost_total", "counter", ("node",), "times that the link was lost"),
    Kind("callyard_ami_failed_attempts_total", "counter", ("node",), "tries to connect that failed"),
    Kind("callyard_ami_overflows_total", "counter", ("node",), "times that more events came than could be taken"),
    Kind("callyard_ami_events_total", "counter", ("node",), "events that came"),
    Kind("callyard_ami_unreadable_total", "counter", ("node",), "messages that could not be read"),
    Kind("callyard_ami_actions_pending", "gauge", ("node",), "actions that wait for their answer"),
    Kind("callyard_agi_sessions", "gauge", (), "calls in our hands"),
    Kind("callyard_agi_sessions_most", "gauge", (), "as many may be (limits.agi_sessions)"),
    Kind("callyard_agi_refused_total", "counter", ("reason",), "connections that became no call"),
    Kind("callyard_database_up", "gauge", (), "1 if the database answers"),
    Kind("callyard_records_waiting", "gauge", (), "rows that are not written yet"),
    Kind("callyard_records_left_out_total", "counter", (), "rows left out because too many waited"),
    Kind("callyard_records_refused_total", "counter", (), "rows that the database refused"),
    Kind("callyard_journal_entries_total", "counter", (), "inputs written to the journal, ever"),
    Kind("callyard_journal_bytes", "gauge", (), "the journal's size on disk"),
    Kind("callyard_journal_segments", "gauge", (), "files of the journal"),
    Kind("callyard_journal_refuses", "gauge", (), "1 while the journal cannot be written"),
    Kind("callyard_journal_sync_seconds", "histogram", (), "how long the disk takes to have the journal safe"),
    Kind("callyard_disk_free_bytes", "gauge", (), "free space where the data is"),
    Kind("callyard_disk_bytes", "gauge", (), "all space there"),
    Kind("callyard_event_loop_lag_seconds", "histogram", (), "how late the server comes to what is due"),
    Kind("callyard_stalls_total", "counter", (), "stops after which the world was read again"),
    Kind("callyard_engine_events_total", "counter", (), "events decided on since the start"),
    Kind("callyard_engine_counts_total", "counter", ("what",), "what the engine counts: ignored events, repairs"),
    Kind("callyard_engine_violations_total", "counter", ("invariant",), "faults of the engine that it mended"),
    Kind("callyard_webhooks_total", "counter", ("endpoint", "outcome"), "requests to other programs that ended so"),
    Kind("callyard_webhook_breaker_open", "gauge", ("endpoint",), "1 while this endpoint is left alone"),
)


class Recorder(Protocol):
    """What is written behind."""

    @property
    def backlog(self) -> int: ...
    @property
    def left_out(self) -> int: ...
    @property
    def refused(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What figures are read from. `why_not`: as health tells it, but for the database. `version`: of this program;
    `site_version`: what new calls go by."""

    dispatcher: Dispatcher
    exchange: Exchange
    why_not: Callable[[], Iterable[str]]
    nodes: Mapping[str, Node]
    agi: AgiServer
    agi_sessions_most: int
    arrivals: Arrivals
    door: Door
    webhooks: Webhooks
    records: Recorder
    journal: Journal
    sync: Spread
    lag: LoopLag
    data_dir: Path
    version: str
    site_version: Callable[[], int]


class Metrics:
    """The text for whoever asks. `token`: lets those in who ask from elsewhere than this machine; empty: nobody."""

    content_type = CONTENT_TYPE

    def __init__(self, sources: Sources, token: str = "") -> None:
        self.token = token
        self._sources = sources
        self._database_up = True
        self._desktops = 0
        self._registry = CollectorRegistry()
        self._registry.register(_OurMetrics(self._readings))
        if os.path.exists("/proc/self/stat"):
            ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self, *, database_up: bool, desktops: int) -> bytes:
        self._database_up, self._desktops = database_up, desktops
        return generate_latest(self._registry)

    def _readings(self) -> dict[str, Samples | Spread]:
        sources = self._sources
        why_not = {*sources.why_not(), *(() if self._database_up else (WhyNot.DATABASE,))}
        return {
            "callyard_info": {(sources.version,): 1},
            "callyard_site_version": _one(sources.site_version()),
            "callyard_ready": _one(not why_not),
            "callyard_why_not": {(word,): word in why_not for word in WhyNot},
            "callyard_desktops": _one(self._desktops),
            "callyard_database_up": _one(self._database_up),
            **_of_calls(sources),
            **_of_queues(sources.dispatcher.queues(), sources.dispatcher.now()),
            **_of_links(sources.nodes),
            **_of_agi(sources),
            **_of_storage(sources),
            **_of_engine(sources),
            **_of_webhooks(sources.webhooks),
        }


class _OurMetrics(Collector):
    def __init__(self, readings: Callable[[], Mapping[str, Samples | Spread]]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Metric]:
        readings = self._readings()
        for kind in METRICS:
            yield _family(kind, readings[kind.name])


def _family(kind: Kind, found: Samples | Spread) -> Metric:
    if isinstance(found, Spread):
        spread = HistogramMetricFamily(kind.name, kind.meaning)
        spread.add_metric([], buckets=found.buckets(), sum_value=found.sum)
        return spread
    form = CounterMetricFamily if kind.type == "counter" else GaugeMetricFamily
    family = form(kind.name, kind.meaning, labels=kind.labels)
    for labels, value in sorted(found.items()):
        family.add_metric(labels, float(value))
    return family


def _one(value: float) -> Samples:
    return {(): value}


def _by(words: Iterable[Word], counts: Mapping[Word, int]) -> Samples:
    """Also what has never happened, as 0: so that a first time is seen as a change."""
    return {(str(word),): counts.get(word, 0) for word in words}


def _of_calls(sources: Sources) -> dict[str, Samples | Spread]:
    agents, stages = sources.dispatcher.head_count()
    outcomes = sources.exchange.counts
    tally = sources.dispatcher.tally
    return {
        "callyard_calls_total": {(str(each),): outcomes[f"outcome_{each}"] for each in Outcome},
        "callyard_calls_open": _by(Stage, stages),
        "callyard_arrivals_total": {(what,): n for what, n in (sources.arrivals.counts + sources.door.counts).items()},
        "callyard_agents": _by(AgentState, agents),
        "callyard_offers_total": _one(tally.offers),
        "callyard_offers_ended_total": _by(OfferOutcome, tally.offers_closed),
        "callyard_pops_shown_total": _one(tally.pops_shown),
        "callyard_pops_late_total": _one(tally.pop_late),
    }


def _of_queues(queues: Iterable[QueueView], now: int) -> dict[str, Samples | Spread]:
    views = list(queues)
    return {
        "callyard_queue_waiting": {(each.id,): each.waiting for each in views},
        "callyard_queue_longest_wait_seconds": {(each.id,): longest_wait_s(each, now) for each in views},
        "callyard_queue_agents_ready": {(each.id,): each.agents_ready for each in views},
        "callyard_queue_agents_signed_in": {(each.id,): each.agents_signed_in for each in views},
        "callyard_queue_closed": {(each.id,): each.is_closed for each in views},
        "callyard_queue_promised": {(each.id,): each.promised for each in views},
    }


def longest_wait_s(queue: QueueView, now: int) -> float:
    """How long the first in line has waited; 0 where nobody waits."""
    return max(0, now - queue.oldest_asked_at) / 1_000_000 if queue.waiting and queue.oldest_asked_at else 0.0


def _of_links(nodes: Mapping[str, Node]) -> dict[str, Samples | Spread]:
    links = {(name,): node.link for name, node in nodes.items()}
    return {
        "callyard_ami_up": {name: link.is_up for name, link in links.items()},
        "callyard_ami_logins_total": {name: link.counters.logins for name, link in links.items()},
        "callyard_ami_lost_total": {name: link.counters.lost_links for name, link in links.items()},
        "callyard_ami_failed_attempts_total": {name: link.counters.failed_attempts for name, link in links.items()},
        "callyard_ami_overflows_total": {name: link.counters.overflows for name, link in links.items()},
        "callyard_ami_events_total": {name: link.counters.events for name, link in links.items()},
        "callyard_ami_unreadable_total": {name: link.counters.unreadable for name, link in links.items()},
        "callyard_ami_actions_pending": {name: link.pending for name, link in links.items()},
    }


def _of_agi(sources: Sources) -> dict[str, Samples | Spread]:
    return {
        "callyard_agi_sessions": _one(sources.agi.conversations),
        "callyard_agi_sessions_most": _one(sources.agi_sessions_most),
        "callyard_agi_refused_total": _by(("closed", "slow", "large", "malformed", "full"), sources.agi.refused),
    }


def _of_storage(sources: Sources) -> dict[str, Samples | Spread]:
    segments, size = sources.journal.size()
    disk = shutil.disk_usage(sources.data_dir)
    return {
        "callyard_records_waiting": _one(sources.records.backlog),
        "callyard_records_left_out_total": _one(sources.records.left_out),
        "callyard_records_refused_total": _one(sources.records.refused),
        "callyard_journal_entries_total": _one(sources.journal.position),
        "callyard_journal_bytes": _one(size),
        "callyard_journal_segments": _one(segments),
        "callyard_journal_refuses": _one(sources.dispatcher.journal_refuses),
        "callyard_journal_sync_seconds": sources.sync,
        "callyard_disk_free_bytes": _one(disk.free),
        "callyard_disk_bytes": _one(disk.total),
    }


def _of_engine(sources: Sources) -> dict[str, Samples | Spread]:
    counts = sources.dispatcher.counts
    broken = "violation:"
    return {
        "callyard_event_loop_lag_seconds": sources.lag.spread,
        "callyard_stalls_total": _one(sources.dispatcher.tally.stalls),
        "callyard_engine_events_total": _one(sources.dispatcher.tally.events),
        "callyard_engine_counts_total": {(what,): n for what, n in counts.items() if not what.startswith(broken)},
        "callyard_engine_violations_total": {
            (what.removeprefix(broken),): n for what, n in counts.items() if what.startswith(broken)
        },
    }


def _of_webhooks(webhooks: Webhooks) -> dict[str, Samples | Spread]:
    return {
        "callyard_webhooks_total": {labels: n for labels, n in webhooks.ended.items()},
        "callyard_webhook_breaker_open": {
            (name,): name in webhooks.open_breakers for name in {endpoint for endpoint, _ in webhooks.ended}
        },
    }
