"""SIP and SDP as text."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import sdp
from lab.sip_message import (
    Credentials,
    SipMessage,
    SipParseError,
    address,
    digest,
    name_of,
    parameters,
    parse,
    place_of,
    split_list,
    uri_of,
    user_of,
    with_source,
)

INVITE = (
    b"INVITE sip:100@127.0.0.1:5060 SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKa;rport\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bKb, SIP/2.0/UDP 127.0.0.1:5090;branch=z9hG4bKc\r\n"
    b'f: "A, \\"B\\"" <sip:+44@127.0.0.1>;tag=1\r\n'
    b"t: <sip:100@127.0.0.1>\r\n"
    b"Subject: folded\r\n  line\r\n"
    b"i: abc\r\nCSeq: 7 INVITE\r\nl: 4\r\n\r\nbodyrest"
)


def test_a_request_is_read_with_compact_names_folded_lines_and_its_length() -> None:
    message = parse(INVITE)
    assert (message.method, message.uri, message.body) == ("INVITE", "sip:100@127.0.0.1:5060", b"body")
    assert message.cseq == (7, "INVITE")
    assert message.branch == "z9hG4bKa"
    assert len(message.all("via")) == 3
    assert message.get("Subject") == "folded line"
    assert message.get("Call-ID") == "abc"
    assert parameters(message.get("From")) == {"tag": "1"}


def test_what_is_written_is_read_back() -> None:
    message = parse(INVITE)
    assert parse(message.encode()) == message


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (b"HELLO\r\n\r\n", "request or status line"),
        (INVITE.replace(b"i: abc\r\n", b""), "expected a call-id header"),
        (INVITE.replace(b"7 INVITE", b"seven"), "CSeq number"),
        (INVITE.replace(b"l: 4", b"l: 400"), "expected 400 bytes"),
        (INVITE.replace(b"t: ", b"t "), "expected name: value"),
        (INVITE.replace(b"i: abc", b"x: y\r\n" * 300 + b"i: abc"), "at most 200 headers"),
    ],
)
def test_what_is_broken_is_named(broken: bytes, fault: str) -> None:
    with pytest.raises(SipParseError, match=re.compile(fault, re.IGNORECASE)):
        parse(broken)


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda junk: INVITE.replace(b"folded", junk)))
def test_random_bytes_raise_only_the_parse_error(data: bytes) -> None:
    try:
        message = parse(data)
    except SipParseError:
        return
    assert message.get("Call-ID")


@pytest.mark.parametrize("name", ['Ann "the boss" \\ Lee', "张伟", "Müller, Öz", ""])
def test_names_survive_the_from_header(name: str) -> None:
    header = address("sip:+44@127.0.0.1:5070", name, "t1")
    assert name_of(header) == name
    assert uri_of(header) == "sip:+44@127.0.0.1:5070"
    assert user_of(header) == "+44"
    assert parameters(header) == {"tag": "t1"}


def test_a_name_cannot_add_a_header() -> None:
    assert "\r\n" not in address("sip:1@127.0.0.1", "x\r\nEvil: 1")


def test_lists_are_parted_outside_quotes_and_brackets() -> None:
    assert split_list('"a, b" <sip:1@h;x=1,2>, <sip:2@h>') == ['"a, b" <sip:1@h;x=1,2>', "<sip:2@h>"]


def test_only_loopback_is_dialled() -> None:
    assert place_of("sip:1@127.0.0.1:5070;transport=udp") == ("127.0.0.1", 5070)
    assert place_of("sip:localhost") == ("127.0.0.1", 5060)
    for uri in ("sip:1@192.0.2.1", "sip:1@example.org", "tel:1"):
        with pytest.raises(SipParseError):
            place_of(uri)


def test_responses_go_where_the_request_came_from() -> None:
    message = with_source(parse(INVITE), ("127.0.0.1", 40000))
    assert parameters(message.all("Via")[0]) == {"branch": "z9hG4bKa", "rport": "40000", "received": "127.0.0.1"}
    assert len(message.all("Via")) == 3


def test_digest_with_qop_is_what_a_server_computes() -> None:
    header = digest(
        'Digest realm="asterisk",nonce="1/2",opaque="o",algorithm=MD5,qop="auth"',
        Credentials("2001", "secret"),
        "REGISTER",
        "sip:127.0.0.1",
    )
    fields = dict(re.findall(r'(\w+)="?([^",]*)"?', header.removeprefix("Digest ")))
    who = hashlib.md5(b"2001:asterisk:secret").hexdigest()
    what = hashlib.md5(b"REGISTER:sip:127.0.0.1").hexdigest()
    proof = f"{who}:1/2:{fields['nc']}:{fields['cnonce']}:auth:{what}"
    assert fields["response"] == hashlib.md5(proof.encode()).hexdigest()
    assert fields["opaque"] == "o"


def test_digest_without_qop_gives_the_value_of_rfc_2069() -> None:
    header = digest(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
        Credentials("Mufasa", "CircleOfLife"),
        "GET",
        "/dir/index.html",
    )
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in header


@pytest.mark.parametrize("challenge", ["Basic realm=x", 'Digest nonce="1", algorithm=SHA-512'])
def test_a_challenge_that_cannot_be_answered_is_an_error(challenge: str) -> None:
    with pytest.raises(SipParseError, match="Digest challenge"):
        digest(challenge, Credentials("a", "b"), "INVITE", "sip:x")


def test_sdp_offer_is_read_back() -> None:
    media = sdp.Media("127.0.0.1", 40000, 101)
    assert sdp.read(sdp.offer(media, 1)) == media


def test_sdp_of_asterisk_with_many_codecs_and_a_video() -> None:
    body = (
        b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=Asterisk\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        b"m=audio 10000 RTP/AVP 8 0 9 96\r\na=rtpmap:96 telephone-event/8000\r\na=sendonly\r\n"
        b"m=video 10002 RTP/AVP 99\r\nc=IN IP4 127.0.0.9\r\na=inactive\r\n"
    )
    theirs = sdp.read(body)
    assert theirs == sdp.Media("127.0.0.1", 10000, 96, "sendonly")
    assert not theirs.is_listening
    ours = sdp.read(sdp.answer(theirs, "127.0.0.1", 4000, 3))
    assert ours == sdp.Media("127.0.0.1", 4000, 96, "recvonly")


@pytest.mark.parametrize(
    "body", [b"", b"v=0\r\nm=audio 4000 RTP/AVP 8\r\n", b"v=0\r\nm=audio x RTP/AVP 0\r\n", b"c=IN IP6 ::1\r\n"]
)
def test_sdp_without_our_audio_is_refused(body: bytes) -> None:
    with pytest.raises(sdp.SdpError):
        sdp.read(body)


def test_a_message_keeps_other_headers_when_one_is_replaced() -> None:
    message = SipMessage(method="ACK", headers=(("Via", "a"), ("Via", "b"), ("To", "c")))
    assert message.with_headers(("Via", "x")).headers == (("Via", "x"), ("To", "c"))
