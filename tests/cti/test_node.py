"""One Asterisk as a handful of named actions."""

from __future__ import annotations

import pytest

from cti.calls import VARIABLE_AGENT, VARIABLE_INTERACTION, VARIABLE_OFFER, VARIABLE_TRANSFER
from cti.errors import AmiActionError, AmiUnavailableError
from tests.fakes.link import channel_row, database_row, node


async def test_channels_are_read_with_our_variables() -> None:
    asterisk, link = node()
    link.lists["Status"] = [
        channel_row("c", "PJSIP/trunk-1", "b", CALLYARD_INTERACTION="c", CALLYARD_OFFER="(null)"),
        [("Event", "StatusComplete"), ("Items", "1")],
    ]
    [channel] = await asterisk.read_channels()
    asked = f"{VARIABLE_INTERACTION},{VARIABLE_OFFER},{VARIABLE_AGENT},{VARIABLE_TRANSFER}"
    assert link.named("Status") == [{"Variables": asked}]
    assert (channel.node, channel.uniqueid, channel.bridge_id) == ("lab1", "c", "b")
    assert channel.variables == {VARIABLE_INTERACTION: "c", VARIABLE_OFFER: ""}


async def test_device_states_are_asked_one_by_one() -> None:
    asterisk, link = node()
    link.values = {"DEVICE_STATE(PJSIP/2001)": "NOT_INUSE", "DEVICE_STATE(PJSIP/2002)": "UNAVAILABLE"}
    states = await asterisk.read_device_states(["PJSIP/2001", "PJSIP/2002"])
    assert [(state.device, state.state) for state in states] == [
        ("PJSIP/2001", "NOT_INUSE"),
        ("PJSIP/2002", "UNAVAILABLE"),
    ]


@pytest.mark.parametrize("fault", [AmiUnavailableError("down"), AmiActionError("no", action="x", reason="gone")])
async def test_what_is_only_tried_raises_nothing(fault: Exception) -> None:
    asterisk, link = node()
    link.fault = fault  # type: ignore[assignment]
    await asterisk.try_hang_up("PJSIP/2001-1")
    await asterisk.try_cut_prompt("PJSIP/2001-1")
    await asterisk.try_set_variable("PJSIP/2001-1", "TIMEOUT(absolute)", "60")
    assert link.actions == [
        ("Hangup", {"Channel": "PJSIP/2001-1", "Cause": "16"}),
        ("ControlPlayback", {"Channel": "PJSIP/2001-1", "Control": "stop"}),
        ("Setvar", {"Channel": "PJSIP/2001-1", "Variable": "TIMEOUT(absolute)", "Value": "60"}),
    ]


@pytest.mark.parametrize("name", ["SHELL(rm -rf /)", "A,B", "x=y", "A(b)(c)", ""])
async def test_a_variable_of_a_strange_name_is_refused(name: str) -> None:
    asterisk, link = node()
    with pytest.raises(ValueError, match="variable name"):
        await asterisk.try_set_variable("PJSIP/1-1", name, "1")
    assert link.actions == []


async def test_rows_of_the_database_are_read_and_deleted() -> None:
    asterisk, link = node()
    link.lists["DBGetTree callyard-gap"] = [
        database_row("/callyard-gap/u.1", "1|2|3"),
        [("Event", "DBGetTreeComplete")],
    ]
    assert await asterisk.read_family("callyard-gap") == [("/callyard-gap/u.1", "1|2|3")]
    assert list(await asterisk.read_family("callyard-nothing")) == []
    await asterisk.delete("callyard-gap", "u.1")
    assert link.named("DBDel") == [{"Family": "callyard-gap", "Key": "u.1"}]


async def test_only_phones_that_are_new_or_changed_are_stored_and_then_looked_for() -> None:
    asterisk, link = node()
    phones = [("ps/auth", "2001", "{}"), ("ps/aor", "2001", '{"a":"new"}')]
    link.lists["DBGetTree ps/auth"] = [database_row("/ps/auth/2001", "{}")]
    link.lists["DBGetTree ps/aor"] = [database_row("/ps/aor/2001", '{"a":"old"}')]
    await asterisk.store_phones(phones)
    assert link.named("DBPut") == [{"Family": "ps/aor", "Key": "2001", "Val": '{"a":"new"}'}]
    assert link.named("Reload") == [{"Module": "res_pjsip.so"}]
    link.actions.clear()
    link.lists["DBGetTree ps/aor"] = [database_row("/ps/aor/2001", '{"a":"new"}')]
    await asterisk.store_phones(phones)
    assert (link.named("DBPut"), link.named("Reload")) == ([], [])
