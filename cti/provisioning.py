"""Writes the configuration of one Asterisk node from templates, settings and trunks.

What belongs here: turning values into files. What does not: starting Asterisk, sending anything to it, and
reading the site's YAML. Files are replaced one by one and atomically, readable by their owner only; secrets
are generated once, kept beside the files, and never have a default.
"""

from __future__ import annotations

import importlib.resources
import ipaddress
import json
import os
import re
import secrets
import shlex
import string
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cti.provisioning_music import write_hold_music
from cti.provisioning_phones import phone_objects, phone_rows
from cti.provisioning_trunks import emergency_extensions, emergency_route, trunk_sections
from cti.provisioning_values import (
    EMERGENCY_NUMBERS,
    NodeSettings,
    PhoneKind,
    PhoneSettings,
    ProvisioningError,
    Transport,
    Trunk,
    checked,
    checked_name,
    emergency_numbers,
)

__all__ = [
    "EMERGENCY_NUMBERS",
    "NodeSettings",
    "PhoneKind",
    "PhoneSettings",
    "Provisioned",
    "ProvisioningError",
    "Transport",
    "Trunk",
    "asterisk_config_dir",
    "emergency_numbers",
    "phone_objects",
    "phone_rows",
    "render",
]

AMI_USER = "callyard"
OBSERVER_USER = "callyard-observer"
_UNIX_PATH_LIMIT = 100  # of the 108 bytes of a socket's address; Asterisk's is run/asterisk.ctl
_FOLDERS = ("etc", "lib/keys", "db", "spool", "run", "log", "agi-bin", "music", "sounds", "failsafe")


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What was written, and how to log in to it."""

    directory: Path
    config: Path
    failsafe_spool: Path
    ami_user: str
    ami_secret: str
    observer_user: str
    observer_secret: str


class _Template(string.Template):
    """Only `@{name}` is a placeholder: the dialplan's `${…}`, and an `@` anywhere else, stay as they are."""

    pattern = r"@(?:(?P<escaped>(?!))|(?P<named>(?!))|\{(?P<braced>[a-z_]+)\}|(?P<invalid>\{))"  # type: ignore[assignment]  # compiled by string.Template itself


def asterisk_config_dir() -> Path:
    """Return the folder of the templates: inside the installed package, else in the source tree."""
    shipped = Path(str(importlib.resources.files("cti"))) / "data" / "asterisk-config"
    found = shipped if shipped.is_dir() else Path(__file__).resolve().parent.parent / "asterisk-config"
    if not (found / "extensions.conf").is_file():
        raise ProvisioningError(f"no templates of Asterisk's configuration in {shipped} nor in {found}")
    return found


