"""Asking why over REST: for supervisors, told in lines and by agent, and refused in the one form of all errors."""

from __future__ import annotations

from acd.commands import OfferInteraction
from acd.events import InteractionArrived, InteractionQueued
from acd.why import Why, explain_offer, explain_waiting
from screenpop.db.store import Store
from tests.acd.desk import Desk, only
from tests.screenpop.office import office


class Explained:
    """An engine of its own that remembers one offer and one who waits."""

    def __init__(self) -> None:
        desk = Desk()
        desk.sign_in("maria")
        desk.do(InteractionArrived("i1"))
        asked = InteractionQueued("i1", "billing")
        self.offer = explain_offer(desk.engine, asked, desk.now + 1, "i1/1")
        assert only(OfferInteraction, desk.do(asked)).agent_id == "maria"
        desk.call("i2")
        self.waiting = explain_waiting(desk.engine, "i2")
        self.asked: list[str] = []

    async def why(self, wanted: str) -> Why | None:
        self.asked.append(wanted)
        if wanted == "slow":
            raise TimeoutError
        return {"i1": self.offer, "i1/1": self.offer, "i2": self.waiting}.get(wanted)


async def test_a_supervisor_asks_why(sqlite_store: Store) -> None:
    explained = Explained()
    async with office(sqlite_store, inquiry=explained) as opened:
        client = await opened.client("susi")
        answer = (await client.get("/api/interactions/i1/why")).json()
        assert (answer["offer_id"], answer["agent_id"], answer["rule"]) == ("i1/1", "maria", "longest_idle")
        chosen, other = answer["agents"]
        assert (chosen["agent_id"], chosen["chosen"], chosen["obstacles"]) == ("maria", True, [])
        assert chosen["key"] == [["idle_since", explained.offer.agents[0].key[0][1]], ["agent_id", "maria"]]
        assert (other["could"], other["obstacles"]) == (False, ["not_ready"])
        assert other["told"].startswith("Jon (jon): signed out since")
        assert answer["told"][-1] == other["told"]
        assert (await client.get("/api/interactions/i1/why", params={"offer": 1})).json() == answer
        waits = (await client.get("/api/interactions/i2/why")).json()
        assert (waits["offer_id"], waits["told"][0].startswith("i2 waits in queue billing")) == ("", True)
        assert explained.asked == ["i1", "i1/1", "i2"]


async def test_others_may_not_ask_and_what_is_unknown_or_too_much_is_said(sqlite_store: Store) -> None:
    async with office(sqlite_store, inquiry=Explained()) as opened:
        agent, supervisor, nobody = [await opened.client(who) for who in ("maria", "susi", "")]
        assert (await nobody.get("/api/interactions/i1/why")).status_code == 401
        refused = await agent.get("/api/interactions/i1/why")
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        for unknown in (
            "/api/interactions/i9/why",
            "/api/interactions/%ED%A0%80/why",
            "/api/interactions/i1/why?offer=2",
        ):
            answer = await supervisor.get(unknown)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert (await supervisor.get("/api/interactions/i1/why?offer=0")).status_code == 422
        busy = await supervisor.get("/api/interactions/slow/why")
        assert (busy.status_code, busy.json()["code"]) == (503, "busy")


async def test_without_a_journal_there_is_nothing_to_tell(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        assert (await (await opened.client("susi")).get("/api/interactions/i1/why")).status_code == 404
