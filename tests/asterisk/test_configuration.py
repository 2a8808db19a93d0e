"""That the real Asterisk takes everything that provisioning can write, without a complaint."""

import asyncio
import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cti.provisioning import PhoneKind, PhoneSettings, Transport, Trunk, phone_objects, phone_rows, render
from lab.asterisk import AsteriskInstance, Installation
from lab.ports import free_ports
from tests.asterisk.conftest import Switch
from tests.asterisk.peers import watch_ami

pytestmark = pytest.mark.asterisk


def complaints(instance: AsteriskInstance) -> list[str]:
    return re.findall(r"^.*(?:WARNING|ERROR)\[.*$", instance.log_path.read_text(), re.M)


async def test_a_plain_node_starts_without_a_complaint(switch: Switch) -> None:
    assert complaints(switch.instance) == []


async def test_trunks_of_every_kind_are_understood(installation: Installation, switch: Switch, tmp_path: Path) -> None:
    registrar, sip, http, ami = free_ports(4)
    settings = replace(
        switch.settings,
        node="lab2",
        sip_port=sip,
        http_port=http,
        ami_port=ami,
        external_address="198.51.100.7",
        local_networks=("127.0.0.0/8", "10.0.0.0/8"),
        extra_modules=("app_mixmonitor.so",),
        fallback="PJSIP/2000",
    )
    trunks = [
        Trunk("address", "127.0.0.1", 5080, match=("127.0.0.1:5080", "127.0.0.2"), max_calls=30, srtp=True),
        Trunk("tcp", "192.0.2.11", transport=Transport.TCP, codecs=("alaw", "g722"), caller_id="+493012345"),
        Trunk("account", "127.0.0.1", registrar, register=True, username="4930", secret="p@ss,w=0rd>"),
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as provider:
        provider.bind(("127.0.0.1", registrar))
        provider.setblocking(False)
        made = render(settings, trunks, tmp_path / "other")
        async with AsteriskInstance(installation, made.directory) as other:
            endpoints = await other.cli("pjsip show endpoints")
            identifies = await other.cli("pjsip show identifies")
            account = await other.cli("pjsip show auth trunk-account")
            told = complaints(other)
            await other.cli("pjsip send register trunk-account")  # Asterisk's own first try comes within ten seconds
            async with asyncio.timeout(15):
                register = (await asyncio.get_running_loop().sock_recv(provider, 4096)).decode()
    assert re.findall(r"Endpoint:\s+(trunk-\w+)", endpoints) == ["trunk-account", "trunk-address", "trunk-tcp"]
    assert "127.0.0.2/32" in identifies
    assert "p@ss,w=0rd>" in account
    assert register.startswith("REGISTER sip:127.0.0.1")
    assert "From: <sip:4930@127.0.0.1" in register
    assert told == []


async def test_a_browser_phone_implies_encryption_and_goes_away_again(switch: Switch) -> None:
    async with switch.ami() as ami:
        for family, key, text in phone_objects(PhoneSettings("2001", PhoneKind.WEBRTC, "secret-of-2001")):
            await ami.act("DBPut", Family=family, Key=key, Val=text)
        shown = await switch.instance.cli("pjsip show endpoint 2001")
        for name, value in (
            ("media_encryption", "dtls"),
            ("ice_support", "true"),
            ("rtcp_mux", "true"),
            ("rtp_timeout", "10"),
        ):
            assert re.search(rf"^ {name}\s+: {value}$", shown, re.M), name
        for family, key in phone_rows("2001"):
            await ami.act("DBDel", Family=family, Key=key)
        assert "Unable to find object 2001" in await switch.instance.cli("pjsip show endpoint 2001")


async def test_the_longest_phone_arrives_whole_in_the_database(switch: Switch) -> None:
    phone = PhoneSettings("2" * 15, PhoneKind.WEBRTC, "s" * 128, f"sip:{'2' * 15}@{'host.' * 20}example:65535")
    async with switch.ami() as ami:
        for family, key, text in phone_objects(phone):
            assert (await ami.act("DBPut", Family=family, Key=key, Val=text))[0]["Response"] == "Success"
            [entry] = [e for e in await ami.database(family) if e["Key"] == f"/{family}/{key}"]
            assert json.loads(entry["Val"]) == json.loads(text)


async def test_only_the_generated_secret_opens_the_ami(switch: Switch) -> None:
    with pytest.raises(AssertionError, match="Authentication failed"):
        async with watch_ami(switch.settings.ami_port, "callyard", "callyard"):
            pass
