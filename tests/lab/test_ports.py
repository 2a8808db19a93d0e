"""Free ports are free, different, and for TCP and UDP."""

import socket

import pytest

from lab.ports import free_block, free_ports


def test_free_ports_can_be_bound_for_both_protocols() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as held:
                held.bind(("127.0.0.1", port))


def test_a_block_begins_even_and_is_free() -> None:
    first = free_block(40)
    assert first % 2 == 0
    for port in range(first, first + 40):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
            held.bind(("127.0.0.1", port))


def test_an_address_that_is_not_ours_is_an_error() -> None:
    with pytest.raises(OSError, match="198"):
        free_block(4, "198.51.100.1")
