"""Prompts by id: texts that stand once in `prompts.yaml` and are said wherever `{ prompt: welcome }` stands."""

from __future__ import annotations

from collections.abc import Mapping

from ivr.errors import did_you_mean, one_of, quote


class PromptTexts(dict[str, str]):
    """The texts of a prompt by language, and its recordings: language → sound that is heard in place of the text."""

    def __init__(self, prompt_id: str, texts: Mapping[str, str], recorded: Mapping[str, str]) -> None:
        super().__init__(texts)
        self.id = prompt_id
        self.recorded = recorded


class PromptBook:
    """The prompts that the files of a site may name. `used`: those that they did name."""

    def __init__(self, prompts: Mapping[str, PromptTexts], known: frozenset[str] | None) -> None:
        """`known`: all ids that stand in the file, also those that are wrong there; None: it could not be read."""
        self._prompts = prompts
        self._known = known
        self.used: set[str] = set()

    def find(self, prompt_id: str) -> PromptTexts | None:
        """The prompt; None for an unknown id. One whose texts could not be read has none, and is no mistake here."""
        self.used.add(prompt_id)
        if prompt_id in self._prompts:
            return self._prompts[prompt_id]
        return PromptTexts(prompt_id, {}, {}) if self._known is None or prompt_id in self._known else None

    def missing(self, prompt_id: str) -> str:
        """What is wrong with an id that is unknown."""
        known = sorted(self._known or ())
        if not known:
            return f"unknown prompt {quote(prompt_id)}: expected it in prompts.yaml"
        return f"unknown prompt {quote(prompt_id)}: {one_of(known)}{did_you_mean(prompt_id, known)}"
