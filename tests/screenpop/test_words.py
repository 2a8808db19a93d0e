"""The site's words on screens, when the site's files have changed."""

from __future__ import annotations

from screenpop.db.store import Store
from screenpop.settings import Choice
from tests.screenpop.office import office


async def test_other_words_of_the_site_reach_every_desktop_also_one_that_was_away(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        maria = await opened.sit_down("maria")
        jonas = await opened.sit_down("jonas")
        await jonas.socket.close()
        other = opened.live.settings.model_copy(
            update={
                "reasons": (Choice(code="fire", title="Fire drill"),),
                "dispositions": (Choice(code="sold", title="Sold"),),
                "queue_titles": {"billing": "Invoices"},
            }
        )
        opened.live.use(other)
        for desktop in (maria, await opened.desktop(await opened.client("jonas"), resume=jonas)):
            told = await desktop.until("snapshot")
            assert told["reasons"] == [{"code": "fire", "title": "Fire drill"}]
            assert told["dispositions"] == [{"code": "sold", "title": "Sold"}]
            assert told["queues"][0]["title"] == "Invoices"
        await maria.send("presence", id="p1", presence="not_ready", reason="lunch")
        assert (await maria.until("error", reply_to="p1"))["code"] == "invalid_request"
        await maria.send("presence", presence="not_ready", reason="fire")
        assert (await maria.until("agent", presence="not_ready"))["presence_reason"] == "fire"


async def test_the_same_words_disturb_nobody(sqlite_store: Store) -> None:
    async with office(sqlite_store) as opened:
        maria = await opened.sit_down("maria")
        opened.live.use(opened.live.settings.model_copy())
        await maria.send("presence", presence="not_ready", reason="lunch")
        assert (await maria.next())["type"] == "agent"
