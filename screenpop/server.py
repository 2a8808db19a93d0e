"""How the application is served: one uvicorn in the caller's event loop, on a socket that the caller can ask for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

_LARGEST_MESSAGE = 64 * 1024
_UNREAD_MS = 30_000


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the kernel choose one (`getsockname()[1]` says which).

    A peer that takes nothing for 30 s is dropped by the kernel, so that a frozen desktop holds no memory for ever.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MS)
        listening.bind((host, port))
        listening.listen(1024)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


class Server(uvicorn.Server):
    """Serves until `should_exit` is set: `await serve(sockets=[listen(host, port)])`."""

    def __init__(self, app: FastAPI, *, trusted_proxies: str = "127.0.0.1") -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="websockets-sansio",
                ws_max_size=_LARGEST_MESSAGE,
                ws_per_message_deflate=False,  # costs latency and memory, saves nothing on small messages
                ws_ping_interval=20,
                ws_ping_timeout=20,
                http="httptools",
                loop="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=True,
                forwarded_allow_ips=trusted_proxies,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=5,
                limit_concurrency=4096,
                h11_max_incomplete_event_size=32 * 1024,
            )
        )

        #: Set once connections are taken.
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the process decides what they mean."""
        yield
