"""The REST API: requests made from its own OpenAPI document, with values that fit, and values that nobody should send.

A round is some clients at once, each signed in as somebody or nobody, with a few requests each. Any answer may be a
refusal, but it must be one of those that docs/errors.md names, in our form, and never a fault of ours without a name.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx

from lab.fuzz import Fault, Play, Round
from lab.fuzz_office import own_office
from lab.fuzz_words import as_json, slipped, text, value
from screenpop.auth import COOKIE
from screenpop.routes.statuses import STATUSES
from tests.screenpop.office import PEOPLE, Office

#: Answers of the web server itself have its words for the status as their code.
_PLAIN = {"not_found": 404, "method_not_allowed": 405, "bad_request": 400}
CODES: Mapping[str, int] = {**_PLAIN, **{error.code: int(status) for error, status in STATUSES.items()}}
_USUAL = (
    "maria",
    "billing",
    "i1",
    "c1",
    "main",
    "0",
    "1",
    "10",
    "true",
    "1700000000000000",
    "+4930901820",
    "+49301234567",
)
_PIECES = (b"{", b"}", b'"', b",", b"[", b"null", b"\\ud800", b"1e999", b"\\", b"\xff")
_TOGETHER, _REQUESTS = 24, 5
#: The machine may have other things to do.
_ANSWER_S = 15.0
_METHODS = ("get", "post", "put", "patch", "delete")


class Rest:
    """The REST side."""

    name = "rest"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Play]:
        async with own_office() as opened:
            clients = [await opened.client(entry.username) for entry in PEOPLE]
            await opened.call("i1", "030 901820")
            yield _Place(opened, await opened.client(), clients, await _document(clients[0])).play


async def _document(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/api/openapi.json")).json()
    return found


class _Place:
    def __init__(
        self, opened: Office, client: httpx.AsyncClient, signed_in: list[httpx.AsyncClient], document: dict[str, Any]
    ) -> None:
        self._office = opened
        self._client = client
        client.timeout = httpx.Timeout(_ANSWER_S)
        self._tokens = ["", *(each.cookies[COOKIE] for each in signed_in)]
        self._document = document
        self._operations = [
            (method, path, said)
            for path, methods in document["paths"].items()
            for method, said in methods.items()
            if method in _METHODS
        ]

    async def play(self, round_: Round) -> None:
        chances = [random.Random(round_.chance.random()) for _ in range(_TOGETHER)]
        await asyncio.gather(*(self._browse(round_, chance) for chance in chances))

    async def _browse(self, round_: Round, chance: random.Random) -> None:
        """One client with its requests."""
        which = chance.randrange(len(self._tokens))
        for _ in range(_REQUESTS):
            method, path, query, body = self._request(chance)
            round_.note((which, method, path, query, body))
            headers = {"Content-Type": "application/json"} if body else {}
            if which:
                headers["Cookie"] = f"{COOKIE}={self._tokens[which]}"
            answer = await self._client.request(
                method, path + (f"?{query}" if query else ""), content=body, headers=headers
            )
            self._client.cookies.clear()
            _judge(answer)
            if which and method == "delete" and path == "/api/session":
                self._tokens[which] = await self._token(which)

    async def _token(self, which: int) -> str:
        """Signed in, as somebody: who signed out does so again, so that the next round is what its seed says."""
        client = await self._office.client(PEOPLE[which - 1].username)
        return client.cookies[COOKIE]

    def _request(self, chance: random.Random) -> tuple[str, str, str, bytes]:
        method, path, said = chance.choice(self._operations)
        query = []
        for parameter in said.get("parameters", ()):
            given = self._fitting(chance, parameter["schema"])
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", _escaped(chance, given))
            elif parameter["in"] == "query" and chance.random() < 0.7:
                query.append(f"{parameter['name']}={_escaped(chance, given)}")
        if chance.random() < 0.05:
            method = chance.choice(_METHODS)
        if chance.random() < 0.05:
            path += chance.choice(("/", "//", "/..", "/%2e%2e/", "%00", "?", "/" + _escaped(chance, text(chance))))
        return method, path, "&".join(query), self._body(chance, said)

    def _body(self, chance: random.Random, said: Mapping[str, Any]) -> bytes:
        schema = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema is None:
            return b"" if chance.random() < 0.9 else as_json(value(chance)).encode("utf-8", "surrogatepass")
        body = as_json(self._fitting(chance, schema)).encode("utf-8", "surrogatepass")
        return slipped(chance, body, _PIECES) if chance.random() < 0.15 else body

    def _fitting(self, chance: random.Random, schema: Mapping[str, Any]) -> Any:
        """A value of this schema, mostly."""
        if chance.random() < 0.15:
            return value(chance)
        if "$ref" in schema:
            return self._fitting(chance, self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return self._fitting(chance, chance.choice(schema["anyOf"]))
        if "const" in schema or "enum" in schema:
            return chance.choice(schema.get("enum") or [schema["const"]])
        match schema.get("type"):
            case "object" if "properties" in schema:
                fields = schema["properties"].items()
                return {name: self._fitting(chance, each) for name, each in fields if chance.random() < 0.9}
            case "object":
                return {
                    text(chance, ("en", "de"))[:40]: self._fitting(chance, schema.get("additionalProperties") or {})
                }
            case "array":
                return [self._fitting(chance, schema.get("items", {})) for _ in range(chance.randint(0, 3))]
            case "integer" | "number":
                return chance.choice((0, 1, 2, 10, 200, 1_700_000_000_000_000, 2**62, -1, 2**64))
            case "boolean":
                return chance.random() < 0.5
            case "null":
                return None
            case _:
                return text(chance, _USUAL)


def _escaped(chance: random.Random, given: object) -> str:
    written = given if isinstance(given, str) else json.dumps(given)
    return quote(written[:5_000].encode("utf-8", "surrogatepass"), safe="" if chance.random() < 0.9 else "/%") or "x"


def _judge(answer: httpx.Response) -> None:
    if answer.request.url.path == "/api/health" and answer.status_code in (200, 503):
        return  # which says in its own form why it is not ready
    if not answer.request.url.path.startswith("/api/") or answer.status_code < 400:
        if answer.status_code >= 500:
            raise Fault(f"{answer.request.method} {answer.request.url}: {answer.status_code}")
        return
    try:
        said = answer.json()
        code = said["code"]
    except (ValueError, KeyError, TypeError):
        raise Fault(
            f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]!r}"
        ) from None
    if CODES.get(code) != answer.status_code or not said["message"]:
        raise Fault(f"{answer.request.method} {answer.request.url}: {answer.status_code} {said}")
