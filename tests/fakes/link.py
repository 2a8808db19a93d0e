"""The AMI link as `cti.node.Node` uses it, in memory: what was asked, and what a test lets it answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from cti.ami_messages import AmiEvent, AmiReply, Headers
from cti.errors import AmiActionError, CtiError
from cti.node import Node

Row = Sequence[tuple[str, str]]
NO_HEADERS: Mapping[str, str] = {}


class FakeLink:
    """`actions`: (name, headers) in order. `lists`: what `collect` answers, by action. `fault`: raised by everything.

    `holds`: names of actions that wait until `let_go`. `gone`: channels that Asterisk does not have (any more).
    `on_action`: hears every action when it is asked.
    """

    def __init__(self) -> None:
        self.actions: list[tuple[str, dict[str, str]]] = []
        self.lists: dict[str, list[Row]] = {}
        self.values: dict[str, str] = {}
        self.fault: CtiError | None = None
        self.holds: set[str] = set()
        self.gone: set[str] = set()
        self.on_action: Callable[[str, Mapping[str, str]], None] = lambda action, headers: None
        self.is_up = True
        self._changed = asyncio.Condition()

    async def act(self, action: str, headers: Mapping[str, str] = NO_HEADERS, *, timeout_s: float = 5.0) -> AmiReply:
        await self._note(action, headers)
        if headers.get("Channel", "") in self.gone:
            raise AmiActionError("no such channel", action=action, reason="No such channel")
        if headers.get("Variable") == "UNIQUEID":
            return AmiReply(True, "Done", Headers([("Response", "Success")]))
        if action == "Ping":
            return AmiReply(
                True, "Pong", Headers([("Response", "Success"), ("Timestamp", self.values.get("Ping", ""))])
            )
        value = self.values.get(str(headers.get("Variable", "")), "")
        return AmiReply(True, "Done", Headers([("Response", "Success"), ("Value", value)]))

    async def collect(
        self, action: str, headers: Mapping[str, str] = NO_HEADERS, *, timeout_s: float = 10.0
    ) -> tuple[AmiEvent, ...]:
        await self._note(action, headers)
        family = headers.get("Family", "")
        rows = self.lists.get(f"{action} {family}".strip())
        if rows is None and family:
            raise AmiActionError("no such family", action=action, reason="no such family")
        return tuple(AmiEvent("lab1", row[0][1], Headers(row)) for row in rows or ())

    async def _note(self, action: str, headers: Mapping[str, str]) -> None:
        async with self._changed:
            self.actions.append((action, dict(headers)))
            self.on_action(action, headers)
            self._changed.notify_all()
            async with asyncio.timeout(5):
                await self._changed.wait_for(lambda: action not in self.holds)
        if self.fault is not None:
            raise self.fault

    async def let_go(self, action: str) -> None:
        """Let actions of this name be answered."""
        async with self._changed:
            self.holds.discard(action)
            self._changed.notify_all()

    def named(self, action: str) -> list[dict[str, str]]:
        return [headers for name, headers in self.actions if name == action]

    async def asked(self, action: str, count: int = 1) -> dict[str, str]:
        """Wait for the `count`-th action of this name."""
        async with asyncio.timeout(5), self._changed:
            await self._changed.wait_for(lambda: len(self.named(action)) >= count)
        return self.named(action)[count - 1]


def node(name: str = "lab1", link: FakeLink | None = None) -> tuple[Node, FakeLink]:
    """A node on a link in memory."""
    link = link or FakeLink()
    return Node(name, link), link  # type: ignore[arg-type]


def channel_row(uniqueid: str, channel: str, bridge: str = "", **variables: str) -> Row:
    """An entry of the answer to `Status`."""
    return [
        ("Event", "Status"), ("Channel", channel), ("ChannelStateDesc", "Up"), ("Uniqueid", uniqueid),
        ("Linkedid", uniqueid), ("BridgeID", bridge), ("Seconds", "1"),
        *(("Variable", f"{name}={value}") for name, value in variables.items()),
    ]  # fmt: skip


def database_row(key: str, value: str) -> Row:
    """An entry of the answer to `DBGetTree`."""
    return [("Event", "DBGetTreeResponse"), ("Key", key), ("Val", value)]


def ami_event(name: str, **headers: str) -> AmiEvent:
    """An event as it comes from node lab1."""
    return AmiEvent("lab1", name, Headers([("Event", name), *headers.items()]))
