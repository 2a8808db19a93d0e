"""People as an admin writes them: the lines of people.csv, read and checked.

What does not belong here: the table of people (`screenpop.people`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from screenpop.csv_file import Faults, Row
from screenpop.model import Role

COLUMNS = (
    "username", "name", "role", "extension", "phone", "address", "queues", "skills", "weight", "levels", "capacity",
)  # fmt: skip
#: What a file need not have: then the weight is 1, every level 1, and the capacity one call.
OPTIONAL_COLUMNS = ("weight", "levels", "capacity")
#: `sip`: a desk phone or program that registers, or stands at a static address; `webrtc`: in the browser.
PHONE_KINDS = ("", "sip", "webrtc")
MOST_PEOPLE = 10_000
HIGHEST = 10
HIGHEST_CAPACITY = 20
VOICE = "voice"

_USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_EXTENSION = re.compile(r"[0-9]{1,16}")
_MEDIUM = re.compile(r"[a-z][a-z0-9_]{0,15}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ADDRESS = re.compile(r"[A-Za-z0-9.:\[\]_;=-]{1,255}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One person as an admin writes them."""

    username: str
    name: str
    roles: tuple[Role, ...] = (Role.AGENT,)
    extension: str = ""
    phone: str = ""
    address: str = ""
    queues: tuple[str, ...] = ()
    skills: tuple[tuple[str, int], ...] = ()
    weight: int = 1
    levels: tuple[tuple[str, int], ...] = ()
    capacity: tuple[tuple[str, int], ...] = ()


def username_of(text: str) -> str:
    """The username that somebody typed, in the form in which it is kept."""
    return text.strip().casefold()


def entry_of(row: Row, faults: Faults) -> Entry:
    """The entry of a row; what is wrong with it is added to `faults`."""
    entry = Entry(
        username=username_of(row["username"]),
        name=row["name"],
        roles=_roles_of(row, faults),
        extension=row["extension"],
        phone=row["phone"].lower(),
        address=row["address"],
        queues=tuple(dict.fromkeys(row.list_of("queues"))),
        skills=_numbered(row, "skills", "skill:level like billing:5", faults),
        weight=_weight_of(row, faults),
        levels=_numbered(row, "levels", "queue:level like billing:2", faults),
        capacity=_numbered(row, "capacity", "medium:number like chat:3", faults),
    )
    check_entry(entry, row.line, faults)
    return entry


def _roles_of(row: Row, faults: Faults) -> tuple[Role, ...]:
    known = {str(role): role for role in Role}
    roles = []
    for word in row.list_of("role") or ["agent"]:
        if word.lower() in known:
            roles.append(known[word.lower()])
        else:
            faults.add(row.line, f"role: expected {', '.join(known)}, got {word[:80]!r}")
    return tuple(dict.fromkeys(roles))


def _numbered(row: Row, column: str, expected: str, faults: Faults) -> tuple[tuple[str, int], ...]:
    """The cell's names, each with its number."""
    found: dict[str, int] = {}
    for part in row.list_of(column):
        name, colon, number = (piece.strip() for piece in part.partition(":"))
        if not colon or not number.isascii() or not number.isdigit():
            faults.add(row.line, f"{column}: expected {expected}, got {part[:80]!r}")
        elif name in found:
            faults.add(row.line, f"{column}: {name!r} stands there twice")
        else:
            found[name] = int(number[:9])
    return tuple(found.items())


def _weight_of(row: Row, faults: Faults) -> int:
    text = row["weight"] or "1"
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= HIGHEST:
        return int(text)
    faults.add(row.line, f"weight: expected 1 to {HIGHEST}, got {text[:80]!r}")
    return 1


def check_entry(entry: Entry, line: int, faults: Faults) -> None:
    """Add whatever cannot be to `faults`."""
    if not _USERNAME.fullmatch(entry.username):
        faults.add(line, f"username: expected letters a–z, digits, . _ -, at most 64, got {entry.username[:80]!r}")
    if not entry.name.strip() or len(entry.name) > 200:
        faults.add(line, f"name: expected 1 to 200 characters, got {len(entry.name)}")
    if entry.extension and not _EXTENSION.fullmatch(entry.extension):
        faults.add(line, f"extension: expected at most 16 digits, got {entry.extension[:80]!r}")
    if entry.phone not in PHONE_KINDS:
        faults.add(line, f"phone: expected {' or '.join(PHONE_KINDS[1:])}, got {entry.phone[:80]!r}")
    if entry.address and not _ADDRESS.fullmatch(entry.address):
        faults.add(line, f"address: expected a SIP address like 192.0.2.7:5060, got {entry.address[:80]!r}")
    if (entry.phone or entry.address) and not entry.extension:
        faults.add(line, "extension: expected one for a person with a phone, got nothing")
    for queue in entry.queues:
        if not _WORD.fullmatch(queue):
            faults.add(line, f"queues: expected names of queues, got {queue[:80]!r}")
    for skill, level in entry.skills:
        if not _WORD.fullmatch(skill):
            faults.add(line, f"skills: expected names of skills, got {skill[:80]!r}")
        if not 1 <= level <= HIGHEST:
            faults.add(line, f"skills: {skill}: expected a level from 1 to {HIGHEST}, got {level}")
    for queue, level in entry.levels:
        if not _WORD.fullmatch(queue):
            faults.add(line, f"levels: expected names of queues, got {queue[:80]!r}")
        if not 1 <= level <= HIGHEST:
            faults.add(line, f"levels: {queue}: expected a level from 1 to {HIGHEST}, got {level}")
    _check_capacity(entry, line, faults)


def _check_capacity(entry: Entry, line: int, faults: Faults) -> None:
    for medium, number in entry.capacity:
        most = 1 if medium == VOICE else HIGHEST_CAPACITY
        if not _MEDIUM.fullmatch(medium):
            faults.add(line, f"capacity: expected a medium like chat, got {medium[:80]!r}")
        elif number > most:
            faults.add(line, f"capacity: {medium}: expected 0 to {most}, got {number}")


def check_doubles(entries: Sequence[tuple[int, Entry]], faults: Faults) -> None:
    """Everybody once, and not too many."""
    if len(entries) > MOST_PEOPLE:
        faults.add(entries[MOST_PEOPLE][0], f"expected at most {MOST_PEOPLE} people, got {len(entries)}")
    seen: dict[str, int] = {}
    for line, entry in entries:
        first = seen.setdefault(entry.username, line)
        if first != line:
            faults.add(line, f"username: {entry.username!r} stands in line {first} already")


def entry_from_words(username: str, name: str, role: str, extension: str, queues: str, skills: str) -> Entry:
    """An entry from words as a row of the import file has them. Raises ImportFileError with every fault."""
    faults = Faults("command line")
    words = {"username": username, "name": name, "role": role, "extension": extension, "phone": "", "address": ""}
    others = dict.fromkeys(OPTIONAL_COLUMNS, "")
    entry = entry_of(Row(1, {**words, "queues": queues, "skills": skills, **others}), faults)
    faults.raise_if_any()
    return entry
