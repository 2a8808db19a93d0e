"""Cutting and reading the AMI stream: whatever the segments, whatever the bytes."""

from __future__ import annotations

import copy
import itertools
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cti.ami_events import parse_event
from cti.ami_messages import AmiEvent, AmiFramer, AmiReply, Headers, as_event, is_event, read_headers
from cti.errors import AmiProtocolError

BANNER = b"Asterisk Call Manager/9.0.0\r\n"
STREAM = (
    BANNER
    + "Response: Success\r\nActionID: 1\r\nMessage: Authentication accepted\r\n\r\n"
    "Event: Newchannel\r\nPrivilege: call,all\r\nTimestamp: 1700000000.250000\r\nChannel: PJSIP/иван-00000001\r\n"
    "ChannelStateDesc: Down\r\nCallerIDNum: +49301234\r\nCallerIDName: Иван 😀\r\nExten: \r\n"
    "Uniqueid: yard-a-1.1\r\nLinkedid: yard-a-1.1\r\n\r\n"
    "\r\nResponse: Success\r\nActionID: 2\r\nMessage: Command output follows\r\nOutput: one\r\nOutput: \r\n\r\n"
    "Event: UserEvent\r\nUserEvent: \r\n\r\n".encode()
)


def read_all(parts: list[bytes], limit: int = 1 << 16) -> list[Headers]:
    framer = AmiFramer(limit)
    return [read_headers(message) for part in parts for message in framer.feed(part)]


WHOLE = read_all([STREAM])


def test_reads_the_whole_stream() -> None:
    assert [headers.pairs[0] for headers in WHOLE] == [
        ("Response", "Success"),
        ("Event", "Newchannel"),
        ("Response", "Success"),
        ("Event", "UserEvent"),
    ]
    assert WHOLE[1]["calleridname"] == "Иван 😀"
    assert WHOLE[1]["Exten"] == ""
    assert WHOLE[2].all("Output") == ("one", "")
    assert WHOLE[3]["UserEvent"] == ""


