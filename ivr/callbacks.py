"""`callback` of a queue: how its customers are called back."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from ivr.callback_dialogue import Dialogue
from ivr.values import Name, Seconds, Texts, wrong

#: So long a greeting may take with the key after it; it must fit in `reserve` behind the ringing.
GREETING_S = 20.0
MOST_ATTEMPTS = 20


def _attempts(count: int) -> int:
    if not 1 <= count <= MOST_ATTEMPTS:
        raise wrong(f"{count} attempts: expected 1 to {MOST_ATTEMPTS}")
    return count


def _some_time(seconds: float) -> float:
    if seconds <= 0:
        raise wrong("expected some time, such as 30s")
    return seconds


Length = Annotated[Seconds, AfterValidator(_some_time)]


class Callback(Dialogue):
    """At most `attempts` calls, `every` so long after the one before, while the promise `lasts`.

    `reserve`: how long an agent is held while the customer is called, at most. `ring`: how long the customer's phone
    rings. `confirm`: only who presses 1 after the `greeting` is connected, so that no machine is. `trunk`: the line by
    which they are called; none: the site's first.
    """

    attempts: Annotated[int, AfterValidator(_attempts)] = 3
    every_s: Length = Field(300.0, alias="every")
    reserve_s: Length = Field(60.0, alias="reserve")
    lasts_s: Length = Field(86_400.0, alias="lasts")
    ring_s: Length = Field(30.0, alias="ring")
    confirm: bool = True
    greeting: Texts
    trunk: Name | None = None

    @model_validator(mode="after")
    def _reserve_is_long_enough(self) -> Callback:
        if self.ring_s + GREETING_S > self.reserve_s:
            raise wrong(
                f"reserve {self.reserve_s:g}s is too short: expected at least {self.ring_s + GREETING_S:g}s, for "
                f"{self.ring_s:g}s of ringing and {GREETING_S:g}s of greeting"
            )
        return self
