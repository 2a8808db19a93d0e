"""What systemd hears, on a real datagram socket."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from cti.main import Server
from cti.service_manager import ServiceManager, watchdog_s
from tests.cti.test_main import HELLO, asterisk, settings_for, until_ready
from tests.fakes.ami import FakeAmi
from tests.fakes.site import write_site

__all__ = ["asterisk"]

UNIT = Path(__file__).resolve().parents[2] / "systemd" / "callyard.service"


class Systemd:
    """The other end. Abstract or in the file system."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self.socket.settimeout(10)

    def hear(self) -> dict[str, str]:
        message = self.socket.recv(4096).decode()
        return dict(line.split("=", 1) for line in message.split("\n"))

    async def hears(self, word: str) -> dict[str, str]:
        """The next message with this word; others are passed over."""
        async with asyncio.timeout(10):
            while True:
                message = await asyncio.to_thread(self.hear)
                if word in message:
                    return message

    def silent_for(self, seconds: float) -> bool:
        """Whether nothing comes for so long, after what is there already."""
        self.socket.settimeout(0)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(4096)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(10)
        return False


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    made = Systemd(str(tmp_path / "notify"))
    yield made
    made.socket.close()


async def test_a_server_says_ready_turning_reloading_and_stopping(
    tmp_path: Path, asterisk: FakeAmi, systemd: Systemd
) -> None:
    write_site(tmp_path / "site", HELLO)
    manager = ServiceManager({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "100000"})
    server = Server(settings_for(tmp_path, asterisk), manager=manager)
    running = asyncio.create_task(server.run())
    assert (await systemd.hears("READY"))["READY"] == "1"
    assert server.ready.is_set()
    assert (await systemd.hears("WATCHDOG"))["WATCHDOG"] == "1"
    await until_ready(server)
    while (await systemd.hears("WATCHDOG"))["STATUS"] != "routing; 0 callers wait":
        pass
    server.reload()
    began = await systemd.hears("RELOADING")
    assert int(began["MONOTONIC_USEC"]) > 0, "systemd refuses a reload without it (Type=notify-reload)"
    assert (await systemd.hears("READY"))["READY"] == "1"
    server.stop()
    assert (await systemd.hears("STOPPING"))["STOPPING"] == "1"
    async with asyncio.timeout(10):
        await running


HANGING = """
import asyncio, sys, time
from cti.service_manager import ServiceManager

async def main():
    told = asyncio.create_task(ServiceManager().keep_told(lambda: "turning"))
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.readline)
    time.sleep(60)

asyncio.run(main())
"""


def test_a_loop_that_hangs_says_nothing_any_more(systemd: Systemd) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING],
        stdin=subprocess.PIPE,
        env={**os.environ, "NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "100000", "PYTHONPATH": os.getcwd()},
    )
    try:
        for _ in range(3):
            assert systemd.hear() == {"WATCHDOG": "1", "STATUS": "turning"}
        assert process.stdin is not None
        process.stdin.write(b"hang\n")
        process.stdin.flush()
        for _ in range(50):  # what was sent before it hung; then silence for ten times the interval
            if systemd.silent_for(0.5):
                break
        else:
            pytest.fail("a loop that does not turn went on to say that it does")
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
        if process.stdin is not None:
            process.stdin.close()


async def test_the_abstract_namespace_is_found() -> None:
    made = Systemd(f"@callyard-test-{os.getpid()}")
    try:
        ServiceManager({"NOTIFY_SOCKET": made.address}).tell(status="two\nlines")
        assert await asyncio.to_thread(made.hear) == {"STATUS": "two lines"}
    finally:
        made.socket.close()


async def test_without_systemd_nothing_is_told_and_nothing_goes_wrong() -> None:
    manager = ServiceManager({})
    manager.ready()
    assert not manager.listens
    async with asyncio.timeout(5):
        await manager.keep_told(lambda: "unheard")


def test_a_socket_that_is_gone_is_logged_once(tmp_path: Path) -> None:
    manager = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "nowhere")})
    with structlog.testing.capture_logs() as logs:
        manager.ready()
        manager.stopping()
    assert [each["event"] for each in logs] == ["service_manager.unreachable"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "7"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
        ({}, 0.0),
    ],
)
def test_how_long_it_waits_is_read(environment: dict[str, str], expected: float) -> None:
    assert watchdog_s(environment, 7) == expected
    assert ServiceManager(environment, 7).every_s == (expected / 2 or 10.0)


def test_the_unit_waits_longer_than_the_server_for_its_own_loop() -> None:
    unit = UNIT.read_text()
    keys = dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE))
    assert (keys["Type"], keys["Restart"], keys["ExecReload"]) == ("notify", "always", "/bin/kill -HUP $MAINPID")
    assert float(keys["WatchdogSec"]) >= 2 * 10.0
    assert float(keys["TimeoutStopSec"]) > 2


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd here")
    there = re.sub(r"^ExecStart=.*$", "ExecStart=/bin/true serve", UNIT.read_text(), flags=re.MULTILINE)
    copy = tmp_path / "callyard.service"
    copy.write_text(there)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=30, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "callyard.service" in line and "Failed to" not in line]
    assert ours == []
