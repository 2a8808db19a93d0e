"""`callyard doctor`: examines an installation and says what is wrong and what to do.

What belongs here: the whole examination, and the parts that read Asterisk's configuration (by pyst2), talk to it, or
ask for the database. What does not: the machine (`cti.doctor_machine`), and any repair.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from asterisk.config import Config, ParseError

from cti import doctor_machine as machine
from cti.ami import AmiLink, AmiSettings
from cti.clock import Clock
from cti.errors import AmiActionError, AmiError
from cti.failsafe import SOUND_FILES
from cti.findings import Finding, Level, good, warning, wrong
from cti.settings import AmiNode, ConfigError, Settings
from cti.sounds import Speech

__all__ = ["Finding", "Level", "examine", "examine_database", "examine_link", "examine_manager_conf"]

Revisions = Callable[[], Awaitable[tuple[str | None, str | None]]]
"""Asks the database for the revision it is at (None: no tables of ours) and the newest that there is."""

OLDEST_ASTERISK = 20
CONTEXTS = (
    "callyard-inbound",
    "callyard-call",
    "callyard-dial",
    "callyard-agent-leg",
    "callyard-phones",
    "callyard-conference",
    "callyard-gap",
    "callyard-failsafe",
)
READ_CLASSES = ("system", "call", "dtmf", "user")
WRITE_CLASSES = ("system", "call", "originate", "reporting", "user")
FLOODS = ("VarSet", "Newexten")
_LIMIT_S = 8.0
_CLOCKS_APART_US = 2_000_000
_ESCAPED = "\x1f"
_RENDER = "render Asterisk's configuration again: callyard provision"


async def examine(settings: Settings, revisions: Revisions) -> Sequence[Finding]:
    """Return everything that was found; never raises for what it finds."""
    findings = [
        *machine.examine_python(),
        *machine.examine_programs(Speech(settings.speech.program)),
        *machine.examine_host_name(socket.gethostname()),
        *machine.examine_open_files(),
        *machine.examine_folders(settings),
        *machine.examine_disk(settings.data_dir),
        *machine.examine_site(settings.site_dir),
        *machine.examine_failsafe(settings, list(SOUND_FILES.values())),
        *machine.examine_port("web", settings.web_host, settings.web_port),
        *machine.examine_port("FastAGI", settings.agi_host, settings.agi_port),
        *await examine_database(revisions),
    ]
    if not settings.ami:
        findings.append(wrong("no Asterisk is configured", "add a node under `ami:` to callyard.yaml"))
    for node in settings.ami:
        findings += machine.examine_secret(node)
        findings += _examine_configuration(settings, node)
        findings += await examine_link(node)
    return findings


async def examine_database(revisions: Revisions) -> list[Finding]:
    """Ask whether the database answers and has today's tables."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            current, newest = await revisions()
    except Exception as error:  # noqa: BLE001 - whatever the driver raises, it is what was found
        what = f"database: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no answer'}"
        return [wrong(what, "check database_url, and that the database runs")]
    if current is None:
        return [warning("database: empty", "the server makes its tables when it starts")]
    if current != newest:
        advice = "the server brings it up to date when it starts; a newer one than ours needs a newer Callyard"
        return [warning(f"database: at revision {current}, expected {newest}", advice)]
    return [good(f"database: reachable, at revision {current}")]


# --- Asterisk's configuration files -------------------------------------------------------------------


class AsteriskConfig(Config):  # type: ignore[misc]  # pyst2 has no types
    """pyst2's reader of Asterisk's configuration, for what real files hold and it does not understand.

    `#include` lines and block comments are dropped, templates read as plain sections, `\\;` is no comment, values
    come without blanks around them.
    """

    def load(self) -> None:
        text = Path(self.filename).read_text(encoding="utf-8", errors="replace")
        text = re.sub(r";--.*?--;", "", text, flags=re.DOTALL).replace("\\;", _ESCAPED)
        self.raw_lines = [
            "" if line.lstrip().startswith("#") else re.sub(r"^\s*(\[[^\]]*\])\s*\([^)]*\)", r"\1", line)
            for line in text.splitlines()
        ]

    def sections(self) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """Return section → key → its values in order; keys in lower case, sections of one name joined."""
        result: dict[str, dict[str, list[str]]] = {}
        for category in self.categories:
            section = result.setdefault(category.name.strip(), {})
            for item in category.items:
                value = item.value.strip().replace(_ESCAPED, ";")
                section.setdefault(item.name.rstrip("+ ").lower(), []).append(value)
        return result


