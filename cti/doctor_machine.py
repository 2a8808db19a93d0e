"""The doctor's look at the machine: Python, programs, folders, secrets, ports, disk, the site's files.

Each function looks at one thing and returns what it found; none changes anything that it leaves behind. Asterisk
and the database are `cti.doctor`'s.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from cti.findings import Finding, good, warning, wrong
from cti.secrets_of_site import SecretError, read_secret
from cti.settings import AmiNode, ConfigError, Settings
from cti.sounds import Speech
from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.site import Site
from ivr.step_kinds.base import Thing

LEAST_PYTHON = (3, 11)
FILES_PER_CALL = 6
"""Open files that one waiting call costs Asterisk; the server itself needs fewer."""

_DISK_SHORT = 1024**3
_DISK_FULL = 100 * 1024**2
_CONNECT_S = 2.0


def examine_python(version: tuple[int, int] = sys.version_info[:2]) -> list[Finding]:
    shown = ".".join(map(str, version))
    if version < LEAST_PYTHON:
        return [wrong(f"Python {shown}, expected 3.11 or newer", "install a newer Python and set up again")]
    return [good(f"Python {shown}")]


def examine_programs(speech: Speech) -> list[Finding]:
    """Look for the programs that make sound from text."""
    findings = []
    if found := shutil.which(speech.program):
        findings.append(good(f"text to speech: {found}"))
    else:
        advice = "install it (Debian: apt-get install espeak-ng); until then only recorded sounds are heard"
        findings.append(wrong(f"text to speech: {speech.program}: program not found", advice))
    if shutil.which("sox") is None:
        advice = "install it (Debian: apt-get install sox) to make new prompts faster"
        findings.append(warning("sox: program not found; a slower conversion of our own is used", advice))
    return findings


def examine_host_name(name: str) -> list[Finding]:
    """Asterisk asks for its own host's name at each call and blocks while that does not resolve."""
    try:
        socket.getaddrinfo(name, None)
    except OSError as error:
        return [wrong(f"host name {name!r} does not resolve: {error}", f"add a line `127.0.1.1 {name}` to /etc/hosts")]
    return [good(f"host name {name} resolves")]


def examine_open_files(limit: int = resource.RLIM_INFINITY) -> list[Finding]:
    """Say how many calls the limit of open files allows; `limit` is for tests, else the process's own."""
    hard = limit if limit != resource.RLIM_INFINITY else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return [good("open files: no limit")]
    calls = hard // FILES_PER_CALL
    what = f"open files: at most {hard}, enough for about {calls} waiting calls"
    return [good(what) if calls >= 100 else warning(what, "raise the hard limit (LimitNOFILE= or ulimit -Hn)")]


def examine_folders(settings: Settings) -> list[Finding]:
    """Look whether we can write where we must, and whether anything stands open that should not."""
    folders = (settings.data_dir, settings.sounds_dir, settings.spool_dir)
    findings = [_writable(folder) for folder in folders]
    if settings.spool_dir.is_dir() and settings.spool_dir.stat().st_mode & stat.S_IRWXO:
        advice = f"chmod o-rwx {settings.spool_dir}"
        findings.append(warning(f"{settings.spool_dir}: callers' messages can be read by every user", advice))
    return findings


def _writable(folder: Path) -> Finding:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return wrong(f"{folder}: cannot write there: {error.strerror}", "make it a folder that this user may write")
    return good(f"{folder}: {'writable' if existing == folder else 'can be made'}")


def examine_disk(folder: Path, free: int | None = None) -> list[Finding]:
    """Look at the space on the disk of `folder`; `free` bytes is for tests, else asked of the system."""
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(existing).free if free is None else free
    what = f"disk of {folder}: {free / 1024**3:.1f} GB free"
    if free < _DISK_FULL:
        return [wrong(what, "make space: without it neither journal nor records can be written")]
    return [warning(what, "make space before it runs out")] if free < _DISK_SHORT else [good(what)]


def examine_secret(node: AmiNode) -> list[Finding]:
    """Look whether the node's secret can be read, by us and by nobody else."""
    try:
        secret = node.read_secret()
    except ConfigError as error:
        return [wrong(str(error), "write the node's AMI secret into that file")]
    findings = [good(f"AMI secret of {node.name} can be read")]
    if len(secret) < 12:
        findings.append(warning(f"AMI secret of {node.name} is shorter than 12 characters", "generate a longer one"))
    if node.secret_file and node.secret_file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        advice = f"chmod 600 {node.secret_file}"
        findings.append(warning(f"{node.secret_file}: other users may read the AMI secret", advice))
    return findings


def examine_port(what: str, host: str, port: int) -> list[Finding]:
    """Look whether `port` is free to listen on, or answers already (the server runs, or something else does)."""
    name = f"{what} {host}:{port}"
    if port == 0:
        return [good(f"{what} {host}: any free port")]
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except PermissionError:
        return [wrong(f"{name}: this user may not listen there", "choose a port above 1023")]
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return [wrong(f"{name}: cannot listen there: {error}", "set an address of this machine")]
        return [_answering(name, host, port)]
    return [good(f"{name}: free; the server is not running")]


def _answering(name: str, host: str, port: int) -> Finding:
    asked = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        socket.create_connection((asked, port), timeout=_CONNECT_S).close()
    except OSError as error:
        return wrong(f"{name}: taken, and does not answer: {error}", "find the program that holds it (ss -ltnp)")
    return good(f"{name}: answers")


def examine_site(site_dir: Path) -> list[Finding]:
    """Load and check the site's files."""
    try:
        site = load_site(site_dir)
    except SiteError as error:
        return [wrong(f"site {problem}", "correct the file") for problem in error.problems]
    found = [good(f"site {site_dir}: {len(site.flows)} flows, {len(site.queues)} queues")]
    return found + _examine_endpoints(site)


def _examine_endpoints(site: Site) -> list[Finding]:
    """Look for the secrets of the endpoints that something uses."""
    steps = (placed.step for layout in site.layouts.values() for placed in layout.steps.values())
    used = {named.name for step in steps for named in step.named() if named.thing is Thing.WEBHOOK}
    if site.settings.text_messages is not None:
        used.add(site.settings.text_messages.webhook)
    found = []
    for name in sorted(used):
        for header, reference in site.webhooks[name].secret_headers.items():
            try:
                read_secret(reference, site.folder, os.environ)
            except SecretError as error:
                found.append(wrong(f"webhook {name}: the secret of {header} {error}", "put it there"))
    return found


def examine_failsafe(settings: Settings, file_names: Sequence[str]) -> list[Finding]:
    """Look for the sounds that callers hear while the server is away."""
    missing = [name for name in file_names if not os.access(settings.sounds_dir / f"{name}.wav", os.R_OK)]
    if missing:
        what = f"fail-safe: {len(missing)} of {len(file_names)} sounds are not in {settings.sounds_dir}"
        return [warning(what, "start the server once to render them; until then Asterisk's own are heard")]
    return [good(f"fail-safe: its {len(file_names)} sounds are in {settings.sounds_dir}")]
