"""The dialogue of a flow in a terminal: whoever types is the caller, the records and the queue."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import typer

from cti.clock import Clock, utc
from ivr.dialogue import kept
from ivr.errors import did_you_mean, one_of, quote
from ivr.flow_tests import YES_NO
from ivr.kept_values import KINDS, as_kind
from ivr.settings import CUSTOMER_FIELDS
from ivr.site import Site
from ivr.step_kinds.agents import PROMISED_EXIT, QUEUE_EXITS
from ivr.step_kinds.transfer import FAILED_EXITS
from ivr.step_values import KEY_WORDS
from ivr.steps import (
    CallWebhook,
    CustomerFound,
    Enqueue,
    KeepAnswer,
    LookUpCustomer,
    PlayMusic,
    Promise,
    Prompt,
    ReadDigits,
    RecordCall,
    RecordMessage,
    SendText,
    Transfer,
    WebhookEnded,
)
from ivr.walk import Over, Spot, walk, walk_flow

#: A line that is typed has at most so many characters.
MOST_TYPED = 400
HANG_UP = "h"

Answer = TypeVar("Answer")


def tread(site: Site, where: str, caller: str, at: str, language: str) -> Over:
    """Walk a call to a number, or through a flow, in this terminal. Raises ValueError for what cannot be walked."""
    now = _time(site, at)
    if language and language not in site.settings.languages:
        known = site.settings.languages
        raise ValueError(f"unknown language {quote(language)}: {one_of(known)}{did_you_mean(language, known)}")
    terminal = Terminal(site, now)
    if where in site.flows:
        return walk_flow(site, where, caller, terminal, now, language=language)
    if re.search("[0-9]", where):
        return walk(site, where, caller, terminal, now, language=language)
    raise ValueError(f"unknown flow {quote(where)}: {one_of(site.flows)}{did_you_mean(where, site.flows)}, or a number")


def _time(site: Site, at: str) -> datetime:
    zone = ZoneInfo(site.settings.time_zone)
    try:
        given = datetime.fromisoformat(at) if at else utc(Clock().now()).astimezone(zone)
    except ValueError:
        raise ValueError(f"{quote(at)} is not a time: expected for example 2026-11-23T10:00") from None
    return given if given.tzinfo is not None else given.replace(tzinfo=zone)


class Terminal:
    """Prints what the caller hears and where the call is, and asks whoever types for everything else."""

    def __init__(self, site: Site, now: datetime) -> None:
        self._site = site
        self._spot: Spot | None = None
        typer.echo(f"It is {now:%A, %Y-%m-%d %H:%M}. h hangs up.")

    def hears(self, spot: Spot, prompt: Prompt) -> None:
        """Print a text in its language, or the name of a sound."""
        self._go_to(spot)
        typer.echo(f"    {prompt.language}: {prompt.text}" if prompt.text else f"    plays {prompt.sound}")

    def hears_music(self, spot: Spot, wanted: PlayMusic) -> None:
        """Print which music plays, and how long."""
        self._go_to(spot)
        typer.echo(f"    plays music {wanted.music} for {wanted.for_s:g} s")

    def presses(self, spot: Spot, wanted: ReadDigits) -> str | None:
        """Ask for keys; those beyond what is wanted are kept for the next question."""
        self._go_to(spot)
        ways = self._ways(spot)
        if wanted.terminator:
            ways = [f"{wanted.terminator} ends typing", *ways]
        self._tell(ways)
        return self._ask(f"keys (t or nothing: none for {wanted.first_s:g} s)", _keys)

    def finds(self, spot: Spot, wanted: LookUpCustomer) -> CustomerFound | None:
        """Ask what a look-up finds."""
        self._go_to(spot)
        by_pin = " and a PIN" if wanted.pin is not None else ""
        typer.echo(f"    looks for a customer by {wanted.by}{by_pin}: {wanted.value}")
        self._tell(self._ways(spot))
        refused = " wrong; blocked;" if by_pin else ""
        return self._ask(f"found (nothing: none; 2: two;{refused} or name=Anna, vip=yes)", self._found)

    def leaves_queue(self, spot: Spot, wanted: Enqueue) -> str | None:
        """Show how the caller waits, and ask how it ends."""
        self._go_to(spot)
        typer.echo("\n".join(f"    {line}" for line in _waiting(wanted)))
        exits = self._exits(spot)
        outcomes = [*QUEUE_EXITS, *([PROMISED_EXIT] if self._site.queues[wanted.queue].callback else [])]
        self._tell([f"{way} → {exits.get(way, exits.get('then', 'the end'))}" for way in outcomes])
        return self._ask(f"the wait ends (nothing: {outcomes[0]})", lambda typed: _word(typed, outcomes))

    def promises(self, spot: Spot, wanted: Promise) -> str | None:
        """Show the wish, and ask whether it is granted."""
        self._go_to(spot)
        typer.echo(f"    asks to be called back by {wanted.queue} under {wanted.number}, priority {wanted.priority}")
        self._tell(self._ways(spot))
        answers = {"promised": "", "refused": "number", "never": "no_callback"}
        return self._ask("answer (nothing: promised)", lambda typed: answers[_word(typed, list(answers))])

    def leaves_message(self, spot: Spot, wanted: RecordMessage) -> bool | None:
        """Ask whether the caller says something."""
        self._go_to(spot)
        typer.echo(f"    records for {wanted.at_most_s:g} s at most")
        if wanted.queue:
            typer.echo(f"    agents of {wanted.queue} get it, priority {wanted.priority}")
        return self._ask("message (nothing: left)", lambda typed: _word(typed, ["left", "none"]) == "left")

    def sees(self, spot: Spot, kept: RecordCall | KeepAnswer) -> None:
        """Print what is recorded or kept from here on."""
        self._go_to(spot)
        match kept:
            case KeepAnswer():
                typer.echo(f"    keeps {kept.survey}: {kept.question} {kept.value}")
            case RecordCall(consent=""):
                typer.echo("    is recorded no longer")
            case RecordCall(consent="no"):
                typer.echo("    is not recorded")
            case RecordCall():
                typer.echo(f"    is recorded from here on ({kept.consent})")

    def transfers(self, spot: Spot, wanted: Transfer) -> str | None:
        """Show who gets the caller, and ask how it ends."""
        self._go_to(spot)
        line = f", by {wanted.trunk}" if wanted.trunk else ""
        shown = f", showing {wanted.caller_id}" if wanted.caller_id else ""
        typer.echo(f"    transfers to {wanted.kind} {wanted.to}, rings {wanted.ring_s:g} s{line}{shown}")
        exits = self._exits(spot)
        ways = {"answered": exits.get("then", "the end")}
        ways |= {way: exits.get(way, exits.get("otherwise", "the end")) for way in FAILED_EXITS}
        self._tell([f"{way} → {address}" for way, address in ways.items()])
        return self._ask("the transfer ends (nothing: answered)", lambda typed: _word(typed, list(ways)))

    def answers(self, spot: Spot, wanted: CallWebhook) -> WebhookEnded | None:
        """Show what another program is asked, secrets only by the names of their fields, and ask what it answers."""
        self._go_to(spot)
        typer.echo(f"    webhook {wanted.endpoint.name}: {wanted.method} {target(wanted)}")
        if wanted.send:
            typer.echo(f"    sends {', '.join(wanted.send)}")
        self._tell(self._ways(spot))
        known = ", ".join(f"{name}=…" for name in wanted.keep)
        asked = f"answer (nothing: ok{f'; or {known}' if known else ''}; not_found; failed)"
        return self._ask(asked, lambda typed: _answer(typed, wanted))

    def sends(self, spot: Spot, wanted: SendText) -> str | None:
        """Show a text message, and ask whether it is sent."""
        self._go_to(spot)
        typer.echo(f"    sends to {wanted.to}: {wanted.prompt.text}")
        self._tell(self._ways(spot))
        answers = {"sent": "", "otherwise": "failed"}
        return self._ask("the message (nothing: sent)", lambda typed: answers[_word(typed, list(answers))])

    def _go_to(self, spot: Spot) -> None:
        if spot != self._spot:
            self._spot = spot
            typer.echo(f"[{spot}]")

    def _exits(self, spot: Spot) -> dict[str, str]:
        placed = self._site.layouts[spot.flow].steps[spot.address]
        exits = {way[-1]: address or "the end" for way, address in placed.exits.items()}
        return exits if not placed.step.falls_through else {"else": placed.after or "the end", **exits}

    def _ways(self, spot: Spot) -> list[str]:
        return [f"{way} → {address}" for way, address in self._exits(spot).items()]

    def _tell(self, ways: Sequence[str]) -> None:
        typer.echo(f"    ({', '.join(ways)})")

    def _found(self, typed: str) -> CustomerFound:
        if typed.isdecimal() and typed != "1":
            return CustomerFound(int(typed))
        if not typed:
            return CustomerFound(0)
        if typed in ("wrong", "blocked"):
            return CustomerFound(0, refused=typed)
        known = (*CUSTOMER_FIELDS, *self._site.settings.customer_fields)
        values = dict.fromkeys(known, "") | {"vip": "false"}
        for part in typed.split(","):
            name, sign, value = (each.strip() for each in part.partition("="))
            if name not in known:
                raise ValueError(f"unknown field {quote(name)}: {one_of(known)}{did_you_mean(name, known)}")
            if not sign or (name == "vip" and value not in YES_NO):
                raise ValueError(f"{quote(part.strip())}: expected a field and its value, such as name=Anna or vip=yes")
            values[name] = YES_NO[value] if name == "vip" else value
        return CustomerFound(1, values)

    def _ask(self, question: str, understand: Callable[[str], Answer]) -> Answer | None:
        """Ask until the answer is understood; None when the caller hangs up or nobody types any more."""
        while True:
            typer.echo(f"{question} > ", nl=False)
            line = sys.stdin.readline(MOST_TYPED)
            typed = line.strip()
            if not sys.stdin.isatty():
                typer.echo(typed)
            if not line or typed == HANG_UP:
                return None
            try:
                return understand(typed)
            except ValueError as error:
                typer.echo(f"    {error}")


def target(wanted: CallWebhook) -> str:
    """Path and query of a request."""
    query = urlencode(wanted.query)
    return (wanted.path or "/") + (f"?{query}" if query else "")


def _answer(typed: str, wanted: CallWebhook) -> WebhookEnded:
    if "=" not in typed:
        return WebhookEnded(_word(typed, ["ok", "not_found", "failed"]))
    values: dict[str, str] = {}
    for part in typed.split(","):
        name, _, value = (each.strip() for each in part.partition("="))
        if name not in wanted.keep:
            known = list(wanted.keep)
            raise ValueError(f"unknown value {quote(name)}: {one_of(known)}{did_you_mean(name, known)}")
        if as_kind(value, wanted.keep[name].type) is None:
            raise ValueError(f"{name} {quote(value)}: expected {KINDS[wanted.keep[name].type]}")
        values[name] = value
    return kept(wanted, values)


def _keys(typed: str) -> str:
    keys = KEY_WORDS.get(typed, "" if typed == "t" else typed)
    if not set(keys) <= set("0123456789*#"):
        raise ValueError(f"{quote(typed)} are not keys: expected 0 to 9, * or #, t or {HANG_UP}")
    return keys


def _word(typed: str, words: Sequence[str]) -> str:
    """One of the words, also by its beginning; the first where nothing is typed."""
    found = [word for word in words if word.startswith(typed)]
    if typed in words or not typed:
        return typed or words[0]
    if len(found) != 1:
        raise ValueError(f"unknown word {quote(typed)}: {one_of(words)}{did_you_mean(typed, words)}")
    return found[0]


def _waiting(wanted: Enqueue) -> list[str]:
    """How the caller waits, as the step asks for it."""
    lines = [f"waits in queue {wanted.queue}, priority {wanted.priority}"]
    if wanted.skills:
        lines.append(f"skills: {', '.join(f'{skill} {level}' for skill, level in wanted.skills)}")
    for choice in wanted.any_skill:
        lines.append(f"one skill of: {', '.join(f'{skill} {level}' for skill, level in choice)}")
    if wanted.preferred:
        lines.append(f"prefers {', '.join(wanted.preferred)} for {wanted.preferred_s:g} s")
    if wanted.attributes:
        lines.append("the agent reads: " + ", ".join(f"{name} {quote(value)}" for name, value in wanted.attributes))
    if wanted.max_wait_s:
        lines.append(f"waits {wanted.max_wait_s:g} s at most")
    return lines
