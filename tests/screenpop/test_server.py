from __future__ import annotations

import asyncio
import signal
import socket

import pytest
from fastapi import FastAPI

from screenpop.server import Server, listen


def test_the_kernel_chooses_a_port_and_drops_frozen_peers() -> None:
    with listen("127.0.0.1", 0) as listening:
        assert listening.getsockname()[1] > 0
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000


def test_a_port_that_is_taken_is_an_error() -> None:
    with listen("127.0.0.1", 0) as listening, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", listening.getsockname()[1])


async def test_serving_leaves_signals_to_the_process() -> None:
    before = signal.getsignal(signal.SIGTERM)
    server = Server(FastAPI())
    with listen("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await asyncio.wait_for(server.ready.wait(), 10)
        assert signal.getsignal(signal.SIGTERM) is before
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
