"""`callyard status`: how the running server is, on one screen, as itself tells it over `/api/health` and metrics."""

from __future__ import annotations

import http.client
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from prometheus_client.parser import text_string_to_metric_families

from cti.config import load_settings
from cti.errors import CtiError
from cti.settings import Settings
from cti.terminal import fail

_ANSWER_S = 5.0
_MOST_BYTES = 4 << 20
#: Nobody answers: another ending than a server that answers and does not route.
NOT_THERE = 2


class ServerAwayError(CtiError):
    """No server answers where the settings say; the message says what was tried."""

    code = "server_away"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a server said. `figures`: metric → labels' values → value."""

    health: Mapping[str, Any]
    figures: Mapping[str, Mapping[tuple[str, ...], float]] = field(default_factory=dict)

    def one(self, name: str) -> float:
        return self.figures.get(name, {}).get((), 0.0)

    def by(self, name: str) -> dict[str, float]:
        """Of a metric with one label: its values."""
        return {labels[0]: value for labels, value in self.figures.get(name, {}).items() if labels}


def status(
    as_json: Annotated[bool, typer.Option("--json", help="for programs: the same as JSON")] = False,
) -> None:
    """Say on one screen how the running server is; exit status 0 if calls are routed, 1 if not, 2 without a server."""
    try:
        settings = load_settings()
        picture = look(settings)
    except ServerAwayError as error:
        print(json.dumps({"running": False, "why": str(error)}) if as_json else str(error), file=sys.stdout)
        raise typer.Exit(NOT_THERE) from None
    except CtiError as error:
        fail(str(error))
        return
    print(json.dumps(plain(picture), indent=2) if as_json else "\n".join(lines(picture)))
    if not picture.health.get("ready"):
        raise typer.Exit(1)


def look(settings: Settings) -> Picture:
    """Ask the server of this installation. Raises ServerAwayError."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.web_host, settings.web_host)
    headers = {}
    if token := settings.metrics.read_token():
        headers["Authorization"] = f"Bearer {token}"
    health = json.loads(_get(host, settings.web_port, "/api/health", {}))
    if not isinstance(health, dict):
        raise ServerAwayError(f"{host}:{settings.web_port}: something else than Callyard answers there")
    return Picture(health, figures_of(_get(host, settings.web_port, "/api/metrics", headers).decode()))


def _get(host: str, port: int, path: str, headers: Mapping[str, str]) -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        body = answer.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        said = f"{type(error).__name__}: {error}"[:200]
        raise ServerAwayError(f"no server answers at {host}:{port} ({said}); is it running? callyard doctor") from None
    finally:
        connection.close()
    # Health answers 503 as well, with what is missing.
    if answer.status not in (200, 503) or not body:
        raise ServerAwayError(f"{host}:{port}{path} answers {answer.status}: is that Callyard?")
    return body


def figures_of(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Prometheus' text, read; buckets of histograms are left out."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "le" not in sample.labels:
                found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def plain(picture: Picture) -> dict[str, Any]:
    """For programs: what health says, with queues, agents and the rest by name."""
    return {
        "running": True,
        **picture.health,
        "version": next(iter(picture.by("callyard_info")), ""),
        "site_version": int(picture.one("callyard_site_version")),
        "queues": _queues(picture),
        "agents": {state: int(count) for state, count in picture.by("callyard_agents").items()},
        "calls": {stage: int(count) for stage, count in picture.by("callyard_calls_open").items()},
        "disk_free_bytes": int(picture.one("callyard_disk_free_bytes")),
        "memory_bytes": int(picture.one("process_resident_memory_bytes")),
        "started_at": picture.one("process_start_time_seconds"),
    }


def _queues(picture: Picture) -> dict[str, dict[str, float]]:
    columns = {
        "waiting": picture.by("callyard_queue_waiting"),
        "longest_wait_s": picture.by("callyard_queue_longest_wait_seconds"),
        "agents_ready": picture.by("callyard_queue_agents_ready"),
        "agents_signed_in": picture.by("callyard_queue_agents_signed_in"),
        "promised": picture.by("callyard_queue_promised"),
        "closed": picture.by("callyard_queue_closed"),
    }
    return {
        queue: {name: round(values.get(queue, 0.0), 1) for name, values in columns.items()}
        for queue in columns["waiting"]
    }


def lines(picture: Picture) -> list[str]:
    """The screen."""
    health = picture.health
    why = ", ".join(map(str, health.get("why_not", ())))
    started = datetime.fromtimestamp(picture.one("process_start_time_seconds"), UTC).astimezone()
    version = next(iter(picture.by("callyard_info")), "?")
    return [
        f"{'routing calls' if health.get('ready') else f'NOT ROUTING: {why}'}",
        f"version    {version}, site {picture.one('callyard_site_version'):.0f}, since {started:%Y-%m-%d %H:%M:%S}",
        f"links      {_told(health.get('links', {})) or 'none'}",
        f"calls      {_told(_whole(picture.by('callyard_calls_open')))}",
        f"agents     {_told({state: n for state, n in _whole(picture.by('callyard_agents')).items() if n}) or 'none'}",
        *_queue_lines(picture),
        _records(picture),
        f"disk       {picture.one('callyard_disk_free_bytes') / 1024**3:.1f} GB free",
        *(f"emergency  {each.get('kind')} {each.get('target')}".rstrip() for each in health.get("emergencies", ())),
        *_alarm_lines(health.get("alarms", ())),
    ]


def _whole(counts: Mapping[str, float]) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def _queue_lines(picture: Picture) -> list[str]:
    queues = _queues(picture)
    width = max((len(queue) for queue in queues), default=0)
    return [
        f"queue      {queue:<{width}}  {each['waiting']:>4.0f} wait, {each['longest_wait_s']:>5.0f} s longest, "
        f"{each['agents_ready']:.0f} of {each['agents_signed_in']:.0f} agents ready"
        + (f", {each['promised']:.0f} to call back" if each["promised"] else "")
        + (", closed" if each["closed"] else "")
        for queue, each in queues.items()
    ]


def _records(picture: Picture) -> str:
    health = picture.health
    lost = int(health.get("records_left_out", 0)) + int(health.get("records_refused", 0))
    trouble = f"; the database does not answer: {health['records_trouble']}" if health.get("records_trouble") else ""
    return f"records    {health.get('records_waiting', 0)} to be written, {lost} lost{trouble}"


def _alarm_lines(alarms: Any) -> list[str]:
    return [
        f"ALARM      {str(each['alarm']).replace(':', ', ')}: {each['says']}, since "
        f"{datetime.fromtimestamp(each['since'] / 1e6, UTC).astimezone():%H:%M:%S}"
        for each in alarms
    ] or ["alarms     none"]
