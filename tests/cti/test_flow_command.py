"""`callyard flow`: what admins and their scripts see of checks, tests and schemas."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cti.cli import app

EXAMPLE = Path(__file__).parents[2] / "site"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example site."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "site"))


def flow(*words: str, stdin: str = "") -> Result:
    result = CliRunner().invoke(app, ["flow", *words], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_right_site_is_said_to_be_so(folder: Path) -> None:
    result = flow("check", "--site", str(folder))

    assert result.exit_code == 0
    assert "3 flows, 34 tests: no errors (version " in result.output


def test_the_site_of_the_settings_is_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_SITE_DIR", str(folder))

    assert f"{folder}: 3 flows" in flow("check").output
    assert flow("test").exit_code == 0


def test_settings_that_cannot_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_CONFIG", str(tmp_path / "none.yaml"))

    result = flow("check")

    assert result.exit_code == 1
    assert "none.yaml" in result.stderr


def test_all_errors_come_at_once_also_as_json(folder: Path) -> None:
    change(folder / "flows" / "main.yaml", "goto: main-menu", "goto: main-menue")
    change(folder / "queues.yaml", "ring: 12s", "rnig: 12s")

    told = flow("check", "--site", str(folder))
    plain = flow("check", "--json", "--site", str(folder))

    assert (told.exit_code, plain.exit_code) == (1, 1)
    listed = json.loads(plain.stdout)
    assert told.stderr.splitlines() == ["{file}:{line}:{column}: {message}".format(**each) for each in listed]
    assert {each["file"] for each in listed} == {"flows/main.yaml", "queues.yaml"}
    assert {each["kind"] for each in listed} == {"error"}
    assert any('did you mean "main-menu"?' in each["message"] for each in listed)


def test_texts_in_no_language_of_their_callers_are_hints_and_no_errors(folder: Path) -> None:
    change(folder / "prompts.yaml", "  zh: 我们现在不在服务时间，请稍后再拨。\n", "")

    told = flow("check", "--site", str(folder))
    plain = flow("check", "--json", "--site", str(folder))

    assert (told.exit_code, plain.exit_code) == (0, 0)
    (hint,) = json.loads(plain.stdout)
    assert (hint["kind"], hint["file"]) == ("hint", "flows/main.yaml")
    assert f"note: flows/main.yaml:{hint['line']}:{hint['column']}: no text in zh" in told.output


def test_mistakes_in_tests_are_errors_of_the_check_too(folder: Path) -> None:
    change(folder / "tests" / "main.yaml", "- message: left", "- mesage: left")
    (folder / "tests" / "more.yml").write_text("")

    result = flow("check", "--site", str(folder))

    assert result.exit_code == 1
    assert 'unknown entry "mesage"' in result.stderr
    assert "tests/more.yml:1:1: this file is not read: expected the ending .yaml" in result.stderr
    tested = flow("test", "--site", str(folder))
    assert tested.exit_code == 1
    assert "33 tests: 33 passed, 0 failed, 2 errors in the files" in tested.stdout


def test_all_tests_pass_or_those_that_fail_are_told(folder: Path) -> None:
    passed = flow("test", "--site", str(folder))
    change(folder / "flows" / "main.yaml", "priority: 10", "priority: 9")
    failed = flow("test", "--site", str(folder))

    assert (passed.exit_code, passed.stdout) == (0, "34 tests: 34 passed, 0 failed\n")
    assert failed.exit_code == 1
    assert failed.stdout == "34 tests: 32 passed, 2 failed\n"
    first = failed.stderr.splitlines()[0]
    assert first.startswith("tests/main.yaml:11:7: billing by key, with an account that nobody has: ")
    assert first.endswith("expected priority 10, came 9 at main ask-for-billing:1.then:0 (queue)")


def test_only_the_files_that_are_named_are_run(folder: Path) -> None:
    named = flow("test", str(folder / "tests" / "office.yaml"), "--site", str(folder))
    missing = flow("test", str(folder / "tests" / "offic.yaml"), "--site", str(folder))

    assert (named.exit_code, named.stdout) == (0, "11 tests: 11 passed, 0 failed\n")
    assert missing.exit_code == 1
    assert "offic.yaml:1:1: the file cannot be read: No such file or directory" in missing.stderr


def test_a_site_with_errors_is_not_tested(folder: Path) -> None:
    change(folder / "queues.yaml", "ring: 12s", "rnig: 12s")

    result = flow("test", "--site", str(folder))

    assert result.exit_code == 1
    assert 'unknown key "rnig"' in result.stderr
    assert "passed" not in result.output


def test_schemas_are_printed_for_editors() -> None:
    assert json.loads(flow("schema").stdout)["required"] == ["start", "nodes"]
    assert "Queue" in json.loads(flow("schema", "queues").stdout)["$defs"]
    unknown = flow("schema", "queue")
    assert unknown.exit_code == 1
    assert 'unknown kind of file "queue": expected flow, site' in unknown.stderr
    assert 'did you mean "queues"?' in unknown.stderr


CALL = ("--caller", "+4930901820", "--at", "2026-11-23T10:00")


def test_the_walk_in_the_documentation_is_what_the_terminal_shows(folder: Path) -> None:
    document = (EXAMPLE.parent / "docs" / "flows.md").read_text(encoding="utf-8")
    shown = document.partition("$ callyard flow walk +498999998100 --caller +4930901820 --at 2026-11-23T10:00\n")[2]

    result = flow("walk", "+498999998100", *CALL, "--site", str(folder), stdin="name=Anna, vip=yes\n2\ntimed\n\n")

    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == shown.partition("```")[0].splitlines()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "the caller hung up at main welcome:3 (lookup)"),
        ("h\n", "the caller hung up at main welcome:3 (lookup)"),
        ("\nh\n", "the caller hung up at main main-menu:0 (menu)"),
        ("2\n1a\n", '    "1a" are not keys: expected 0 to 9, * or #, t or h'),
        ("2\n9\n", "    en: That is not a choice."),
        ("2\nt\nt\n", "[main billing:0 (collect)]"),
        ("2\n3\nstar\n", "    zh: 账单问题请按一，技术支持请按二，重听请按星号键。"),
        ("2\n1123456#\n", "    looks for a customer by account: 123456"),
        ("2\n1\n", "    (# ends typing, else → billing:1, otherwise → ask-for-billing:0)"),
        ("2\n31123456#\n\n", "    skills: mandarin 3"),
        ("name=Anna,vip=yes\n1\n1#1#\n", "    prefers last for 20 s"),
        (
            "nmae=Anna\n",
            '    unknown field "nmae": expected id, name, company, account, language, vip or note',
        ),
        ("name\n", '    "name": expected a field and its value, such as name=Anna or vip=yes'),
        ("vip=maybe\n", '    "vip=maybe": expected a field and its value'),
        ("\n2\nserve\n", "ended as designed (normal) at main goodbye:1 (hangup)"),
        ("\n2\nt\nn\n", "ended as designed (normal) at main all-busy:1 (hangup)"),
        ("\n2\nlost\n", '    unknown word "lost": expected served, timed_out, full, long_wait, nobody or closed'),
    ],
)
def test_who_walks_is_asked_until_the_answer_is_understood(folder: Path, typed: str, told: str) -> None:
    result = flow("walk", "main", *CALL, "--site", str(folder), stdin=typed)

    assert result.exit_code == 0
    assert told in result.stdout


def test_a_callback_is_walked_too(folder: Path) -> None:
    change(folder / "flows" / "main.yaml", "    - set: { topic: Billing }\n", "    - callback: billing\n")

    kept = flow("walk", "main", *CALL, "--site", str(folder), stdin="\n11#1#\n\n\np\n")
    refused = flow("walk", "main", *CALL, "--site", str(folder), stdin="\n11#1#\nrefused\n")

    assert "    asks to be called back by billing under +4930901820, priority 0" in kept.stdout
    assert "    en: We will call you back." in kept.stdout
    assert "promised → " in kept.stdout
    assert "    en: Please enter the number at which we can call you, then press hash." in refused.stdout


def test_who_gets_a_message_is_told(folder: Path) -> None:
    change(folder / "queues.yaml", "billing:\n", "notes: { title: Notes, medium: message }\nbilling:\n")
    steps = "    - voicemail: Speak.\n      queue: notes\n      priority: 3\n"
    change(folder / "flows" / "main.yaml", "    - set: { topic: Billing }\n", steps)

    result = flow("walk", "main", *CALL, "--site", str(folder), stdin="\n11#1#\nleft\nh\n")

    assert "    agents of notes get it, priority 3" in result.stdout


def test_consent_and_a_survey_are_walked_too(folder: Path) -> None:
    steps = (
        "    - record: ask\n      text: May we record?\n"
        "    - survey: service\n      questions: [{ ask: Satisfied?, id: satisfaction }]\n"
        "    - record: stop\n    - record: ask\n      text: And now?\n"
    )
    change(folder / "flows" / "main.yaml", "    - set: { topic: Billing }\n", steps)

    result = flow("walk", "main", *CALL, "--site", str(folder), stdin="\n11#1#\n1\n5\n2\nh\n")

    told = [line for line in result.stdout.splitlines() if "record" in line or "keeps" in line]
    assert "    is recorded from here on (yes)" in told
    assert "    keeps service: satisfaction 5" in told
    assert told.index("    is recorded no longer") < told.index("    is not recorded")


def test_a_transfer_is_walked_too(folder: Path) -> None:
    step = "    - transfer: { number: $caller }\n      trunk: carrier\n      caller_id: $dialled\n      busy: goodbye\n"
    change(folder / "flows" / "main.yaml", "    - set: { topic: Billing }\n", step)

    busy = flow("walk", "main", *CALL, "--site", str(folder), stdin="\n11#1#\nbusy\n")
    talked = flow("walk", "main", *CALL, "--site", str(folder), stdin="\n11#1#\n\n")

    assert "    transfers to number +4930901820, rings 30 s, by carrier" in busy.stdout
    assert "(answered → the end, busy → goodbye:0, no_answer → " in busy.stdout
    assert "ended as designed (normal) at main goodbye:1 (hangup)" in busy.stdout
    assert "(transfer)" in talked.stdout.splitlines()[-1]


ASKS = """
start: door
nodes:
  door:
    - set: { note: Early }
    - webhook: crm
      path: /accounts/{caller}
      query: { line: "1 2" }
      send: { note: $note }
      keep: { open: { at: balance, type: number } }
      not_found: none
    - send_text: "You owe {open}."
    - hangup
  none: [hangup]