def _examine_configuration(settings: Settings, node: AmiNode) -> list[Finding]:
    for file in _manager_files(settings, node):
        findings = examine_manager_conf(file, node)
        if findings:
            return findings
    advice = "nothing to do if that Asterisk runs on another machine; look at its manager.conf there"
    return [warning(f"node {node.name}: no manager.conf with user {node.username} found on this machine", advice)]


def _manager_files(settings: Settings, node: AmiNode) -> list[Path]:
    folders = [settings.generated_dir, settings.generated_dir / node.name, Path("/etc/asterisk")]
    if node.secret_file:
        folders.insert(0, node.secret_file.parent)
    files = [file for folder in folders for file in (folder / "etc/manager.conf", folder / "manager.conf")]
    return [file for file in files if file.is_file()]


def examine_manager_conf(file: Path, node: AmiNode) -> list[Finding]:
    """Check our user in Asterisk's manager.conf; nothing at all if the file does not know that user."""
    try:
        sections = AsteriskConfig(str(file)).sections()
    except ParseError as error:
        line, what = (*error.args, "", "")[:2]
        return [wrong(f"{file}:{line}: {what}", "correct the file; Asterisk ignores what it cannot read")]
    except OSError as error:
        return [warning(f"{file}: cannot be read: {error.strerror}", "run the doctor as a user who may read it")]
    if node.username not in sections:
        return []
    user = {key: values[-1] for key, values in sections[node.username].items()}
    general = {key: values[-1] for key, values in sections.get("general", {}).items()}
    faults = [
        *_general_faults(file, general, node),
        *_user_faults(file, user, node),
        *_flood_faults(file, user, sections[node.username], node),
    ]
    return faults or [good(f"{file}: user {node.username} is as it should be")]


def _general_faults(file: Path, general: Mapping[str, str], node: AmiNode) -> list[Finding]:
    faults = []
    if not _is_true(general.get("enabled", "no")):
        faults.append(wrong(f"{file}: [general] enabled: expected yes", _RENDER))
    if general.get("port", "5038") != str(node.port):
        what = f"{file}: [general] port {general.get('port', '5038')}, but node {node.name} is set to {node.port}"
        faults.append(wrong(what, "make both the same"))
    if general.get("bindaddr", "0.0.0.0") in {"0.0.0.0", "::"}:
        what = f"{file}: [general] bindaddr: AMI listens on every address of the machine"
        faults.append(warning(what, "bind it to the address that the server uses"))
    if not _is_true(general.get("timestampevents", "no")):
        faults.append(warning(f"{file}: [general] timestampevents: expected yes", _RENDER))
    if "channelvars" in general:
        faults.append(warning(f"{file}: [general] channelvars: put variables into every event", "remove the line"))
    return faults


def _user_faults(file: Path, user: Mapping[str, str], node: AmiNode) -> list[Finding]:
    where = f"{file}: [{node.username}]"
    faults = []
    with contextlib.suppress(ConfigError):  # said elsewhere
        if user.get("secret") != node.read_secret():
            faults.append(wrong(f"{where} secret: not the one that node {node.name} is set to", "make both the same"))
    for key, needed in (("read", READ_CLASSES), ("write", WRITE_CLASSES)):
        granted = {word.strip() for word in user.get(key, "").split(",")}
        lacking = [word for word in needed if word not in granted and "all" not in granted]
        if lacking:
            faults.append(wrong(f"{where} {key}: lacks {', '.join(lacking)}", _RENDER))
    if "permit" not in user and "acl" not in user:
        faults.append(warning(f"{where} anyone who reaches the port may try the secret", "add deny and permit lines"))
    if int(wait) < 1000 if (wait := user.get("writetimeout", "100")).isdigit() else True:
        what = f"{where} writetimeout {wait} ms: a short stall of the server cuts the link and loses events"
        faults.append(warning(what, "set it to 5000"))
    return faults