def test_a_stream_cut_once_at_any_byte_reads_the_same() -> None:
    for cut in range(len(STREAM) + 1):
        assert read_all([STREAM[:cut], STREAM[cut:]]) == WHOLE, f"cut at byte {cut}"


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
@example(list(range(len(STREAM))))
def test_a_stream_cut_anywhere_reads_the_same(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    assert read_all([STREAM[a:b] for a, b in itertools.pairwise(edges)]) == WHOLE


@given(st.binary(max_size=600), st.booleans(), st.integers(1, 64))
def test_random_bytes_raise_only_the_protocol_error(data: bytes, has_banner: bool, step: int) -> None:
    framer = AmiFramer(256)
    stream = BANNER + data if has_banner else data
    try:
        for at in range(0, len(stream), step):
            for message in framer.feed(stream[at : at + step]):
                headers = read_headers(message)
                if is_event(headers):
                    parse_event(as_event("a", headers))
    except AmiProtocolError:
        pass


LINES = st.lists(
    st.tuples(
        st.sampled_from(["Event", "Response", "Uniqueid", "Timestamp", "", "é", "Variable"]),
        st.text(max_size=12),
    ),
    max_size=6,
)


@given(LINES)
def test_random_lines_raise_only_the_protocol_error(lines: list[tuple[str, str]]) -> None:
    text = "\r\n".join(f"{name}: {value}" for name, value in lines)
    try:
        headers = read_headers(text.encode("utf-8", "surrogatepass"))
        if is_event(headers):
            parse_event(as_event("a", headers))
    except AmiProtocolError:
        pass


def test_bytes_that_are_no_utf_8_are_replaced_not_lost() -> None:
    headers = read_headers(b"Event: Newchannel\r\nCallerIDName: \xc8\xe2\xe0\xed A\r\nUniqueid: 1.1")
    assert headers["CallerIDName"] == "\ufffd\ufffd\ufffd\ufffd A"
    assert headers["Uniqueid"] == "1.1"


def test_a_value_may_hold_a_line_break_colons_and_spaces() -> None:
    headers = read_headers(b"Event: Status\r\nVariable: A=x: y\r\nsecond line\r\nVariable:  B= z \r\nChannel:c")
    assert headers.all("variable") == ("A=x: y\nsecond line", " B= z ")
    assert headers["Channel"] == "c"


@pytest.mark.parametrize("message", [b"", b"no colon", b"Uniqueid: 1\r\nEvent: Hangup", b": x", b"no\r\nEvent: x"])
def test_what_is_neither_event_nor_response_is_an_error_that_quotes_it(message: bytes) -> None:
    with pytest.raises(AmiProtocolError) as caught:
        read_headers(message)
    assert repr(message.decode()) in str(caught.value)


def test_the_first_header_says_what_it_is() -> None:
    headers = read_headers(b"Event: OriginateResponse\r\nResponse: Failure")
    assert is_event(headers)
    assert as_event("a", headers).name == "OriginateResponse"


@pytest.mark.parametrize(
    "greeting", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x", b"Asterisk Call Manager/" + b"9" * 300]
)
def test_a_peer_that_is_no_asterisk_is_an_error(greeting: bytes) -> None:
    with pytest.raises(AmiProtocolError, match="greeting"):
        AmiFramer(1 << 16).feed(greeting)


def test_the_version_is_read_from_the_greeting() -> None:
    framer = AmiFramer(1 << 16)
    assert framer.feed(BANNER) == []
    assert framer.version == "9.0.0"


@pytest.mark.parametrize("step", [1, 7, 5_000])
def test_a_message_without_end_is_refused_at_the_limit(step: int) -> None:
    data = BANNER + b"Event: X\r\nUniqueid: 1.1\r\n\r\nEvent: Endless\r\nA: " + b"x" * 4_000
    parts = [data[at : at + step] for at in range(0, len(data), step)]
    with pytest.raises(AmiProtocolError, match=r"longer than the limit of 1000 bytes.*Event: Endless"):
        read_all(parts, limit=1_000)


def test_a_message_up_to_the_limit_passes() -> None:
    body = b"Event: X\r\nA: " + b"x" * 100
    assert AmiFramer(len(body)).feed(BANNER + body + b"\r\n\r\n") == [body]
    with pytest.raises(AmiProtocolError):
        AmiFramer(len(body) - 1).feed(BANNER + body + b"\r\n\r\n")


def test_headers_are_found_in_any_case_and_keep_order_and_spelling() -> None:
    headers = Headers([("Event", "Status"), ("Variable", "a=1"), ("variable", "b=2"), ("Uniqueid", "1.1")])
    assert headers["VARIABLE"] == "a=1\nb=2"
    assert headers.all("VariablE") == ("a=1", "b=2")
    assert list(headers) == ["Event", "Variable", "Uniqueid"]
    assert len(headers) == 3
    assert "uniqueID" in headers
    assert "nothing" not in headers
    assert headers.get("nothing", "-") == "-"
    assert headers.all("nothing") == ()
    assert dict(headers)["Uniqueid"] == "1.1"


@pytest.mark.parametrize(
    ("stamp", "at_us"),
    [
        ("1700000000.250000", 1_700_000_000_250_000),
        ("1700000000.25", 1_700_000_000_250_000),
        ("1700000000", 1_700_000_000_000_000),
        ("1700000000.1234567", 1_700_000_000_123_456),
        ("yesterday", None),
        ("", None),
        ("1.x", None),
        ("-1.0", None),
        ("٣.0", None),
        ("9" * 40, None),
    ],
)
def test_the_time_is_asterisks_own_in_microseconds(stamp: str, at_us: int | None) -> None:
    headers = Headers([("Event", "X"), ("Timestamp", stamp), ("timestamp", "1.0")])
    assert as_event("a", headers).at_us == at_us


def test_without_a_stamp_there_is_no_time() -> None:
    assert as_event("a", Headers([("Event", "X")])).at_us is None


def test_a_missing_header_is_an_error_with_the_events_text() -> None:
    event = as_event("west", Headers([("Event", "Hangup"), ("Cause", "16")]))
    with pytest.raises(AmiProtocolError) as caught:
        event.require("Uniqueid")
    text = str(caught.value)
    for part in ("west", "Hangup", "Uniqueid", "Cause: 16"):
        assert part in text


def test_a_long_event_is_quoted_in_part() -> None:
    event = as_event("a", Headers([("Event", "X"), ("A", "y" * 10_000)]))
    with pytest.raises(AmiProtocolError) as caught:
        event.require("B")
    assert len(str(caught.value)) < 700
    assert "characters" in str(caught.value)


def test_values_can_be_copied_pickled_and_compared() -> None:
    event = AmiEvent("a", "X", Headers([("Event", "X"), ("A", "1")]), 5)
    reply = AmiReply(True, "", Headers([("Response", "Success")]), (event,))
    for value in (event, reply):
        assert copy.deepcopy(value) == value
        assert pickle.loads(pickle.dumps(value)) == value


LINE = st.text(st.sampled_from("AaBb:  \r\n\u0130x1"), max_size=12)


@given(st.lists(LINE, max_size=8), st.sampled_from(["A", "a", "B", "ab", "Event", "x1"]))
def test_a_header_read_alone_is_what_it_is_among_all(lines: list[str], name: str) -> None:
    message = "\r\n".join(["Event: E", *lines]).encode()
    alone, together = read_headers(message), read_headers(message)
    whole = Headers(together.pairs)

    assert alone.get(name, "none") == whole.get(name, "none")
    assert read_headers(message).first == whole.pairs[0]
    assert (name in read_headers(message)) == (name in whole)
    assert read_headers(message) == whole
