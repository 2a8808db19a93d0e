"""A real Asterisk in a folder and on ports of the test's own."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cti.provisioning import NodeSettings, Provisioned, Trunk, render
from lab import system
from lab.asterisk import AsteriskInstance, Installation, obtain
from lab.ports import free_block, free_ports
from tests.asterisk.peers import AmiWatch, watch_ami


@dataclass(frozen=True, slots=True)
class Switch:
    """A started Asterisk, what it was given, and the ports that its callers and phones may use."""

    instance: AsteriskInstance
    provisioned: Provisioned
    settings: NodeSettings
    folder: Path
    trunk_port: int
    phone_ports: tuple[int, ...]

    def ami(self) -> AbstractAsyncContextManager[AmiWatch]:
        """Log in as the server does."""
        made = self.provisioned
        return watch_ami(self.settings.ami_port, made.ami_user, made.ami_secret)


_COMPLAINTS = re.compile(r"^.*(?:No application|not registered|Syntax error|syntax error|No such (?!file)).*$", re.M)

StartSwitch = Callable[..., AbstractAsyncContextManager[Switch]]


@pytest.fixture(scope="session")
def installation() -> Installation:
    """The Asterisk to test with; obtained when there is none yet, and an error when that cannot be."""
    system.ensure(["sipp"])
    return obtain()


@pytest.fixture
def start_switch(installation: Installation, tmp_path: Path) -> StartSwitch:
    """A function that starts an Asterisk with changed settings; leaving its context stops it."""

    @asynccontextmanager
    async def start(**changes: object) -> AsyncIterator[Switch]:
        sip, http, ami, agi, trunk, *phones = free_ports(9)
        first = free_block(100)
        settings = NodeSettings(
            node="lab1",
            sip_port=sip,
            http_port=http,
            ami_port=ami,
            agi_port=agi,
            rtp_first=first,
            rtp_last=first + 99,
            country="DE",
            module_dir=installation.module_dir,
            data_dir=installation.data_dir,
        )
        trunk_changes = changes.pop("trunk", {})
        assert isinstance(trunk_changes, dict)
        settings = replace(settings, **changes)  # type: ignore[arg-type]  # names are checked by replace
        carrier = replace(Trunk(name="carrier", host="127.0.0.1", port=trunk, emergency=True), **trunk_changes)
        provisioned = render(settings, [carrier], tmp_path / "ast")
        async with AsteriskInstance(installation, provisioned.directory) as instance:
            yield Switch(instance, provisioned, settings, tmp_path, trunk, tuple(phones))
        complaints = _COMPLAINTS.findall(instance.log_path.read_text(errors="replace"))
        assert complaints == [], "the dialplan uses what no module offers, or is wrong"

    return start


@pytest.fixture
async def switch(start_switch: StartSwitch) -> AsyncIterator[Switch]:
    """An Asterisk with the settings that the product has by default."""
    async with start_switch() as started:
        yield started
