"""The command `callyard`: what people type, what they read, and the exit status that scripts go by."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cti.cli import app
from cti.config import load_settings
from cti.main import with_store

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in an empty folder without any settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CALLYARD_")]:
        monkeypatch.delenv(name)

    def invoke(*words: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(words), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def begun(run: Run, tmp_path: Path) -> Run:
    """The same, where `callyard init` has been run."""
    assert run("init", str(tmp_path)).exit_code == 0
    return run


def test_a_new_installation_is_ready_to_be_checked(run: Run, tmp_path: Path) -> None:
    result = run("init", str(tmp_path / "new"))
    assert result.exit_code == 0
    assert "callyard.yaml: written" in result.output
    os.chdir(tmp_path / "new")
    assert run("check").exit_code == 0
    settings = load_settings(environment={})
    assert settings.site_dir == tmp_path / "new" / "site"
    assert settings.ami[0].secret_file == tmp_path / "new" / "data" / "ami.secret"
    unit = (tmp_path / "new" / "callyard.service").read_text().splitlines()
    assert f"WorkingDirectory={tmp_path / 'new'}" in unit
    assert f"ExecStart={Path(sys.executable).parent / 'callyard'} serve" in unit


@pytest.mark.parametrize("taken", ["callyard.yaml", "site/site.yaml", "callyard.service"])
def test_nothing_that_is_there_is_replaced(run: Run, tmp_path: Path, taken: str) -> None:
    file = tmp_path / taken
    file.parent.mkdir(exist_ok=True)
    file.write_text("mine")
    result = run("init", str(tmp_path))
    assert result.exit_code == 1
    assert "is there already" in result.stderr
    assert file.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("init", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert f"{tmp_path / 'file' / 'below'}: cannot be written" in result.stderr


def test_without_words_the_help_is_shown(run: Run) -> None:
    result = run()
    assert "Usage" in result.output
    for command in ("init", "serve", "check", "config", "provision", "doctor", "people", "customers", "numbers"):
        assert command in result.output


def test_waits_are_told_or_that_there_are_none(begun: Run) -> None:
    result = begun("waits", "--since", "8h")
    assert (result.exit_code, result.output) == (0, "no visit was answered after a predicted wait\n")


@pytest.mark.parametrize("since", ["soon", "0d", "8", "d", "99999d"])
def test_how_far_back_is_hours_or_days(begun: Run, since: str) -> None:
    result = begun("waits", "--since", since)
    assert result.exit_code == 1
    assert result.stderr == f"since: expected hours or days back, as in 8h or 7d, got {since!r}\n"


def test_check_says_what_there_is(begun: Run, tmp_path: Path) -> None:
    result = begun("check")
    assert result.exit_code == 0
    assert "4 numbers, 3 flows, 3 queues: no errors (version " in result.output


def test_check_names_every_error_with_its_place(begun: Run, tmp_path: Path) -> None:
    queues = tmp_path / "site" / "queues.yaml"
    queues.write_text(queues.read_text().replace("ring: 12s", "rings: 12s"))
    result = begun("check")
    assert result.exit_code == 1
    assert "queues.yaml:4:3" in result.stderr
    assert result.stdout == ""


def test_check_without_a_site_says_so(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 1
    assert "site.yaml" in result.stderr


def test_config_prints_everything_and_no_secret(begun: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_AMI", '[{"name": "one", "secret": "very-secret"}]')
    result = begun("config")
    assert result.exit_code == 0
    assert "pop_wait_ms: 150" in result.output
    assert "very-secret" not in result.output


def test_settings_that_are_wrong_are_named_with_their_place(begun: Run, tmp_path: Path) -> None:
    (tmp_path / "callyard.yaml").write_text("site_dir: site\npop_wait: 3\n")
    result = begun("check")
    assert result.exit_code == 1
    assert "callyard.yaml:2:1: pop_wait: unknown key, did you mean pop_wait_ms?" in result.stderr


def test_numbers_are_listed_and_routed(begun: Run) -> None:
    result = begun("numbers", "check", "+498999998100", "+498999998885")
    assert result.exit_code == 0
    assert "+498999998100: flow main, by +498999998100" in result.output
    assert "+498999998885: flow main, by +49899999888x" in result.output


def test_a_number_without_a_rule_is_refused(begun: Run) -> None:
    result = begun("numbers", "check", "+491")
    assert result.exit_code == 1
    assert "+491: refused: no rule for this number" in result.output


# --- people and customers ---------------------------------------------------------------------------------------


def people() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Username → (extension, queues) as the tables have them."""

    async def read() -> dict[str, tuple[str, tuple[str, ...]]]:
        async with with_store(load_settings(environment={})) as (_, table, _plan):
            return {each.username: (each.extension, each.queues) for each in await table.everybody()}

    return asyncio.run(read())


