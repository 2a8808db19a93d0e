"""The emergency switch: queues and numbers closed at once, and notices that every caller hears first.

Who gives such an order, and what is checked before it is given, stands here; what holds now, and for whom, in
`screenpop.measures`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from screenpop.errors import InvalidRequestError
from screenpop.orders import NewOrder, Order, OrderBook

LONGEST_REASON = 200
LONGEST_TEXT = 1_000
#: Notices that may stand at once: a caller hears all that are for their number.
MOST_NOTICES = 5


class Kind(StrEnum):
    CLOSE_QUEUE = "close_queue"
    CLOSE_NUMBER = "close_number"
    NOTICE = "notice"


KINDS = frozenset(str(kind) for kind in Kind)


class Place(Protocol):
    """What the site's files name."""

    def queues(self) -> Collection[str]: ...

    def number(self, text: str) -> str | None:
        """The number or pattern in the form in which calls are held against it; None when no rule is for it."""
        ...

    def languages(self) -> Sequence[str]:
        """The default language first."""
        ...

    async def speak(self, text: str, language: str) -> str:
        """Make the sound now, so that no caller waits for it; return why it cannot be made, or nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants. `targets`: queues or numbers; none: all numbers (notices only). `texts`: language → what
    callers hear. `ends_at` 0: until it is ended."""

    kind: Kind
    targets: tuple[str, ...] = ()
    texts: Mapping[str, str] | None = None
    keep_waiting: bool = False
    begins_at: int = 0
    ends_at: int = 0
    reason: str = ""


class Emergencies:
    """Gives and ends emergency orders. `changed` is awaited after each: the server heeds it at once."""

    def __init__(
        self,
        book: OrderBook,
        place: Place,
        now: Callable[[], int],
        changed: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._book = book
        self._place = place
        self._now = now
        self._changed = changed

    async def give(self, wanted: Wanted, by: str) -> list[Order]:
        """One order for each target; all or none. Raises InvalidRequestError that names field and value."""
        texts = self._checked_texts(wanted)
        targets = self._checked_targets(wanted)
        self._check_times(wanted)
        if len(wanted.reason) > LONGEST_REASON:
            raise InvalidRequestError(f"reason: expected at most {LONGEST_REASON} characters, got {len(wanted.reason)}")
        if wanted.kind is Kind.NOTICE:
            await self._check_room(len(targets))
        for language, text in texts.items():
            if trouble := await self._place.speak(text, language):
                raise InvalidRequestError(f"text in {language!r}: cannot be spoken: {trouble}")
        detail = {"texts": texts, "keep_waiting": wanted.keep_waiting}
        orders = [
            NewOrder(str(wanted.kind), target, detail, wanted.begins_at, wanted.ends_at, wanted.reason)
            for target in targets
        ]
        given = await self._book.give(orders, by)
        await self._tell()
        return given

    async def end(self, order_id: int, by: str) -> Order:
        """Raises NotFoundError for an order that is no emergency order or is over."""
        ended = await self._book.end(order_id, by, KINDS)
        await self._tell()
        return ended

    async def open(self) -> list[Order]:
        """What holds now or is to begin, oldest first."""
        now = self._now()
        return [order for order in await self._book.open(KINDS) if not order.is_over(now)]

    async def newest(self, most: int = 200) -> list[Order]:
        """What was ordered last, over or not; newest first."""
        return await self._book.newest(KINDS, most)

    async def _tell(self) -> None:
        if self._changed is not None:
            await self._changed()

    def _checked_targets(self, wanted: Wanted) -> tuple[str, ...]:
        if wanted.kind is Kind.NOTICE and not wanted.targets:
            return ("",)
        what = "queue" if wanted.kind is Kind.CLOSE_QUEUE else "number"
        if not wanted.targets:
            raise InvalidRequestError(f"{what}: expected which, got none")
        if wanted.kind is Kind.CLOSE_QUEUE:
            return tuple(dict.fromkeys(self._queue(name) for name in wanted.targets))
        return tuple(dict.fromkeys(self._number(text) for text in wanted.targets))

    def _queue(self, name: str) -> str:
        queues = self._place.queues()
        if name not in queues:
            raise InvalidRequestError(f"queue {name!r}: expected one of {', '.join(sorted(queues)) or 'none'}")
        return name

    def _number(self, text: str) -> str:
        number = self._place.number(text)
        if number is None:
            raise InvalidRequestError(f"number {text!r}: expected one that numbers.yaml has a rule for")
        return number

    def _checked_texts(self, wanted: Wanted) -> dict[str, str]:
        texts = dict(wanted.texts or {})
        default, *others = self._place.languages()
        if wanted.kind is Kind.CLOSE_QUEUE:
            if texts:
                raise InvalidRequestError("text: expected none, callers of a closed queue go on in their flow")
            return {}
        if wanted.kind is Kind.NOTICE and not texts:
            raise InvalidRequestError("text: expected what callers hear, got none")
        for language, text in texts.items():
            if language not in (default, *others):
                raise InvalidRequestError(f"text in {language!r}: expected one of {', '.join((default, *others))}")
            if not text.strip() or len(text) > LONGEST_TEXT:
                raise InvalidRequestError(f"text in {language!r}: expected 1 to {LONGEST_TEXT} characters")
        if texts and default not in texts:
            raise InvalidRequestError(f"text: expected one in {default!r} too, which callers of other languages hear")
        return texts

    def _check_times(self, wanted: Wanted) -> None:
        now = self._now()
        if wanted.ends_at and wanted.ends_at <= max(now, wanted.begins_at):
            raise InvalidRequestError("until: expected a time to come, after the beginning")
        if wanted.keep_waiting and wanted.kind is not Kind.CLOSE_QUEUE:
            raise InvalidRequestError("keep_waiting: expected for a queue only")

    async def _check_room(self, more: int) -> None:
        standing = [order for order in await self.open() if order.kind == Kind.NOTICE]
        if len(standing) + more > MOST_NOTICES:
            raise InvalidRequestError(
                f"notices: expected at most {MOST_NOTICES} at once, {len(standing)} stand: end one first"
            )
