"""The command `callyard`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from cti import callers_command, emergency_command, flow_command, moves_command, numbers_command, status_command
from cti.clock import Clock
from cti.config import Settings, describe, load_settings
from cti.errors import CtiError
from cti.queues_command import app as queues_app
from cti.shipped import begin_installation
from cti.terminal import fail, giver
from ivr.errors import SiteError
from ivr.loader import load_site
from ivr.site import Site

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A CTI telephony routing server for Asterisk.")
people_app = typer.Typer(no_args_is_help=True, help="Who works here.")
customers_app = typer.Typer(no_args_is_help=True, help="Who calls.")
numbers_app = typer.Typer(no_args_is_help=True, help="The numbers that callers dial.")
app.add_typer(people_app, name="people")
people_app.command("move")(moves_command.move)
people_app.command("moves")(moves_command.listed)
people_app.command("unmove")(moves_command.end)
app.add_typer(customers_app, name="customers")
app.add_typer(numbers_app, name="numbers")
app.add_typer(emergency_command.app, name="emergency")
app.add_typer(callers_command.app, name="callers")
app.add_typer(queues_app, name="queues")
app.add_typer(flow_command.app, name="flow")
app.command()(status_command.status)
flow_command.app.command("numbers")(numbers_command.numbers)


def _fail(error: Exception) -> None:
    print(str(error), file=sys.stderr)
    raise typer.Exit(1) from None


def _settings() -> Settings:
    try:
        return load_settings()
    except CtiError as error:
        _fail(error)
        raise AssertionError from error


def _site(settings: Settings) -> Site:
    try:
        return load_site(settings.site_dir)
    except SiteError as error:
        _fail(error)
        raise AssertionError from error


def _run(
    work: Callable[[], Coroutine[Any, Any, None]], new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> None:
    from screenpop.errors import ScreenpopError

    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(work())
    except (CtiError, ScreenpopError, SiteError) as error:
        _fail(error)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one (uvicorn brings it on every platform that it knows): a shorter way to each ring."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@app.command()
def serve(
    story: Annotated[bool, typer.Option(help="tell each call's steps in words on standard output")] = False,
    watch: Annotated[bool, typer.Option(help="publish every change of the site's files; for development")] = False,
) -> None:
    """Run the server until SIGTERM or Ctrl-C. Calls stay in Asterisk meanwhile."""
    from cti.main import serve_until_stopped

    settings = _settings()
    _run(lambda: serve_until_stopped(settings, tell_story=print if story else None, watches=watch), _fast_loop())


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="where settings and site are written; made if it is not there")],
) -> None:
    """Begin an installation: settings, a copy of the example site to change, and a unit for systemd."""
    try:
        file = begin_installation(folder)
    except CtiError as error:
        _fail(error)
        return
    print(f"{file}: written, with the example site in {file.parent / 'site'}")
    print(f"next: cd {folder}, callyard check, callyard people import site/people.csv, callyard provision asterisk")


@app.command()
def config() -> None:
    """Print the merged settings, secrets masked."""
    print(describe(_settings()))


@app.command()
def check() -> None:
    """Check the site's files: every error with file, line and column; exit status 1 if there is any."""
    settings = _settings()
    site = _site(settings)
    for problem in site.hints:
        print(f"note: {problem}")
    print(
        f"{settings.site_dir}: {len(site.numbers)} numbers, {len(site.flows)} flows, {len(site.queues)} queues: "
        f"no errors (version {site.version[:12]})"
    )


