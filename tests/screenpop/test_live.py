from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from acd.commands import AgentChanged
from acd.events import CallerLeft, DesktopChanged, OfferAccepted, OfferRejected, TalkEnded
from acd.model import AgentState, Phone, Presence
from acd.model import Desktop as DesktopWord
from screenpop.db import history
from screenpop.db.store import Store
from tests.screenpop.office import PASSWORD, START, office

MARIA_GONE = DesktopChanged("maria", DesktopWord.GONE)


def agent_changed(agent_id: str, reason: str = "") -> AgentChanged:
    return AgentChanged(
        agent_id, AgentState.READY, reason, START, Presence.READY, "", Phone.FREE, DesktopWord.THERE, "", 0
    )


async def test_a_fresh_desktop_gets_everything_that_is_now(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.desktop(await opened.client("maria"))
        snapshot = await desktop.next()
    assert snapshot["seq"] == 0
    assert snapshot["me"] == {
        "id": "maria",
        "name": "Maria Ö'Neill",
        "extension": "2001",
        "roles": ["agent"],
        "queues": ["billing"],
    }
    assert snapshot["agent"]["state"] == "logged_out"
    assert snapshot["work"] is None
    assert [queue["title"] for queue in snapshot["queues"]] == ["Billing"]
    assert snapshot["reasons"] == [{"code": "lunch", "title": "Lunch"}]
    assert snapshot["dispositions"] == [{"code": "solved", "title": "Solved"}]


async def test_a_call_from_pop_to_the_end_of_wrap_up(store: Store) -> None:
    async with office(store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "030 901820", choice="billing", account="4711")
        work = (await desktop.until("offer"))["work"]
        assert (work["stage"], work["queue_title"], work["offer_id"]) == ("offered", "Billing", "i1/1")
        assert (work["match"], work["customer"]["name"]) == ("one", "Anna Acht")
        assert work["caller_text"] == "+49 30 901820"
        assert work["attributes"] == {"choice": "billing", "account": "4711"}
        assert work["reason"]["rule"]
        await desktop.send("shown", offer_id="i1/1")
        assert await opened.desk.shown["i1/1"] is True
        opened.desk.submit(OfferAccepted("i1/1"))
        await desktop.until("offer_ended", outcome="accepted")
        assert (await desktop.until("work"))["work"]["stage"] == "talking"
        opened.desk.submit(TalkEnded("i1", "maria"))
        wrap_up = (await desktop.until("work"))["work"]
        assert wrap_up["stage"] == "wrap_up"
        assert wrap_up["deadline"] == wrap_up["since"] + 10_000_000
        opened.desk.submit(CallerLeft("i1"))
        await desktop.send("finish", interaction_id="i1", disposition="solved", note='paid "cash" 张伟')
        assert (await desktop.until("work"))["work"] is None
        await desktop.until("agent", state="ready")
        # The next call shows it as history, which comes with the pop.
        await opened.records.flush()
        await opened.call("i2", "+4930901820")
        past = (await desktop.until("offer"))["work"]["history"]
    assert [(each["interaction_id"], each["agent"], each["disposition"]) for each in past] == [
        ("i1", "Maria Ö'Neill", "solved")
    ]
    assert past[0]["note"] == 'paid "cash" 张伟'


@pytest.mark.parametrize(
    ("number", "match", "candidates"),
    [
        ("+4930901899", "several", ["Twin 1", "Twin 2"]),
        ("+4930123456", "none", []),
        ("anonymous", "withheld", []),
        ("2002", "none", []),
    ],
)
async def test_who_is_calling_is_never_guessed(
    sqlite_store: Store, number: str, match: str, candidates: list[str]
) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", number)
        work = (await desktop.until("offer"))["work"]
    assert (work["match"], work["customer"]) == (match, None)
    assert [each["name"] for each in work["candidates"]] == candidates


async def test_the_agent_chooses_which_of_several_it_is(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930901899")
        await desktop.until("offer")
        await desktop.send("choose_customer", interaction_id="i1", customer_id="nobody", id="a")
        assert (await desktop.until("error"))["code"] == "not_found"
        await desktop.send("choose_customer", interaction_id="i1", customer_id="t2")
        work = (await desktop.until("work"))["work"]
        assert (work["match"], work["customer"]["id"], work["candidates"]) == ("one", "t2", [])
        await opened.records.flush()
        async with sqlite_store.read() as connection:
            found = await history.one(connection, "i1")
    assert found is not None
    assert (found["customer_id"], found["customer_how"]) == ("t2", "chosen")


async def test_hostile_names_come_through_as_they_are(sqlite_store: Store) -> None:
    name = "\"'><script>alert(1)</script>张伟\r\n"
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930123456", name=name, broken="\x00\ud800")
        attributes = (await desktop.until("offer"))["work"]["attributes"]
    assert attributes == {"name": name, "broken": "��"}


async def test_two_tabs_share_one_stream(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        first = await opened.sit_down("maria")
        second = await opened.sit_down("maria")
        await opened.make_ready("maria", first)
        await second.until("agent", state="ready")
        await opened.call("i1", "+4930901820")
        assert (await first.until("offer"))["seq"] == (await second.until("offer"))["seq"]
        await second.send("shown", offer_id="i1/1")
        assert await opened.desk.shown["i1/1"] is True
        told = [event for event in opened.desk.events if isinstance(event, DesktopChanged)]
        assert told == [DesktopChanged("maria", DesktopWord.THERE)]
        await first.socket.close()
        await second.send("reject", offer_id="i1/1")
        await second.until("offer_ended", outcome="rejected")
        assert MARIA_GONE not in opened.desk.events
        await second.socket.close()
        await opened.desk.until(MARIA_GONE)


async def test_a_desktop_that_comes_back_gets_what_it_missed(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        client = await opened.client("maria")
        desktop = await opened.desktop(client)
        await desktop.next()
        await opened.make_ready("maria", desktop)
        await desktop.socket.close()
        await opened.desk.until(MARIA_GONE)
        back = await opened.desktop(client, resume=desktop)
        # `Desktop.next` checks the numbers: no hole, no snapshot.
        await back.until("agent", state="desktop_gone")
        await back.until("agent", state="ready")


async def test_after_too_long_a_gap_there_is_a_snapshot(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        client = await opened.client("maria")
        desktop = await opened.desktop(client)
        await desktop.next()
        await desktop.socket.close()
        await opened.desk.until(MARIA_GONE)
        opened.live.publish([agent_changed("maria")] * 300, opened.desk.now())
        back = await opened.desktop(client, resume=desktop)
        snapshot = await back.next()
    assert (snapshot["type"], snapshot["stream"]) == ("snapshot", desktop.stream)
    assert snapshot["seq"] > 300


@pytest.mark.parametrize(("stream", "after"), [("another", 0), ("", 5)])
async def test_numbers_of_another_stream_get_a_snapshot(sqlite_store: Store, stream: str, after: int) -> None:
    async with office(sqlite_store) as opened:
        client = await opened.client("maria")
        desktop = await opened.desktop(client)
        await desktop.next()
        desktop.stream, desktop.seq = stream or desktop.stream, after
        again = await opened.desktop(client, resume=desktop)
        assert (await again.next())["type"] == "snapshot"


async def test_a_slow_reader_is_dropped_alone(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        quick = await opened.sit_down("maria")
        # This one reads its snapshot and then nothing.
        slow = await opened.desktop(await opened.client("maria"), max_queue=1)
        await slow.next()
        assert opened.live.connected == 2
        sent = 0
        while opened.live.connected == 2 and sent < 1_000:
            opened.live.publish([agent_changed("maria", "x" * 50_000)], opened.desk.now())
            await quick.until("agent")
            sent += 1
        assert opened.live.connected == 1
        await quick.send("presence", presence="ready")
        await quick.until("agent", presence="ready")
        slow.socket.transport.abort()


async def test_a_desktop_that_leaves_before_it_shows_the_pop_says_no(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930901820")
        await desktop.until("offer")
        await desktop.socket.close()
        assert await asyncio.wait_for(opened.desk.shown["i1/1"], 5) is False


async def test_another_agent_cannot_say_shown_or_reject(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        maria = await opened.sit_down("maria")
        jonas = await opened.sit_down("jonas")
        await opened.make_ready("maria", maria)
        await opened.call("i1", "+4930901820")
        await maria.until("offer")
        await jonas.send("shown", offer_id="i1/1")
        await jonas.send("reject", offer_id="i1/1", id="mine")
        refused = await jonas.until("error")
        assert (refused["code"], refused["reply_to"]) == ("not_yours", "mine")
        assert not opened.desk.shown["i1/1"].done()
        await maria.send("reject", offer_id="i1/1")
        await maria.until("offer_ended", outcome="rejected")
        assert opened.desk.events.count(OfferRejected("i1/1", "agent")) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "invalid_request"),
        ("{", "invalid_request"),
        ("[]", "invalid_request"),
        ('{"type": "dance"}', "invalid_request"),
        ('{"type": "presence", "presence": "asleep"}', "invalid_request"),
        ('{"type": "presence", "presence": "not_ready", "reason": "fishing"}', "invalid_request"),
        ('{"type": "finish", "interaction_id": "i9"}', "not_yours"),
        ('{"type": "choose_customer", "interaction_id": "i9", "customer_id": "c1"}', "not_yours"),
        ('{"type": "finish", "interaction_id": "i9", "note": "' + "x" * 4001 + '"}', "invalid_request"),
        ("x" * 40_000, "invalid_request"),
    ],
)
async def test_wrong_messages_are_refused_and_the_desktop_goes_on(sqlite_store: Store, text: str, code: str) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await desktop.socket.send(text)
        assert (await desktop.until("error"))["code"] == code
        await desktop.send("presence", presence="ready")
        await desktop.until("agent", presence="ready")


async def test_a_supervisor_has_no_presence_but_sees_every_queue(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.desktop(await opened.client("susi"))
        snapshot = await desktop.next()
        assert snapshot["agent"] is None
        assert [queue["queue"] for queue in snapshot["queues"]] == ["billing", "support"]
        await desktop.send("presence", presence="ready", id="p")
        assert (await desktop.until("error"))["code"] == "forbidden"
        assert opened.desk.events == []


async def test_queue_totals_come_as_the_queue_changes(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        susi = await opened.sit_down("susi")
        await opened.call("i1", "+4930901820")
        for _ in range(50):
            totals = (await susi.until("queues"))["queues"]
            if totals[0]["waiting"] == 1:
                break
        assert [(each["queue"], each["waiting"]) for each in totals] == [("billing", 1), ("support", 0)]


async def test_queue_totals_are_not_sent_more_often_than_agreed(sqlite_store: Store) -> None:
    async with office(sqlite_store, totals_s=3600) as opened:
        susi = await opened.sit_down("susi")
        await opened.call("i0", "+4930901820")
        await susi.until("queues")
        for number in range(1, 20):
            await opened.call(f"i{number}", "+4930901820")
        await susi.send("dance")
        assert (await susi.next())["type"] == "error"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
async def test_pages_of_other_sites_are_refused(sqlite_store: Store, origin: str) -> None:
    async with office(sqlite_store) as opened:
        client = await opened.client("maria")
        with pytest.raises(InvalidStatus) as refused:
            await opened.desktop(client, origin=origin)
        assert refused.value.response.status_code == 403


async def test_without_a_session_the_socket_closes_with_its_own_code(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.desktop(await opened.client())
        with pytest.raises(ConnectionClosed) as closed:
            await desktop.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401


async def test_signing_out_closes_the_socket_and_logs_the_agent_out(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        client = await opened.client("maria")
        desktop = await opened.desktop(client)
        await desktop.next()
        await opened.make_ready("maria", desktop)
        assert (await client.delete("/api/session")).status_code == 204
        assert (await desktop.until("signed_out"))["reason"] == "signed_out"
        with pytest.raises(ConnectionClosed) as closed:
            await desktop.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
        view = opened.desk.board().agents[1]
        assert (view.id, view.presence) == ("maria", "logged_out")


async def test_a_session_that_another_process_ends_closes_the_socket(sqlite_store: Store) -> None:
    async with office(sqlite_store, sessions_s=0.02) as opened:
        desktop = await opened.sit_down("maria")
        other = await opened.sit_down("jonas")
        await opened.people.set_password("maria", PASSWORD + "2")
        assert (await desktop.until("signed_out"))["reason"] == "ended"
        await other.send("presence", presence="ready")
        await other.until("agent", presence="ready")


async def test_too_many_messages_end_only_the_sender(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        loud, calm = await opened.sit_down("jonas"), await opened.sit_down("maria")
        for _ in range(200):
            await loud.send("seen", seq=1)
        await loud.socket.wait_closed()
        assert loud.socket.close_code == 4429
        await calm.send("presence", presence="ready")
        await calm.until("agent", presence="ready")


async def test_an_offer_that_is_over_is_not_shown(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930901820")
        await desktop.until("offer")
        offer = opened.desk.offers[0]
        view = opened.desk.board().interactions[0]
        await desktop.send("reject", offer_id="i1/1")
        await desktop.until("offer_ended")
        assert await opened.live.show_offer(offer, view) is False


async def test_nobody_is_told_of_an_offer_without_a_desktop(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "+4930901820")
        await desktop.until("offer")
        offer, view = opened.desk.offers[0], opened.desk.board().interactions[0]
        await desktop.socket.close()
        await opened.desk.until(MARIA_GONE)
        renewed = replace(offer, offer_id="i1/7", agent_id="jonas")
        assert await opened.live.show_offer(renewed, view) is False
