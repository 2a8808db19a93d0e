"""What the interpreter asks of a call, and what the call answers: the border between a flow and telephony.

`Execution.advance(result, now)` returns one instruction; the session carries it out and feeds the matching
result back. Nothing here knows Asterisk. Durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ivr.endpoints import Endpoint
    from ivr.kept_values import Kept

#: Among preferred agents: who helped this customer last.
LAST = "last"


class Cause(StrEnum):
    """Why a call is refused or hung up; the telephony side maps it to a SIP status."""

    NORMAL = "normal"
    BUSY = "busy"
    CLOSED = "closed"
    BLOCKED = "blocked"
    UNALLOCATED = "unallocated"
    CONGESTION = "congestion"


class Ending(StrEnum):
    """How a flow came to its end; the session turns it into the interaction's outcome."""

    DESIGNED = "designed"
    REFUSED = "refused"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to hear: `text` in `language` (rendered to sound) or a `sound` file of the site.

    Where there are both, the sound is a recording of the text, which is rendered only if the file has gone.
    """

    text: str = ""
    language: str = "en"
    sound: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer the call (billing starts). Result: `Done`."""


@dataclass(frozen=True, slots=True)
class Play:
    """Play prompts in order. With `barge_in` a pressed digit ends them and stays in the type-ahead buffer."""

    prompts: tuple[Prompt, ...]
    barge_in: bool = False


@dataclass(frozen=True, slots=True)
class PlayMusic:
    """Play music for `for_s` to a caller whose call need not be answered. Result: `Done`."""

    music: str
    for_s: float


@dataclass(frozen=True, slots=True)
class ReadDigits:
    """Play prompts and read digits, first from the type-ahead buffer. Result: `Digits`.

    Ends at `most` digits, at a `terminator` (not part of the result), after `first_s` without any digit or
    `between_s` after one. Time starts when the prompts have ended or were barged into. Without `barge_in`
    digits pressed during the prompts stay buffered.
    """

    prompts: tuple[Prompt, ...]
    most: int
    terminator: str = ""
    first_s: float = 5.0
    between_s: float = 3.0
    barge_in: bool = True
    secret: bool = False


@dataclass(frozen=True, slots=True)
class LookUpCustomer:
    """Find the customer by `value` in the field `by` (`number` or `account`); with a `pin` only who has it.
    Result: `CustomerFound`."""

    by: str
    value: str
    pin: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class KeyOffer:
    """`key` leads to a callback; `prompts` say so, where the expected wait is longer than `over_s` (0: always)."""

    key: str
    prompts: tuple[Prompt, ...] = ()
    over_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """How one queue treats those who wait, in the caller's language (`ivr.waiting` says when what is told).

    `comfort`: messages told in turn, `announce_every_s` apart (0: never). `positions`: for each place from the first,
    the last one for all that come after; `waits`: for each wait that is told. Both empty where they are not told.
    """

    queue: str
    music: str = "default"
    comfort: tuple[Prompt, ...] = ()
    announce_every_s: float = 0.0
    positions: tuple[Prompt, ...] = ()
    waits: tuple[Prompt, ...] = ()
    thanks: tuple[Prompt, ...] = ()
    tell_every_s: float = 0.0
    offer: KeyOffer | None = None

    @property
    def announces(self) -> bool:
        """Whether there is anything to say `announce_every_s` apart."""
        return self.announce_every_s > 0 and bool(self.comfort or (self.offer is not None and self.offer.prompts))

    @property
    def tells(self) -> bool:
        """Whether there is anything to say `tell_every_s` apart."""
        return self.tell_every_s > 0 and bool(self.positions or self.waits)


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Wait for an agent of a queue. Result: `QueueEnded`, after the talk or when the wait ended otherwise.

    `any_skill`: of each entry one skill is needed. `preferred`: agents who alone may for `preferred_s`, best first;
    `LAST` among them stands for who helped this customer last.
    """

    waiting: Waiting
    priority: int = 0
    skills: tuple[tuple[str, int], ...] = ()
    any_skill: tuple[tuple[tuple[str, int], ...], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    max_wait_s: float = 0.0
    preferred: tuple[str, ...] = ()
    preferred_s: float = 0.0

    @property
    def queue(self) -> str:
        """Where the wait begins."""
        return self.waiting.queue


@dataclass(frozen=True, slots=True)
class Promise:
    """Promise to call back under `number` for `queue`. Result: `Promised`. Who waits there already keeps what they
    have; `priority` and `attributes` are for who comes from the flow."""

    queue: str
    number: str
    priority: int = 0
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordMessage:
    """Play prompts and a tone, and record what the caller says: until # or so much silence (0: none ends it), for
    `at_most_s`. Result: `MessageRecorded`. A caller who hangs up meanwhile has left a message too. Agents of `queue`
    get it (empty: nobody does), with `priority` and `attributes`."""

    prompts: tuple[Prompt, ...]
    at_most_s: float
    silence_s: float
    queue: str = ""
    priority: int = 0
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RecordCall:
    """Record the call from here on, by `consent`: yes, or notice. `no`: it is noted that the caller declined. Empty: no
    longer. Result: `Done`, also where it cannot be recorded."""

    consent: str


@dataclass(frozen=True, slots=True)
class KeepAnswer:
    """Keep the answer to a question of a survey with the interaction. Result: `Done`."""

    survey: str
    question: str
    value: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Have `to`, by `kind` a number, an extension or an agent's id, talk to the caller, outside the queues. It rings
    for `ring_s`. Numbers are called by `trunk` (empty: the site's first) and see `caller_id` (empty: the trunk's).
    Result: `TransferEnded`, after the talk or when there was none. `to` and `caller_id` may be anybody's words."""

    kind: str
    to: str
    ring_s: float
    trunk: str = ""
    caller_id: str = ""


