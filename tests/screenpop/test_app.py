from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from acd.commands import VisitClosed, VisitOpened
from acd.events import OfferAccepted, PresenceChosen
from acd.model import Presence, VisitOutcome
from screenpop import errors
from screenpop.auth import COOKIE
from screenpop.db.store import Store
from screenpop.errors import ScreenpopError
from screenpop.routes import statuses
from tests.screenpop.office import PASSWORD, SETTINGS, Office, office


@pytest.fixture
async def opened(sqlite_store: Store) -> AsyncIterator[Office]:
    async with office(sqlite_store) as running:
        yield running


# --- signing in -----------------------------------------------------------------------------------------


async def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(opened: Office) -> None:
    client = await opened.client()
    answer = await client.post("/api/session", json={"username": "maria", "password": PASSWORD})
    assert answer.json() == {"id": "maria", "name": "Maria Ö'Neill", "roles": ["agent"], "extension": "2001"}
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=43200"} <= flags
    assert "secure" not in flags
    assert (await client.get("/api/session")).json()["id"] == "maria"


async def test_over_https_the_cookie_is_secure(sqlite_store: Store) -> None:
    settings = SETTINGS.model_copy(update={"secure_cookie": True})
    async with office(sqlite_store, settings) as opened:
        answer = await (await opened.client("maria")).get("/api/health")
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        signed_in = await (await opened.client()).post("/api/session", json={"username": "maria", "password": PASSWORD})
        assert "Secure" in signed_in.headers["set-cookie"]


async def test_signing_out_ends_the_session_even_for_a_kept_cookie(opened: Office) -> None:
    client = await opened.client("maria")
    token = client.cookies[COOKIE]
    assert (await client.delete("/api/session")).status_code == 204
    assert COOKIE not in client.cookies
    kept = await (await opened.client()).get("/api/session", headers={"Cookie": f"{COOKIE}={token}"})
    assert (kept.status_code, kept.json()["code"]) == (401, "not_signed_in")
    assert PresenceChosen("maria", Presence.LOGGED_OUT, "") in opened.desk.events


@pytest.mark.parametrize("username", ["maria", "nobody", "' OR 1=1 --", "张伟"])
async def test_wrong_passwords_are_refused_alike(opened: Office, username: str) -> None:
    answer = await (await opened.client()).post("/api/session", json={"username": username, "password": "wrong"})
    assert answer.status_code == 401
    assert answer.json() == {"code": "sign_in_refused", "message": "The name or the password is wrong."}


async def test_guessing_is_slowed_down(opened: Office) -> None:
    client = await opened.client()
    codes = [
        (await client.post("/api/session", json={"username": "maria", "password": "wrong"})).status_code
        for _ in range(11)
    ]
    assert codes == [401] * 10 + [429]
    answer = await client.post("/api/session", json={"username": "maria", "password": PASSWORD})
    assert answer.json()["code"] == "too_many_attempts"
    assert 0 < int(answer.headers["retry-after"]) <= 300


# --- borders --------------------------------------------------------------------------------------------


async def test_changing_calls_need_our_header(opened: Office) -> None:
    client = await opened.client("maria")
    del client.headers["X-Callyard"]
    for method, path in (("POST", "/api/session"), ("DELETE", "/api/session"), ("PUT", "/api/me/presence")):
        answer = await client.request(method, path, json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_changing_calls_of_other_sites_are_refused(opened: Office, origin: str) -> None:
    client = await opened.client("maria")
    answer = await client.delete("/api/session", headers={"Origin": origin})
    assert answer.status_code == 403
    assert (await client.delete("/api/session", headers={"Origin": opened.address})).status_code == 204


async def test_only_the_named_origins_count_when_there_are_any(sqlite_store: Store) -> None:
    settings = SETTINGS.model_copy(update={"origins": ("https://desk.example",)})
    async with office(sqlite_store, settings) as opened:
        client = await opened.client("maria", Origin="https://desk.example")
        desktop = await opened.desktop(client, origin="https://desk.example")
        assert (await desktop.next())["type"] == "snapshot"
        refused = await client.delete("/api/session", headers={"Origin": opened.address})
        assert refused.status_code == 403


async def test_long_bodies_are_refused(opened: Office) -> None:
    client = await opened.client()
    answer = await client.post("/api/session", content=b"x" * 70_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"x" * 1_000

    answer = await client.post("/api/session", content=endless())
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/", "/api/session", "/api/nothing"])
async def test_every_answer_has_the_security_headers(opened: Office, path: str) -> None:
    headers = (await (await opened.client()).get(path)).headers
    policy = headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("PUT", "/api/session", 405),
        ("POST", "/api/session", 422),
        ("GET", "/api/session", 401),
        ("GET", "/api/customers", 401),
        ("GET", "/api/customers/c1", 401),
        ("GET", "/api/interactions", 401),
        ("GET", "/api/queues", 401),
        ("GET", "/api/agents", 401),
        ("GET", "/api/waits", 401),
        ("GET", "/api/me/presence", 401),
        ("GET", "/api/desk", 404),
    ],
)
async def test_errors_have_one_form(opened: Office, method: str, path: str, status: int) -> None:
    answer = await (await opened.client()).request(method, path, json={} if method != "GET" else None)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message"}


