"""What provisioning writes, keeps and refuses; that Asterisk understands it is shown in tests/asterisk."""

import json
import re
import stat
import wave
from dataclasses import replace
from pathlib import Path

import pytest

from cti.provisioning import (
    EMERGENCY_NUMBERS,
    NodeSettings,
    PhoneKind,
    PhoneSettings,
    ProvisioningError,
    Transport,
    Trunk,
    asterisk_config_dir,
    emergency_numbers,
    phone_objects,
    phone_rows,
    render,
)
from cti.provisioning_phones import AMI_LINE_LIMIT

SETTINGS = NodeSettings(
    node="lab1",
    sip_port=5060,
    http_port=8088,
    ami_port=5038,
    agi_port=4573,
    rtp_first=10000,
    rtp_last=10999,
    country="DE",
)
TRUNK = Trunk(name="carrier", host="192.0.2.10")
REGISTERED = replace(TRUNK, register=True, username="49301234", secret="p@ss,w0rd")


def rendered(folder: Path, name: str, *trunks: Trunk, **changes: object) -> str:
    made = render(replace(SETTINGS, **changes), trunks, folder)  # type: ignore[arg-type]  # names are checked by replace
    return (made.directory / "etc" / name).read_text()


def sections(text: str, name: str) -> list[dict[str, str]]:
    """Return every section called `name` as its settings."""
    found = []
    for block in re.split(r"^(?=\[)", text, flags=re.M):
        if block.startswith(f"[{name}]"):
            pairs = (line.split(" = ", 1) for line in block.splitlines() if " = " in line and line[0] != ";")
            found.append({key.strip(): value.split(" ;")[0].strip() for key, value in pairs})
    return found


def test_every_template_is_rendered_and_no_placeholder_is_left(tmp_path: Path) -> None:
    render(SETTINGS, [TRUNK], tmp_path)
    templates = {path.name for path in asterisk_config_dir().glob("*.conf")}
    assert {path.name for path in (tmp_path / "etc").iterdir()} == templates
    for path in (tmp_path / "etc").iterdir():
        assert "@{" not in path.read_text(), path.name


def test_the_dialplan_keeps_its_own_variables(tmp_path: Path) -> None:
    text = rendered(tmp_path, "extensions.conf", TRUNK)
    assert "Set(CALLYARD_STARTED=${EPOCH})" in text
    assert "GROUP_COUNT(inbound@callyard)" in text


def test_files_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    made = render(SETTINGS, [TRUNK], tmp_path)
    for path in [*(tmp_path / "etc").iterdir(), tmp_path / "secrets.json"]:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((tmp_path / "agi-bin" / "failsafe.sh").stat().st_mode) == 0o700
    assert stat.S_IMODE((made.directory / "etc").stat().st_mode) == 0o700


def test_secrets_are_generated_once_and_differ_from_node_to_node(tmp_path: Path) -> None:
    first = render(SETTINGS, [], tmp_path / "a")
    assert render(SETTINGS, [TRUNK], tmp_path / "a").ami_secret == first.ami_secret
    other = render(SETTINGS, [], tmp_path / "b")
    secrets = {first.ami_secret, first.observer_secret, other.ami_secret, other.observer_secret}
    assert len(secrets) == 4
    assert all(len(secret) >= 32 for secret in secrets)


def test_nothing_is_written_when_a_value_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError):
        render(SETTINGS, [replace(TRUNK, secret="x\nsecret = y", username="u")], tmp_path / "node")
    assert not (tmp_path / "node").exists()