@dataclass(frozen=True, slots=True)
class CallWebhook:
    """Ask another program, while the caller hears `music` (empty: nothing). Result: `WebhookEnded`.

    `key` is the same whenever this step of this call is repeated, and of no other. `path` is quoted already; `send`
    is what the body says (None: there is none), and may hold secrets. `keep`: name → where in the answer its value is,
    and of which kind.
    """

    endpoint: Endpoint
    key: str
    method: str
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()
    send: Mapping[str, str | int | float | bool] | None = field(default=None, repr=False)
    keep: Mapping[str, Kept] = field(default_factory=dict)
    music: str = ""
    is_idempotent: bool = False


@dataclass(frozen=True, slots=True)
class SendText:
    """Send a text message to `to`, which may be anybody's words. Result: `TextSent`. `key` as with a webhook."""

    key: str
    to: str
    prompt: Prompt


@dataclass(frozen=True, slots=True)
class End:
    """The flow is over: hang up with `cause` (or refuse, when the call was never answered). Last instruction."""

    ending: Ending
    cause: Cause = Cause.NORMAL
    detail: str = ""


Instruction = (
    Answer
    | Play
    | PlayMusic
    | ReadDigits
    | LookUpCustomer
    | Enqueue
    | Promise
    | RecordMessage
    | RecordCall
    | KeepAnswer
    | Transfer
    | CallWebhook
    | SendText
    | End
)


@dataclass(frozen=True, slots=True)
class Done:
    """The instruction was carried out."""


@dataclass(frozen=True, slots=True)
class Digits:
    """What was pressed. `timed_out`: fewer than `most` digits and no terminator."""

    pressed: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class CustomerFound:
    """`matches` records were found; `values` are those of the one, empty unless there is exactly one.

    `refused`: nobody is found, because the PIN was `wrong`, or there were too many wrong ones before: `blocked`.
    """

    matches: int
    values: Mapping[str, str] = field(default_factory=dict)
    refused: str = ""


@dataclass(frozen=True, slots=True)
class QueueEnded:
    """`outcome`: one of the ways out of a `queue` step."""

    outcome: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Promised:
    """`refused`: why nobody will be called, in one word; empty when the promise holds."""

    refused: str = ""


@dataclass(frozen=True, slots=True)
class MessageRecorded:
    """`file`: the name of the recording; empty when nothing was said."""

    file: str


@dataclass(frozen=True, slots=True)
class TransferEnded:
    """`outcome`: `answered` once the far end has hung up; busy, no_answer, failed; `refused`: may not be called."""

    outcome: str


@dataclass(frozen=True, slots=True)
class WebhookEnded:
    """`outcome`: ok, not_found or failed. `values`: what is kept of the answer, by name."""

    outcome: str
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextSent:
    """`refused`: why no message was sent, in one word; empty when it was."""

    refused: str = ""


Result = (
    Done | Digits | CustomerFound | QueueEnded | Promised | MessageRecorded | TransferEnded | WebhookEnded | TextSent
)
