from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cti.doctor import (
    CONTEXTS,
    AsteriskConfig,
    Level,
    examine,
    examine_database,
    examine_link,
    examine_manager_conf,
)
from cti.findings import Finding
from cti.settings import AmiNode, Settings
from tests.fakes.ami import FakeAction, FakeAmi
from tests.fakes.clock import FakeClock

GOOD = """
[general]
enabled = yes
bindaddr = 127.0.0.1
port = 5038
timestampevents = yes

[callyard]
secret = a\\;long;secret
permit = 127.0.0.1/255.255.255.255
writetimeout = 5000
read = system,call,dtmf,user
write = system,call,originate,reporting,user
"""
NODE = AmiNode(name="one", secret="a;long")


def said(findings: list[Finding], level: Level | None = None) -> list[str]:
    return [finding.what for finding in findings if level in (None, finding.level)]


def conf(folder: Path, *changes: tuple[str, str]) -> Path:
    text = GOOD.replace(";secret", " ; the secret")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = folder / "manager.conf"
    file.write_text(text)
    return file


def test_a_right_manager_conf_is_good(tmp_path: Path) -> None:
    file = conf(tmp_path)
    assert examine_manager_conf(file, NODE) == [Finding(Level.OK, f"{file}: user callyard is as it should be")]


@pytest.mark.parametrize(
    ("change", "level", "expected"),
    [
        (("enabled = yes", "enabled = no"), Level.ERROR, "[general] enabled: expected yes"),
        (("port = 5038", "port = 5039"), Level.ERROR, "[general] port 5039, but node one is set to 5038"),
        (("bindaddr = 127.0.0.1", "bindaddr = 0.0.0.0"), Level.WARNING, "[general] bindaddr: AMI listens on every"),
        (("timestampevents = yes", ""), Level.WARNING, "[general] timestampevents: expected yes"),
        (("enabled = yes", "enabled = yes\nchannelvars = A"), Level.WARNING, "[general] channelvars: put variables"),
        (("a\\;long", "other"), Level.ERROR, "[callyard] secret: not the one that node one is set to"),
        (("dtmf,user", "user"), Level.ERROR, "[callyard] read: lacks dtmf"),
        (("originate,reporting,", ""), Level.ERROR, "[callyard] write: lacks originate, reporting"),
        (("permit = 127.0.0.1/255.255.255.255", ""), Level.WARNING, "[callyard] anyone who reaches the port"),
        (("writetimeout = 5000", ""), Level.WARNING, "[callyard] writetimeout 100 ms"),
        (("system,call,dtmf", "system,call,dialplan,dtmf"), Level.WARNING, "[callyard] reads VarSet"),
        (("[general]", "[general"), Level.ERROR, ":2: Missing '[' or ']'"),
        (("enabled = yes", "enabled"), Level.ERROR, ":3: Item must be in name = value pairs"),
    ],
)
def test_what_is_wrong_in_manager_conf_is_said(
    tmp_path: Path, change: tuple[str, str], level: Level, expected: str
) -> None:
    findings = examine_manager_conf(conf(tmp_path, change), NODE)
    assert any(expected in what for what in said(findings, level)), findings
    assert all(finding.advice for finding in findings)
    assert not any("a;long" in what for what in said(findings))


def test_filtered_floods_are_no_fault(tmp_path: Path) -> None:
    filters = "".join(f"\neventfilter(action(exclude),name({name})) =" for name in ("VarSet", "Newexten"))
    file = conf(tmp_path, ("read = system,call,dtmf,user", f"read = all{filters}"))
    assert said(examine_manager_conf(file, NODE), Level.WARNING) == []


def test_a_file_of_others_says_nothing(tmp_path: Path) -> None:
    assert examine_manager_conf(conf(tmp_path, ("[callyard]", "[somebody]")), NODE) == []


def test_templates_includes_and_block_comments_are_read(tmp_path: Path) -> None:
    file = tmp_path / "x.conf"
    file.write_text(
        "#include other.conf\n;-- a\nblock = no\n--;\n[base](!)\nkey => one ; why\n[real](base)\nkey += t\\;wo\n"
        "[real](+)\nKey =  three  \n#exec x\n"
    )
    assert AsteriskConfig(str(file)).sections() == {
        "base": {"key": ["one"]},
        "real": {"key": ["t;wo", "three"]},
    }


