"""More time for the work after the call, as a desktop asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from acd.events import OfferAccepted, TalkEnded, WrapUpExtended
from screenpop.db.store import Store
from tests.screenpop.office import Desktop, Office, office

SECOND = 1_000_000


async def wrap_up(opened: Office, desktop: Desktop, queue: str = "billing") -> dict[str, Any]:
    """Maria's or Jonas's call is over; what the agent's desktop then shows."""
    await opened.call("i1", "", queue)
    await desktop.until("offer")
    opened.desk.submit(OfferAccepted("i1/1"))
    opened.desk.submit(TalkEnded("i1", opened.desk.offers[-1].agent_id))
    return await desktop.until("agent", state="wrap_up")


async def test_a_wrap_up_gets_longer_as_far_as_it_may(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        agent = await wrap_up(opened, desktop)
        assert agent["latest"] == agent["since"] + 45 * SECOND
        until = agent["deadline"] + 30 * SECOND
        for _ in range(2):  # a broken link may bring it twice
            await desktop.send("more_time", interaction_id="i1", until=until)
        later = await desktop.until("agent", deadline=until)
        assert (later["state"], later["latest"]) == ("wrap_up", agent["latest"])
        assert (await desktop.until("work"))["work"]["deadline"] == until
        await desktop.send("more_time", interaction_id="i1", until=until + 30 * SECOND)
        assert (await desktop.until("agent", deadline=agent["latest"]))["state"] == "wrap_up"
        await desktop.send("more_time", id="m1", interaction_id="i1", until=agent["latest"] + 1)
        refused = await desktop.until("error", reply_to="m1")
        assert (refused["code"], refused["message"]) == ("invalid_request", "until: this wrap-up cannot get longer")
        asked = [event for event in opened.desk.events if isinstance(event, WrapUpExtended)]
        assert [event.by_us for event in asked] == [30 * SECOND, 30 * SECOND]
        again = await (await opened.desktop(await opened.client("maria"))).next()
        assert (again["agent"]["deadline"], again["agent"]["latest"]) == (agent["latest"], agent["latest"])


@pytest.mark.parametrize("wanted", ["other", "i1"])
async def test_more_time_is_for_a_wrap_up_in_hand(sqlite_store: Store, wanted: str) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("maria")
        await opened.make_ready("maria", desktop)
        await opened.call("i1", "")
        await desktop.until("offer")
        await desktop.send("more_time", id="m1", interaction_id=wanted, until=1)
        assert (await desktop.until("error", reply_to="m1"))["code"] == "not_yours"


async def test_a_queue_without_more_time_says_so(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        desktop = await opened.sit_down("jonas")
        await opened.make_ready("jonas", desktop)
        agent = await wrap_up(opened, desktop, "support")
        assert agent["latest"] == agent["deadline"]
        await desktop.send("more_time", id="m1", interaction_id="i1", until=agent["deadline"] + 1)
        assert (await desktop.until("error", reply_to="m1"))["message"] == "until: this wrap-up cannot get longer"
