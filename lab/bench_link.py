"""How soon the server's picture is true again after its link to Asterisk was cut: `python -m lab.bench_link`.

A hundred callers wait. The link is cut, one caller hangs up unheard, the link is mended; then the queue's total, asked
over REST, is held against Asterisk's own channels until they agree and calls are routed. Told is the time from the
moment at which the server's new connection was taken, the median of all cuts, and how long a start takes until then.
The last line is one JSON object. Exit status 0 when all was measured.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import orjson
import uvloop

from lab.ami_look import AmiLook, ami_look
from lab.chaos_stage import LINES, Stage, open_stage
from lab.sipp import SippCaller, callers
from lab.stage import FAULTS, cancelled_by_signals
from lab.system import ensure

CALLS = 100
CUTS = 20
BAR_S = 1.0
START_BAR_S = 3.0
_LIMIT_S = 60.0
_PREFIX = "+4930233"
_GLANCE_S = 0.005


class Board:
    """What the server tells over REST."""

    def __init__(self, stage: Stage, client: httpx.AsyncClient) -> None:
        self._world = stage.world
        self._client = client

    async def sign_in(self) -> None:
        session = {"username": "boss", "password": self._world.passwords["boss"]}
        answer = await self._client.post("/api/session", json=session, headers={"X-Callyard": "1"})
        answer.raise_for_status()

    async def waiting(self) -> int:
        """Callers in the queue; -1 while the server does not route or answer."""
        try:
            if not (await self._client.get("/api/health")).json().get("ready"):
                return -1
            return sum(int(queue["waiting"]) for queue in (await self._client.get("/api/queues")).json())
        except (httpx.HTTPError, ValueError):
            return -1

    async def becomes(self, count: int) -> None:
        """Return when so many wait. TimeoutError."""
        async with asyncio.timeout(_LIMIT_S):
            while await self.waiting() != count:  # noqa: ASYNC110  # what is asked is another process
                await asyncio.sleep(_GLANCE_S)


async def _callers_of(look: AmiLook) -> list[str]:
    channels = await look.ask("CoreShowChannels")
    return [each["Channel"] for each in channels if each.get("CallerIDNum", "").startswith(_PREFIX)]


async def _taken(stage: Stage, before: int) -> None:
    """Return when the server has connected once more. TimeoutError."""
    async with asyncio.timeout(_LIMIT_S):
        while stage.wire.taken == before:  # noqa: ASYNC110  # what connects is another process
            await asyncio.sleep(_GLANCE_S)


async def measure(folder: Path, cuts: int) -> tuple[list[float], float]:
    """(seconds to the true picture after each cut, seconds of a start)."""
    async with open_stage(folder, "", seats=False) as stage:
        world, wire = stage.world, stage.wire
        node, access = world.node, world.provisioned
        calls = [SippCaller(f"{_PREFIX}{place:04}", LINES["short"]) for place in range(CALLS)]
        async with (
            callers(folder / "callers", world.sip, calls, rate=20, limit_s=1_800),
            ami_look(node.ami_port, access.observer_user, access.observer_secret) as look,
            httpx.AsyncClient(base_url=world.address, timeout=5.0) as client,
        ):
            board = Board(stage, client)
            await board.sign_in()
            await board.becomes(CALLS)
            took = []
            for cut in range(cuts):
                await wire.cut()
                await board.becomes(-1)
                channel = (await _callers_of(look))[0]
                await world.asterisk.cli(f"channel request hangup {channel}")
                taken = wire.taken
                await wire.mend()
                await _taken(stage, taken)
                began = time.monotonic()
                await board.becomes(CALLS - cut - 1)
                took.append(time.monotonic() - began)
                print(f"cut {cut + 1:2}: {took[-1] * 1e3:6.0f} ms", flush=True)
            taken = wire.taken
            await world.kill_server()
            began = time.monotonic()
            await world.spawn_server()
            await _taken(stage, taken)
            return took, time.monotonic() - began


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m lab.bench_link", description=__doc__)
    parser.add_argument("--cuts", type=int, default=CUTS)
    chosen = parser.parse_args(arguments)
    ensure(["sipp"], print)
    folder = Path(tempfile.mkdtemp(prefix="callyard-link-"))
    try:
        took, start_s = uvloop.run(cancelled_by_signals(measure(folder, chosen.cuts)))
    except FAULTS as error:
        print(f"not measured: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    median_s = statistics.median(took)
    print(
        f"true picture after a cut, {CALLS} calls: median {median_s:.2f} s (bar {BAR_S:g}), longest {max(took):.2f} s"
    )
    print(f"from exec to the link: {start_s:.2f} s (bar {START_BAR_S:g})")
    told = {
        "calls": CALLS, "cuts": len(took), "median_s": round(median_s, 3), "longest_s": round(max(took), 3),
        "start_s": round(start_s, 2), "bars_hold": median_s <= BAR_S and start_s <= START_BAR_S,
    }  # fmt: skip
    print(orjson.dumps(told).decode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
