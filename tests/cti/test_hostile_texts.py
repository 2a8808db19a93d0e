"""What callers control, wherever it reaches a language of somebody else: AMI, AGI, dial strings, Asterisk's variables,
files, logs. Each place with each text that means something to somebody (`lab.fuzz_words`).
"""

from __future__ import annotations

import io
import json
import logging
import re
from contextlib import redirect_stderr
from pathlib import Path

import pytest
import structlog

from cti.agi_reply import COMMAND_BYTES, command_line
from cti.ami_protocol import AmiAction
from cti.call_state import CallState
from cti.callbacks import channel_id
from cti.errors import AmiHeaderError
from cti.logs import set_up_logs
from cti.messages import Messages
from cti.outbound import Outbound, Refused, is_dialable
from cti.recordings import Recordings
from cti.settings import LogSettings
from cti.transfers import Reach, TrunkLine, Way, outcome_of
from ivr.steps import Transfer
from lab.fuzz_words import HOSTILE
from tests.cti.test_logs import as_before
from tests.fakes.agi import split_words

__all__ = ["as_before"]

NUMBER = "+4930901820"
#: Each alone, and in front of, behind and inside a number that may be called.
AROUND = sorted(
    {each for text in HOSTILE for each in (text, NUMBER + text, text + NUMBER, NUMBER[:6] + text + NUMBER[6:])}
)
REACH = Reach(Outbound("DE"), (TrunkLine("carrier", NUMBER),), {"maria": "2001"})
_DIAL = re.compile(r"PJSIP/\+49[0-9]{6,13}@trunk-carrier|PJSIP/2001", re.ASCII)


def named(texts: object) -> list[str]:
    return [f"{at}-{each[:20]!r}" for at, each in enumerate(texts)]  # type: ignore[arg-type, var-annotated]


ALL = pytest.mark.parametrize("text", HOSTILE, ids=named(HOSTILE))
ALL_AROUND = pytest.mark.parametrize("text", AROUND, ids=named(AROUND))


@ALL
async def test_an_ami_action_is_its_own_lines_or_is_not_sent(text: str) -> None:
    """In a loop, since an action makes a future."""
    try:
        sent = str(AmiAction("Setvar", {"Channel": "x", "Variable": "X", "Value": text}, "1")).encode()
    except AmiHeaderError:
        return
    lines = sent.removesuffix(b"\r\n\r\n").split(b"\r\n")
    assert sorted(line.split(b":")[0] for line in lines) == [b"Action", b"ActionID", b"Channel", b"Value", b"Variable"]
    assert b"\n" not in sent.replace(b"\r\n", b"")


@ALL
def test_an_agi_command_is_one_line_of_the_words_that_were_meant(text: str) -> None:
    cut = text[:300]
    line = command_line(("SET", "VARIABLE", "CALLYARD_STATE", cut))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert not {0, 13} & set(line)
    meant = re.sub("[\r\n\0]", "", cut).encode("utf-8", "replace").decode()
    assert split_words(line.decode().rstrip("\n")) == ["SET", "VARIABLE", "CALLYARD_STATE", meant]


@ALL
def test_an_agi_command_that_asterisk_would_cut_in_two_is_not_sent(text: str) -> None:
    try:
        line = command_line(("SET", "VARIABLE", "X", text))
    except ValueError as error:
        assert str(COMMAND_BYTES) in str(error)  # noqa: PT017
    else:
        assert len(line) <= COMMAND_BYTES


@ALL
@pytest.mark.parametrize("kind", ["number", "extension", "agent"])
def test_a_transfer_dials_a_plain_number_or_phone_or_nothing(kind: str, text: str) -> None:
    for to in (text, NUMBER + text, text + NUMBER, "2001" + text, text + "2001"):
        way = REACH.way(Transfer(kind, to, 30.0, "", text), dialled=text)
        if isinstance(way, Way):
            assert _DIAL.fullmatch(way.dial), (to, way)
            assert re.fullmatch(r"\+?[0-9]*", way.caller_id, re.ASCII), (to, way)
            assert re.fullmatch(r"\+?[0-9]+", way.to, re.ASCII)


@ALL_AROUND
def test_a_callback_number_is_plain_or_refused(text: str) -> None:
    checked = Outbound("DE").check(text)
    assert isinstance(checked, Refused) or (is_dialable(checked) and checked.startswith("+49"))
    assert (written := Outbound("DE").written(text)) == "" or is_dialable(written)


@ALL
def test_the_id_of_a_call_of_ours_is_no_header_and_no_path(text: str) -> None:
    assert re.fullmatch(r"lab1-callback\.[0-9A-Za-z.]*", channel_id("lab1", text), re.ASCII)


@ALL
def test_what_a_call_carries_comes_back_as_it_was_or_not_at_all(text: str) -> None:
    if re.search("[\ud800-\udfff]", text):
        return  # what has come through UTF-8 holds none
    packed = CallState("main", "door", {"name": text, "caller": NUMBER}).pack()
    line = command_line(("SET", "VARIABLE", "CALLYARD_STATE", packed))
    found = CallState.unpack(split_words(line.decode().rstrip("\n"))[3])
    assert found is not None
    assert found.variables.get("name", text) == text
    assert (found.flow, found.node) == ("main", "door")


@ALL
def test_what_the_dialplan_tells_of_a_transfer_leads_somewhere(text: str) -> None:
    assert outcome_of(text) in {"answered", "busy", "no_answer", "failed"}
    CallState.unpack(text)


@ALL
def test_recordings_and_messages_stay_in_their_folder(text: str, tmp_path: Path) -> None:
    for path in (Recordings(tmp_path).path(text, 1), Messages(tmp_path).path(text, 1)):
        assert path.parent == tmp_path
        assert re.fullmatch(r"[A-Za-z0-9._-]*-1\.wav", path.name, re.ASCII)


@ALL
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_log_entry_keeps_its_line_and_its_secrets(form: str, text: str) -> None:
    said = f"x{text[:200]}"
    with redirect_stderr(io.StringIO()) as stderr:
        set_up_logs(LogSettings.model_validate({"format": form}))
        structlog.get_logger("cti.test").info("arrival", name=said, caller=f"{said}+4930123456")
        logging.getLogger("library").warning("said %s", said)
    told = stderr.getvalue()
    lines = told.splitlines() if form == "text" else told.split("\n")[:-1]
    assert len(lines) == 2, lines
    assert "30123456" not in told
    if form == "json":
        assert json.loads(lines[0])["logger"] == "cti.test"
