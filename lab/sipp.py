"""SIPp as many callers or as many agents, each as one process: load, and a judge that is not ours.

What belongs here: starting SIPp with a scenario of `lab/sipp/`, and reading what it counted and logged.
Every run has a time limit of its own and ends with its process, which is stopped by its id.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.audio import SILENCE
from lab.ports import free_block, free_ports
from lab.sip_transactions import Place

_SCENARIOS = Path(__file__).parent / "sipp"
_TRIES = 3
_STARTED_S = 0.3
_STOP_S = 5.0
_FATAL = (254, 255)  # could not bind, or could not read its scenario
_ANSWER_MS = 60_000
_RTP_PORTS = 2_000  # two for each caller who is heard
_HEARD = '  <nop><action><exec rtp_stream="silence.ulaw,-1,0"/></action></nop>\n'
_UNHEARD = '  <pause milliseconds="200"/>\n  <nop><action><exec rtp_stream="pause"/></action></nop>\n'


class SippError(Exception):
    """SIPp is missing, did not start, or left no statistics."""


@dataclass(frozen=True, slots=True)
class SippCaller:
    """One call to be made; a name must hold neither semicolon, quote nor line end.

    `keys` are pressed one after the other once the call is answered; all callers of a run press as many.
    """

    number: str
    dialled: str
    name: str = ""
    keys: str = ""


@dataclass(frozen=True, slots=True)
class SippLine:
    """One thing that happened in a call, in SIPp's milliseconds since its start.

    Callers: `answered`, `hung_up`, `gave_up`. Agents: `ringing`, `answered`, `caller_left`, `hung_up`, with the
    extension that was dialled and the X-Callyard-Offer header.
    """

    tick_ms: int
    what: str
    number: str
    extension: str = ""
    offer: str = ""


@dataclass(frozen=True, slots=True)
class SippResult:
    """What SIPp counted, and its log in the order of happening.

    `timeouts` are those of `failed` in which an expected message never came. `status`: SIPp's exit status
    (0: all went well; 97 or 98: its time limit).
    """

    successful: int
    failed: int
    timeouts: int
    status: int
    lines: tuple[SippLine, ...]

    def order(self, what: str) -> list[str]:
        """The callers' numbers in the order in which that happened to them."""
        return [line.number for line in self.lines if line.what == what]


class SippRun:
    """One SIPp process."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, port: int) -> None:
        self.port = port
        self._process = process
        self._folder = folder

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def lines(self) -> tuple[SippLine, ...]:
        """What has been logged so far."""
        return read_log(self._folder / "log")

    async def finished(self, limit_s: float) -> SippResult:
        """Wait until all calls are over. TimeoutError after `limit_s`."""
        async with asyncio.timeout(limit_s):
            await self._process.wait()
        return self._result()

    async def stop(self) -> SippResult:
        """Take no more calls, give those that are up a few seconds, end."""
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL):
            if self._process.returncode is not None:
                break
            with suppress(ProcessLookupError):
                self._process.send_signal(number)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_S):
                    await self._process.wait()
        return self._result()

    async def kill(self) -> None:
        """End at once."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _result(self) -> SippResult:
        status = self._process.returncode
        counts = read_statistics(self._folder / "stat.csv")
        return SippResult(
            successful=counts["SuccessfulCall(C)"],
            failed=counts["FailedCall(C)"],
            timeouts=sum(counts[name] for name in _TIMEOUTS),
            status=-1 if status is None else status,
            lines=self.lines(),
        )


_TIMEOUTS = ("FailedMaxUDPRetrans(C)", "FailedTimeoutOnRecv(C)", "FailedTimeoutOnSend(C)")


def read_statistics(path: Path) -> dict[str, int]:
    """The last row of SIPp's statistics file, its whole numbers. SippError when there is none."""
    rows = path.read_text().splitlines() if path.exists() else []
    if len(rows) < 2:
        raise SippError(f"{path}: expected a header and a row of statistics, came {len(rows)} lines")
    pairs = zip(rows[0].split(";"), rows[-1].split(";"), strict=False)
    counts = {name: int(value) for name, value in pairs if re.fullmatch(r"-?\d+", value)}
    missing = [name for name in ("SuccessfulCall(C)", "FailedCall(C)", *_TIMEOUTS) if name not in counts]
    if missing:
        raise SippError(f"{path}: expected columns {', '.join(missing)}, came {rows[0][:200]!r}")
    return counts


def read_log(path: Path) -> tuple[SippLine, ...]:
    """The lines that the scenarios log; a last line without an end is still being written."""
    if not path.exists():
        return ()
    lines = []
    for text in path.read_text(errors="replace").split("\n")[:-1]:
        tick, what, number, extension, offer = [*text.strip().split(" "), "", "", "", ""][:5]
        if tick.isdecimal():
            lines.append(SippLine(int(tick), what, number, extension, offer))
    return tuple(lines)