@app.command()
def provision(
    folder: Annotated[Path, typer.Argument(help="where Asterisk's configuration is written")],
    node: Annotated[str, typer.Option(help="the node's name (systemname)")] = "callyard1",
    sip_port: int = 5060,
    http_port: int = 8088,
    ami_port: int = 5038,
    rtp_first: int = 10000,
    rtp_last: int = 20000,
    bind: str = "127.0.0.1",
) -> None:
    """Write the configuration of one Asterisk, with generated secrets, and the fail-safe."""
    from cti.main import provision_node
    from cti.provisioning import NodeSettings

    settings = _settings()
    site = _site(settings)
    try:
        made = provision_node(
            settings,
            site,
            NodeSettings(
                node=node, bind=bind, sip_port=sip_port, http_port=http_port, ami_port=ami_port,
                agi_port=settings.agi_port, agi_host=settings.agi_host, rtp_first=rtp_first, rtp_last=rtp_last,
                country=site.settings.country, deadman_s=settings.limits.dead_man_s,
                silent_s=settings.limits.dead_man_s - settings.limits.dead_man_renew_s,
            ),
            folder,
        )  # fmt: skip
    except (CtiError, OSError) as error:
        _fail(error)
        return
    print(f"{made.config}: written; AMI user {made.ami_user}, its secret in {made.directory / 'secrets.json'}")


@app.command()
def doctor() -> None:
    """Examine this installation: what is wrong, and what to do; exit status 1 if something is."""
    from cti.main import examine_installation

    findings = asyncio.run(examine_installation(_settings()))
    for finding in findings:
        print(f"{finding.level:<7} {finding.what}" + (f"\n        → {finding.advice}" if finding.advice else ""))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def why(
    id: Annotated[str, typer.Argument(help="an offer (interaction/number), or an interaction", show_default=False)],
    journal: Annotated[Path | None, typer.Option(help="a journal's folder; else the server's own")] = None,
) -> None:
    """Say why an interaction was offered to this agent and to nobody else, or why it waits. Only reads files."""
    from acd.why import tell
    from cti.replay import explain, local_zone

    try:
        answer = explain(journal or _settings().journal_dir, id)
    except CtiError as error:
        _fail(error)
        return
    for damage in answer.damage:
        print(f"not read: {damage}", file=sys.stderr)
    print("\n".join(tell(answer.why, local_zone(answer.why.at))))
    print(f"(journal position {answer.position}, {answer.segment.name}:{answer.line})")


@app.command()
def replay(
    journal: Annotated[
        Path | None, typer.Argument(help="a journal's folder or one segment; else the server's own")
    ] = None,
) -> None:
    """Replay a journal twice and name the first difference, if any; exit status 1 then, or when a part is damaged."""
    from cti.replay import replay_journal

    try:
        again = replay_journal(journal or _settings().journal_dir)
    except CtiError as error:
        _fail(error)
        return
    for damage in again.damage:
        print(f"not read: {damage}", file=sys.stderr)
    print(f"{again.segments} segments, {again.events} events, {again.commands} commands: sha256 {again.digest}")
    if again.difference is not None:
        print(f"first difference: {again.difference}", file=sys.stderr)
    if again.difference is not None or again.damage:
        raise typer.Exit(1)


@app.command()
def waits(
    since: Annotated[str, typer.Option(help="how far back: so many hours or days, as in 8h or 7d")] = "7d",
) -> None:
    """Hold the expected waits that callers were told on joining against the real ones, per queue."""
    from cti.clock import Clock
    from cti.main import with_store
    from screenpop.calibration import calibrate, told
    from screenpop.db.waits import answered_waits

    hours = {"h": 1, "d": 24}.get(since[-1:], 0) * (int(since[:-1]) if since[:-1].isdecimal() else 0)
    if not 0 < hours <= 87_600:
        print(f"since: expected hours or days back, as in 8h or 7d, got {since!r}", file=sys.stderr)
        raise typer.Exit(1)

    async def work() -> None:
        async with with_store(_settings()) as (store, _, _plan), store.read() as connection:
            found = await answered_waits(connection, Clock().now() - hours * 3_600_000_000)
        print("\n".join(told(calibrate(found))) or "no visit was answered after a predicted wait")

    _run(work)


@app.command()
def selfcheck() -> None:
    """Rehearse the engine installed here against queueing theory, half a minute at most; exit status 1 if it is off."""
    from rehearsal.selfcheck import selfcheck as hold_to_theory

    if not hold_to_theory(print):
        raise typer.Exit(1)