def test_a_second_rendering_leaves_no_partial_file_and_keeps_the_music(tmp_path: Path) -> None:
    render(SETTINGS, [TRUNK], tmp_path)
    music = tmp_path / "music" / "default" / "callyard.wav"
    before = music.stat().st_mtime_ns
    render(SETTINGS, [TRUNK], tmp_path)
    assert music.stat().st_mtime_ns == before
    assert [path for path in tmp_path.rglob(".*")] == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node": "lab 1"}, "node: 'lab 1', expected 1 to 40 letters"),
        ({"bind": "localhost"}, "bind: 'localhost', expected an IPv4 address such as 192.0.2.10"),
        ({"fallback": "PJSIP/2000&PJSIP/2001"}, "fallback: 'PJSIP/2000&PJSIP/2001', expected a dial string"),
        ({"country": "XX"}, "country: no emergency numbers known for 'XX'; known are AR, AT"),
        ({"rtp_last": 9000}, "ports: [5060, 8088, 5038, 10000, 9000], expected 1 to 65535 and an RTP range"),
        ({"extra_modules": ("app_queue",)}, "extra_modules: 'app_queue', expected a module's file name"),
        ({"sounds_dir": Path("/srv/a;b")}, "sounds_dir: '/srv/a;b' holds ';', expected text without"),
        ({"tls_key": Path("/k")}, "tls_certificate and tls_key: expected both or none"),
    ],
)
def test_a_setting_that_cannot_be_written_is_refused_with_its_name(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ProvisioningError, match=re.escape(message)):
        rendered(tmp_path / "node", "asterisk.conf", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a]b"}, "trunk: name: 'a]b', expected 1 to 40 letters"),
        ({"host": "host\nname"}, "trunk carrier: host: 'host\\nname', expected a host name"),
        ({"port": 0}, "trunk carrier: port 0, expected 1 to 65535"),
        ({"match": ("10.0.0.1,0.0.0.0/0",)}, "trunk carrier: match: '10.0.0.1,0.0.0.0/0', expected a host"),
        ({"codecs": ("ulaw", "g729")}, "trunk carrier: codecs: g729, expected some of ulaw, alaw, g722, opus"),
        ({"codecs": ()}, "trunk carrier: codecs: none, expected some of"),
        ({"caller_id": "1)&System(x"}, "trunk carrier: caller_id '1)&System(x', expected digits"),
        ({"register": True}, "trunk carrier: register needs username and secret"),
        ({"username": "a b"}, "trunk carrier: username: 'a b', expected letters"),
        ({"username": "a", "secret": "x;y"}, "trunk carrier: secret: 'x;y' holds ';'"),
        ({"username": "a", "secret": " x"}, "trunk carrier: secret: ' x' holds ' '"),
        ({"transport": Transport.TLS}, "trunk carrier: transport tls needs tls_certificate and tls_key"),
    ],
)
def test_a_trunk_that_cannot_be_written_is_refused_with_its_name(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    trunk = replace(TRUNK, **changes)  # type: ignore[arg-type]  # names are checked by replace
    with pytest.raises(ProvisioningError, match=re.escape(message)):
        render(SETTINGS, [trunk], tmp_path / "node")


def test_two_trunks_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match="repeat"):
        render(SETTINGS, [TRUNK, replace(TRUNK, host="192.0.2.11")], tmp_path)


def test_a_path_too_long_for_the_control_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProvisioningError, match="too long for Asterisk's control socket"):
        render(SETTINGS, [], tmp_path / ("x" * 100))


def test_a_trunk_by_address_is_known_by_address_and_port(tmp_path: Path) -> None:
    endpoint, aor, identify = sections(rendered(tmp_path, "pjsip.conf", TRUNK), "trunk-carrier")
    assert identify == {"type": "identify", "endpoint": "trunk-carrier", "match": "192.0.2.10:5060"}
    assert aor == {"type": "aor", "contact": "sip:192.0.2.10:5060"}
    assert endpoint["context"] == "callyard-inbound"
    assert endpoint["allow"] == "ulaw,alaw,g722,opus"
    assert "outbound_auth" not in endpoint


def test_a_trunk_over_tcp_is_known_by_its_address_alone(tmp_path: Path) -> None:
    trunk = replace(TRUNK, transport=Transport.TCP)
    _, aor, identify = sections(rendered(tmp_path, "pjsip.conf", trunk), "trunk-carrier")
    assert identify["match"] == "192.0.2.10"
    assert aor["contact"] == "sip:192.0.2.10:5060\\;transport=tcp"


def test_a_trunk_by_registration_registers_with_its_account(tmp_path: Path) -> None:
    found = {part["type"]: part for part in sections(rendered(tmp_path, "pjsip.conf", REGISTERED), "trunk-carrier")}
    assert found["registration"]["client_uri"] == "sip:49301234@192.0.2.10:5060"
    assert found["registration"]["server_uri"] == "sip:192.0.2.10:5060"
    assert found["auth"] == {
        "type": "auth",
        "auth_type": "userpass",
        "username": "49301234",
        "password": "p@ss,w0rd",
    }
    assert found["endpoint"]["outbound_auth"] == "trunk-carrier"


def test_a_trunk_over_tls_with_srtp_gets_transport_and_encryption(tmp_path: Path) -> None:
    trunk = replace(TRUNK, transport=Transport.TLS, srtp=True, port=5061)
    text = rendered(
        tmp_path,
        "pjsip.conf",
        trunk,
        tls_certificate=Path("/etc/callyard/cert.pem"),
        tls_key=Path("/etc/callyard/key.pem"),
    )
    assert sections(text, "transport-tls")[0]["cert_file"] == "/etc/callyard/cert.pem"
    endpoint = sections(text, "trunk-carrier")[0]
    assert (endpoint["transport"], endpoint["media_encryption"]) == ("transport-tls", "sdes")


def test_behind_nat_the_outside_address_is_told(tmp_path: Path) -> None:
    text = rendered(tmp_path, "pjsip.conf", external_address="198.51.100.7", local_networks=("10.0.0.0/8",))
    assert sections(text, "transport-udp")[0]["external_media_address"] == "198.51.100.7"
    assert sections(text, "transport-udp")[0]["local_net"] == "10.0.0.0/8"


