"""An AMI client of the bench's own: looks, in a thread, and shares nothing with the server that is measured.

It logs in as the user that may only look, keeps every byte with the time it came, and reads them when asked, so that
measuring costs little while it measures.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque

from lab.bench_gaps import Sighting, read_messages

_LOGIN_S = 5.0
_LOOK_S = 0.2
_MOST_CHUNKS = 2_000_000


class ObserverError(Exception):
    """The observer could not log in, or lost its connection: what it saw is not the whole truth."""


class Observer:
    """Sees every event between `start` and `stop`."""

    def __init__(self, port: int, user: str, secret: str, host: str = "127.0.0.1") -> None:
        self._place = (host, port)
        self._login = f"Action: Login\r\nUsername: {user}\r\nSecret: {secret}\r\nEvents: on\r\n\r\n".encode()
        self._chunks: deque[tuple[int, bytes]] = deque(maxlen=_MOST_CHUNKS)
        self._rest = b""
        self._over = threading.Event()
        self._fault = ""
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._look, name="bench-observer", daemon=True)

    def start(self) -> None:
        """Log in and begin to look; ObserverError when Asterisk refuses."""
        self._socket = socket.create_connection(self._place, timeout=_LOGIN_S)
        self._socket.sendall(self._login)
        answer = b""
        try:
            while b"\r\n\r\n" not in answer:
                data = self._socket.recv(65536)
                if not data:
                    raise ObserverError(f"AMI at {self._place}: closed while logging in")
                answer += data
        except TimeoutError:
            raise ObserverError(f"AMI at {self._place}: no answer to the login in {_LOGIN_S:g} s") from None
        greeting, _, more = answer.partition(b"\r\n\r\n")
        if b"Response: Success" not in greeting:
            raise ObserverError(f"AMI at {self._place}: login refused: {greeting[-200:]!r}")
        self._rest = more
        self._socket.settimeout(_LOOK_S)
        self._thread.start()

    def _look(self) -> None:
        assert self._socket is not None
        while not self._over.is_set():
            try:
                data = self._socket.recv(262_144)
            except TimeoutError:
                continue
            except OSError as error:
                self._fault = f"lost: {error}"
                return
            if not data:
                self._fault = "closed by Asterisk"
                return
            self._chunks.append((time.monotonic_ns(), data))

    def take(self) -> list[Sighting]:
        """What was seen since the last time. ObserverError when something may be missing."""
        if self._fault and not self._over.is_set():
            raise ObserverError(f"AMI at {self._place}: {self._fault}")
        taken = [self._chunks.popleft() for _ in range(len(self._chunks))]
        sightings, self._rest = read_messages([(time.monotonic_ns(), self._rest), *taken])
        return sightings

    def stop(self) -> None:
        """Stop looking; harmless when it never began."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)
        if self._socket is not None:
            self._socket.close()