def render(settings: NodeSettings, trunks: Sequence[Trunk], out_dir: Path) -> Provisioned:
    """Write everything that the node needs below `out_dir` and return how to reach it.

    Rendering again replaces the files and keeps the secrets. Raises ProvisioningError, before anything is
    written, for a value that cannot stand in a configuration file.
    """
    directory = out_dir.resolve()
    if len(str(directory / "run/asterisk.ctl")) > _UNIX_PATH_LIMIT:
        raise ProvisioningError(
            f"folder {directory}: its path is too long for Asterisk's control socket, "
            f"expected at most {_UNIX_PATH_LIMIT - len('/run/asterisk.ctl')} characters"
        )
    generated = _generated_secrets(directory / "secrets.json")
    values = _values(settings, trunks, directory) | generated
    texts = {template.name: _fill(template, values) for template in sorted(asterisk_config_dir().glob("*.conf"))}
    for folder in _FOLDERS:
        (directory / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(directory / "secrets.json", json.dumps(generated, indent=2) + "\n")
    for name, text in texts.items():
        _write(directory / "etc" / name, text)
    # A copy, so that the fail-safe works whatever becomes of the folder that Callyard was installed in.
    script = (asterisk_config_dir() / "failsafe.py").read_text(encoding="utf-8")
    _write(directory / "agi-bin" / "failsafe.py", script)
    _write(directory / "agi-bin" / "failsafe.sh", _failsafe_program(settings, directory), mode=0o700)
    write_hold_music(directory / "music")
    return Provisioned(
        directory,
        directory / "etc" / "asterisk.conf",
        settings.spool_dir or directory / "failsafe",
        AMI_USER,
        generated["ami_secret"],
        OBSERVER_USER,
        generated["observer_secret"],
    )


def _fill(template: Path, values: Mapping[str, str]) -> str:
    try:
        return _Template(template.read_text(encoding="utf-8")).substitute(values)
    except (KeyError, ValueError) as fault:
        raise ProvisioningError(f"template {template}: unknown placeholder {fault}") from fault


def _values(settings: NodeSettings, trunks: Sequence[Trunk], directory: Path) -> dict[str, str]:
    _check_settings(settings, trunks)
    plain: dict[str, object] = {
        "node": checked_name("node", settings.node),
        "bind": _address("bind", settings.bind),
        "agi_host": checked("agi_host", settings.agi_host),
        "directory": directory,
        "language": checked_name("language", settings.language),
        "sounds_dir": settings.sounds_dir or directory / "sounds",
        "spool_dir": settings.spool_dir or directory / "failsafe",
        "failsafe_agi": directory / "agi-bin" / "failsafe.sh",
        "fallback": _dial_string("fallback", settings.fallback),
        "ami_user": AMI_USER,
        "observer_user": OBSERVER_USER,
    }
    numbers = (
        "sip_port", "http_port", "ami_port", "agi_port", "rtp_first", "rtp_last", "max_calls", "http_sessions",
        "deadman_s", "deadman_retry_s", "silent_s", "away_s", "away_ungreeted_s", "failsafe_s",
    )  # fmt: skip
    plain |= {name: int(getattr(settings, name)) for name in numbers}
    several_lines = {
        "module_dir_line": _line("astmoddir => ", "module_dir", settings.module_dir),
        "data_dir_line": _line("astdatadir => ", "data_dir", settings.data_dir),
        "extra_modules": "\n".join(f"load = {_module(name)}" for name in settings.extra_modules),
        "https_lines": _https_lines(settings),
        "nat_lines": _nat_lines(settings),
        "tls_transports": _tls_transport(settings),
        "trunks": trunk_sections(trunks, settings.bind),
        "emergency_numbers": emergency_extensions(settings.country),
        "emergency_trunks": emergency_route(trunks),
    }
    return {name: checked(name, value) for name, value in plain.items()} | several_lines


def _check_settings(settings: NodeSettings, trunks: Sequence[Trunk]) -> None:
    ports = [settings.sip_port, settings.http_port, settings.ami_port, settings.rtp_first, settings.rtp_last]
    wrong = [port for port in ports if not 0 < port < 65536]
    if wrong or settings.rtp_first >= settings.rtp_last:
        raise ProvisioningError(f"ports: {ports}, expected 1 to 65535 and an RTP range that grows")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise ProvisioningError("tls_certificate and tls_key: expected both or none")
    names = [trunk.name for trunk in trunks]
    if len(set(names)) != len(names):
        raise ProvisioningError(f"trunks: the names {names} repeat, expected each name once")
    for trunk in trunks:
        if trunk.transport is Transport.TLS and settings.tls_certificate is None:
            raise ProvisioningError(f"trunk {trunk.name}: transport tls needs tls_certificate and tls_key of the node")


def _address(field: str, value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ProvisioningError(f"{field}: {value!r}, expected an IPv4 address such as 192.0.2.10") from None


def _dial_string(field: str, value: str) -> str:
    if value and re.fullmatch(r"PJSIP/[A-Za-z0-9_+@-]+", value) is None:
        raise ProvisioningError(f"{field}: {value!r}, expected a dial string such as PJSIP/2000, or nothing")
    return value


def _module(name: str) -> str:
    if re.fullmatch(r"[a-z0-9_]+\.so", name) is None:
        raise ProvisioningError(f"extra_modules: {name!r}, expected a module's file name such as app_queue.so")
    return name


def _line(key: str, field: str, path: Path | None) -> str:
    return "" if path is None else f"{key}{checked(field, path)}"


def _https_lines(settings: NodeSettings) -> str:
    if settings.tls_certificate is None:
        return ""
    return (
        f"tlsenable = yes\ntlsbindaddr = {settings.bind}:{int(settings.https_port)}\n"
        f"tlscertfile = {checked('tls_certificate', settings.tls_certificate)}\n"
        f"tlsprivatekey = {checked('tls_key', settings.tls_key)}"
    )


def _nat_lines(settings: NodeSettings) -> str:
    lines = [f"local_net = {checked('local_networks', network)}" for network in settings.local_networks]
    if settings.external_address is not None:
        address = _address("external_address", settings.external_address)
        lines += [f"external_signaling_address = {address}", f"external_media_address = {address}"]
    return "\n".join(lines)


def _tls_transport(settings: NodeSettings) -> str:
    if settings.tls_certificate is None:
        return ""
    return (
        f"[transport-tls]\ntype = transport\nprotocol = tls\nmethod = tlsv1_2\n"
        f"bind = {settings.bind}:{int(settings.tls_port)}\n"
        f"cert_file = {checked('tls_certificate', settings.tls_certificate)}\n"
        f"priv_key_file = {checked('tls_key', settings.tls_key)}\n{_nat_lines(settings)}\n"
    )


def _generated_secrets(path: Path) -> dict[str, str]:
    known: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return {name: known.get(name) or secrets.token_urlsafe(24) for name in ("ami_secret", "observer_secret")}


def _failsafe_program(settings: NodeSettings, directory: Path) -> str:
    """The program that Asterisk starts. Where it cannot run, the dialplan does the same with less."""
    python = shlex.quote(str(settings.failsafe_python or sys.executable))
    script = shlex.quote(str(directory / "agi-bin" / "failsafe.py"))
    about = "# Rendered by Callyard. Asterisk starts this, and speaks AGI with it."
    return f'#!/bin/sh\n{about}\nexec {python} {script} "$@"\n'


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    partial.replace(path)