"""


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "    webhook crm: POST /accounts/%2B4930901820?line=1+2"),
        ("", "    sends note"),
        ("", "    (ok → door:2, not_found → none:0, failed → door:2)"),
        ("open=12.50\n", "    sends to +4930901820: You owe 12.50."),
        ("open=12.50\n\n", "ended as designed (normal) at asks door:3 (hangup)"),
        ("\notherwise\n", "ended as designed (normal) at asks door:3 (hangup)"),
        ("not_found\n", "ended as designed (normal) at asks none:0 (hangup)"),
        ("failed\n", "    sends to +4930901820: You owe ."),
        ("open=much\n", '    open "much": expected a number such as 12.50'),
        ("opne=1\n", '    unknown value "opne": expected open; did you mean "open"?'),
        ("lost\n", '    unknown word "lost": expected ok, not_found or failed'),
    ],
)
def test_webhooks_and_text_messages_are_walked_too(folder: Path, typed: str, told: str) -> None:
    change(folder / "site.yaml", "fail_safe:", "text_messages: { webhook: crm }\nfail_safe:")
    (folder / "flows" / "asks.yaml").write_text(ASKS, encoding="utf-8")

    result = flow("walk", "asks", *CALL, "--site", str(folder), stdin=typed)

    assert result.exit_code == 0
    assert told in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mian"], 'unknown flow "mian": expected main, office or service; did you mean "main"?, or a number'),
        (["main", "--at", "noon"], '"noon" is not a time: expected for example 2026-11-23T10:00'),
        (["main", "--language", "fr"], 'unknown language "fr": expected en or zh'),
    ],
)
def test_what_cannot_be_walked_is_said(folder: Path, words: list[str], said: str) -> None:
    result = flow("walk", *words, "--site", str(folder))

    assert result.exit_code == 1
    assert said in result.stderr


def test_without_a_time_it_is_now_and_unlisted_numbers_are_refused(folder: Path) -> None:
    result = flow("walk", "+49111", "--language", "zh", "--site", str(folder))

    assert "refused (unallocated)" in result.stdout
    assert result.stdout.startswith("It is ")


def test_a_flow_is_shown_in_words_or_drawn(folder: Path, tmp_path: Path) -> None:
    words = flow("graph", "office", "--site", str(folder))
    drawn = flow("graph", "office", "--svg", str(tmp_path / "office.svg"), "--site", str(folder))

    assert words.stdout.startswith("flow office: Munich office\n\ndoor\n  hours: office\n    closed:\n")
    assert drawn.stdout == f"{tmp_path / 'office.svg'}: written\n"
    assert (tmp_path / "office.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_a_flow_too_large_to_draw_is_still_told_in_words(folder: Path) -> None:
    menu = "    - menu: Next?\n      keys: { 1: n%d }\n      otherwise: n%d\n"
    nodes = "".join(f"  n{at}:\n{menu % (at + 1, at + 1)}" for at in range(500)) + "  n500: [hangup]\n"
    (folder / "flows" / "large.yaml").write_text(f"start: n0\nnodes:\n{nodes}")

    drawn = flow("graph", "large", "--svg", str(folder / "large.svg"), "--site", str(folder))

    assert drawn.exit_code == 1
    assert "large has 501 nodes: expected at most 500 to draw" in drawn.stderr
    assert not (folder / "large.svg").exists()
    assert "\nn500\n  hangup\n" in flow("graph", "large", "--site", str(folder)).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["offic"], 'unknown flow "offic": expected main, office or service; did you mean "office"?'),
        (["main", "--svg", "none/main.svg"], "none/main.svg: cannot be written: No such file or directory"),
    ],
)
def test_a_flow_that_cannot_be_shown_is_said(folder: Path, words: list[str], said: str) -> None:
    result = flow("graph", *words, "--site", str(folder))

    assert result.exit_code == 1
    assert said in result.stderr


def test_prompts_are_listed_and_what_is_not_recorded(folder: Path) -> None:
    recording = folder / "sounds" / "prompts" / "en" / "welcome.wav"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"RIFF")
    result = flow("prompts", "--site", str(folder))
    missing = flow("prompts", "--missing", "--csv", "--site", str(folder))

    assert "welcome en recorded: Welcome to Northwind. (Friendly; the first words of every call.)\n" in result.output
    assert "goodbye zh rendered: 感谢您的来电，再见。\n" in result.output
    assert result.output.endswith("12 texts: 1 recorded, 11 recordings missing\n")
    head, first, *rest = missing.output.splitlines()
    assert head == "id,language,state,file,text,note"
    assert first == (
        "welcome,zh,rendered,sounds/prompts/zh/welcome.wav,欢迎致电北风公司。,Friendly; the first words of every call."
    )
    assert len(rest) == 10