@numbers_app.command("check")
def numbers_check(dialled: Annotated[list[str] | None, typer.Argument(help="numbers to route")] = None) -> None:
    """Check numbers.yaml, and say which flow answers each number given."""
    site = _site(_settings())
    for rule in site.numbers:
        print(f"{rule.number:<20} → {rule.flow} ({rule.language or site.settings.default_language})")
    refused = False
    for number in dialled or ():
        found = site.route(number)
        refused = refused or found is None
        print(
            f"{number}: " + (f"flow {found.flow}, by {found.number}" if found else "refused: no rule for this number")
        )
    if refused:
        raise typer.Exit(1)


@people_app.command("import")
def people_import(file: Annotated[Path, typer.Argument(help="CSV: username,name,role,extension,…")]) -> None:
    """Import people; all or nothing. Nobody gets a password by this."""
    from cti.main import with_store

    async def work() -> None:
        async with with_store(_settings()) as (_, people, _plan):
            result = await people.import_people(file)
        print(f"{result.added} people added, {result.updated} changed")

    _run(work)


@people_app.command("password")
def people_password(username: str) -> None:
    """Set a person's password, read from the terminal or, without one, from standard input."""
    from cti.main import with_store

    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True) if sys.stdin.isatty() else input()

    async def work() -> None:
        async with with_store(_settings()) as (_, people, _plan):
            await people.set_password(username, password)
        print(f"password of {username} set; earlier sessions are ended")

    _run(work)


@people_app.command("phone")
def people_phone(username: str) -> None:
    """Print what a person's phone needs to sign on: user and password. Whoever knows them can take their calls."""
    from cti.main import with_store
    from screenpop.errors import NotFoundError

    async def work() -> None:
        async with with_store(_settings()) as (_, people, _plan):
            phones = await people.phones()
        if username not in phones:
            raise NotFoundError(f"{username}: expected a person with an extension")
        print(f"user {phones[username].extension}\npassword {phones[username].secret}")

    _run(work)


@people_app.command("add")
def people_add(
    username: str,
    name: str,
    role: Annotated[str, typer.Option(help="agent, supervisor or admin; several with ;")] = "agent",
    extension: str = "",
    queues: Annotated[str, typer.Option(help="queues, separated by ;")] = "",
    skills: Annotated[str, typer.Option(help="as in billing:5;english:8")] = "",
) -> None:
    """Add a person. They can sign in once `callyard people password` has been run."""
    from cti.main import with_store
    from screenpop.entries import entry_from_words

    async def work() -> None:
        async with with_store(_settings()) as (_, people, _plan):
            await people.add(entry_from_words(username, name, role, extension, queues, skills))
        print(f"{username} added")

    _run(work)


@customers_app.command("import")
def customers_import(file: Annotated[Path, typer.Argument(help="CSV: id,name,company,account,…")]) -> None:
    """Import customers; all or nothing."""
    from cti.main import with_store
    from screenpop.customer_file import import_customers

    async def work() -> None:
        async with with_store(_settings()) as (store, _, plan):
            result = await import_customers(store, plan, file)
        print(f"{result.added} customers added, {result.updated} changed")

    _run(work)


@customers_app.command("set-pin")
def customers_set_pin(
    customer: Annotated[str, typer.Argument(help="the customer's id")],
    remove: Annotated[bool, typer.Option("--remove", help="they have no PIN any more")] = False,
) -> None:
    """Give a customer a PIN, read from the terminal or, without one, from standard input."""
    from cti.main import with_store
    from screenpop.pins import set_pin

    if remove:
        pin = ""
    elif sys.stdin.isatty():
        pin = typer.prompt("PIN", hide_input=True, confirmation_prompt=True)
    else:
        pin = sys.stdin.readline().strip()
    if not pin and not remove:
        fail("expected a PIN, got nothing; --remove takes it away")

    async def work() -> None:
        async with with_store(_settings()) as (store, _, _plan):
            await set_pin(store, customer, pin, giver(), Clock().now())
        print(f"PIN of {customer} {'removed' if remove else 'set'}")

    _run(work)


if __name__ == "__main__":
    app()
