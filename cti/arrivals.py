"""Calls that come into our AGI: new ones, and those that come back after a gap.

The interaction id is the uniqueid of the caller's first channel, set by the dialplan and carried by every leg
(`systemname` makes it unique over all nodes). So a call that enters twice is the same interaction, whoever asks.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from acd.events import (
    FlowEnded,
    InteractionArrived,
    InteractionAttached,
    InteractionDetached,
)
from acd.model import Outcome
from cti.agi_errors import AgiError
from cti.call_state import CallState
from cti.callbacks import is_callback
from cti.called_back import Opening, execution_at_queue, opening_of
from cti.dispatcher import Dispatcher
from cti.door import Door, NobodyBlocked
from cti.exchange import Exchange
from cti.fastagi import AgiConversation
from cti.hangup_causes import HANGUP_CAUSES
from cti.ivr_session import IvrSession
from cti.node import Node
from cti.ports import Measures
from cti.prelude import NoMeasures, Prelude, prelude
from cti.presented import name_of, variables_of
from cti.queue_wait import CALLER_NAME
from cti.session_ports import SessionPorts
from ivr.interpreter import Execution
from ivr.past_calls import history_of
from ivr.settings import NumberRule
from ivr.site import Site
from ivr.steps import Cause, End, Ending

log = structlog.get_logger(__name__)

#: How long AMI may lag behind the end of an AGI session before a caller counts as out of our hands.
HANGUP_LAG_S = 1.0


#: A clock of Asterisk's that is wrong must not bring anybody to the head of a queue; no call is away for longer.
MOST_LOST_US = 600_000_000

#: What a call carries when it comes, asked at once (asterisk-config/extensions.conf says what each is).
CARRIED = (
    "CALLYARD_INTERACTION",
    "CALLYARD_NUMBER",
    "CALLYARD_SEEN",
    "CALLYARD_STATE",
    "CALLYARD_GREETED",
    "CALLYARD_SERVED",
    "CALLYARD_AWAY",
    "CALLYARD_AWAY_SINCE",
    "CALLYARD_LOST",
)


@dataclass(frozen=True, slots=True)
class Carried:
    """The values of `CARRIED`, empty where unset."""

    interaction_id: str
    dialled: str
    seen: str
    state: str
    greeted: str
    served_by: str
    away: str
    away_since: str
    lost: str

    def lost_us(self, now: int) -> int:
        """How long the call has waited for us to come back, now and before, µs; what nobody can say counts as 0."""
        since_s = _whole(self.away_since) if self.away else 0
        return min(_whole(self.lost) + (max(0, now - since_s * 1_000_000) if since_s else 0), MOST_LOST_US)

    @property
    def resumed(self) -> CallState | None:
        """Where the call stands, if a server of ours has had it."""
        return CallState.unpack(self.state) if self.seen == "1" and self.state else None


def _whole(text: str) -> int:
    """A whole number that a channel carries; 0 for anything else."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else 0


