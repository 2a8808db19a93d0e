"""What a desktop may ask for: each wish is checked against what the agent has in hand, then handed to the engine."""

from __future__ import annotations

from typing import assert_never

import structlog
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from acd.events import FlowEnded, OfferAccepted, OfferRejected, PresenceChosen, WrapUpEnded, WrapUpExtended
from acd.model import VOICE, Outcome, Presence
from screenpop.customers import CustomerDirectory
from screenpop.errors import (
    DatabaseUnavailableError,
    ForbiddenError,
    InvalidRequestError,
    NotYoursError,
    ScreenpopError,
)
from screenpop.live import Live
from screenpop.messages import (
    DESKTOP_MESSAGE,
    Accept,
    AnyDesktopMessage,
    ChooseCustomer,
    Done,
    ErrorMessage,
    Finish,
    MoreTime,
    PresenceWish,
    Reject,
    Seen,
    Shown,
    Work,
)
from screenpop.model import Person, Role
from screenpop.ports import Desk
from screenpop.settings import Choice
from screenpop.streams import Tab
from screenpop.text import storable
from screenpop.work import with_match

log = structlog.get_logger(__name__)

_LONGEST_MESSAGE = 32 * 1024


class Wishes:
    """Hears what desktops say. Nothing is done because it was asked: screens change when the engine says so."""

    def __init__(self, desk: Desk, live: Live, directory: CustomerDirectory) -> None:
        self._desk = desk
        self._live = live
        self._directory = directory

    def hear(self, tab: Tab, text: str) -> None:
        """Do what a desktop asks, or tell it why not. Never waits."""
        reply_to: str | None = None
        try:
            message = _parsed(text)
            reply_to = message.id
            self._obey(tab, message)
        except ScreenpopError as error:
            self._refuse(tab, error, reply_to)

    def choose_presence(self, person: Person, presence: Presence, reason: str) -> None:
        """A person's own presence.

        Raises ForbiddenError for somebody who is no agent, InvalidRequestError for an unknown reason.
        """
        if Role.AGENT not in person.roles:
            raise ForbiddenError(f"{person.username} has no presence: expected the role agent")
        if presence is not Presence.NOT_READY:
            reason = ""
        _check_code("reason", reason, self._live.settings.reasons)
        self._desk.submit(PresenceChosen(person.username, presence, reason))

    def _obey(self, tab: Tab, message: AnyDesktopMessage) -> None:
        person = tab.session.person
        match message:
            case Shown():
                self._live.is_shown(person.username, message.offer_id)
            case Seen():
                tab.seen = message.seq
            case PresenceWish():
                self.choose_presence(person, message.presence, message.reason)
            case Reject():
                self._held(person, offer_id=message.offer_id, stage="offered")
                self._desk.submit(OfferRejected(message.offer_id, "agent"))
            case Accept():
                self._not_a_call(self._held(person, offer_id=message.offer_id, stage="offered"))
                self._desk.submit(OfferAccepted(message.offer_id))
            case Done():
                self._not_a_call(self._held(person, interaction_id=message.interaction_id, stage="talking"))
                self._desk.submit(FlowEnded(message.interaction_id, Outcome.SERVED))
            case Finish():
                self._held(person, interaction_id=message.interaction_id, stage="wrap_up")
                _check_code("disposition", message.disposition, self._live.settings.dispositions)
                note = storable(message.note)
                self._desk.submit(WrapUpEnded(person.username, message.interaction_id, message.disposition, note))
            case MoreTime():
                self._extend_wrap_up(person, message)
            case ChooseCustomer():
                work = self._held(person, interaction_id=message.interaction_id)
                self._live.start(self._choose_customer(tab, work, message))
            case _:
                assert_never(message)

    @staticmethod
    def _not_a_call(work: Work) -> None:
        if work.medium == VOICE:
            raise InvalidRequestError("a call is taken and ended by the phone; expected something else than a call")

    def _extend_wrap_up(self, person: Person, message: MoreTime) -> None:
        self._held(person, interaction_id=message.interaction_id, stage="wrap_up")
        agent = next((each for each in self._desk.board().agents if each.id == person.username), None)
        if agent is None or agent.interaction_id != message.interaction_id or message.until <= agent.deadline:
            return  # over meanwhile, or granted already
        if agent.latest <= agent.deadline:
            raise InvalidRequestError("until: this wrap-up cannot get longer")
        by_us = message.until - agent.deadline
        self._desk.submit(WrapUpExtended(person.username, message.interaction_id, by_us))

    def _held(self, person: Person, *, offer_id: str = "", interaction_id: str = "", stage: str = "") -> Work:
        work = self._live.work_of(person.username)
        asked = offer_id or interaction_id
        if work is None or asked != (work.offer_id if offer_id else work.interaction_id):
            raise NotYoursError(f"{asked!r}: expected what you have in hand, this you have not or no longer")
        if stage and work.stage != stage:
            raise NotYoursError(f"{asked!r}: expected it {stage.replace('_', '-')}, it is {work.stage}")
        return work

    async def _choose_customer(self, tab: Tab, work: Work, message: ChooseCustomer) -> None:
        try:
            match = await self._directory.choose(work.interaction_id, storable(message.customer_id), work.caller)
        except ScreenpopError as error:
            self._refuse(tab, error, message.id)
        except (SQLAlchemyError, OSError) as error:
            log.warning("customer not chosen", interaction_id=work.interaction_id, why=str(error)[:300])
            self._refuse(tab, DatabaseUnavailableError("The database does not answer; try again."), message.id)
        else:
            held = self._live.work_of(tab.session.person.username)
            if held is not None and held.interaction_id == work.interaction_id:
                self._live.set_work(tab.session.person.username, with_match(held, match))

    def _refuse(self, tab: Tab, error: ScreenpopError, reply_to: str | None) -> None:
        refusal = ErrorMessage(code=error.code, message=storable(str(error)), reply_to=reply_to)
        self._live.tell(tab.session.person.username, refusal)


def _check_code(what: str, code: str, choices: tuple[Choice, ...]) -> None:
    known = {choice.code for choice in choices}
    if code and code not in known:
        raise InvalidRequestError(f"{what}: expected one of {', '.join(sorted(known)) or 'none'}, got {code!r}")


def _parsed(text: str) -> AnyDesktopMessage:
    if len(text) > _LONGEST_MESSAGE:
        raise InvalidRequestError(f"message: expected at most {_LONGEST_MESSAGE} characters, got {len(text)}")
    try:
        return DESKTOP_MESSAGE.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise InvalidRequestError(f"{where}: {first['msg']}") from None
