"""What stands around every route: where a request may come from, how long it may be, what browsers may do with us."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from screenpop.errors import CrossSiteError, ScreenpopError, TooLargeError
from screenpop.routes.statuses import answer
from screenpop.settings import WebSettings

HEADER = "X-Callyard"
LARGEST_BODY = 64 * 1024
_SAFE = {"GET", "HEAD", "OPTIONS"}
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_own_origin(connection: HTTPConnection, settings: WebSettings, *, required: bool) -> bool:
    """Whether the page that sent this is one of ours. Browsers always name it for a WebSocket (`required`)."""
    origin = connection.headers.get("origin")
    if origin is None:
        return not required
    if settings.origins:
        return origin in settings.origins
    return urlsplit(origin).netloc != "" and urlsplit(origin).netloc == connection.headers.get("host")


class Borders:
    """ASGI middleware: refuses changing calls of other sites and long bodies, sets the security headers."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self._app = app
        self._settings = settings
        self._headers = dict(_HEADERS)
        if settings.secure_cookie:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(scope, message)
            await send(message)

        try:
            self._check(HTTPConnection(scope))
            body = await _whole_body(receive)
        except ScreenpopError as error:
            await answer(error)(scope, receive, send_with_headers)
            return
        await self._app(scope, _replayed(body, receive), send_with_headers)

    def _check(self, request: HTTPConnection) -> None:
        if request.scope["method"] in _SAFE:
            return
        if request.headers.get(HEADER) != "1":
            raise CrossSiteError(f"A changing call needs the header {HEADER}: 1.")
        if not is_own_origin(request, self._settings, required=False):
            raise CrossSiteError("This call came from a page of another site.")

    def _add_headers(self, scope: Scope, message: MutableMapping[str, Any]) -> None:
        headers = MutableHeaders(scope=message)
        for name, value in self._headers.items():
            headers.setdefault(name, value)
        if scope["path"].startswith("/api/"):
            headers["Cache-Control"] = "no-store"


async def _whole_body(receive: Receive) -> bytes:
    """The request's body. Raises TooLargeError as soon as it is longer than LARGEST_BODY."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise TooLargeError(f"body: expected at most {LARGEST_BODY} bytes")
        if not message.get("more_body", False):
            return bytes(body)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
