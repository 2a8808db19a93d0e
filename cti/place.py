"""The site as the emergency switch asks it: which queues, numbers and languages there are, and its voice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from cti.sounds import SoundCache, SoundError
from ivr.settings import canonical
from ivr.site import Site


class SitePlace:
    """What `screenpop.emergencies.Place` asks for."""

    def __init__(self, site: Callable[[], Site], sounds: SoundCache) -> None:
        self._site = site
        self._sounds = sounds

    def queues(self) -> Collection[str]:
        return self._site().queues.keys()

    def number(self, text: str) -> str | None:
        """A pattern of numbers.yaml as it stands there, or a number that a rule is for."""
        wanted = canonical(text)
        site = self._site()
        is_rule = any(canonical(rule.number) == wanted for rule in site.numbers)
        return wanted if wanted and (is_rule or site.route(text) is not None) else None

    def languages(self) -> Sequence[str]:
        settings = self._site().settings
        default = settings.default_language
        return (default, *(language for language in settings.languages if language != default))

    async def speak(self, text: str, language: str) -> str:
        try:
            await self._sounds.path(text, language)
        except SoundError as error:
            return str(error)
        return ""
