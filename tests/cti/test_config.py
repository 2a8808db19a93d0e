from __future__ import annotations

from pathlib import Path

import pytest

from cti.config import ConfigError, Settings, describe, load_settings

NODE = "ami:\n  - name: one\n    secret_file: one.secret\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "callyard.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_need_no_file_and_hold_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings(environment={})
    assert settings.data_dir == tmp_path / ".callyard/data"
    assert settings.database_url == f"sqlite+aiosqlite:///{tmp_path}/.callyard/data/callyard.db"
    assert settings.ami == ()
    assert settings.pop_wait_ms == 150
    assert settings.spool_dir == tmp_path / ".callyard/data/spool"


def test_the_file_beside_us_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "web_port: 9001\n")
    assert load_settings(environment={}).web_port == 9001


def test_the_environment_stands_above_the_file_and_merges_into_groups(tmp_path: Path) -> None:
    file = written(tmp_path, "web_port: 9001\nlog:\n  level: debug\n  format: text\n")
    environment = {"CALLYARD_WEB_PORT": "9002", "CALLYARD_LOG__LEVEL": "error", "CALLYARD_HOME": "/lab"}
    settings = load_settings(file, environment)
    assert (settings.web_port, settings.log.level, settings.log.format) == (9002, "error", "text")


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, "agi_port: 0\n")
    assert load_settings(environment={"CALLYARD_CONFIG": str(file)}).agi_port == 0


def test_nodes_come_as_json_from_the_environment() -> None:
    settings = load_settings(environment={"CALLYARD_AMI": '[{"name": "one", "port": 5039, "secret": "s3"}]'})
    assert [(node.name, node.port, node.read_secret()) for node in settings.ami] == [("one", 5039, "s3")]


def test_paths_in_the_file_start_at_its_folder(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, NODE + "data_dir: here\nsite_dir: /srv/site\n"), {})
    assert settings.data_dir == tmp_path / "here"
    assert settings.site_dir == Path("/srv/site")
    (tmp_path / "one.secret").write_text("word\n")
    assert settings.ami[0].read_secret() == "word"


def test_settings_made_in_code_read_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLYARD_WEB_PORT", "1")
    assert Settings(data_dir=tmp_path).web_port == 8080


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web_prt: 1\n", "{file}:1:1: web_prt: unknown key, did you mean web_port?"),
        (
            "log:\n  levl: info\n",
            "{file}:2:3: log.levl: unknown key, did you mean level?",
        ),
        (
            "web_port: 70000\n",
            "{file}:1:1: web_port: input should be less than or equal to 65535, came 70000",
        ),
        (
            "ami:\n  - name: one\n    secret: x\n    prot: 1\n",
            "{file}:4:5: ami.0.prot: unknown key, did you mean port?",
        ),
        ("ami:\n  - name: one\n", "{file}:2:5: ami.0: node one: expected exactly one of secret, secret_file"),
        (
            "ami: [{name: a, secret: x}, {name: a, secret: y}]\n",
            "{file}:1:1: ami: expected different names, came twice: a",
        ),
        (
            "web_origins: ['https://a.example/x']\n",
            "{file}:1:1: web_origins: 'https://a.example/x': expected scheme and host only, "
            "as in https://desk.example.com",
        ),
        ("web_port: 1\nweb_port: 2\n", '{file}:2:1: found duplicate key "web_port"'),
        ("a: [\n", "{file}:2:1: expected the node content, but found '<stream end>'"),
        ("just words\n", "{file}:1:1: expected keys and values, came str"),
        (
            "limits: {dead_man_s: 30}\n",
            "{file}:1:1: limits: dead_man_renew_s 20: expected at most half of dead_man_s 30",
        ),
    ],
)
def test_a_wrong_file_is_named_by_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {})
    assert str(caught.value).startswith(expected.format(file=file))


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, "web_port: x\nnonsense: 1\n"), {})
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"CALLYARD_WEBPORT": "1"}, "environment variable CALLYARD_WEBPORT: not a setting, did you mean"),
        ({"CALLYARD_WEB_PORT": "x"}, "environment variable CALLYARD_WEB_PORT: input should be a valid integer"),
        ({"CALLYARD_LOG__LEVEL": "loud"}, "environment variable CALLYARD_LOG__LEVEL: input should be 'debug'"),
        ({"CALLYARD_AMI": "one"}, "environment: error parsing value"),
    ],
)
def test_a_wrong_variable_is_named(environment: dict[str, str], expected: str, tmp_path: Path) -> None:
    file = written(tmp_path, "web_port: 1\nlog: {level: info}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environment)
    assert str(caught.value).startswith(expected)


def test_a_wrong_secret_is_never_repeated(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, "ami: [{name: one, secret: 123456789}]\n"), {})
    assert "123456789" not in str(caught.value)


def test_a_missing_or_empty_secret_file_is_an_error(tmp_path: Path) -> None:
    node = load_settings(written(tmp_path, NODE), {}).ami[0]
    with pytest.raises(ConfigError, match=r"ami node one: cannot read .*one\.secret"):
        node.read_secret()
    (tmp_path / "one.secret").write_text("\n")
    with pytest.raises(ConfigError, match="expected one line"):
        node.read_secret()


def test_description_masks_secrets_and_can_be_read_again(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database_url="postgresql+psycopg://me:pa:s@s@db.example/callyard",
        ami=[{"name": "one", "secret": "hidden-word"}, {"name": "two", "secret_file": tmp_path / "s"}],
        web_origins=["https://desk.example.com"],
    )
    text = describe(settings)
    assert "hidden-word" not in text
    assert "s@s" not in text
    assert "database_url: postgresql+psycopg://me:********@db.example/callyard" in text
    again = load_settings(written(tmp_path, text + "\n"), {})
    assert again.web_origins == settings.web_origins
    assert again.ami[1] == settings.ami[1]
    assert again.limits == settings.limits


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &a [x]\nb: [*a, *a]\n", "1:4: an anchor (&a) is not allowed here"),
        ("a: " + "[" * 100_000, "nested deeper than 24 levels"),
        ("a: !!python/object/apply:os.system [x]\n", "1:4: a tag (!!python/object/apply:os.system) is not allowed"),
        ("a: \0\n", "1:4: character 0x00 cannot stand in a file"),
        ("a: " + "9" * 10_000, "not YAML: Exceeds the limit"),
    ],
)
def test_a_file_made_to_do_harm_is_refused(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "callyard.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError) as refused:
        load_settings(file, {})
    assert said in str(refused.value)