# --- what is asked --------------------------------------------------------------------------------------


async def test_a_fault_of_ours_is_told_without_its_details(opened: Office) -> None:
    client = await opened.client()
    opened.desk.health = lambda: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "division" not in answer.text


async def test_own_presence(opened: Office) -> None:
    client = await opened.client("maria")
    assert (await client.get("/api/me/presence")).json() == {"presence": "logged_out", "reason": ""}
    wanted = {"presence": "not_ready", "reason": "lunch"}
    assert (await client.put("/api/me/presence", json=wanted)).json() == wanted
    assert (await client.put("/api/me/presence", json={"presence": "ready"})).json() == {
        "presence": "ready",
        "reason": "",
    }
    refused = await client.put("/api/me/presence", json={"presence": "not_ready", "reason": "fishing"})
    assert (refused.status_code, refused.json()["message"]) == (422, "reason: expected one of lunch, got 'fishing'")
    supervisor = await opened.client("susi")
    assert (await supervisor.put("/api/me/presence", json=wanted)).json()["code"] == "forbidden"
    assert (await supervisor.get("/api/me/presence")).status_code == 403


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "anna"}, ["c1"]),
        ({"q": "030 901820"}, ["c1"]),
        ({"number": "+4930901899"}, ["t1", "t2"]),
        ({"q": "<script>"}, []),
        ({"q": "\x00"}, []),
        ({}, []),
    ],
)
async def test_customers_are_found(opened: Office, query: dict[str, str], found: list[str]) -> None:
    answer = await (await opened.client("maria")).get("/api/customers", params=query)
    assert [customer["id"] for customer in answer.json()] == found


async def test_one_customer(opened: Office) -> None:
    client = await opened.client("maria")
    assert (await client.get("/api/customers/c1")).json() == {
        "id": "c1",
        "name": "Anna Acht",
        "company": "Acht AG",
        "account": "4711",
        "language": "",
        "vip": True,
        "note": "",
        "numbers": ["+4930901820"],
    }
    assert (await client.get("/api/customers/%27%3B--")).json()["code"] == "not_found"
    assert (await client.get("/api/customers", params={"number": "12"})).status_code == 422


async def test_what_happened(opened: Office) -> None:
    desktop = await opened.sit_down("maria")
    await opened.make_ready("maria", desktop)
    await opened.call("i1", "+4930901820", choice="billing")
    opened.desk.submit(OfferAccepted("i1/1"))
    await opened.records.flush()
    client = await opened.client("jonas")
    listed = (await client.get("/api/interactions", params={"customer": "c1"})).json()
    assert [(each["interaction_id"], each["queue"]) for each in listed] == [("i1", "billing")]
    assert (await client.get("/api/interactions")).json() == listed
    assert (await client.get("/api/interactions", params={"customer": "c2"})).json() == []
    one = (await client.get("/api/interactions/i1")).json()
    assert (one["customer_id"], one["outcome"], one["caller_number"]) == ("c1", None, "+4930901820")
    assert one["visits"][0]["attributes"] == {"choice": "billing"}
    assert one["offers"][0]["outcome"] == "accepted"
    assert one["talks"][0]["ended_at"] is None
    assert (await client.get("/api/interactions/i9")).status_code == 404
    assert (await client.get("/api/interactions", params={"limit": 1000})).status_code == 422


async def test_queues_and_agents_are_those_that_concern_one(opened: Office) -> None:
    maria, susi = await opened.client("maria"), await opened.client("susi")
    assert [queue["queue"] for queue in (await maria.get("/api/queues")).json()] == ["billing"]
    assert [queue["queue"] for queue in (await susi.get("/api/queues")).json()] == ["billing", "support"]
    agents = (await maria.get("/api/agents")).json()
    assert [(agent["id"], agent["state"], agent["queues"]) for agent in agents] == [
        ("jonas", "logged_out", ["billing", "support"]),
        ("maria", "logged_out", ["billing"]),
    ]
    assert len((await susi.get("/api/agents")).json()) == 2


async def test_waits_are_held_against_what_was_expected_for_supervisors(opened: Office) -> None:
    at = opened.desk.now()
    told = VisitOpened("i1#1", "i1", "billing", 0, at, at, 1, (), 20_000_000, 40_000_000)
    came = VisitClosed("i1#1", "i1", "billing", VisitOutcome.ANSWERED, "maria", at, at + 10_000_000)
    opened.records.keep(1, [told, came])
    await opened.records.flush()
    maria, susi = await opened.client("maria"), await opened.client("susi")
    (billing,) = (await susi.get("/api/waits", params={"hours": 1})).json()
    assert (billing["queue"], billing["visits"], billing["real_mean_s"]) == ("billing", 1, 10)
    assert billing["bands"][0]["below_s"] == 30
    assert (await maria.get("/api/waits")).status_code == 403
    assert (await susi.get("/api/waits", params={"hours": 0})).status_code == 422


