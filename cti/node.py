"""One Asterisk node as the rest of `cti` uses it: a handful of named actions over the AMI link."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from cti.ami import AmiLink
from cti.ami_events import ChannelFound, DeviceStateChanged, parse_event
from cti.calls import VARIABLE_AGENT, VARIABLE_INTERACTION, VARIABLE_OFFER, VARIABLE_TRANSFER
from cti.errors import AmiActionError, CtiError

log = structlog.get_logger(__name__)

#: What a resync reads from every channel, beside what Asterisk itself knows of it.
RESYNC_VARIABLES = (VARIABLE_INTERACTION, VARIABLE_OFFER, VARIABLE_AGENT, VARIABLE_TRANSFER)
_SAFE_VARIABLE = re.compile(r"[A-Za-z_]+(\([a-z]+\))?")


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A call of ours to `number` (E.164) by a trunk; who answers enters `context`."""

    channel_id: str
    interaction_id: str
    number: str
    trunk: str
    caller_id: str
    ring_s: float
    context: str
    variables: Mapping[str, str]


class Node:
    """Actions on one Asterisk. Each may raise the errors of `AmiLink.act`; those named `try_…` log them instead."""

    def __init__(self, name: str, link: AmiLink) -> None:
        self.name = name
        self.link = link

    async def try_hang_up(self, channel: str, cause: int = 16) -> None:
        """Hang a channel up; one that is gone already is what was wanted."""
        await self._try("Hangup", {"Channel": channel, "Cause": str(cause)})

    async def try_cut_prompt(self, channel: str) -> None:
        """End a running prompt at once; harmless while none runs (facts: ControlPlayback, Control stop)."""
        await self._try("ControlPlayback", {"Channel": channel, "Control": "stop"})

    async def try_set_variable(self, channel: str, name: str, value: str) -> None:
        if not _SAFE_VARIABLE.fullmatch(name):
            raise ValueError(f"variable name {name!r}: expected letters, underscores and at most one (argument)")
        await self._try("Setvar", {"Channel": channel, "Variable": name, "Value": value})

    async def _try(self, action: str, headers: dict[str, str]) -> None:
        try:
            await self.link.act(action, headers)
        except CtiError as error:
            log.info("node.action_failed", node=self.name, action=action, channel=headers["Channel"], error=str(error))

    async def read_channels(self) -> list[ChannelFound]:
        """Every channel with our variables and its bridge: the world as Asterisk sees it."""
        events = await self.link.collect("Status", {"Variables": ",".join(RESYNC_VARIABLES)})
        found = (parse_event(event) for event in events)
        return [channel for channel in found if isinstance(channel, ChannelFound)]

    async def originate(self, call: OutgoingCall) -> None:
        """Begin to call somebody. At most one call is made of one `channel_id`: while that channel lives another
        Originate with the same fails. AmiActionError: nothing was begun; other errors: perhaps it was."""
        variables = {f"__{VARIABLE_INTERACTION}": call.interaction_id, **call.variables}
        await self.link.act(
            "Originate",
            {
                "Channel": f"PJSIP/{call.number}@trunk-{call.trunk}",
                "Context": call.context,
                "Exten": "s",
                "Priority": "1",
                "Timeout": str(round(call.ring_s * 1000)),
                "CallerID": call.caller_id,
                "ChannelId": call.channel_id,
                "Async": "true",
                "Variable": [f"{name}={value}" for name, value in variables.items()],
            },
        )

    async def has_channel(self, channel: str, uniqueid: str) -> bool:
        """Whether this very channel lives. While Asterisk cannot be asked it does: the next reading shows."""
        try:
            reply = await self.link.act("Getvar", {"Channel": channel, "Variable": "UNIQUEID"})
        except AmiActionError:
            return False
        except CtiError:
            return True
        return reply.headers.get("Value", uniqueid) == uniqueid

    async def read_device_states(self, devices: Iterable[str]) -> list[DeviceStateChanged]:
        """The state of each device now (`PJSIP/2001`), asked one by one: a list would hold only what is cached."""
        states = []
        for device in devices:
            reply = await self.link.act("Getvar", {"Variable": f"DEVICE_STATE({device})"})
            states.append(DeviceStateChanged(self.name, None, device, reply.headers.get("Value", "INVALID")))
        return states

    async def trunk_trouble(self, trunk: str) -> str:
        """What is wrong with a trunk; empty where nothing is known to be. Of one that does not register, Asterisk knows
        only if it is told to ask it (`qualify_frequency`)."""
        name = f"trunk-{trunk}"
        [state] = await self.read_device_states([f"PJSIP/{name}"])
        if state.state in ("UNAVAILABLE", "INVALID"):
            return "cannot be reached" if state.state == "UNAVAILABLE" else "Asterisk does not know it"
        try:
            found = await self.link.collect("PJSIPShowRegistrationsOutbound")
        except AmiActionError:
            return ""  # there are none
        statuses = [each.headers.get("Status", "") for each in found if each.headers.get("ObjectName", "") == name]
        return next((f"not registered ({status})" for status in statuses if status != "Registered"), "")

    async def clock_ahead_us(self, now: Callable[[], int]) -> int:
        """How far its clock is ahead of ours, microseconds; 0 if it does not say, or the question took longer."""
        before = now()
        told = (await self.link.act("Ping")).headers.get("Timestamp", "")
        after = now()
        if not re.fullmatch(r"\d{1,12}(\.\d+)?", told):
            return 0
        theirs = round(float(told) * 1_000_000)
        return theirs - after if theirs > after else min(0, theirs - before)

    async def store_phones(self, objects: Sequence[tuple[str, str, str]]) -> None:
        """Put (family, key, value) rows of phones into astdb: they can be called at once.

        That a phone which is new signs on or off is told by Asterisk only once it has looked for phones again.
        """
        there = dict([row for family in {row[0] for row in objects} for row in await self.read_family(family)])
        news = [row for row in objects if there.get(f"/{row[0]}/{row[1]}") != row[2]]
        for family, key, value in news:
            await self.link.act("DBPut", {"Family": family, "Key": key, "Val": value})
        if news:
            await self.link.act("Reload", {"Module": "res_pjsip.so"})

    async def read_family(self, family: str) -> Sequence[tuple[str, str]]:
        """(`/family/key`, value) rows of an astdb family; none when the family does not exist."""
        try:
            events = await self.link.collect("DBGetTree", {"Family": family})
        except AmiActionError:
            return ()
        rows = []
        for event in events:
            if event.name == "DBGetTreeResponse":
                rows.append((event.require("Key"), event.headers.get("Val", "")))
        return rows

    async def delete(self, family: str, key: str) -> None:
        await self.link.act("DBDel", {"Family": family, "Key": key})
