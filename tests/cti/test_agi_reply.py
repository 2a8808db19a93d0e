"""The text of AGI, without sockets."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cti.agi_reply import (
    COMMAND_BYTES,
    AgiReply,
    HeaderFormatError,
    ReplyAssembler,
    ReplyFormatError,
    command_line,
    command_name,
    read_header,
    read_request,
    variable_name,
)
from tests.fakes.agi import header, split_words


def assembled(text: str, tail: str = "") -> AgiReply | None:
    assembler = ReplyAssembler(65536, tail)
    reply = None
    for line in text.split("\n"):
        assert reply is None, "the reply was whole before its last line"
        reply = assembler.feed(line)
    return reply


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("200 result=0", AgiReply(200, "0")),
        ("200 result=1234", AgiReply(200, "1234")),
        ("200 result=", AgiReply(200, "")),
        ("200 result= (timeout)", AgiReply(200, "", "timeout")),
        ("200 result=12 (timeout)", AgiReply(200, "12", "timeout")),
        ("200 result=1 ()", AgiReply(200, "1", "")),
        ("200 result=1 (hangup)", AgiReply(200, "1", "hangup")),
        ("200 result=1 (a) b (c))", AgiReply(200, "1", "a) b (c)")),
        ("200 result=1 (two\nlines)", AgiReply(200, "1", "two\nlines")),
        ("200 result=1 (x\nHANGUP\ny)", AgiReply(200, "1", "x\nHANGUP\ny")),
        ("200 result=49 endpos=1600", AgiReply(200, "49", None, {"endpos": "1600"})),
        ("200 result=-1 (hangup) endpos=160", AgiReply(200, "-1", "hangup", {"endpos": "160"})),
        ("100 result=0 Trying...\n200 result=0 Gosub complete", AgiReply(200, "0", note="Gosub complete")),
        ("510 Invalid or unknown command", AgiReply(510, note="Invalid or unknown command")),
        ("520-Wrong\nUsage: X\n520 End of it.", AgiReply(520, note="Wrong\nUsage: X\n520 End of it.")),
        ("520 Invalid command syntax.", AgiReply(520, note="Invalid command syntax.")),
    ],
)  # fmt: skip
def test_replies_of_res_agi(text: str, reply: AgiReply) -> None:
    assert assembled(text) == reply


def test_a_tail_ends_a_value_that_holds_anything() -> None:
    assert assembled("200 result=1 (a)\n200 result=0\nb#T)", tail="#T") == AgiReply(200, "1", "a)\n200 result=0\nb")


@pytest.mark.parametrize("text", ["HELLO", "200", "200 OK", "20 result=1", "-1", "200result=1", ""])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ReplyFormatError):
        assembled(text)


def test_a_reply_without_end_is_bounded() -> None:
    assembler = ReplyAssembler(1000)
    for line in ["200 result=1 (more", *["more"] * 190]:
        assert assembler.feed(line) is None
    with pytest.raises(ReplyFormatError, match="1000 characters"):
        assembler.feed("more" * 10)


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), max_size=40), max_size=8)
)
def test_quoting_round_trips(arguments: list[str]) -> None:
    line = command_line(("NOOP", *arguments)).decode()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert split_words(line[:-1]) == ["NOOP", *arguments]


def test_line_ends_and_nul_never_reach_the_wire() -> None:
    assert command_line(("VERBOSE", "a\r\nHANGUP\0b")) == b'VERBOSE "aHANGUPb"\n'


def test_a_command_longer_than_asterisk_reads_is_refused() -> None:
    fits = "x" * (COMMAND_BYTES - len('VERBOSE ""\n'))
    assert len(command_line(("VERBOSE", fits))) == COMMAND_BYTES
    with pytest.raises(ValueError, match="VERBOSE: expected at most 2047 bytes, came 2048"):
        command_line(("VERBOSE", fits + "x"))


@pytest.mark.parametrize("words", [(), ("",), ("answer",), ("A B",)])
def test_a_command_needs_a_verb(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="word in capitals"):
        command_line(words)


def test_messages_name_the_verb_and_no_argument() -> None:
    assert command_name(("SET", "VARIABLE", "X", "+441234")) == "SET VARIABLE"
    assert command_name(("EXEC", "Dial", "PJSIP/2001")) == "EXEC Dial"


@pytest.mark.parametrize("name", ["", "a b", "X}", "${X", 'X"', "X\n"])
def test_a_variable_name_cannot_leave_its_braces(name: str) -> None:
    with pytest.raises(ValueError, match="variable's name"):
        variable_name(name)


def test_functions_are_variable_names() -> None:
    assert variable_name("CHANNEL(hangup_handler_push)") == "CHANNEL(hangup_handler_push)"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("张伟".encode(), "张伟"),
        ("Иван".encode("cp1251"), "\ufffd" * 4),
        (b'"Quoted" O\'Neil', '"Quoted" O\'Neil'),
        (rb"Ann \"the boss\" \\ Lee", r'Ann "the boss" \ Lee'),  # as chan_pjsip of Asterisk 22.10 sends it
        (b"", ""),
    ],
)
def test_caller_names_are_right_or_replaced(raw: bytes, name: str) -> None:
    env = read_header(header(calleridname=raw)[:-1])
    assert env["agi_calleridname"] == name
    assert env["agi_uniqueid"] == "node1-1700000000.1"


def test_lines_smuggled_in_by_a_name_change_nothing() -> None:
    env = read_header(header(calleridname="x\r\nagi_channel: Evil/1\nagi_uniqueid: 666\nagi_context: evil")[:-1])
    assert env["agi_channel"] == "PJSIP/trunk-00000001"
    assert env["agi_uniqueid"] == "node1-1700000000.1"
    assert env["agi_context"] == "callyard-in"


def test_a_header_without_channel_is_refused() -> None:
    with pytest.raises(HeaderFormatError, match="agi_channel and agi_uniqueid"):
        read_header(b"GET / HTTP/1.1\nHost: x\n")


@pytest.mark.parametrize(
    ("env", "path", "query"),
    [
        ({"agi_network_script": "call?node=a&x="}, "/call", {"node": "a", "x": ""}),
        ({"agi_network_script": "/call"}, "/call", {}),
        ({"agi_request": "agi://127.0.0.1:4573/call?a=%31"}, "/call", {"a": "1"}),
        ({"agi_request": "agi://127.0.0.1:4573"}, "/", {}),
        ({"agi_network_script": "call?a=1&a=2"}, "/call", {"a": "1"}),
        ({}, "/", {}),
    ],
)
def test_path_and_query(env: dict[str, str], path: str, query: dict[str, str]) -> None:
    assert read_request(env) == (path, query)


def test_a_query_of_a_thousand_fields_is_refused() -> None:
    with pytest.raises(HeaderFormatError, match="fields"):
        read_request({"agi_network_script": "call?" + "a=1&" * 1000})


@given(st.binary(max_size=300))
def test_random_header_bytes_raise_only_the_header_error(block: bytes) -> None:
    try:
        env = read_header(block)
    except HeaderFormatError:
        return
    assert env["agi_channel"]


@given(st.text(max_size=80))
@example("\r/")
def test_random_request_raises_only_the_header_error(script: str) -> None:
    try:
        path, _query = read_request({"agi_network_script": script})
    except HeaderFormatError:
        return
    assert path.startswith("/")
