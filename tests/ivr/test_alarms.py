"""`alarms.yaml` as it is read; what is wrong with one stands in the folder `broken`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from ivr.alarms import KEYS, MOST_ADDRESSES, MOST_RULES, AlarmRule, Alarms, Hook, Mail, When
from ivr.loader import load_site
from tests.ivr.sites import write_site

DOCS = (Path(__file__).parents[2] / "docs" / "running.md").read_text(encoding="utf-8")
SECTION = DOCS[DOCS.index("## Alarms to people") : DOCS.index("## In a source tree")]
EXAMPLE = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)[0]


def test_the_documented_example_is_right(tmp_path: Path) -> None:
    alarms = load_site(write_site(tmp_path, {"alarms.yaml": EXAMPLE})).alarms
    assert {rule.when for rule in alarms.rules.values()} == set(get_args(When)), "each kind stands in it"
    assert alarms.mail is not None
    assert (alarms.mail.port, alarms.mail.security) == (587, "starttls")
    assert (alarms.rules["link"].for_s, alarms.rules["link"].repeat_s, alarms.rules["crowd"].for_s) == (30, 600, 60)
    assert alarms.repeat_s == 3600


def test_without_the_file_nobody_is_told(tmp_path: Path) -> None:
    assert load_site(write_site(tmp_path, {})).alarms == Alarms()


def test_everything_that_may_stand_in_it_is_documented() -> None:
    assert set(KEYS) == set(get_args(When))
    for when, (takes, _) in KEYS.items():
        [row] = re.findall(rf"^\| `{when}` \| ([^|]*)\|", SECTION, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row)) == takes
    for before, model in (("mail.", Mail), ("hook.", Hook)):
        for name, rules in model.model_fields.items():
            assert f"`{before}{rules.alias or name}`" in SECTION
    for name, rules in AlarmRule.model_fields.items():
        assert f"`{rules.alias or name}`" in SECTION


def test_there_is_a_bound_to_rules_and_addresses() -> None:
    rule = {"when": "link_down"}
    with pytest.raises(ValidationError, match=f"at most {MOST_RULES}"):
        Alarms.model_validate({"hook": {"webhook": "a"}, "rules": {f"r{n}": rule for n in range(MOST_RULES + 1)}})
    with pytest.raises(ValidationError, match=f"1 to {MOST_ADDRESSES}"):
        Mail.model_validate({"host": "a", "from": "a@b.c", "to": ("a@b.c",) * (MOST_ADDRESSES + 1)})


def test_the_port_is_that_of_the_server() -> None:
    mail = Mail.model_validate({"host": "::1", "port": 465, "security": "tls", "from": "a@b.c", "to": ("a@b.c",)})
    assert (mail.host, mail.port) == ("::1", 465)


@pytest.mark.parametrize("address", ["a@b.c\nBcc: x@y.z", "a b@c.d", "a@", "@b", "a@b@c", "a@b..", "<a@b.c>", "a@b.c "])
def test_an_address_holds_nothing_but_an_address(address: str) -> None:
    with pytest.raises(ValidationError, match="not a mail address"):
        Mail.model_validate({"host": "a", "from": address, "to": ("a@b.c",)})