def test_emergency_numbers_are_the_first_rule_of_phones(tmp_path: Path) -> None:
    text = rendered(tmp_path, "extensions.conf", TRUNK, country="GB")
    phones = re.split(r"^\[", text.split("[callyard-phones]")[1], flags=re.M)[0]
    lines = [line for line in phones.splitlines() if line.startswith("exten")]
    assert lines[:2] == [f"exten => {n},1,Goto(callyard-emergency,{n},1)" for n in ("999", "112")]


def test_an_emergency_call_tries_the_marked_trunk_first_and_then_every_other(tmp_path: Path) -> None:
    marked = Trunk(name="marked", host="192.0.2.11", emergency=True, caller_id="+493012345")
    text = rendered(tmp_path, "extensions.conf", TRUNK, marked)
    dials = re.findall(r"Dial\(PJSIP/\$\{EXTEN\}@(trunk-\w+)", text)
    assert dials == ["trunk-marked", "trunk-carrier"]
    assert "Set(CALLERID(num)=+493012345)" in text


@pytest.mark.parametrize(
    ("country", "number"),
    [("DE", "112"), ("FR", "112"), ("US", "911"), ("CA", "911"), ("GB", "999"), ("GB", "112"), ("AU", "000"),
     ("CN", "110"), ("CN", "119"), ("CN", "120"), ("JP", "119"), ("RU", "112"), ("de", "110")],
)  # fmt: skip
def test_the_countrys_emergency_numbers_are_known(country: str, number: str) -> None:
    assert number in emergency_numbers(country)


def test_every_country_of_the_eu_has_112() -> None:
    union = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
    assert [country for country in union if "112" not in EMERGENCY_NUMBERS[country]] == []


def test_hold_music_is_plain_pcm_that_asterisk_takes(tmp_path: Path) -> None:
    render(SETTINGS, [], tmp_path)
    for name in ("default/callyard.wav", "silent/silence.wav"):
        data = (tmp_path / "music" / name).read_bytes()
        assert data[20:22] == b"\x01\x00", "the format tag of plain PCM"
        with wave.open(str(tmp_path / "music" / name)) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (8000, 1, 2)
            assert sound.getnframes() >= 20 * 8000
    with wave.open(str(tmp_path / "music" / "default" / "callyard.wav")) as sound:
        frames = sound.readframes(sound.getnframes())
    samples = memoryview(frames).cast("h")
    assert 4000 < max(samples) < 8000
    jumps = [abs(samples[i] - samples[i - 1]) for i in range(len(samples))]  # the seam of the loop included
    assert max(jumps) < 5000


def test_a_hard_phone_becomes_three_objects_that_fit_an_ami_header() -> None:
    phone = PhoneSettings("2001", PhoneKind.HARD, "s" * 128, "sip:2001@127.0.0.1:5071")
    objects = phone_objects(phone)
    assert [(family, key) for family, key, _ in objects] == [
        ("ps/auth", "2001"),
        ("ps/aor", "2001"),
        ("ps/endpoint", "2001"),
    ]
    auth, aor, endpoint = (json.loads(text) for _, _, text in objects)
    assert auth == {"auth_type": "userpass", "username": "2001", "password": "s" * 128}
    assert aor["contact"] == "sip:2001@127.0.0.1:5071"
    assert endpoint["context"] == "callyard-phones"
    assert endpoint["allow"] == "!all,ulaw,alaw,g722"
    assert "webrtc" not in endpoint
    assert all(len(text) < AMI_LINE_LIMIT for _, _, text in objects)


def test_a_phone_in_the_browser_has_the_webrtc_template_and_ends_with_its_page() -> None:
    *_, (_, _, text) = phone_objects(PhoneSettings("2001", PhoneKind.WEBRTC, "secret-of-2001"))
    endpoint = json.loads(text)
    assert (endpoint["webrtc"], endpoint["rtp_timeout"], endpoint["allow"]) == ("yes", "10", "!all,ulaw,opus")


def test_every_object_of_a_phone_can_be_taken_away() -> None:
    phone = PhoneSettings("2001", PhoneKind.HARD, "secret-of-2001")
    assert sorted(phone_rows("2001")) == sorted((family, key) for family, key, _ in phone_objects(phone))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extension": "20a1"}, "phone: extension '20a1', expected 2 to 15 digits"),
        ({"secret": "short"}, "phone 2001: secret of 5 characters, expected 8 to 128 printable ASCII"),
        ({"secret": "a line\r\nAction: x"}, "phone 2001: secret of 17 characters"),
        ({"address": "2001@127.0.0.1"}, "phone 2001: address '2001@127.0.0.1', expected a URI such as"),
        ({"context": "a b"}, "phone 2001: context: 'a b', expected"),
        ({"codecs": ("gsm",)}, "phone 2001: codecs: gsm, expected some of"),
    ],
)
def test_a_phone_that_cannot_be_sent_is_refused(changes: dict[str, object], message: str) -> None:
    phone = replace(PhoneSettings("2001", PhoneKind.HARD, "secret-of-2001"), **changes)  # type: ignore[arg-type]
    with pytest.raises(ProvisioningError, match=re.escape(message)):
        phone_objects(phone)