class Arrivals:
    """Answers each AGI conversation with a session."""

    def __init__(
        self,
        site: Callable[[], Site],
        ports: SessionPorts,
        dispatcher: Dispatcher,
        exchange: Exchange,
        world_known: asyncio.Event,
        *,
        wait_for_world_s: float = 5.0,
        find_version: Callable[[str], Awaitable[Site | None]] | None = None,
        in_version: Counter[str] | None = None,
        measures: Measures | None = None,
        door: Door | None = None,
    ) -> None:
        self._site = site
        self._ports = ports
        self._dispatcher = dispatcher
        self._exchange = exchange
        self._world_known = world_known
        self._wait_for_world_s = wait_for_world_s
        self._find_version = find_version or _find_none
        self._in_version: Counter[str] = Counter() if in_version is None else in_version
        self._measures = measures or NoMeasures()
        self._door = door or Door(site, NobodyBlocked(), ports.utc)
        self.counts: Counter[str] = Counter()

    async def take(self, conversation: AgiConversation) -> None:
        """Serve one AGI session from its header to its end."""
        try:
            async with asyncio.timeout(self._wait_for_world_s):
                await self._world_known.wait()
        except TimeoutError:
            log.warning("arrival.world_unknown", channel=conversation.channel)
        node = self._node_of(conversation.uniqueid)
        if node is None:
            self.counts["unknown_node"] += 1
            log.error("arrival.unknown_node", uniqueid=conversation.uniqueid, expected=sorted(self._exchange.nodes))
            return
        carried = Carried(*await conversation.get_variables(*CARRIED))
        interaction_id = carried.interaction_id or conversation.uniqueid
        with structlog.contextvars.bound_contextvars(interaction_id=interaction_id):
            await self._serve(conversation, node, interaction_id, carried)

    def _node_of(self, uniqueid: str) -> Node | None:
        return self._exchange.nodes.get(uniqueid.rpartition("-")[0])

    async def _serve(self, conversation: AgiConversation, node: Node, interaction_id: str, carried: Carried) -> None:
        caller, dialled = variables_of(conversation.env)
        dialled = carried.dialled or dialled
        session: IvrSession | None
        if is_callback(conversation.uniqueid):
            caller, session = await self._admit_called_back(conversation, node, interaction_id, carried)
        else:
            session = await self._admit(conversation, node, interaction_id, caller, dialled, carried)
        if session is None:
            return
        self._exchange.enter(session, node.name, conversation.uniqueid, conversation.channel)
        version = self._ports.version_of(session.site)
        self._in_version[version] += 1
        try:
            await self._welcome(session, conversation, caller, dialled, carried)
            await session.run()
            session.note_end()
        except AgiError as error:
            log.info("session.ended", why=type(error).__name__)
            await self._let_go(session, node, conversation)
        except Exception:
            # The call stays in Asterisk: its dialplan tries again, and then takes the fail-safe.
            self.counts["session_failed"] += 1
            log.exception("session.failed")
            self._detach(session)
        finally:
            self._in_version[version] -= 1
            session.leave_flow()
            self._exchange.leave(session)

    async def _admit(
        self,
        conversation: AgiConversation,
        node: Node,
        interaction_id: str,
        caller: str,
        dialled: str,
        carried: Carried,
    ) -> IvrSession | None:
        """The session that this call gets; None for a call that is refused."""
        state = carried.resumed
        known = self._dispatcher.stage(interaction_id) is not None
        rule = self._site().route(dialled)
        if rule is None and state is None:
            await self._refuse_unlisted(conversation, interaction_id, caller, dialled)
            return None
        first = None
        if state is not None:
            variables = state.variables
        else:
            assert rule is not None
            first = prelude(self._measures, dialled, rule, self._site().settings.default_language)
            if first is not None:
                self.counts["noticed" if first.end is None else "closed_number"] += 1
            if first is None or first.end is None:
                rule, first = self._judged(rule, first, caller)
            variables = self._first_variables(interaction_id, caller, dialled, dict(rule.labels))
            if name := name_of(conversation.env):
                variables[CALLER_NAME] = name
        language = variables.get("language") or (rule.language if rule is not None else "")
        execution = self._begin(await self._site_of(state), state, rule, variables, language)
        session = IvrSession(
            self._ports,
            conversation,
            node,
            interaction_id,
            execution,
            is_resumed=known and state is not None,
            prelude=first,
            lost_us=carried.lost_us(self._dispatcher.now()),
        )
        session.has_answered = carried.greeted == "1"
        return session

    def _judged(self, rule: NumberRule, first: Prelude | None, caller: str) -> tuple[NumberRule, Prelude | None]:
        """What a caller who is not let in meets in place of what the number leads to."""
        written = self._ports.outbound().written(caller)
        turned = self._door.judge([caller, written])
        if turned is None:
            return rule, first
        log.info("arrival.turned_away", why=turned.word)
        if turned.cause is None:
            return rule.model_copy(update={"flow": turned.flow}), first
        return rule, Prelude((), (turned.why,), End(Ending.REFUSED, turned.cause, turned.why))

    async def _admit_called_back(
        self, conversation: AgiConversation, node: Node, interaction_id: str, carried: Carried
    ) -> tuple[str, IvrSession | None]:
        """The customer and the session that the call to them gets; none when the offer that called them is over."""
        view = self._dispatcher.interaction(interaction_id)
        offer_id = await conversation.get_variable("CALLYARD_CALLBACK") or ""
        is_confirmed = await conversation.get_variable("CALLYARD_CONFIRMED") == "1"
        is_calling = view is not None and view.is_promised and self._dispatcher.is_open(offer_id)
        if view is None or not (is_calling or (is_confirmed and not view.is_promised)):
            self.counts["callback_over"] += 1
            await conversation.set_variable("CALLYARD_CAUSE", str(HANGUP_CAUSES[Cause.NORMAL]))
            await conversation.set_variable("CALLYARD_DONE", "1")
            return "", None
        state = carried.resumed
        site = await self._site_of(state)
        if state is None:
            first = self._first_variables(interaction_id, view.caller, view.dialled, {})
            promised = CallState.unpack(view.carried) or CallState(view.flow, "", first)
            execution = execution_at_queue(site, view, promised)
        else:
            execution = self._begin(site, state, None, state.variables, state.variables.get("language", ""))
        opening = None
        if is_calling:
            asked = opening_of(site, view, offer_id, execution.language)
            opening = Opening(offer_id) if is_confirmed else asked
        session = IvrSession(
            self._ports, conversation, node, interaction_id, execution, is_resumed=True, opening=opening
        )
        session.has_answered = True
        return view.caller, session

    async def _welcome(
        self, session: IvrSession, conversation: AgiConversation, caller: str, dialled: str, carried: Carried
    ) -> None:
        """Tell the engine of the call, and the call that it is in our hands."""
        interaction_id = session.interaction_id
        if self._dispatcher.stage(interaction_id) is not None:
            await self._ports.directory.recall(interaction_id, caller)
            await self._recall_talk(conversation, interaction_id, carried.served_by)
            self._dispatcher.submit(InteractionAttached(interaction_id))
        else:
            number = self._ports.outbound().written(caller)
            self._dispatcher.submit(InteractionArrived(interaction_id, caller, dialled, session.flow, number=number))
            match = await self._ports.directory.match_caller(interaction_id, caller)
            site = self._site()
            session.remember(history_of(match.past, site.reasons.open, self._ports.utc(), site.settings.time_zone))
        await conversation.set_variable("CALLYARD_SEEN", "1")
        if carried.away:
            await conversation.set_variable("CALLYARD_LOST", str(carried.lost_us(self._dispatcher.now())))
            await conversation.set_variable("CALLYARD_AWAY", "")
            await conversation.set_variable("CALLYARD_AWAY_SINCE", "")

    async def _recall_talk(self, conversation: AgiConversation, interaction_id: str, agent_id: str) -> None:
        """A talk that began and ended while nobody of ours was there: only the call itself knows of it."""
        if not agent_id:
            return
        self._dispatcher.recall_talk(interaction_id, agent_id)
        await conversation.set_variable("CALLYARD_SERVED", "")

    async def _site_of(self, state: CallState | None) -> Site:
        """The files that a call began on; those of new calls where they are gone, or for a new one."""
        found = await self._find_version(state.version) if state is not None and state.version else None
        return found or self._site()

    def _begin(
        self,
        site: Site,
        state: CallState | None,
        rule: NumberRule | None,
        variables: dict[str, str],
        language: str,
    ) -> Execution:
        """Where the call was; if that is gone from the files, the start of its flow, or of the number's, with what the
        caller has told already."""
        places: list[tuple[str, str | None]] = []
        if state is not None:
            places += [(state.flow, state.node), (state.flow, None)]
        if rule is not None:
            places.append((rule.flow, None))
        for flow, node in places[:-1]:
            try:
                return Execution(site, flow, variables, language, node=node)
            except LookupError:
                log.warning("arrival.place_gone", flow=flow, node=node)
        return Execution(site, places[-1][0], variables, language)

    @staticmethod
    def _first_variables(interaction_id: str, caller: str, dialled: str, labels: dict[str, str]) -> dict[str, str]:
        return {**labels, "caller": caller, "dialled": dialled, "interaction_id": interaction_id}

    async def _refuse_unlisted(
        self, conversation: AgiConversation, interaction_id: str, caller: str, dialled: str
    ) -> None:
        self.counts["unlisted_number"] += 1
        log.warning("arrival.unlisted_number", dialled=dialled)
        self._dispatcher.submit(InteractionArrived(interaction_id, caller, dialled, ""))
        self._dispatcher.submit(FlowEnded(interaction_id, Outcome.REFUSED, "unlisted number"))
        await conversation.set_variable("CALLYARD_SEEN", "1")
        await conversation.set_variable("CALLYARD_CAUSE", str(HANGUP_CAUSES[Cause.UNALLOCATED]))
        await conversation.set_variable("CALLYARD_DONE", "1")

    async def _let_go(self, session: IvrSession, node: Node, conversation: AgiConversation) -> None:
        """The AGI session is over, the caller perhaps not: only AMI's Hangup says so. Give it a moment."""
        loop = asyncio.get_running_loop()
        until = loop.time() + HANGUP_LAG_S
        gone = session.interaction_closed
        while loop.time() < until and not gone.is_set():
            try:
                async with asyncio.timeout(until - loop.time()):
                    await gone.wait()
            except TimeoutError:
                break
        if gone.is_set():
            session.note_end()
            return
        if await node.has_channel(conversation.channel, conversation.uniqueid):
            self._detach(session)
        else:
            session.note_end()
            # They were gone before their call reached us, so no hang-up is to come.
            self._exchange.forget_channel(node.name, conversation.uniqueid)

    def _detach(self, session: IvrSession) -> None:
        if self._exchange.is_latest(session):
            self._dispatcher.submit(InteractionDetached(session.interaction_id))


async def _find_none(version: str) -> Site | None:
    return None
