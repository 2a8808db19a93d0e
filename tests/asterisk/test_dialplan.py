"""The dialplan's contract with the server, on the real Asterisk."""

import pytest

from tests.asterisk.conftest import Switch
from tests.asterisk.peers import AgiServer, AgiTalk
from tests.asterisk.sipp import WAITING_CALLER, passed, sipp

pytestmark = pytest.mark.asterisk


async def finish(talk: AgiTalk) -> None:
    await talk.command("ANSWER")
    await talk.command('SET VARIABLE CALLYARD_SEEN "1"')
    await talk.command('SET VARIABLE CALLYARD_CAUSE "16"')
    await talk.command('SET VARIABLE CALLYARD_DONE "1"')


async def test_a_call_reaches_the_server_and_ends_when_the_server_is_done(switch: Switch) -> None:
    async with (
        AgiServer(switch.settings.agi_port, finish) as server,
        switch.ami() as ami,
        sipp(switch.folder, WAITING_CALLER, port=switch.trunk_port, remote=switch.settings.sip_port) as caller,
    ):
        talk = await server.next_talk()
        assert talk.env["agi_network_script"] == "call"
        assert talk.env["agi_uniqueid"].startswith("lab1-")
        gone = await ami.event("Hangup")
        assert gone["Cause"] == "16"
        assert await passed(caller)
        assert await ami.database("callyard-gap") == []