@asynccontextmanager
async def callers(
    folder: Path,
    exchange: Place,
    calls: Sequence[SippCaller],
    *,
    rate: float = 10.0,
    spread_s: float = 0.0,
    gives_up_after_s: float | None = None,
    fails_after_s: float | None = None,
    limit_s: float = 60.0,
    port: int = 0,
) -> AsyncIterator[SippRun]:
    """Make these calls, `rate` a second, and wait to be hung up, or give up after so long.

    `spread_s`: each waits up to so long, at random, before it calls, so that nothing falls into step with the rate.
    `fails_after_s`: who has not been hung up so long after the answer (else `limit_s`) counts as failed.
    `folder` keeps SIPp's files and must be this run's own. Leaving the context kills SIPp.
    """
    for call in calls:
        if re.search(r'[;"\r\n]', f"{call.number}{call.dialled}{call.name}"):
            raise ValueError(f"expected a caller without semicolon, quote and line end, came {call!r}")
    keys = {len(call.keys) for call in calls}
    if len(keys) > 1 or not all(re.fullmatch(r"[0-9*#]*", call.keys) for call in calls):
        raise ValueError(f"expected as many keys of every caller, of 0 to 9, * and #, came {sorted(keys)}")
    wait_s = (limit_s if fails_after_s is None else fails_after_s) if gives_up_after_s is None else gives_up_after_s
    values = {"wait_ms": round(wait_s * 1000), "answer_ms": min(round(limit_s * 1000), _ANSWER_MS)}
    scenario = _write_scenario(folder, "caller" if gives_up_after_s is None else "waiter", values)
    if spread_s > 0:
        _put_pause_first(scenario, round(spread_s * 1000))
    _press_after_answer(scenario, max(keys, default=0))
    rows = "".join(";".join((call.number, call.dialled, call.name, *call.keys)) + "\n" for call in calls)
    (folder / "callers.csv").write_text(f"SEQUENTIAL\n{rows}")
    command = [
        f"{exchange[0]}:{exchange[1]}", "-sf", str(scenario), "-inf", str(folder / "callers.csv"),
        "-m", str(len(calls)), "-l", str(len(calls)), "-r", f"{rate:g}",
    ]  # fmt: skip
    ports = _RTP_PORTS if max(keys, default=0) else 8
    async with _running(folder, command, limit_s, port, ports) as run:
        yield run


@asynccontextmanager
async def agents(
    folder: Path, *, ring_s: float = 0.0, talk_s: float = 2.0, limit_s: float = 600.0, port: int = 0
) -> AsyncIterator[SippRun]:
    """Answer every call that comes to one port, whatever its extension; `stop()` tells how it went."""
    values = {"ring_ms": round(ring_s * 1000), "talk_ms": max(round(talk_s * 1000), 1)}
    scenario = _write_scenario(folder, "agent", values)
    async with _running(folder, ["-sf", str(scenario), "-aa"], limit_s, port) as run:
        yield run


def _write_scenario(folder: Path, name: str, values: dict[str, int]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = (_SCENARIOS / f"{name}.xml").read_text()
    path = folder / f"{name}.xml"
    path.write_text(re.sub(r"@\{(\w+)\}", lambda found: str(values[found[1]]), text))
    return path


def _put_pause_first(scenario: Path, longest_ms: int) -> None:
    head, begin, rest = scenario.read_text().partition("  <send")
    scenario.write_text(f'{head}  <pause distribution="uniform" min="0" max="{longest_ms}"/>\n{begin}{rest}')


def _press_after_answer(scenario: Path, keys: int) -> None:
    """Put so many keys between the answer and the wait, each as a SIP INFO: SIPp has no digits in RTP without root.

    Meanwhile the caller is heard (silence): Asterisk ends such a digit at the next sound that comes in.
    """
    if not keys:
        return
    one = (_SCENARIOS / "key.xml").read_text()
    pressed = "".join(one.replace("@{field}", str(3 + at)).replace("@{cseq}", str(2 + at)) for at in range(keys))
    head, begin, rest = scenario.read_text().partition('  <recv request="BYE"')
    text = f"{head}{_HEARD}{pressed}{_UNHEARD}{begin}{rest}".replace("CSeq: 2 BYE", f"CSeq: {2 + keys} BYE")
    scenario.write_text(text.replace("[media_port]", "[rtpstream_audio_port]"))
    (scenario.parent / "silence.ulaw").write_bytes(SILENCE * 50)


@asynccontextmanager
async def _running(
    folder: Path, command: list[str], limit_s: float, port: int, rtp_ports: int = 8
) -> AsyncIterator[SippRun]:
    program = shutil.which("sipp")
    if program is None:
        raise SippError("expected the program sipp on PATH (Debian: package sip-tester)")
    run = await _start(program, folder, command, limit_s, port, rtp_ports)
    try:
        yield run
    finally:
        await run.kill()


async def _start(program: str, folder: Path, command: list[str], limit_s: float, port: int, rtp_ports: int) -> SippRun:
    """Start SIPp; where the port was the kernel's choice and somebody took it meanwhile, on another."""
    for _ in range(_TRIES):
        own = port or free_ports(1)[0]
        arguments = [
            *command, "-i", "127.0.0.1", "-p", str(own), "-mi", "127.0.0.1", "-mp", str(free_block(rtp_ports)),
            "-nostdin",
            "-timeout", f"{limit_s:g}s", "-timeout_error", "-trace_stat", "-stf", str(folder / "stat.csv"),
            "-fd", "1", "-trace_logs", "-log_file", str(folder / "log"),
            "-trace_err", "-error_file", str(folder / "errors"),
        ]  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=folder
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(_STARTED_S):
                await process.wait()
        if process.returncode not in _FATAL:
            return SippRun(process, folder, own)
    errors = folder / "errors"
    said = errors.read_text(errors="replace")[-500:] if errors.exists() else "nothing"
    raise SippError(f"sipp did not start (status {process.returncode}); it said {said!r}")