def _flood_faults(
    file: Path, user: Mapping[str, str], lines: Mapping[str, Sequence[str]], node: AmiNode
) -> list[Finding]:
    """Events of class dialplan are a flood; either the class is not read, or they are filtered."""
    read = {word.strip() for word in user.get("read", "").split(",")}
    if not read & {"dialplan", "all"}:
        return []
    filters = " ".join([*lines, *lines.get("eventfilter", ())]).lower()
    return [
        warning(f"{file}: [{node.username}] reads {name}, several for each line of the dialplan", _RENDER)
        for name in FLOODS
        if f"name({name.lower()})" not in filters and f"!event: {name.lower()}" not in filters
    ]


def _is_true(text: str) -> bool:
    return text.lower() in {"yes", "true", "y", "t", "1", "on"}


# --- a running Asterisk -------------------------------------------------------------------------------


async def examine_link(node: AmiNode, *, clock: Clock | None = None, limit_s: float = _LIMIT_S) -> list[Finding]:
    """Log in to the node, and look at its version, its clock and its dialplan."""
    try:
        secret = node.read_secret()
    except ConfigError:
        return []
    is_up = asyncio.Event()
    settings = AmiSettings(node.name, node.host, node.port, node.username, secret, connect_timeout_s=limit_s / 2)
    link = AmiLink(settings, on_event=lambda event: None, on_up=is_up.set, on_down=lambda reason: is_up.set())
    running = asyncio.create_task(link.run(), name=f"doctor's link to {node.name}")
    try:
        async with asyncio.timeout(limit_s):
            await is_up.wait()
        if not link.is_up:
            return [wrong(f"AMI: {link.last_error}", "check host, port, username and secret of the node")]
        return [good(f"AMI: logged in to {node.name}"), *await _ask(link, clock or Clock())]
    except TimeoutError:
        return [wrong(f"AMI: {node.name} at {node.host}:{node.port}: no answer in {limit_s:g} s", "is it running?")]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _ask(link: AmiLink, clock: Clock) -> list[Finding]:
    findings = []
    for ask in (_version, _clocks, _dialplan):
        try:
            findings += await ask(link, clock)
        except AmiError as error:
            findings.append(wrong(f"AMI: {error}", _RENDER))
    return findings


async def _version(link: AmiLink, clock: Clock) -> list[Finding]:
    version = (await link.act("CoreSettings")).headers.get("AsteriskVersion", "")
    number = re.match(r"(?:\w+-)?(\d+)", version)
    if number is None or int(number[1]) < OLDEST_ASTERISK:
        return [wrong(f"Asterisk {version or 'of unknown version'} on {link.node}", f"use {OLDEST_ASTERISK} or newer")]
    return [good(f"Asterisk {version} on {link.node}")]


async def _clocks(link: AmiLink, clock: Clock) -> list[Finding]:
    before = clock.now()
    told = (await link.act("Ping")).headers.get("Timestamp", "")
    after = clock.now()
    if not re.fullmatch(r"\d{1,12}(\.\d+)?", told):
        return []
    theirs = round(float(told) * 1_000_000)
    apart_us = max(before - theirs, theirs - after, 0)
    if apart_us > _CLOCKS_APART_US:
        what = f"clock of {link.node} is {apart_us / 1_000_000:.1f} s away from ours"
        return [warning(what, "run a time service (chrony) on both machines: reports would not add up")]
    return [good(f"clock of {link.node} agrees with ours")]


async def _dialplan(link: AmiLink, clock: Clock) -> list[Finding]:
    missing = []
    for context in CONTEXTS:
        try:
            await link.collect("ShowDialPlan", {"Context": context})
        except AmiActionError:
            missing.append(context)
    if missing:
        return [wrong(f"dialplan of {link.node} lacks {', '.join(missing)}", _RENDER)]
    return [good(f"dialplan of {link.node} has all {len(CONTEXTS)} contexts")]
