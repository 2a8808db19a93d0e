"""The command `callyard flow`: check, try and test flows before a caller hears them. Only reads files."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from cti import publish_command
from cti.config import load_settings
from cti.errors import CtiError
from cti.flow_terminal import tread
from cti.terminal import fail
from ivr.dialogue import run_test
from ivr.drawing import MOST_BOXES, draw
from ivr.errors import Problem, SiteError, did_you_mean, one_of, quote
from ivr.files import read_file
from ivr.flow_tests import ReadTest, files_of_tests, read_tests
from ivr.graph import as_text
from ivr.graph import graph as boxes_of
from ivr.loader import load_site
from ivr.positions import MOST_BYTES
from ivr.recordings import FOLDER, listed
from ivr.schemas import SCHEMAS, schema_of
from ivr.site import Site

app = typer.Typer(no_args_is_help=True, help="Check, try and test flows before a caller hears them.")

SiteFolder = Annotated[Path | None, typer.Option("--site", help="a site's folder; else the one of the settings")]


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="a JSON list of file, line, column, message, kind")] = False,
    site: SiteFolder = None,
) -> None:
    """Check the site's files and the flows' tests: every error with file, line and column; exit status 1 if any."""
    folder = _folder(site)
    errors: Sequence[Problem] = ()
    hints: Sequence[Problem] = ()
    try:
        loaded = load_site(folder)
        hints = loaded.hints
        tests, found = _tests(loaded)
        errors = sorted(found)
        said = f"{folder}: {len(loaded.flows)} flows, {len(tests)} tests: no errors (version {loaded.version[:12]})"
    except SiteError as error:
        errors = error.problems
    if as_json:
        kinds = [*(("error", each) for each in errors), *(("hint", each) for each in hints)]
        typer.echo(json.dumps([_plain(kind, each) for kind, each in kinds], ensure_ascii=False, indent=1))
    else:
        for hint in hints:
            typer.echo(f"note: {hint}")
        typer.echo("\n".join(map(str, errors)) if errors else said, err=bool(errors))
    if errors:
        raise typer.Exit(1)


@app.command()
def schema(kind: Annotated[str, typer.Argument(help=", ".join(SCHEMAS))] = "flow") -> None:
    """Print the JSON schema of a kind of file, for editors."""
    if kind not in SCHEMAS:
        fail(f"unknown kind of file {quote(kind)}: {one_of(SCHEMAS)}{did_you_mean(kind, SCHEMAS)}")
    typer.echo(json.dumps(schema_of(kind), ensure_ascii=False, indent=2))


app.command()(publish_command.publish)
app.command()(publish_command.versions)
app.command()(publish_command.diff)
app.command()(publish_command.rollback)


@app.command("test")
def run(
    files: Annotated[
        list[Path] | None, typer.Argument(help="files of tests; else all of the site's folder tests")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="as real calls, on an Asterisk and a server of their own; in a checkout only")
    ] = False,
    site: SiteFolder = None,
) -> None:
    """Run the tests of the flows, without a telephone: what came otherwise than they say; exit status 1 if any."""
    if live:
        _play(_folder(site), files or [])
    loaded = _site(site)
    tests, problems = _tests(loaded, files)
    failed = [failure for each in tests if (failure := run_test(loaded, each)) is not None]
    for problem in (*sorted(problems), *failed):
        typer.echo(str(problem), err=True)
    unread = f", {len(problems)} errors in the files" if problems else ""
    typer.echo(f"{len(tests)} tests: {len(tests) - len(failed)} passed, {len(failed)} failed{unread}")
    if failed or problems:
        raise typer.Exit(1)


def _play(folder: Path, files: Sequence[Path]) -> NoReturn:
    """Have the laboratory play the tests; this process becomes it."""
    if find_spec("lab") is None:
        fail("real calls need the laboratory (a private Asterisk, callers, phones): run this in a checkout of Callyard")
    os.execv(sys.executable, [sys.executable, "-m", "lab.live_flow_tests", "--site", str(folder), *map(str, files)])


@app.command()
def walk(
    where: Annotated[str, typer.Argument(metavar="FLOW|NUMBER", help="a flow, or a number that callers dial")],
    caller: Annotated[str, typer.Option(help="the caller's number; withheld if left out")] = "",
    at: Annotated[str, typer.Option(help="when, as in 2026-11-23T10:00, in the site's time zone; else now")] = "",
    language: Annotated[str, typer.Option(help="what the caller hears; else the number's or the site's")] = "",
    site: SiteFolder = None,
) -> None:
    """Try a flow in the terminal: read what the caller hears, type keys, say what is found and how queues end."""
    loaded = _site(site)
    try:
        typer.echo(str(tread(loaded, where, caller, at, language)))
    except ValueError as error:
        fail(str(error))


@app.command()
def graph(
    flow: Annotated[str, typer.Argument(help="the flow's name")],
    svg: Annotated[Path | None, typer.Option(help="write a picture to this file instead")] = None,
    site: SiteFolder = None,
) -> None:
    """Show a flow's nodes with their steps, and where its ways out lead: in words, or as a picture."""
    loaded = _site(site)
    if flow not in loaded.flows:
        fail(f"unknown flow {quote(flow)}: {one_of(loaded.flows)}{did_you_mean(flow, loaded.flows)}")
    if svg is None:
        typer.echo(as_text(loaded, flow))
        return
    boxes = boxes_of(loaded, flow)
    if len(boxes) > MOST_BOXES:
        fail(f"{flow} has {len(boxes)} nodes: expected at most {MOST_BOXES} to draw")
    try:
        svg.write_text(draw(boxes), encoding="utf-8")
    except OSError as error:
        fail(f"{svg}: cannot be written: {error.strerror}")
    typer.echo(f"{svg}: written")


