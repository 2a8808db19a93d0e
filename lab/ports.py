"""Free ports on the loopback address, found by asking the kernel.

A port that is free now can be taken a moment later by somebody else: whoever starts a server on one must
be ready to see it fail. Blocks lie below the range from which the kernel picks ports of its own, so that
an outgoing connection does not land in the middle of an RTP range.
"""

import random
import socket
from contextlib import ExitStack, closing

__all__ = ["free_block", "free_ports"]

_BLOCKS_FROM = 10_000
_BLOCKS_TO = 32_000
_TRIES = 200


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Return `count` different ports that are free for TCP and for UDP on `address`."""
    ports: list[int] = []
    with ExitStack() as held:
        for _ in range(count * 20):
            if len(ports) == count:
                return ports
            tcp = held.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
            tcp.bind((address, 0))
            port = int(tcp.getsockname()[1])
            udp = held.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            try:
                udp.bind((address, port))
            except OSError:
                continue
            ports.append(port)
    if len(ports) == count:
        return ports
    raise OSError(f"no {count} free ports on {address}: found only {ports}")


def free_block(size: int, address: str = "127.0.0.1") -> int:
    """Return the first, even port of `size` neighbouring UDP ports that are all free on `address`."""
    chance = random.SystemRandom()
    for _ in range(_TRIES):
        first = chance.randrange(_BLOCKS_FROM, _BLOCKS_TO - size, 2)
        if _all_free(first, size, address):
            return first
    raise OSError(f"no block of {size} free UDP ports on {address} after {_TRIES} tries")


def _all_free(first: int, size: int, address: str) -> bool:
    with ExitStack() as held:
        for port in range(first, first + size):
            udp = held.enter_context(closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
            try:
                udp.bind((address, port))
            except OSError:
                return False
    return True