def test_the_example_people_and_customers_can_be_imported_and_imported_again(begun: Run) -> None:
    result = begun("people", "import", "site/people.csv")
    assert (result.exit_code, result.output) == (0, "10 people added, 0 changed\n")
    result = begun("people", "import", "site/people.csv")
    assert (result.exit_code, result.output) == (0, "0 people added, 10 changed\n")
    assert people()["ben"] == ("1002", ("billing",))
    result = begun("customers", "import", "site/customers.csv")
    assert result.exit_code == 0
    assert "customers added, 0 changed" in result.output


def test_a_file_of_people_with_faults_changes_nothing(begun: Run, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "username,name,role,extension,phone,address,queues,skills\n"
        "zoe,Zoe,agent,1050,sip,,billing,billing:5\n"
        "bad,Bad,agent,1051,sip,,sales,billing:5\n"
        "worse,Worse,agent,1052,sip,,billing,singing:5\n"
    )
    result = begun("people", "import", str(file))
    assert result.exit_code == 1
    assert f"{file}:3: queues: expected one of billing, messages, support, got 'sales'" in result.stderr
    assert f"{file}:4: skills: expected one of billing, mandarin, technical, got 'singing'" in result.stderr
    assert people() == {}


def test_a_file_that_is_missing_is_named(begun: Run) -> None:
    for what in ("people", "customers"):
        result = begun(what, "import", "nowhere.csv")
        assert result.exit_code == 1
        assert "nowhere.csv" in result.stderr


def test_a_person_is_added_by_hand(begun: Run) -> None:
    words = ("zoe", "Zoe Moss", "--extension", "1050", "--queues", "billing;support", "--skills", "billing:5")
    result = begun("people", "add", *words)
    assert (result.exit_code, result.output) == (0, "zoe added\n")
    assert people() == {"zoe": ("1050", ("billing", "support"))}
    result = begun("people", "add", *words)
    assert result.exit_code == 1
    assert "this one is taken" in result.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--queues", "sales"), "queues: expected one of billing, messages, support, got 'sales'"),
        (("--skills", "billing:11"), "billing: expected a level from 1 to 10, got 11"),
        (("--role", "boss"), "boss"),
        (("--extension", "x"), "extension"),
    ],
)
def test_a_person_with_faults_is_not_added(begun: Run, words: tuple[str, ...], says: str) -> None:
    result = begun("people", "add", "zoe", "Zoe", *words)
    assert result.exit_code == 1
    assert says in result.stderr
    assert people() == {}


def test_a_password_is_read_from_standard_input(begun: Run) -> None:
    begun("people", "add", "zoe", "Zoe")
    result = begun("people", "password", "zoe", stdin="correct horse battery\n")
    assert result.exit_code == 0
    assert "password of zoe set" in result.output
    assert "correct horse" not in result.output

    async def check() -> bool:
        async with with_store(load_settings(environment={})) as (_, table, _plan):
            return await table.check_password("zoe", "correct horse battery") is not None

    assert asyncio.run(check())


@pytest.mark.parametrize(
    ("username", "password", "says"), [("zoe", "short", "password"), ("nobody", "x" * 20, "nobody")]
)
def test_a_password_that_cannot_be_set(begun: Run, username: str, password: str, says: str) -> None:
    begun("people", "add", "zoe", "Zoe")
    result = begun("people", "password", username, stdin=f"{password}\n")
    assert result.exit_code == 1
    assert says in result.stderr


