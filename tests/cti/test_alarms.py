"""Alarms from the rules of a site to a mail server and a program on loopback, on a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog

from acd.snapshot import QueueView
from cti.alarm_book import SECOND, Notice, Told
from cti.alarm_conditions import Seen, conditions
from cti.alarm_messages import AlarmNotSentError, Message, Outbox, message_of, send_mail
from cti.alarms import Alarms, Sight
from cti.node import Node
from cti.webhooks import Webhooks
from ivr.alarms import Alarms as Rules
from ivr.alarms import Mail
from ivr.site import Site
from lab.program import answering, open_program
from tests.fakes.link import FakeLink
from tests.fakes.site import small_site
from tests.fakes.smtp import FakeSmtp

NODES = "\n  door:\n    - answer\n    - queue: billing\n"
START = 1_700_000_000 * SECOND


@dataclass
class Floor:
    """Queues and a clock that stand still until a test moves them."""

    waiting: int = 0
    asked_at: int = 0
    signed_in: int = 0
    at: int = START
    backlog: int = 0
    left_out: int = 0
    refused: int = 0
    database: str = ""
    why_not: tuple[str, ...] = ()
    nodes: dict[str, Node] = field(default_factory=dict)

    def now(self) -> int:
        return self.at

    def queues(self) -> Sequence[QueueView]:
        return [
            QueueView("billing", "Billing", self.waiting, self.asked_at, 0, self.signed_in),
            QueueView("tech", "Tech", 0, 0, 0, 0),
        ]

    async def ask_database(self) -> str:
        return self.database


@dataclass
class Office:
    floor: Floor
    alarms: Alarms
    folder: Path

    async def go_on(self, seconds: float, step_s: float = 5.0) -> None:
        """Look every few seconds for so long, and let what is being sent arrive."""
        for _ in range(round(seconds / step_s)):
            self.floor.at += round(step_s * SECOND)
            await self.alarms.look()
            await self.sent()

    async def sent(self) -> None:
        for outbox in self.alarms.outboxes.values():
            if outbox._task is not None:
                await asyncio.wait({outbox._task}, timeout=20)


@asynccontextmanager
async def office(folder: Path, rules: str, floor: Floor | None = None, **files: str) -> AsyncIterator[Office]:
    site: Site = small_site(folder / "site", NODES, alarms=rules, **files)
    data = folder / "data"
    data.mkdir(exist_ok=True)
    floor = floor or Floor()
    sight = Sight(floor, lambda: floor.why_not, floor.nodes, floor, floor.ask_database, data)
    webhooks = Webhooks(lambda: folder / "site", environment={})
    alarms = Alarms(lambda: site, sight, webhooks, lambda: folder / "site")
    try:
        yield Office(floor, alarms, folder)
    finally:
        for outbox in alarms.outboxes.values():
            await outbox.close()
        webhooks.close()


def mail_to(server: FakeSmtp, rules: str, more: str = "") -> str:
    return (
        f"mail: {{ host: 127.0.0.1, port: {server.port}, security: none, from: callyard@example.com,"
        f" to: [a@example.com, b@example.com] }}\n{more}rules:\n{rules}"
    )


LONG_WAIT = "  long_wait: { when: longest_wait, queue: billing, longer_than: 5m, for: 1m, repeat: 30m }\n"


async def test_a_long_wait_is_told_by_mail_once_again_later_and_when_it_is_over(tmp_path: Path) -> None:
    async with FakeSmtp() as server, office(tmp_path, mail_to(server, LONG_WAIT)) as made:
        made.floor.waiting, made.floor.asked_at = 2, START
        await made.go_on(355)
        assert server.messages == []
        await made.go_on(20)
        [mail] = server.messages
        assert (mail["Subject"], mail["From"]) == ("[Test] ALARM: long_wait, billing", "callyard@example.com")
        assert server.recipients == ["a@example.com", "b@example.com"]
        text = mail.get_content()
        assert text.startswith(
            "ALARM  long_wait, billing: the first has waited 6 min (more than 5 min), since 2023-11-14"
        )
        assert [each["alarm"] for each in made.alarms.shown()] == ["long_wait:billing"]
        await made.go_on(1800)
        assert [each["Subject"].split(":")[0] for each in server.messages[1:]] == ["[Test] STILL"]
        made.floor.waiting = made.floor.asked_at = 0
        await made.go_on(120)
        assert [each["Subject"] for each in server.messages[2:]] == ["[Test] OVER: long_wait, billing"]
        assert made.alarms.shown() == []


async def test_a_program_is_told_too(tmp_path: Path) -> None:
    async with open_program(answering(200, {})) as program:
        rules = f"hook: {{ webhook: chat, path: /alarms }}\nrules:\n{LONG_WAIT}"
        async with office(tmp_path, rules, webhooks=f"chat: {{ url: '{program.url}' }}\n") as made:
            made.floor.waiting, made.floor.asked_at = 1, START - 3600 * SECOND
            await made.go_on(70)
        [request] = program.requests
        assert (request.method, request.path) == ("POST", "/alarms")
        assert request.fields["alarms"] == 1
        assert "the first has waited" in request.fields["text"]


async def test_whatever_happens_there_is_one_message_a_minute_at_most(tmp_path: Path) -> None:
    rules = "".join(f"  r{n}: {{ when: waiting, more_than: {n}, for: 0s, repeat: 1m }}\n" for n in range(1, 51))
    async with FakeSmtp() as server, office(tmp_path, mail_to(server, rules)) as made:
        for n in range(360):  # half an hour in which the queue jumps up and down
            made.floor.waiting = (n * 37) % 60
            await made.go_on(5)
        assert 2 <= len(server.messages) <= 31
        assert any("and " in each["Subject"] for each in server.messages)


async def test_a_mail_server_that_refuses_loses_nothing_and_is_tried_each_minute(tmp_path: Path) -> None:
    async with FakeSmtp(refuses=451) as server, office(tmp_path, mail_to(server, LONG_WAIT)) as made:
        made.floor.waiting, made.floor.asked_at = 1, START - 3600 * SECOND
        with structlog.testing.capture_logs() as logs:
            await made.go_on(240)
        errors = [each for each in logs if each["event"] == "alarm.not_sent"]
        assert 2 <= len(errors) == server.tries <= 4
        assert "451" in errors[0]["error"]
        server.refuses = 0
        await made.go_on(70)
        [mail] = server.messages
        assert "ALARM" in mail["Subject"]
        made.floor.waiting = made.floor.asked_at = 0
        server.refuses = 451
        await made.go_on(200)
        server.refuses = 0
        await made.go_on(70)
        assert [each["Subject"].split(" ")[1] for each in server.messages] == ["ALARM:", "OVER:"]


async def test_what_is_over_before_anybody_could_be_told_is_not_told(tmp_path: Path) -> None:
    async with FakeSmtp(refuses=451) as server, office(tmp_path, mail_to(server, LONG_WAIT)) as made:
        made.floor.waiting, made.floor.asked_at = 1, START - 3600 * SECOND
        await made.go_on(100)
        made.floor.waiting = made.floor.asked_at = 0
        await made.go_on(100)
        server.refuses = 0
        await made.go_on(200)
        assert server.messages == []


async def test_a_server_that_is_started_again_and_again_tells_nothing_again(tmp_path: Path) -> None:
    floor = Floor(waiting=1, asked_at=START - 3600 * SECOND)
    async with FakeSmtp() as server:
        for _ in range(5):
            async with office(tmp_path, mail_to(server, LONG_WAIT), floor) as made:
                await made.go_on(90)
        assert [each["Subject"].split(" ")[1] for each in server.messages] == ["ALARM:"]
        floor.waiting = floor.asked_at = 0
        async with office(tmp_path, mail_to(server, LONG_WAIT), floor) as made:
            await made.go_on(90)
        assert [each["Subject"].split(" ")[1] for each in server.messages] == ["ALARM:", "OVER:"]


async def test_the_password_comes_from_its_place_and_stands_in_no_message(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("pa55word-here\n")
    async with FakeSmtp(password="pa55word-here") as server:
        mail = Mail.model_validate(
            {"host": "127.0.0.1", "port": server.port, "from": "c@example.com", "to": ("d@example.com",),
             "user": "callyard", "password": {"file": "secret"}}
        ).model_copy(update={"security": "none"})  # fmt: skip
        await send_mail(mail, Message("Hello\nthere", "text", 1, 0), tmp_path)
        assert server.messages[0]["Subject"] == "Hello there"
        server.password = "another"
        with pytest.raises(AlarmNotSentError, match=r"does not let user callyard in \(535\)") as caught:
            await send_mail(mail, Message("Hello", "text", 1, 0), tmp_path)
        assert "pa55word" not in str(caught.value)
    with pytest.raises(AlarmNotSentError, match="ConnectionRefused"):
        await send_mail(mail, Message("Hello", "text", 1, 0), tmp_path)


async def test_a_mail_server_that_hangs_holds_nothing_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cti.alarm_messages._ANSWER_S", 0.2)
    async with FakeSmtp(hangs=True) as server, office(tmp_path, mail_to(server, LONG_WAIT)) as made:
        made.floor.waiting, made.floor.asked_at = 1, START - 3600 * SECOND
        made.floor.at += 60 * SECOND
        await made.alarms.look()
        made.floor.at += 60 * SECOND
        async with asyncio.timeout(5):
            await made.alarms.look()
            assert made.alarms.outboxes["mail"].failed == 0, "it goes on looking meanwhile"
            await made.sent()
        assert made.alarms.outboxes["mail"].failed == 1


# --- what rules make of what is seen -----------------------------------------------------------------------------


def seen(**what: Any) -> Seen:
    return Seen(START, **{"queues": Floor().queues(), "why_not": (), "links": {"lab1": True}, **what})


@pytest.mark.parametrize(
    ("rule", "well", "wrong", "subject", "says"),
    [
        (
            {"when": "waiting", "more_than": 3},
            {"queues": Floor(waiting=3).queues()},
            {"queues": Floor(waiting=4).queues()},
            "billing",
            "4 wait (more than 3)",
        ),
        (
            {"when": "no_agents"},
            {"queues": Floor(waiting=1, signed_in=1).queues()},
            {"queues": Floor(waiting=1).queues()},
            "billing",
            "1 wait, and nobody who serves them is signed in",
        ),
        ({"when": "not_routing"}, {}, {"why_not": ("journal",)}, "", "calls are not routed: journal"),
        (
            {"when": "link_down"},
            {},
            {"links": {"lab1": False}},
            "lab1",
            "this Asterisk cannot be reached: its callers wait unoffered",
        ),
        (
            {"when": "trunk_down"},
            {"trunks": {"carrier": ""}},
            {"trunks": {"carrier": "not registered (Rejected)"}},
            "carrier",
            "the trunk is down: not registered (Rejected)",
        ),
        (
            {"when": "database_away"},
            {},
            {"database": "locked"},
            "",
            "the database does not answer, records wait: locked",
        ),
        ({"when": "records_lost"}, {}, {"lost_rows": 2}, "", "2 rows were refused or left out: see the log"),
        (
            {"when": "disk_low", "less_than_mb": 100},
            {"disk_free_mb": 100.0},
            {"disk_free_mb": 99.0},
            "",
            "99 MB are free (less than 100)",
        ),
        (
            {"when": "clock_off", "longer_than": "2s"},
            {"clocks_off_s": {"lab1": 1.9}},
            {"clocks_off_s": {"lab1": 3.0}},
            "lab1",
            "its clock is 3.0 s away from ours (more than 2 s)",
        ),
    ],
    ids=lambda value: value["when"] if isinstance(value, dict) and "when" in value else "",
)
def test_each_rule_sees_what_it_is_for(
    rule: dict[str, Any], well: dict[str, Any], wrong: dict[str, Any], subject: str, says: str
) -> None:
    rules = Rules.model_validate({"hook": {"webhook": "chat"}, "rules": {"it": rule}})

    def standing(what: dict[str, Any]) -> list[tuple[str, str]]:
        return [(each.subject, each.says) for each in conditions(rules, seen(**what)) if each.holds]

    assert standing(well) == []
    assert standing(wrong) == [(subject, says)]


async def test_lost_rows_are_an_alarm_for_ten_minutes(tmp_path: Path) -> None:
    async with (
        FakeSmtp() as server,
        office(tmp_path, mail_to(server, "  lost: { when: records_lost, for: 0s }\n")) as made,
    ):
        await made.go_on(5)
        made.floor.refused += 2
        await made.go_on(5)
        assert [each["says"] for each in made.alarms.shown()] == ["2 rows were refused or left out: see the log"]
        await made.go_on(610)
        assert made.alarms.shown() == []


async def test_trunks_and_clocks_are_asked_of_asterisk() -> None:
    link = FakeLink()
    node = Node("lab1", link)  # type: ignore[arg-type]
    link.values = {"DEVICE_STATE(PJSIP/trunk-carrier)": "UNAVAILABLE", "DEVICE_STATE(PJSIP/trunk-third)": "INVALID"}
    assert await node.trunk_trouble("carrier") == "cannot be reached"
    assert await node.trunk_trouble("third") == "Asterisk does not know it"
    link.values = {f"DEVICE_STATE(PJSIP/trunk-{name})": "NOT_INUSE" for name in ("carrier", "third")}
    link.lists["PJSIPShowRegistrationsOutbound"] = [
        [("Event", "OutboundRegistrationDetail"), ("ObjectName", "trunk-other"), ("Status", "Registered")],
        [("Event", "OutboundRegistrationDetail"), ("ObjectName", "trunk-carrier"), ("Status", "Rejected")],
    ]
    assert await node.trunk_trouble("carrier") == "not registered (Rejected)"
    assert await node.trunk_trouble("third") == ""
    link.values["Ping"] = "103.5"
    assert await node.clock_ahead_us(lambda: 100_000_000) == 3_500_000
    assert await node.clock_ahead_us(lambda: 105_000_000) == -1_500_000
    link.values["Ping"] = "not a time"
    assert await node.clock_ahead_us(lambda: 0) == 0


def test_a_message_puts_alarms_first_and_names_the_site() -> None:
    notices = [
        Notice(Told.OVER, "link:lab1", "x", START),
        Notice(Told.RAISED, "crowd:billing", "9 wait", START),
    ]
    message = message_of(notices, "Example", ZoneInfo("Europe/Berlin"))
    assert (message.subject, message.alarms, message.over) == ("[Example] ALARM: crowd, billing and 1 more", 1, 1)
    assert message.text.splitlines() == [
        "ALARM  crowd, billing: 9 wait, since 2023-11-14 23:13:20",
        "OVER   link, lab1: x, since 2023-11-14 23:13:20",
    ]


def test_an_outbox_keeps_the_newest_of_each_alarm() -> None:
    outbox = Outbox("mail")
    outbox.put(Notice(Told.RAISED, "a", "1", 1))
    outbox.put(Notice(Told.OVER, "a", "1", 1))
    assert outbox.pending == {}
    outbox.put(Notice(Told.LASTS, "a", "2", 1))
    outbox.put(Notice(Told.OVER, "a", "3", 1))
    assert [each.says for each in outbox.pending.values()] == ["3"]