def ami_answers(ami: FakeAmi, *, version: str = "22.10.1", lacking: str = "") -> AmiNode:
    def dialplan(action: FakeAction) -> list[list[tuple[str, str]]]:
        if action["Context"] == lacking:
            return [list(action.reply("Error", ("Message", "Did not find context")))]
        entries = [[("Context", action["Context"])]]
        return [list(block) for block in action.list_of("ListDialplan", entries, "ShowDialPlanComplete")]

    ami.answers["showdialplan"] = dialplan
    ami.answers["coresettings"] = lambda action: [action.reply("Success", ("AsteriskVersion", version))]
    return AmiNode(name="one", port=ami.port, username=ami.username, secret=ami.secret)


def clock_of_the_fake() -> FakeClock:
    return FakeClock(1_700_000_000_000_001)


async def test_a_right_asterisk_is_good() -> None:
    async with FakeAmi() as ami:
        findings = await examine_link(ami_answers(ami), clock=clock_of_the_fake())
    assert said(findings, Level.OK) == [
        "AMI: logged in to one",
        "Asterisk 22.10.1 on one",
        "clock of one agrees with ours",
        f"dialplan of one has all {len(CONTEXTS)} contexts",
    ]


async def test_an_old_asterisk_a_wrong_clock_and_a_missing_context_are_said() -> None:
    clock = clock_of_the_fake()
    clock.advance(seconds=-7)
    async with FakeAmi() as ami:
        findings = await examine_link(ami_answers(ami, version="18.2", lacking="callyard-gap"), clock=clock)
    assert said(findings, Level.ERROR) == ["Asterisk 18.2 on one", "dialplan of one lacks callyard-gap"]
    assert said(findings, Level.WARNING) == ["clock of one is 7.0 s away from ours"]


async def test_a_refused_login_a_closed_port_and_a_silent_peer_are_said() -> None:
    async with FakeAmi() as ami:
        wrong = ami_answers(ami).model_copy(update={"username": "nobody"})
        (refused,) = await examine_link(wrong)
        ami.is_silent = True
        (silent,) = await examine_link(ami_answers(ami), limit_s=0.4)
        port = ami.port
    (closed,) = await examine_link(AmiNode(name="one", port=port, secret="x"))
    assert {finding.level for finding in (refused, silent, closed)} == {Level.ERROR}
    assert "nobody" in refused.what
    assert "no login" in silent.what
    assert "cannot connect" in closed.what


@pytest.mark.parametrize(
    ("answer", "level", "what"),
    [
        (("a1", "a1"), Level.OK, "database: reachable, at revision a1"),
        (("a0", "a1"), Level.WARNING, "database: at revision a0, expected a1"),
        ((None, "a1"), Level.WARNING, "database: empty"),
    ],
)
async def test_the_database_is_asked(answer: tuple[str | None, str], level: Level, what: str) -> None:
    async def revisions() -> tuple[str | None, str | None]:
        return answer

    (finding,) = await examine_database(revisions)
    assert (finding.level, finding.what) == (level, what)


async def test_a_database_that_cannot_be_reached_is_said() -> None:
    async def revisions() -> tuple[str | None, str | None]:
        raise ConnectionRefusedError("connection refused\nand more")

    (finding,) = await examine_database(revisions)
    assert (finding.level, finding.what) == (Level.ERROR, "database: ConnectionRefusedError: connection refused")


async def test_the_whole_examination_says_everything_and_changes_nothing(tmp_path: Path) -> None:
    async def revisions() -> tuple[str | None, str | None]:
        return "a1", "a1"

    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with FakeAmi() as ami:
            settings = Settings(
                data_dir=tmp_path / "data",
                site_dir=tmp_path / "no-site",
                web_port=listening.getsockname()[1],
                agi_port=0,
                ami=[ami_answers(ami).model_dump()],
            )
            findings = list(await examine(settings, revisions))
    assert any(what.startswith("site ") for what in said(findings, Level.ERROR))
    assert any(what.endswith(": answers") for what in said(findings, Level.OK))
    assert "AMI: logged in to one" in said(findings, Level.OK)
    assert any("no manager.conf with user callyard" in what for what in said(findings, Level.WARNING))
    assert os.listdir(tmp_path) == []
    assert all(finding.advice for finding in findings if finding.level is not Level.OK)


async def test_an_installation_without_asterisk_is_said(tmp_path: Path) -> None:
    async def revisions() -> tuple[str | None, str | None]:
        return "a1", "a1"

    findings = await examine(Settings(data_dir=tmp_path, site_dir=Path("site"), web_port=0, agi_port=0), revisions)
    assert "no Asterisk is configured" in said(list(findings), Level.ERROR)
