"""One call's way through a flow, without any input or output of its own.

The session asks `advance` what to do, does it, and feeds the result back. Retries, time-outs and ways out are
decided here; the session only plays and reads. What a call must carry so that another process can go on is
`flow`, `node` and `variables`: a new `Execution` made from them repeats the step that was being carried out,
and no prompt before it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime

from ivr.errors import ExecutionError, UnknownPlaceError
from ivr.layout import Layout, Placed
from ivr.progress import CHOSEN, Progress
from ivr.site import Site, texts
from ivr.step_kinds.base import Enter, Jump, Return, Way
from ivr.step_kinds.leading import SubflowStep
from ivr.steps import (
    Answer,
    CallWebhook,
    CustomerFound,
    Digits,
    Done,
    End,
    Ending,
    Enqueue,
    Instruction,
    KeepAnswer,
    LookUpCustomer,
    MessageRecorded,
    Play,
    PlayMusic,
    Promise,
    Promised,
    QueueEnded,
    ReadDigits,
    RecordCall,
    RecordMessage,
    Result,
    SendText,
    TextSent,
    Transfer,
    TransferEnded,
    Waiting,
    WebhookEnded,
)
from ivr.trail import END, FLOW, NEXT, RETURN, Happening, spelled

__all__ = ["CHOSEN", "STEP_BUDGET", "Execution", "texts"]

#: Steps that a call may take without the caller pressing a key or an agent answering.
STEP_BUDGET = 1000

#: Results for which the caller or an agent was waited for.
_WAITED = (QueueEnded, Promised, MessageRecorded)
_RESULTS: Mapping[type[Instruction], type[Result]] = {
    Answer: Done,
    Play: Done,
    PlayMusic: Done,
    ReadDigits: Digits,
    LookUpCustomer: CustomerFound,
    Enqueue: QueueEnded,
    Promise: Promised,
    RecordMessage: MessageRecorded,
    Transfer: TransferEnded,
    RecordCall: Done,
    KeepAnswer: Done,
    CallWebhook: WebhookEnded,
    SendText: TextSent,
}


class Execution:
    """A call in a flow, from its start or from `node` on.

    Making one raises UnknownPlaceError (a LookupError) if the site has no such flow or node. Every failure of a
    flow while it runs becomes an `End`; only wrong driving raises, ExecutionError.
    """

    def __init__(
        self, site: Site, flow: str, variables: Mapping[str, str], language: str, *, node: str | None = None
    ) -> None:
        self._call = Progress(site, flow, variables, language, node or "")
        self._budget = STEP_BUDGET
        self._asked: Instruction | None = None
        self._is_back = node is not None
        self._steps = self._run(*self._begin(node))

    @property
    def site(self) -> Site:
        """The site as it was when the call began: it is followed to the end."""
        return self._call.site

    @property
    def flow(self) -> str:
        """The flow that the call is in."""
        return self._call.flow

    @property
    def node(self) -> str:
        """The address of the step that is carried out."""
        return self._call.node

    @property
    def language(self) -> str:
        """What the caller hears."""
        return self._call.language

    @property
    def notes(self) -> list[str]:
        """What went wrong without ending the call, for the log; whoever reads them clears them."""
        return self._call.notes

    @property
    def happenings(self) -> list[Happening]:
        """What happened at the steps since somebody last cleared it."""
        return self._call.happenings

    @property
    def version(self) -> str:
        """The version of the files that the call goes by."""
        return self._call.site.version

    @property
    def variables(self) -> Mapping[str, str]:
        """What the call carries: values by name, without secrets, with what the caller chose under `_chosen`."""
        return self._call.carried

    @property
    def chosen(self) -> tuple[tuple[str, str], ...]:
        """What the caller chose and typed, in order, as label and value; secrets never."""
        return self._call.chosen

    def advance(self, result: Result | None, now: datetime) -> Instruction:
        """The next instruction. `result` answers the last one and is None only at first; `now` is aware UTC.

        Raises ExecutionError if the result does not belong to the last instruction, or after the `End`.
        """
        if isinstance(self._asked, End):
            raise ExecutionError(
                f"flow {self.flow} has ended at {self.node}: expected no further result, got {result!r}"
            )
        expected = type(None) if self._asked is None else _RESULTS[type(self._asked)]
        if not isinstance(result, expected):
            raise ExecutionError(f"flow {self.flow} at {self.node}: expected {expected.__name__}, got {result!r}")
        self._call.now = now
        if isinstance(result, _WAITED) or (isinstance(result, Digits) and result.pressed):
            self._budget = STEP_BUDGET
        try:
            self._asked = next(self._steps) if result is None else self._steps.send(result)
        except StopIteration as over:
            self._asked = over.value
        return self._asked

    def remember(self, history: Mapping[str, str]) -> None:
        """What is known of the caller's earlier calls (`ivr.past_calls`), before the first step."""
        self._call.remember(history)

    def waiting_in(self, queue: str) -> Waiting:
        """How this caller waits in a queue of the site, to which they may have been moved; KeyError if unknown."""
        return self._call.waiting_in(queue)

    def promise(self, wish: Promise) -> Generator[Instruction, Result, bool]:
        """Lead the dialogue that ends in a promise to call back (`Progress.promise`)."""
        return self._call.promise(wish)

    def _begin(self, node: str | None) -> tuple[Layout, str | None]:
        layouts = self._call.site.layouts
        layout = layouts.get(self.flow)
        if layout is None:
            raise UnknownPlaceError(f"there is no flow {self.flow}: expected one of {', '.join(layouts)}")
        return layout, layout.resume(node) if node else layout.first()

    def _run(self, layout: Layout, address: str | None) -> Generator[Instruction, Result, End]:
        while True:
            while address is None and self._call.frames:
                layout, address = self._come_back("")
            if address is None:
                return End(Ending.DESIGNED)
            placed = layout.steps[address]
            self._call.node = address
            self._budget -= 1
            if self._budget < 0:
                return End(Ending.BROKEN, detail=f"{self.flow} {address}: {STEP_BUDGET} steps without the caller")
            self._call.come_to(address, again=self._is_back)
            self._is_back = False
            leave = yield from placed.step.take(self._call)
            if not isinstance(leave, Enter):
                self._call.leave(_word_of(leave))
            if isinstance(leave, End):
                return leave
            layout, address = self._next(layout, placed, leave)

    def _next(
        self, layout: Layout, placed: Placed, leave: Way | Jump | Enter | Return | None
    ) -> tuple[Layout, str | None]:
        match leave:
            case None:
                return layout, placed.after
            case Jump(flow):
                return self._begin_flow(flow)
            case Enter(flow, given):
                self._call.enter(given)
                return self._begin_flow(flow)
            case Return(way):
                return self._come_back(way) if self._call.frames else (layout, None)
            case _:
                return layout, placed.exits[leave]

    def _begin_flow(self, flow: str) -> tuple[Layout, str | None]:
        self._call.flow = flow
        layout = self._call.site.layouts[flow]
        return layout, layout.first()

    def _come_back(self, way: str) -> tuple[Layout, str | None]:
        """To the step that entered this flow. If the files have lost it: to its node, or else past its flow."""
        flow, address = self._call.come_back()
        layout = self._call.site.layouts.get(flow)
        if layout is None:
            return self._call.site.layouts[self.flow], None
        self._call.flow = flow
        placed = layout.steps.get(address)
        if placed is not None and isinstance(placed.step, SubflowStep):
            self._call.node = address
            exit_ = placed.step.way_of(way)
            self._call.leave(spelled(exit_))
            return layout, placed.exits[exit_]
        return layout, layout.nodes.get(address.partition(":")[0])


def _word_of(leave: Way | Jump | Return | End | None) -> str:
    match leave:
        case None:
            return NEXT
        case Jump():
            return FLOW
        case Return():
            return RETURN
        case End():
            return END
        case _:
            return spelled(leave)
