"""Flow tests as real calls come out as without a telephone; one whose prompts differ is seen.

All of them are played once, several at the same time; each test then looks at one verdict.
"""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from ivr.flow_tests import ReadTest, read_tests
from ivr.loader import load_site
from ivr.site import Site
from lab.hearing import rendered
from lab.live_flow_tests import Job, play
from lab.live_stage import LiveStage, Verdict
from tests.asterisk.live_site import TESTS, write

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


def _changed(flow: str, was: str, becomes: str) -> Callable[[LiveStage], LiveStage]:
    """The stage, held against a site whose flow says something else than that of the server."""

    def change(stage: LiveStage) -> LiveStage:
        other = Path(tempfile.mkdtemp(dir=stage.site.folder.parent)) / "site"
        shutil.copytree(stage.site.folder, other)
        file = other / "flows" / f"{flow}.yaml"
        text = file.read_text(encoding="utf-8")
        assert was in text
        file.write_text(text.replace(was, becomes), encoding="utf-8")
        return stage.on(load_site(other))

    return change


def _tests(site: Site) -> Mapping[str, ReadTest]:
    tests, problems = read_tests(site, "tests/live.yaml", TESTS.encode())
    assert problems == []
    return {test.name: test for test in tests}


def _planted(tests: Mapping[str, ReadTest]) -> list[Job]:
    """Tests that pass without a telephone, on a site that is not the server's."""
    by_day, busy, closed = tests["by day"], tests["the yard is busy"], tests["by night"]
    closes, engages = '"refuse":"closed"', '"refuse":"busy"'
    return [
        Job(replace(by_day, name="other words", turns=by_day.turns[1:]), _changed("night", "Day.", "Something else.")),
        Job(replace(busy, name="another target"), _changed("away", "+4930901820", "+4930901899")),
        Job(replace(closed, name="refused otherwise", turns=()), _changed("night", closes, engages)),
        Job(replace(tests["served"], name="another priority", turns=tests["served"].turns[:2]),
            _changed("desk", '"priority":3', '"priority":4')),
        Job(replace(tests["not taken"], name="other values sent"), _changed("outside", '"count":3', '"more":4')),
    ]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def verdicts(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Verdict]:
    folder = tmp_path_factory.mktemp("live")
    site = await asyncio.to_thread(write, folder, await rendered("This was recorded.", "en"))
    tests = _tests(load_site(site))
    jobs = [*map(Job, tests.values()), *_planted(tests)]
    return {verdict.name: verdict for verdict in await play(site, jobs, lambda verdict: None)}


def _failure(verdict: Verdict) -> str:
    assert verdict.failure is not None, verdict
    return verdict.failure.message


FAIL = (
    "wrong itself",
    "never full",
    "closed, and then served",
    "promised under a number that was typed",
    "what cannot have been",
)


@pytest.mark.parametrize("name", [name for name in re.findall(r"(?m)^([^ {}\n].*):$", TESTS) if name not in FAIL])
async def test_a_real_call_goes_as_its_walk(verdicts: Mapping[str, Verdict], name: str) -> None:
    assert verdicts[name] == Verdict(name)


async def test_queues_that_refuse_callers_and_then_take_them_are_not_played(verdicts: Mapping[str, Verdict]) -> None:
    assert verdicts["closed, and then served"].not_played == "queue support ends once closed and once as ever"


async def test_who_withholds_the_number_and_presses_the_key_is_not_played(verdicts: Mapping[str, Verdict]) -> None:
    not_played = verdicts["promised under a number that was typed"].not_played

    assert not_played == "a callback by key, asked for from a number that cannot be called"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong itself", "expected to hear"),
        ("never full", "queue support never ends full: no rule of its overflow says longer_than"),
        ("what cannot have been", "minutes_since_last"),
        ("other words", "to hear 'Something else.'"),
        ("another target", "expected a call to number +4930901899; came: one to +4930901820"),
        ("refused otherwise", "SIP status 480"),
        ("other values sent", "expected another count to be sent; expected another more to be sent"),
        ("another priority", "expected queue support with priority 4; came: queue support with priority 3"),
    ],
)
async def test_what_is_otherwise_is_told(verdicts: Mapping[str, Verdict], name: str, message: str) -> None:
    assert message in _failure(verdicts[name])
