"""A small site in a folder: one number, one flow that a test writes, the queues of the tests' engine."""

from __future__ import annotations

from pathlib import Path

from ivr.loader import load_site
from ivr.site import Site
from ivr.steps import Prompt

NUMBER = "+4989100"

_FILES = {
    "site.yaml": "name: Test\ncountry: DE\ntime_zone: Europe/Berlin\nlanguages: [en, de]\ndefault_language: en\n"
    "fail_safe: { message: Nobody is there., take: number }\n",
    "numbers.yaml": f'"{NUMBER}":\n  flow: main\n  labels: {{ line: Main }}\n',
    "queues.yaml": "billing: { title: Billing }\ntech: { title: Tech }\n",
    "reasons.yaml": "not_ready: { break: Break }\ndispositions: { solved: Solved }\n",
}


def write_site(folder: Path, nodes: str, **files: str) -> Path:
    """Write a site whose flow `main` starts at node `door`; `files` replace others (`queues="…"`, `flow_bye="…"`)."""
    texts = dict(_FILES)
    texts["flows/main.yaml"] = f"title: Main\nstart: door\nnodes:\n{nodes}"
    for name, text in files.items():
        kind, _, rest = name.partition("_")
        texts[f"flows/{rest}.yaml" if kind == "flow" else f"{name}.yaml"] = text
    for name, text in texts.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return folder


def small_site(folder: Path, nodes: str, **files: str) -> Site:
    """The site, loaded."""
    return load_site(write_site(folder, nodes, **files))


class FakeSounds:
    """Prompts as paths that say what is said: `/en/Press-one`.

    `missing`: texts that cannot be rendered, and sounds that are not there.
    """

    def __init__(self) -> None:
        self.missing: set[str] = set()

    def of(self, site: object) -> FakeSounds:
        return self

    async def path(self, text: str, language: str) -> Path:
        from cti.sounds import SoundError

        if text in self.missing:
            raise SoundError(f"cannot say {text!r}")
        return Path("/", language, text.replace(" ", "-"))

    def recorded(self, sound: str) -> Path:
        from cti.sounds import SoundError

        if sound in self.missing:
            raise SoundError(f"no file {sound!r}")
        return Path("/recorded", sound)


def spoken(prompt: Prompt) -> str:
    return prompt.text.replace(" ", "-")
