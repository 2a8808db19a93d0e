"""A whole Callyard on loopback: a private Asterisk, the server as a process of its own, and the people around it.

Demo, bench and the tests of the whole run on it. Everything lies in one folder and on free ports; leaving the
context stops every process that was started, by its id.
"""

from __future__ import annotations

import asyncio
import csv
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
from sqlalchemy import select, update

from cti.config import load_settings
from cti.main import provision_asterisk, with_store
from cti.provisioning import NodeSettings, Provisioned, Trunk
from ivr.loader import load_site
from lab.asterisk import AsteriskInstance, obtain
from lab.desktop import Desktop, Habits
from lab.paths import repository
from lab.phone import Phone
from lab.ports import free_block, free_ports
from screenpop.customer_file import import_customers
from screenpop.db.tables import person

_LIMIT_S = 60.0
_RTP_PORTS = 2000


@dataclass(slots=True)
class World:
    """What stands around a running server, and the handles on it."""

    folder: Path
    site_dir: Path
    node: NodeSettings
    provisioned: Provisioned
    asterisk: AsteriskInstance
    web_port: int
    agi_port: int
    database_url: str
    tell: Callable[[str], None]
    passwords: Mapping[str, str]
    phones: dict[str, Phone] = field(default_factory=dict)
    desktops: dict[str, Desktop] = field(default_factory=dict)
    process: asyncio.subprocess.Process | None = None
    environment: dict[str, str] = field(default_factory=dict)
    server_command: tuple[str, ...] = ()
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def sip(self) -> tuple[str, int]:
        """Where callers and phones find Asterisk."""
        return "127.0.0.1", self.node.sip_port

    @property
    def server_pid(self) -> int:
        """The server's process; RuntimeError when it is not started."""
        if self.process is None:
            raise RuntimeError("the server is not started")
        return self.process.pid

    @property
    def log_path(self) -> Path:
        return self.folder / "server.log"

    async def start_server(self) -> None:
        """Start the server and return when it routes calls. Raises RuntimeError with the log's end otherwise."""
        await self.spawn_server()
        await self.until_ready()

    async def spawn_server(self) -> None:
        """Start the server; what becomes of it is another question."""
        with self.log_path.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.server_command,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"}, cwd=repository(),
                start_new_session=True,
            )  # fmt: skip
        self._keep(self._read_story(self.process))

    async def _read_story(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.tell(line.decode("utf-8", "replace").rstrip())

    def _keep(self, work: object) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def until_ready(self, limit_s: float = _LIMIT_S) -> None:
        """Return when the server says that it routes calls."""
        try:
            async with asyncio.timeout(limit_s):
                while not (await self.health()).get("ready"):
                    if self.process is None or self.process.returncode is not None:
                        raise RuntimeError(self._complaint("ended"))
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise RuntimeError(self._complaint(f"was not ready within {limit_s:.0f} s")) from None

    async def health(self) -> dict[str, object]:
        async with httpx.AsyncClient(timeout=2.0) as client:
            try:
                answer = await client.get(f"{self.address}/api/health")
                found = answer.json()
            except (httpx.HTTPError, ValueError):
                return {}
        return found if isinstance(found, dict) else {}

    def _complaint(self, what: str) -> str:
        with suppress(OSError):
            return f"the server {what}; its log ends:\n{self.log_path.read_text()[-3000:]}"
        return f"the server {what} without a log"

    def signal_server(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def kill_server(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop_server(self, limit_s: float = 8.0) -> None:
        process, self.process = self.process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            async with asyncio.timeout(limit_s):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def seat(self, username: str, habits: Habits | None = None, **options: object) -> Desktop:
        """Open the desktop of a person; it stays connected until the world ends."""
        desktop = Desktop(self.address, username, self.passwords[username], habits or Habits(), **options)  # type: ignore[arg-type]
        self.desktops[username] = desktop
        self._keep(desktop.run())
        return desktop

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.stop_server()
        await asyncio.gather(*(phone.stop() for phone in self.phones.values()), return_exceptions=True)


@asynccontextmanager
async def open_world(
    folder: Path,
    *,
    site_dir: Path | None = None,
    people_with_phones: Sequence[str] | None = None,
    tell: Callable[[str], None] = lambda line: None,
    database_url: str = "",
    node_changes: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
    phone_addresses: Mapping[str, str] | None = None,
    sounds_dir: Path | None = None,
    web_port: int = 0,
    starts_server: bool = True,
    trunk_match: Sequence[str] = ("127.0.0.1",),
    carrier_port: int = 0,
    trunk_names: Sequence[str] = ("carrier",),
    rtp_ports: int = _RTP_PORTS,
    server_module: str = "cti.cli",
    server_environment: Mapping[str, str] | None = None,
    tells_story: bool = True,
) -> AsyncIterator[World]:
    """Start everything below `folder`. `rtp_ports`: two for each leg. `server_module`: what runs as the server.

    `phone_addresses`: phones that somebody else plays (SIPp), by username. `sounds_dir`: rendered prompts that
    outlive this world. `trunk_match`: where callers come from; with the default, whatever a phone of this machine
    sends (a call of its own, a registration) counts as the carrier's. `carrier_port`: where the carrier is called, by
    each of `trunk_names`; callers come by the first.
    """
    async with AsyncExitStack() as stack:
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        site_dir = site_dir or repository() / "site"
        site = load_site(site_dir)
        installation = await asyncio.to_thread(obtain)
        sip, http, ami, agi, web = free_ports(5)
        first = free_block(rtp_ports)
        node = NodeSettings(
            node="lab1", sip_port=sip, http_port=http, ami_port=ami, agi_port=agi, rtp_first=first,
            rtp_last=first + rtp_ports - 1, country=site.settings.country, module_dir=installation.module_dir,
            data_dir=installation.data_dir,
        )  # fmt: skip
        node = replace(node, **dict(node_changes or {}))  # type: ignore[arg-type]
        config = folder / "callyard.yaml"
        environment = {"CALLYARD_CONFIG": str(config)}
        data = folder / "data"
        url = database_url or f"sqlite+aiosqlite:///{data}/callyard.db"
        _write_config(config, node, site_dir, data, url, web_port or web, folder, settings or {})
        server_settings = load_settings(config, environment={})
        if sounds_dir is not None:
            await asyncio.to_thread(_share_sounds, sounds_dir, server_settings.sounds_dir)
        called_at = carrier_port or free_ports(1)[0]
        trunks = [
            Trunk(
                name=name, host="127.0.0.1", port=called_at, match=tuple(trunk_match) if first else (), emergency=first
            )
            for first, name in ((place == 0, name) for place, name in enumerate(trunk_names))
        ]
        provisioned = provision_asterisk(server_settings, node, trunks, folder / "ast")
        asterisk = await stack.enter_async_context(AsteriskInstance(installation, provisioned.directory))
        phones, passwords = await _admit_people(
            stack, folder, site_dir, people_with_phones, phone_addresses or {}, config
        )
        world = World(
            folder, site_dir, node, provisioned, asterisk, web_port or web, agi, url, tell, passwords, phones,
            environment={**environment, **(server_environment or {})},
            server_command=(sys.executable, "-m", server_module, "serve", *(["--story"] if tells_story else [])),
        )  # fmt: skip
        stack.push_async_callback(world.close)
        if starts_server:
            await world.start_server()
        yield world


def _share_sounds(shared: Path, place: Path) -> None:
    shared.mkdir(parents=True, exist_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(shared, target_is_directory=True)


def _write_config(
    file: Path, node: NodeSettings, site_dir: Path, data: Path, url: str, web_port: int, folder: Path,
    more: Mapping[str, object],
) -> None:  # fmt: skip
    secret_file = folder / "ami.secret"
    secret_file.touch(mode=0o600)
    lines = [
        f"data_dir: {data}",
        f"site_dir: {site_dir}",
        f"database_url: {url}",
        f"web_port: {web_port}",
        f"agi_port: {node.agi_port}",
        f"limits: {{ dead_man_s: {node.deadman_s}, dead_man_renew_s: {min(20, node.deadman_s // 2)} }}",
        "log: { level: info, format: json }",
        "ami:",
        f"  - {{ name: {node.node}, port: {node.ami_port}, secret_file: {secret_file} }}",
        *(f"{key}: {value}" for key, value in more.items()),
    ]
    file.write_text("\n".join(lines) + "\n")


async def _admit_people(
    stack: AsyncExitStack, folder: Path, site_dir: Path, with_phones: Sequence[str] | None,
    addresses: Mapping[str, str], config: Path,
) -> tuple[dict[str, Phone], dict[str, str]]:  # fmt: skip
    """Fill the tables: the site's people with phones of ours, its customers, and a password for everybody."""
    with (site_dir / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    phones: dict[str, Phone] = {}
    for row in rows:
        username = row["username"]
        if username in addresses:
            row["address"] = addresses[username]
        elif row["extension"] and (with_phones is None or username in with_phones):
            phone = phones[username] = Phone(row["extension"])
            port = await phone.start()
            stack.push_async_callback(phone.stop)
            row["address"] = f"127.0.0.1:{port}"
    people_file = folder / "people.csv"
    with people_file.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    settings = load_settings(config, environment={})
    password = secrets.token_urlsafe(9)  # one for everybody: a hash takes a third of a second
    async with with_store(settings) as (store, people, plan):
        await people.import_people(people_file)
        await people.set_password(rows[0]["username"], password)
        async with store.write() as connection:
            known = select(person.c.password_hash).where(person.c.username == rows[0]["username"]).scalar_subquery()
            await connection.execute(update(person).values(password_hash=known))
        if (site_dir / "customers.csv").exists():
            await import_customers(store, plan, site_dir / "customers.csv")
    return phones, {row["username"]: password for row in rows}
