"""What a flow test says of other programs becomes answers, and what they are asked is held against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.endpoints import Endpoint
from ivr.kept_values import Kept
from ivr.loader import load_site
from ivr.steps import CallWebhook, WebhookEnded
from ivr.walk import Answered, Came, Spot
from lab.live_programs import Programs, UnanswerableError, lead_here
from lab.program import Program, answering
from tests.ivr.sites import write_site

SPOT = Spot("main", "door:0", "webhook", "en")


def begin(folder: Path, keep: dict[str, str], values: dict[str, str]) -> Programs:
    programs = Programs(Program(answering(200)), load_site(write_site(folder, {})))
    wanted = CallWebhook(
        Endpoint(name="crm", url="http://127.0.0.1"), "k", "GET", keep={name: Kept(at=at) for name, at in keep.items()}
    )
    programs.begin([Came(SPOT, wanted), Answered(WebhookEnded("ok", values))])
    return programs


@pytest.mark.parametrize(
    ("keep", "content"),
    [
        ({"a": "x", "b": "y.z"}, b'{"x": "a", "y": {"z": "b"}}'),
        ({"a": "x.0.n", "b": "x.2.n"}, b'{"x": [{"n": "a"}, null, {"n": "b"}]}'),
        ({"a": "1"}, b'[null, "a"]'),
    ],
)
def test_each_value_stands_at_its_place(tmp_path: Path, keep: dict[str, str], content: bytes) -> None:
    ((_, answer),) = begin(tmp_path, keep, {name: name for name in keep})._answers
    assert answer is not None
    assert answer.endswith(content)


@pytest.mark.parametrize("keep", [{"a": "x", "b": "x.y"}, {"a": "x.y", "b": "x"}, {"a": "99999"}])
def test_values_that_no_answer_can_have_are_said_to_be_so(tmp_path: Path, keep: dict[str, str]) -> None:
    with pytest.raises(UnanswerableError):
        begin(tmp_path, keep, {name: name for name in keep})


def test_all_endpoints_of_a_site_lead_to_the_program_and_no_secret_is_asked_for(tmp_path: Path) -> None:
    rules = "url: https://crm.example.com, secret_headers: { Authorization: { env: NO_SUCH } }, body: form"
    site = load_site(write_site(tmp_path, {"webhooks.yaml": f"crm: {{ {rules} }}\n"}))
    lead_here(site, tmp_path, "http://127.0.0.1:9")
    crm = load_site(tmp_path).webhooks["crm"]
    assert (crm.url, crm.secret_headers, crm.body) == ("http://127.0.0.1:9/crm", {}, "form")
