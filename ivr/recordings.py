"""Prompts and their recordings: `sounds/prompts/en/welcome.wav` is heard in place of the English text of `welcome`.

Only a text without values in it can be recorded: a value is another at each call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ivr.errors import Problem, did_you_mean, one_of, quote
from ivr.positions import Document
from ivr.prompt_texts import PromptTexts
from ivr.prompts import names_in
from ivr.values import Name, Part, Text, TextsByLanguage

if TYPE_CHECKING:
    from ivr.site import Site

#: Below the folder `sounds` of a site.
FOLDER = "prompts"
#: Endings of sound files that Asterisk plays.
SOUND_ENDINGS = ("wav", "wav16", "sln", "sln16", "g722", "ulaw", "alaw", "gsm")


class PromptRule(Part):
    """`prompts.yaml`: a text per language, said wherever its id stands, and a note for who records it."""

    id: Name
    texts: TextsByLanguage
    note: Text | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One prompt in one language. `recorded`: the file below `sounds`, empty where there is none."""

    id: str
    language: str
    text: str
    note: str
    recorded: str
    has_values: bool

    @property
    def state(self) -> str:
        """Whether it is recorded, rendered because nobody recorded it, or rendered because of its values."""
        if self.has_values:
            return "rendered (has values)"
        return "recorded" if self.recorded else "rendered"

    @property
    def is_missing(self) -> bool:
        """Whether it could be recorded and is not."""
        return not self.recorded and not self.has_values


def with_recordings(folder: Path, rule: PromptRule) -> PromptTexts:
    """The texts of a prompt with the recordings that stand in for them."""
    can_be = (language for language, text in rule.texts.items() if not any(names_in(text)))
    recorded = {language: f"{FOLDER}/{language}/{rule.id}" for language in can_be if _file(folder, language, rule.id)}
    return PromptTexts(rule.id, rule.texts, recorded)


def files(folder: Path) -> list[Path]:
    """The recordings of a site, whether they belong to a prompt or not."""
    below = folder / "sounds" / FOLDER
    return sorted(file for file in below.glob("*/*") if file.suffix.removeprefix(".") in SOUND_ENDINGS)


def hints(folder: Path, document: Document, rules: Mapping[str, PromptRule], used: set[str]) -> Iterator[Problem]:
    """Prompts that nothing says, and recordings that nobody will hear."""
    for prompt_id in rules:
        if prompt_id not in used:
            yield document.problem((prompt_id,), f"nothing says the prompt {quote(prompt_id)}", at_key=True)
    for file in files(folder):
        name, prompt_id, language = file.relative_to(folder).as_posix(), file.stem, file.parent.name
        if prompt_id not in rules:
            known = sorted(rules)
            message = f"no prompt {quote(prompt_id)}: {one_of(known)}{did_you_mean(prompt_id, known)}"
            yield Problem(name, 1, 1, f"nobody hears this recording: {message}")
        elif language not in rules[prompt_id].texts:
            message = f"prompt {quote(prompt_id)} has no text in {language}: expected it in prompts.yaml"
            yield Problem(name, 1, 1, f"nobody hears this recording: {message}")
        elif any(names_in(rules[prompt_id].texts[language])):
            message = "its text has values in it, which no recording can say: callers hear the rendered text"
            yield Problem(name, 1, 1, f"nobody hears this recording: {message}")


def listed(site: Site) -> list[Listed]:
    """Every prompt of a site in each of its languages, in the order of the file."""
    return [
        Listed(
            rule.id, language, text, rule.note or "", _recording(site.folder, rule, language), any(names_in(text))
        )
        for rule in site.prompts.values()
        for language, text in rule.texts.items()
    ]  # fmt: skip


def _recording(folder: Path, rule: PromptRule, language: str) -> str:
    file = _file(folder, language, rule.id)
    return file.relative_to(folder / "sounds").as_posix() if file and not any(names_in(rule.texts[language])) else ""


def _file(folder: Path, language: str, prompt_id: str) -> Path | None:
    bare = folder / "sounds" / FOLDER / language / prompt_id
    named = (bare.with_name(f"{prompt_id}.{ending}") for ending in SOUND_ENDINGS)
    return next((file for file in named if file.is_file()), None)
