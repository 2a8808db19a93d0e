"""µ-law, tones, digits and RTP."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator

import pytest

from lab.audio import DECODED, FRAME, SILENCE, ToneDetector, encode, tone
from lab.rtp import RtpStream
from lab.sdp import Media


def test_every_mu_law_byte_keeps_its_value() -> None:
    assert [encode(DECODED[byte]) for byte in range(256) if byte != 0x7F] == [b for b in range(256) if b != 0x7F]
    assert encode(0) == 0xFF
    assert DECODED[0x7F] == 0  # the negative zero


@pytest.mark.parametrize("sample", [-32768, -1000, -5, 0, 3, 700, 32767])
def test_mu_law_is_close_to_the_sample(sample: int) -> None:
    assert abs(DECODED[encode(sample)] - sample) <= max(abs(sample) * 0.06, 8)


def frames_until_heard(detector: ToneDetector, frames: list[bytes]) -> int | None:
    return next((count for count, frame in enumerate(frames, 1) if detector.hears(frame)), None)


def mixed(*sounds: bytes) -> bytes:
    return bytes(encode(sum(DECODED[byte] for byte in column)) for column in zip(*sounds, strict=True))


def test_a_tone_is_heard_after_a_tenth_of_a_second() -> None:
    assert frames_until_heard(ToneDetector(1004), list(tone(1004))) == 5


def test_a_tone_is_heard_through_quiet_noise() -> None:
    chance = random.Random(1)
    noisy = [mixed(frame, bytes(encode(chance.randint(-900, 900)) for _ in frame)) for frame in tone(1004)]
    assert frames_until_heard(ToneDetector(1004), noisy) == 5


@pytest.mark.parametrize("other", [440, 950, 1060, 1300, 2008])
def test_another_tone_is_not_heard(other: int) -> None:
    assert frames_until_heard(ToneDetector(1004), list(tone(other))) is None


def test_silence_noise_and_chords_are_not_heard() -> None:
    chance = random.Random(2)
    noise = [bytes(encode(chance.randint(-8000, 8000)) for _ in range(FRAME)) for _ in range(50)]
    chord = [mixed(*frames) for frames in zip(tone(1004, 4000), tone(700, 4000), tone(1500, 4000), strict=True)]
    for frames in ([SILENCE] * 50, noise, chord):
        assert frames_until_heard(ToneDetector(1004), frames) is None


def test_a_short_beep_is_not_heard() -> None:
    assert frames_until_heard(ToneDetector(1004), [*tone(1004)[:4], SILENCE, *tone(1004)[:4]]) is None


@pytest.fixture(name="pair")
async def connected_pair() -> AsyncIterator[tuple[RtpStream, RtpStream]]:
    one, other = RtpStream(1004, (1300,)), RtpStream(1300, (1004,))
    await one.bind()
    await other.bind()
    one.connect(other.local)
    other.connect(one.local)
    yield one, other
    await one.close()
    await other.close()


async def test_both_sides_hear_each_others_tone_on_even_ports(pair: tuple[RtpStream, RtpStream]) -> None:
    one, other = pair
    assert one.port % 2 == other.port % 2 == 0
    async with asyncio.timeout(5):
        await one.heard(1300)
        await other.heard(1004)
    assert one.first_audio_ns is not None
    assert one.heard_ns[1300] >= one.first_audio_ns


async def test_every_key_arrives_once_and_in_order(pair: tuple[RtpStream, RtpStream]) -> None:
    one, other = pair
    async with asyncio.timeout(10):
        await one.press("1133*#")
        while other.digits != "1133*#":  # noqa: ASYNC110 - a turn of the loop, no clock
            await asyncio.sleep(0)


@pytest.mark.parametrize(("digits", "fault"), [("1x", "keys among"), ("1" * 65, "at most 64")])
async def test_what_is_no_key_is_refused(pair: tuple[RtpStream, RtpStream], digits: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        await pair[0].press(digits)


async def test_keys_need_an_agreed_payload_type() -> None:
    stream = RtpStream(None, ())
    with pytest.raises(ValueError, match="telephone-event"):
        await stream.press("1")


async def test_packets_follow_rfc_3550_and_4733() -> None:
    loop = asyncio.get_running_loop()
    packets: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            packets.put_nowait(data)

    ear, _ = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    stream = RtpStream(None, ())
    await stream.bind()
    stream.connect(Media("127.0.0.1", ear.get_extra_info("sockname")[1], 96))
    async with asyncio.timeout(5):
        await stream.press("5")
        heard = [await packets.get() for _ in range(7)]
    await stream.close()
    ear.close()
    heads = [struct.unpack("!BBHII", packet[:12]) for packet in heard]
    assert [head[2] for head in heads] == [(heads[0][2] + index) & 0xFFFF for index in range(7)]
    assert [head[1] for head in heads] == [0x80 | 96, *[96] * 6]
    assert len({head[3] for head in heads}) == 1
    events = [struct.unpack("!BBH", packet[12:]) for packet in heard]
    assert [event[0] for event in events] == [5] * 7
    assert [event[1] >> 7 for event in events] == [0, 0, 0, 0, 1, 1, 1]
    assert [event[2] for event in events] == [160, 320, 480, 640, 800, 800, 800]


async def test_what_is_not_rtp_is_counted(pair: tuple[RtpStream, RtpStream]) -> None:
    one, _ = pair
    before = one.received
    for junk in (b"", b"short", b"\x00" * 20, b"\x80\x08" + b"\x00" * 18, b"\x80\x65" + b"\x00" * 10):
        one.datagram_received(junk, ("127.0.0.1", 9))
    assert one.received == before
    assert one.dropped == {"not_rtp": 3, "payload": 2}


async def test_a_side_on_hold_gets_no_audio() -> None:
    stream = RtpStream(None, ())
    await stream.bind()
    stream.connect(Media("127.0.0.1", 9, 101, "inactive"))
    stream.send_frame()
    assert stream.sent == 0
    await stream.close()