async def test_health_tells_ready_and_why_not(opened: Office) -> None:
    client = await opened.client()
    answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()) == (200, {"live": True, "ready": True, "why_not": [], "desktops": 0})
    opened.desk.ready = False
    answer = await client.get("/api/health")
    assert (answer.status_code, answer.json()["why_not"]) == (503, ["asterisk"])


async def test_that_the_loop_turns_is_told_without_asking_anything(opened: Office) -> None:
    client = await opened.client()
    opened.desk.health = lambda: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    answer = await client.get("/api/health/live")
    assert (answer.status_code, answer.json()) == (200, {"live": True})


async def test_without_figures_there_is_nothing_to_read(opened: Office) -> None:
    answer = await (await opened.client()).get("/api/metrics")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def put_away(store: Store) -> None:
    """Leave a folder where the database was."""
    assert store.engine.url.database is not None
    file = Path(store.engine.url.database)
    for part in list(file.parent.glob(file.name + "*")):
        part.unlink()
    file.mkdir()


async def test_without_its_database_the_server_says_so(opened: Office, sqlite_store: Store) -> None:
    client = await opened.client("maria")
    await sqlite_store.close()
    put_away(sqlite_store)
    health = await client.get("/api/health")
    assert (health.status_code, health.json()["why_not"]) == (503, ["database"])
    answer = await client.get("/api/customers", params={"q": "anna"})
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


def documented_calls() -> set[tuple[str, str]]:
    page = Path("docs/api.md").read_text(encoding="utf-8")
    calls = re.findall(r"`(GET|PUT|POST|DELETE) (/api/[^` ]*)", page[page.index("## REST") :])
    return {(method, path.partition("?")[0]) for method, path in calls}


async def test_openapi_names_every_call_of_the_documentation(opened: Office) -> None:
    described = (await (await opened.client()).get("/api/openapi.json")).json()
    offered = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    normal = {(method, re.sub(r"\{\w+\}", "{id}", path)) for method, path in offered}
    assert normal == documented_calls()


# --- the page -------------------------------------------------------------------------------------------


@pytest.fixture
def built(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>the page</title>")
    (folder / "assets" / "app-1a2b.js").write_text("1")
    return folder


@pytest.mark.parametrize(
    ("path", "status", "text", "cache"),
    [
        ("/", 200, "the page", "no-cache"),
        ("/customers/c1", 200, "the page", "no-cache"),
        ("/assets/app-1a2b.js", 200, "1", "immutable"),
        ("/assets/gone.js", 404, "", ""),
        ("/../../../../etc/passwd", 200, "the page", "no-cache"),
        ("/%2e%2e/%2e%2e/conftest.py", 404, "", ""),
    ],
)
async def test_the_page_and_its_files(
    sqlite_store: Store, built: Path, path: str, status: int, text: str, cache: str
) -> None:
    async with office(sqlite_store, SETTINGS.model_copy(update={"web_files": built})) as opened:
        answer = await (await opened.client()).get(path)
    assert answer.status_code == status
    assert text in answer.text
    assert cache in answer.headers.get("cache-control", "")


async def test_a_page_that_is_not_built_says_so(sqlite_store: Store, tmp_path: Path) -> None:
    async with office(sqlite_store, SETTINGS.model_copy(update={"web_files": tmp_path / "none"})) as opened:
        answer = await (await opened.client()).get("/")
    assert answer.status_code == 503
    assert "not built" in answer.text


# --- errors ---------------------------------------------------------------------------------------------


def all_errors(base: type[ScreenpopError] = ScreenpopError) -> Iterator[type[ScreenpopError]]:
    for error in base.__subclasses__():
        yield error
        yield from all_errors(error)


def test_every_error_has_a_status_and_a_code_of_its_own() -> None:
    found = list(all_errors())
    assert set(statuses.STATUSES) == set(found)
    codes = [error.code for error in found]
    assert len(set(codes)) == len(codes)
    assert all(400 <= status < 600 for status in statuses.STATUSES.values())


def test_every_error_that_a_client_can_see_is_documented() -> None:
    page = Path("docs/api.md").read_text(encoding="utf-8")
    documented = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \|", page, re.MULTILINE))
    on_the_command_line = {errors.ImportFileError, errors.PasswordTooWeakError, errors.DatabaseAddressError}
    visible = {
        error.code: str(int(status)) for error, status in statuses.STATUSES.items() if error not in on_the_command_line
    }
    visible["internal_error"] = "500"
    assert documented == visible


async def test_a_client_can_be_closed_in_the_middle(opened: Office) -> None:
    client = await opened.client("maria")
    with pytest.raises(httpx.ReadTimeout):
        await client.get("/api/customers", params={"q": "anna"}, timeout=httpx.Timeout(5, read=1e-6))
    assert (await (await opened.client("maria")).get("/api/session")).status_code == 200
