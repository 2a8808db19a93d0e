"""Where telephony meets the decision: what Asterisk tells becomes events of the engine and news for sessions.

Every AMI event goes through `Calls`; every change that comes out is told here, in order. Nothing of Asterisk passes
this point: the engine hears of interactions and agents only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import structlog

from acd.commands import Command, InteractionClosed, OfferInteraction, WithdrawOffer
from acd.events import (
    CallerLeft,
    CallTransferred,
    ConnectionFound,
    FlowEnded,
    OfferAccepted,
    OfferRejected,
    PhoneChanged,
    TalkEnded,
)
from acd.model import Outcome, Phone, Stage
from cti.ami import AmiEvent
from cti.ami_events import ChannelFound, ChannelHungUp, DeviceStateChanged, UserEventCame, parse_event
from cti.callbacks import Callbacks
from cti.calls import (
    VARIABLE_INTERACTION,
    CallerGone,
    Calls,
    Change,
    DigitPressed,
    LegGone,
    LegRinging,
    PhoneReach,
    PhoneUse,
    TalkBegan,
    TalkOver,
    TransferBegan,
)
from cti.dispatcher import Dispatcher
from cti.errors import AmiProtocolError
from cti.ivr_session import IvrSession
from cti.node import Node
from cti.offers import Offers
from cti.ports import Desktops

log = structlog.get_logger(__name__)

#: Hang-up causes by which a phone says that its user declined (Q.850: user busy, call rejected).
DECLINED_CAUSES = frozenset({17, 21})
#: By this event the dialplan says that it refused a call without asking us.
REFUSED_EVENT = "CallyardRefused"
#: Events kept while the world is read; beyond that they are dropped and counted, and the next reading repairs it.
MOST_HELD_EVENTS = 50_000


class Exchange:
    """Knows the nodes, the calls and the sessions; translates."""

    def __init__(
        self, dispatcher: Dispatcher, desktops: Desktops, nodes: Mapping[str, Node], *, pop_wait_s: float = 0.15
    ) -> None:
        self.calls = Calls()
        self.nodes = dict(nodes)
        self._dispatcher = dispatcher
        self._sessions: dict[str, IvrSession] = {}
        self._extensions: dict[str, str] = {}
        self._fixed: frozenset[str] = frozenset()
        self._is_reachable: dict[str, bool] = {}
        self._is_used: dict[str, bool] = {}
        self._told_phone: dict[str, Phone] = {}
        self._held: list[AmiEvent] | None = None
        self._is_whole = True
        self.counts: Counter[str] = Counter()
        self.on_refused: Callable[[str], None] = lambda node: None
        self.on_detached_gone: Callable[[CallerGone], None] = lambda change: dispatcher.submit(
            CallerLeft(change.interaction_id, True)
        )
        self.callbacks = Callbacks(dispatcher, self.calls, self.nodes)
        self.offers = Offers(
            dispatcher,
            self.calls,
            desktops,
            self.nodes.get,
            self.session,
            self.tell_all,
            self.callbacks,
            pop_wait_s=pop_wait_s,
        )
        dispatcher.on_order = self.offers.carry_out
        dispatcher.watch(self._watch)

    # --- sessions and phones ---------------------------------------------------------------------------

    def enter(self, session: IvrSession, node: str, uniqueid: str, channel: str) -> None:
        """A call is in our AGI."""
        self._sessions[session.interaction_id] = session
        self.calls.claim_caller(node, uniqueid, channel, session.interaction_id)

    def leave(self, session: IvrSession) -> None:
        """The call's AGI session is over; a newer session of the same call stays."""
        if self._sessions.get(session.interaction_id) is session:
            del self._sessions[session.interaction_id]

    def session(self, interaction_id: str) -> IvrSession | None:
        """The session that talks with this caller; None once it is over, wherever the caller is then."""
        session = self._sessions.get(interaction_id)
        return None if session is None or session.is_over else session

    def is_latest(self, session: IvrSession) -> bool:
        """Whether the call has entered no newer session."""
        return self._sessions.get(session.interaction_id) is session

    def assign_phones(self, extensions: Mapping[str, str], *, fixed: Iterable[str] = ()) -> None:
        """Set every agent's extension (agent id → extension).

        `fixed`: agents whose phone has a fixed address and never signs on. Asterisk calls such a phone unavailable
        for ever, so it counts as there; that it is not shows when it is rung.
        """
        self._extensions = dict(extensions)
        self._fixed = frozenset(fixed)
        self.tell_all(self.calls.assign_phones({f"PJSIP/{ext}": agent for agent, ext in extensions.items()}))

    def devices(self) -> tuple[str, ...]:
        """The device of every agent's phone."""
        return tuple(f"PJSIP/{extension}" for extension in self._extensions.values())

    def dial_string(self, agent_id: str, node: str) -> str:
        """How `node` reaches the agent. Phones are registered on every node's own table, so it is the same on all."""
        return f"PJSIP/{self._extensions[agent_id]}"

    # --- what Asterisk tells ---------------------------------------------------------------------------

    def take(self, event: AmiEvent) -> None:
        """One AMI event, in the order in which they came."""
        if self._held is not None:
            if len(self._held) < MOST_HELD_EVENTS:
                self._held.append(event)
            else:
                self.counts["ami_event_dropped"] += 1
                self._is_whole = False
            return
        try:
            parsed = parse_event(event)
        except AmiProtocolError as error:
            self.counts["ami_event_malformed"] += 1
            log.error("ami.event_malformed", error=str(error))
            return
        if isinstance(parsed, UserEventCame) and parsed.name == REFUSED_EVENT:
            self.on_refused(parsed.node)
        self.tell_all(self.calls.apply(parsed))
        self.callbacks.hear(parsed)

    def hold_events(self) -> None:
        """Keep what comes until the world has been read: older news must not overtake the reading."""
        if self._held is None:
            self._held = []

    def release_events(self) -> bool:
        """Take what was held, in order. What the reading has shown already changes nothing.

        False if some were dropped because there were too many: the world has to be read again.
        """
        held, self._held = self._held or [], None
        is_whole, self._is_whole = self._is_whole, True
        for event in held:
            self.take(event)
        return is_whole

    def forget_channel(self, node: str, uniqueid: str) -> None:
        """This channel is gone, and was so before anybody noted that it was there."""
        self.tell_all(self.calls.apply(ChannelHungUp(node, None, uniqueid, uniqueid, "", 0, "")))

    def unseen(self, node: str, found: Sequence[ChannelFound]) -> list[ChannelFound]:
        """Callers who came while `found` was read: a session that is not over proves that its caller is there."""
        seen = {channel.uniqueid for channel in found}
        return [
            ChannelFound(node, None, uniqueid, uniqueid, channel, "", "", "", "", "", "", "", 0,
                         {VARIABLE_INTERACTION: interaction_id})
            for interaction_id, session in self._sessions.items()
            for where, uniqueid, channel in [session.place]
            if where == node and uniqueid not in seen and not session.is_over
        ]  # fmt: skip

    def adopt_talk(self, interaction_id: str, agent_id: str) -> None:
        """Bridges show this talk; the engine ignores what it knows already."""
        self._begin_talk(TalkBegan(interaction_id, agent_id))

    def stop_stray_ringing(self) -> None:
        """Hang up phones that ring for an offer which ended while nobody could tell them."""
        for leg in self.calls.ringing_legs():
            if self._dispatcher.open_offer(leg.interaction_id, leg.agent_id) is None:
                self._begin_ringing(leg)

    def take_device_states(self, states: Sequence[DeviceStateChanged]) -> None:
        for state in states:
            self.tell_all(self.calls.apply(state))

    def tell_all(self, changes: Iterable[Change], *, gap: bool = False) -> None:
        for change in changes:
            self._tell(change, gap)

    def _tell(self, change: Change, gap: bool) -> None:
        match change:
            case DigitPressed():
                session = self._sessions.get(change.interaction_id)
                if session is not None:
                    session.press(change.digit)
            case LegRinging():
                self._begin_ringing(change)
            case TalkBegan():
                self._begin_talk(change)
            case TalkOver():
                self._dispatcher.submit(TalkEnded(change.interaction_id, change.agent_id, gap))
            case TransferBegan():
                self._dispatcher.submit(CallTransferred(change.interaction_id, change.to))
            case LegGone():
                self._end_leg(change)
            case CallerGone():
                self._lose_caller(change, gap)
            case PhoneUse():
                self._is_used[change.agent_id] = change.used
                self._tell_phone(change.agent_id)
            case PhoneReach():
                self._is_reachable[change.agent_id] = change.reachable
                self._tell_phone(change.agent_id)

    def _lose_caller(self, change: CallerGone, gap: bool) -> None:
        view = self._dispatcher.interaction(change.interaction_id)
        if view is not None and not view.attached and self.session(change.interaction_id) is None:
            # They may have been in the fail-safe: what they left there decides how the interaction ended.
            self.on_detached_gone(change)
        elif view is not None and view.stage is Stage.IN_FLOW and (message := self._message(change.interaction_id)):
            self._sessions[change.interaction_id].hand_over_message()
            self._dispatcher.submit(FlowEnded(change.interaction_id, Outcome.VOICEMAIL, message))
        else:
            self._dispatcher.submit(CallerLeft(change.interaction_id, gap))

    def _message(self, interaction_id: str) -> str:
        """What a caller who hangs up has left: mostly that is how a message ends."""
        session = self._sessions.get(interaction_id)
        return "" if session is None else session.message

    def _begin_ringing(self, change: LegRinging) -> None:
        if self._dispatcher.open_offer(change.interaction_id, change.agent_id) is None:
            # Withdrawn between our Dial and its ringing.
            self.tell_all(self.calls.disown_leg(change.interaction_id, change.agent_id))
            self.offers.hang_up(change.node, change.channel)
        else:
            self.offers.watch_legs(change.interaction_id)

    def _begin_talk(self, change: TalkBegan) -> None:
        offer = self._dispatcher.open_offer(change.interaction_id, change.agent_id)
        if offer is not None:
            self._dispatcher.submit(OfferAccepted(offer.offer_id))
            return
        view = self._dispatcher.interaction(change.interaction_id)
        if view is None or view.stage is not Stage.TALKING or view.agent_id != change.agent_id:
            self._dispatcher.submit(ConnectionFound(change.interaction_id, change.agent_id))

    def _end_leg(self, change: LegGone) -> None:
        """A phone that said busy or declined rejects. Any other end decides nothing: when the caller hangs up the
        leg goes first, and an unreachable phone shows when the Dial is over (see the session), or while others ring
        on."""
        offer = self._dispatcher.open_offer(change.interaction_id, change.agent_id)
        if offer is not None and not change.was_connected and change.cause in DECLINED_CAUSES:
            self._dispatcher.submit(OfferRejected(offer.offer_id, f"phone: cause {change.cause}"))
        elif offer is not None:
            self.offers.watch_legs(change.interaction_id)

    def _tell_phone(self, agent_id: str) -> None:
        if agent_id not in self._fixed and not self._is_reachable.get(agent_id, False):
            phone = Phone.GONE
        elif self._is_used.get(agent_id, False):
            phone = Phone.BUSY
        else:
            phone = Phone.FREE
        if self._told_phone.get(agent_id) is not phone:
            self._told_phone[agent_id] = phone
            self._dispatcher.submit(PhoneChanged(agent_id, phone))

    def retell_phones(self) -> None:
        """After a restart the engine may remember other phones than there are now."""
        self._told_phone.clear()
        for agent_id in sorted(self._extensions):
            self._tell_phone(agent_id)

    # --- what the engine tells -------------------------------------------------------------------------

    def _watch(self, commands: Sequence[Command], now: int) -> None:
        for command in commands:
            if isinstance(command, OfferInteraction | WithdrawOffer):
                continue
            interaction_id = getattr(command, "interaction_id", "")
            session = self._sessions.get(interaction_id) if interaction_id else None
            if session is not None:
                session.notice(command)
            if isinstance(command, InteractionClosed):
                self.counts[f"outcome_{command.outcome}"] += 1