def test_a_phone_is_told_what_it_needs_to_sign_on(begun: Run) -> None:
    begun("people", "add", "zoe", "Zoe", "--extension", "1050")
    result = begun("people", "phone", "zoe")
    user, password = result.output.splitlines()
    assert (result.exit_code, user) == (0, "user 1050")
    assert len(password.removeprefix("password ")) >= 16
    assert begun("people", "phone", "zoe").output == result.output, "it stays as it is"
    for nobody in ("nobody", "ada"):
        refused = begun("people", "phone", nobody)
        assert refused.exit_code == 1
        assert f"{nobody}: expected a person with an extension" in refused.stderr


# --- Asterisk ---------------------------------------------------------------------------------------------------


def test_provision_writes_asterisks_configuration_and_the_secret_that_the_settings_name(
    begun: Run, tmp_path: Path
) -> None:
    result = begun("provision", "asterisk", "--sip-port", "5999")
    assert result.exit_code == 0
    assert (tmp_path / "asterisk").is_dir()
    [pjsip] = (tmp_path / "asterisk").rglob("pjsip.conf")
    assert "5999" in pjsip.read_text()
    secret = load_settings(environment={}).ami[0].read_secret()
    [manager] = (tmp_path / "asterisk").rglob("manager.conf")
    assert f"secret = {secret}" in manager.read_text()
    assert stat.S_IMODE((tmp_path / "data" / "ami.secret").stat().st_mode) == 0o600
    assert secret not in result.output


def test_provision_gives_the_dialplan_the_dead_mans_switch_of_the_settings(begun: Run, tmp_path: Path) -> None:
    with (tmp_path / "callyard.yaml").open("a") as file:
        file.write("limits: { dead_man_s: 90, dead_man_renew_s: 30 }\n")
    assert begun("provision", "asterisk").exit_code == 0
    dialplan = (tmp_path / "asterisk" / "etc" / "extensions.conf").read_text()
    assert "CALLYARD_DEADMAN = 90\n" in dialplan
    assert "CALLYARD_SILENT = 60\n" in dialplan


def test_provision_of_a_wrong_name_writes_nothing(begun: Run, tmp_path: Path) -> None:
    result = begun("provision", "asterisk", "--node", "not a name")
    assert result.exit_code == 1
    assert "not a name" in result.stderr
    assert not (tmp_path / "asterisk").exists()


def test_provision_where_nothing_can_be_written_says_so(begun: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = begun("provision", "file/below")
    assert result.exit_code == 1
    assert "below" in result.stderr


def test_the_doctor_says_what_is_wrong_and_what_to_do(begun: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_WEB_PORT", "0")
    monkeypatch.setenv("CALLYARD_AGI_PORT", "0")
    result = begun("doctor")
    assert result.exit_code == 1
    assert "database: empty" in result.output
    assert "secret" in result.output
    assert "→" in result.output


def test_serve_does_not_start_on_a_broken_site(begun: Run, tmp_path: Path) -> None:
    (tmp_path / "site" / "numbers.yaml").write_text("nonsense\n")
    result = begun("serve")
    assert result.exit_code == 1
    assert "numbers.yaml:1:1" in result.stderr


def test_a_pin_is_read_from_standard_input_and_stands_nowhere(begun: Run, tmp_path: Path) -> None:
    assert begun("customers", "import", str(tmp_path / "site" / "customers.csv")).exit_code == 0
    result = begun("customers", "set-pin", "C1001", stdin="864209\n")
    assert (result.exit_code, result.output) == (0, "PIN of C1001 set\n")
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and b"864209" in file.read_bytes()]
    assert begun("customers", "set-pin", "C1001", "--remove").output == "PIN of C1001 removed\n"


@pytest.mark.parametrize(
    ("customer", "stdin", "said"),
    [
        ("C1001", "12\n", "PIN: expected 4 to 16 digits, got something else"),
        ("C1001", "", "expected a PIN, got nothing; --remove takes it away"),
        ("C9999", "1234\n", "customer 'C9999': expected one that exists"),
    ],
)
def test_a_pin_that_cannot_be_set_is_refused(begun: Run, tmp_path: Path, customer: str, stdin: str, said: str) -> None:
    begun("customers", "import", str(tmp_path / "site" / "customers.csv"))
    result = begun("customers", "set-pin", customer, stdin=stdin)
    assert result.exit_code == 1
    assert said in result.stderr
