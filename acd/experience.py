"""What a queue has seen of handling and patience: sums that the estimators are fed from, in O(1) per visit and talk.

Every hour of the clock what was seen before counts half, so that the last hours decide; the configured means count as
a few that were seen.
"""

from __future__ import annotations

from dataclasses import dataclass

from acd.model import QueueRules

HALVING_US = 3_600_000_000

#: One that was seen counts this much, so that halves of it are whole numbers for some time.
ONE = 1_024

#: The configured mean counts as so many talks seen, or so many callers who gave up.
_PRIOR_TALKS = 10
_PRIOR_LEAVERS = 5

#: Where the configuration says that nobody gives up, so many must be seen to do before it is believed.
_FEWEST_LEAVERS = 10


@dataclass(slots=True)
class Seen:
    """Of one queue: `handled_us` in `talks` (offer, talk and wrap-up; `talks` and `leavers` in 1,024ths), `waited_us`
    of all visits, however they ended, of which `leavers` gave up; as of hour `hour`."""

    queue: str
    hour: int
    talks: int = 0
    handled_us: int = 0
    leavers: int = 0
    waited_us: int = 0

    def age(self, now: int) -> None:
        """Halve what is older, once for every hour that began."""
        hour = now // HALVING_US
        if hour > self.hour:
            hours = min(hour - self.hour, 63)
            self.hour = hour
            self.talks >>= hours
            self.handled_us >>= hours
            self.leavers >>= hours
            self.waited_us >>= hours

    def handling_us(self, rules: QueueRules) -> float:
        """The mean time that one caller takes of an agent."""
        prior = _PRIOR_TALKS * ONE
        return (prior * rules.expected_handling_us + ONE * self.handled_us) / (prior + self.talks)

    def leave_rate(self, rules: QueueRules) -> float:
        """How many of those who wait give up, per µs of waiting: the censored-exponential maximum-likelihood estimate,
        those who gave up by the time that all waited."""
        prior = _PRIOR_LEAVERS * ONE
        if rules.expected_patience_us:
            return (prior + self.leavers) / (prior * rules.expected_patience_us + ONE * self.waited_us)
        if self.leavers < _FEWEST_LEAVERS * ONE or not self.waited_us:
            return 0.0
        return self.leavers / (ONE * self.waited_us)