@app.command()
def prompts(
    missing: Annotated[bool, typer.Option("--missing", help="only texts that could be recorded and are not")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="as a table for who records them")] = False,
    site: SiteFolder = None,
) -> None:
    """List the prompts with their texts, and which of them are recorded."""
    found = listed(_site(site))
    shown = [each for each in found if each.is_missing or not missing]
    if as_csv:
        table = csv.writer(sys.stdout, lineterminator="\n")
        table.writerow(("id", "language", "state", "file", "text", "note"))
        for each in shown:
            file = each.recorded or ("" if each.has_values else f"{FOLDER}/{each.language}/{each.id}.wav")
            table.writerow((each.id, each.language, each.state, file and f"sounds/{file}", each.text, each.note))
        return
    for each in shown:
        typer.echo(f"{each.id} {each.language} {each.state}: {each.text}" + (f" ({each.note})" if each.note else ""))
    gaps = sum(each.is_missing for each in found)
    recorded = sum(bool(each.recorded) for each in found)
    typer.echo(f"{len(found)} texts: {recorded} recorded, {gaps} recordings missing")


def _folder(site: Path | None) -> Path:
    try:
        return site or load_settings().site_dir
    except CtiError as error:
        fail(str(error))
        raise AssertionError from error


def _site(site: Path | None) -> Site:
    try:
        return load_site(_folder(site))
    except SiteError as error:
        fail(str(error))
        raise AssertionError from error


def _tests(site: Site, files: Sequence[Path] | None = None) -> tuple[list[ReadTest], list[Problem]]:
    """The tests of these files, or of the site's own, and what is wrong with the files."""
    tests: list[ReadTest] = []
    problems: list[Problem] = []
    own, stray = files_of_tests(site)
    for file in files or own:
        name = str(file) if files else file.relative_to(site.folder).as_posix()
        try:
            read, wrong = read_tests(site, name, read_file(file, MOST_BYTES))
        except OSError as error:
            read, wrong = [], [Problem(name, 1, 1, f"the file cannot be read: {error.strerror}")]
        tests += read
        problems += wrong
    return tests, problems if files else [*stray, *problems]


def _plain(kind: str, problem: Problem) -> dict[str, Any]:
    return {**asdict(problem), "kind": kind}
