"""A checked site: everything that its files say, ready to be asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ivr.alarms import Alarms
from ivr.callback_dialogue import static
from ivr.callers import Callers
from ivr.endpoints import Endpoint
from ivr.errors import Problem
from ivr.hours import Calendar
from ivr.layout import Layout
from ivr.lint import spoken
from ivr.prompts import static_prompts
from ivr.reasons import Reasons
from ivr.recordings import PromptRule
from ivr.schema import Flow
from ivr.settings import NumberRule, Queue, Settings, Skill, Trunk
from ivr.steps import Prompt
from ivr.waiting import figures


@dataclass(frozen=True)
class Site:
    """What `load_site` found. `version`: a hash of the files' content. `numbers`: the more exact rule first."""

    folder: Path
    version: str
    settings: Settings
    numbers: tuple[NumberRule, ...]
    flows: Mapping[str, Flow]
    queues: Mapping[str, Queue]
    hours: Mapping[str, Calendar]
    trunks: Mapping[str, Trunk]
    webhooks: Mapping[str, Endpoint]
    skills: Mapping[str, Skill]
    reasons: Reasons
    callers: Callers
    #: Flow → its steps by address.
    layouts: Mapping[str, Layout] = field(repr=False)
    #: Texts without a form in a language that their callers may hear. Not wrong: they hear the default language.
    untranslated: tuple[Problem, ...] = ()
    alarms: Alarms = field(default_factory=Alarms)
    prompts: Mapping[str, PromptRule] = field(default_factory=dict)
    #: Prompts that nothing says, and recordings that nobody hears.
    unheard: tuple[Problem, ...] = ()

    @property
    def hints(self) -> tuple[Problem, ...]:
        """What is not wrong, and probably not meant."""
        return (*self.untranslated, *self.unheard)

    def route(self, dialled: str) -> NumberRule | None:
        """The rule for a dialled number: an exact number first, then the longest pattern; None: refuse the call."""
        return next((rule for rule in self.numbers if rule.fits(dialled)), None)

    @cached_property
    def topics(self) -> frozenset[str]:
        """The names that flows give values to (by `set`, say) and that agents are told."""
        placed = (each for layout in self.layouts.values() for each in layout.steps.values())
        return frozenset(name for each in placed for name in each.step.told())


def texts(site: Site) -> list[Prompt]:
    """All texts without values in them, each once, so that they can be rendered in advance."""
    default = site.settings.default_language
    return list(dict.fromkeys(_texts(site, default)))


def _texts(site: Site, default: str) -> Iterator[Prompt]:
    for layout in site.layouts.values():
        for placed in layout.steps.values():
            for _, said in spoken(placed):
                yield from static_prompts(said, default)
    for queue in site.queues.values():
        for announcement in queue.announcement:
            yield from static_prompts(announcement, default)
        if queue.callback is not None:
            yield from static_prompts(queue.callback.greeting, default)
        for language in site.settings.languages:
            yield from figures(queue.tell, language, default)
            if queue.callback is not None:
                yield from static(queue.callback, language, default)
    yield from static_prompts(site.settings.fail_safe.message, default)
