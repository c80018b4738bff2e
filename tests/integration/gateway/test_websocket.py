"""The gateway's share of RFC 6455, over raw sockets."""

from __future__ import annotations

import asyncio
import struct

import msgspec
import pytest
from tests.integration.gateway.peers import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Stage

EVENT = '{"post_type":"message","message_type":"group","group_id":5,"user_id":7,"message":"héllo"}'.encode()


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_text_and_binary_frames_are_both_events(stage: Stage, opcode: int) -> None:
    bot = await stage.dial()
    bot.frame(opcode, EVENT)
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.events[0][1].raw == EVENT


async def test_fragments_with_a_ping_between_them_make_one_message(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, EVENT[:10], fin=False)
    bot.frame(PING, b"between")
    bot.frame(CONTINUATION, b"", fin=False)
    bot.frame(CONTINUATION, EVENT[10:])
    pong = await bot.receive()
    assert pong == (PONG, b"between")
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.events[0][1].raw == EVENT


async def test_a_character_may_be_split_between_fragments(stage: Stage) -> None:
    bot = await stage.dial()
    cut = EVENT.index("é".encode()) + 1
    bot.frame(TEXT, EVENT[:cut], fin=False)
    bot.frame(CONTINUATION, EVENT[cut:])
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.events[0][1].raw == EVENT


async def test_several_frames_in_one_segment_are_all_delivered_in_order(stage: Stage) -> None:
    bot = await stage.dial()
    for number in range(50):
        bot.message(str(number), message_id=number)
    await stage.seen.until(lambda: len(stage.seen.events) == 50)
    assert [event.message_id for _, event in stage.seen.events] == [str(number) for number in range(50)]


@pytest.mark.parametrize("rsv", [1, 2, 4])
@pytest.mark.parametrize("opcode", [TEXT, PING, CLOSE])
async def test_reserved_bits_are_refused(stage: Stage, rsv: int, opcode: int) -> None:
    bot = await stage.dial()
    bot.frame(opcode, b"\x03\xe8" if opcode == CLOSE else EVENT[:100], rsv=rsv)
    assert (await bot.closed())[0] == 1002
    assert not stage.seen.events


@pytest.mark.parametrize("opcode", [3, 7, 11, 15])
async def test_unknown_opcodes_are_refused(stage: Stage, opcode: int) -> None:
    bot = await stage.dial()
    bot.frame(opcode, b"x")
    assert (await bot.closed())[0] == 1002


async def test_unmasked_frame_is_refused(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, EVENT, masked=False)
    assert (await bot.closed())[0] == 1002
    await bot.ended()
    assert not stage.seen.events


async def test_fragmented_and_long_control_frames_are_refused(stage: Stage) -> None:
    for fin, payload in ((False, b"x"), (True, b"x" * 126)):
        bot = await stage.dial()
        bot.frame(PING, payload, fin=fin)
        assert (await bot.closed())[0] == 1002
        await bot.ended()
        await stage.seen.until(lambda: not stage.hub.bots["qq:10001"].links)


async def test_continuation_without_a_beginning_is_refused(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(CONTINUATION, EVENT)
    assert (await bot.closed())[0] == 1002


async def test_new_message_inside_a_fragmented_one_is_refused(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, EVENT[:10], fin=False)
    bot.frame(TEXT, EVENT)
    assert (await bot.closed())[0] == 1002
    assert not stage.seen.events


@pytest.mark.parametrize("payload", [b'{"x":"\xff"}', b"\xed\xa0\x80", b'{"post_type":"message","x":"\xc0\xaf"}'])
async def test_invalid_utf8_is_closed_with_1007(stage: Stage, payload: bytes) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, payload)
    assert (await bot.closed())[0] == 1007
    assert stage.hub.counters["frame_bad_utf8"] == 1


@pytest.mark.parametrize("size", [1 << 30, (1 << 63) - 1])
async def test_declared_size_over_the_limit_is_refused_at_the_header(stage: Stage, size: int) -> None:
    bot = await stage.dial()
    bot.writer.write(bytes((0x81, 0xFF)) + struct.pack("!Q", size) + b"mask")
    assert (await bot.closed())[0] == 1009


async def test_fragments_that_add_up_to_more_than_the_limit_are_refused(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, b"x" * 600_000, fin=False)
    bot.frame(CONTINUATION, b"x" * 600_000, fin=False)
    assert (await bot.closed())[0] == 1009


async def test_ten_thousand_empty_fragments_are_refused(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, b"", fin=False)
    for _ in range(10_000):
        bot.frame(CONTINUATION, b"", fin=False)
    assert (await bot.closed())[0] == 1008


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        (b"", 1000),
        (b"\x03\xe8", 1000),
        (b"\x03\xe9bye", 1001),
        (b"\x0f\xa0own", 4000),
        (b"\x03\xee", 1002),  # 1006 may not be sent
        (b"\x00\x00", 1002),
        (b"\xff\xff", 1002),
        (b"\x03", 1002),
        (b"\x03\xe8\xff", 1007),
    ],
)
async def test_close_is_answered_and_the_connection_ended(stage: Stage, sent: bytes, answered: int) -> None:
    bot = await stage.dial()
    bot.frame(CLOSE, sent)
    assert (await bot.closed())[0] == answered
    await bot.ended()
    await stage.seen.until(lambda: ("offline", "qq:10001") in stage.seen.happenings)


async def test_nothing_is_delivered_after_a_close(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(CLOSE, b"\x03\xe8")
    bot.frame(TEXT, EVENT)
    bot.frame(CLOSE, b"\x03\xe8")
    await bot.closed()
    await bot.ended()
    assert not stage.seen.events


async def test_nothing_is_delivered_after_a_refused_frame_in_the_same_segment(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, b"x", rsv=1)
    bot.frame(TEXT, EVENT)
    assert (await bot.closed())[0] == 1002
    await asyncio.sleep(0)
    assert not stage.seen.events


async def test_unsolicited_pong_is_harmless(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(PONG, b"nobody asked")
    bot.frame(TEXT, EVENT)
    await stage.seen.until(lambda: bool(stage.seen.events))


async def test_ping_flood_is_answered_without_growing_for_a_peer_that_does_not_read(stage: Stage) -> None:
    bot = await stage.dial()
    for _ in range(20_000):
        bot.frame(PING, b"p" * 125)
    bot.frame(TEXT, EVENT)
    await stage.seen.until(lambda: bool(stage.seen.events))
    link = stage.hub.bots["qq:10001"].links[0]
    assert link.connection.unsent < 256 * 1024


async def test_connection_header_with_several_tokens_is_accepted(stage: Stage) -> None:
    await stage.dial(Connection="keep-alive, Upgrade")


@pytest.mark.parametrize("size", [0, 1, 125])
async def test_a_pong_carries_what_the_ping_did(stage: Stage, size: int) -> None:
    bot = await stage.dial()
    bot.frame(PING, b"p" * size)
    assert await bot.receive() == (PONG, b"p" * size)


async def test_pings_are_answered_in_order_and_after_what_was_sent_before(stage: Stage) -> None:
    bot = await stage.dial()
    for number in range(10):
        bot.frame(PING, bytes([number]))
    assert [await bot.receive() for _ in range(10)] == [(PONG, bytes([number])) for number in range(10)]
    for number in range(5):
        stage.hub.bots["qq:10001"].call("send_msg", b'{"n":%d}' % number, lambda _answer: None)
    stage.hub.bots["qq:10001"].links[0].connection.ping()
    assert [(await bot.receive_any()).opcode for _ in range(6)] == [TEXT] * 5 + [PING]


async def test_close_comes_after_everything_that_was_sent_before_it(stage: Stage) -> None:
    bot = await stage.dial()
    for number in range(5):
        stage.hub.bots["qq:10001"].call("send_msg", b'{"n":%d}' % number, lambda _answer: None)
    stage.hub.drop("qq:10001", 4010, "dropped")
    assert [(await bot.action())["params"]["n"] for _ in range(5)] == list(range(5))
    assert await bot.closed() == (4010, "dropped")


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536, 200_000])
async def test_actions_of_every_length_arrive_whole_and_in_order(stage: Stage, size: int) -> None:
    bot = await stage.dial()
    for number in range(3):
        params = msgspec.json.encode({"n": number, "text": "x" * size})
        assert stage.hub.bots["qq:10001"].call("send_msg", params, lambda _answer: None)
    got = [(await bot.action())["params"] for _ in range(3)]
    assert [(params["n"], len(params["text"])) for params in got] == [(number, size) for number in range(3)]


@pytest.mark.parametrize("size", [125, 126, 65_535, 65_536])
async def test_events_of_every_length_form_are_read(stage: Stage, size: int) -> None:
    bot = await stage.dial()
    payload = EVENT[:-1] + b" " * (size - len(EVENT)) + EVENT[-1:] if size > len(EVENT) else EVENT
    bot.frame(TEXT, payload)
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.events[0][1].raw == payload


@pytest.mark.parametrize(
    ("head", "size"), [(bytes((0x81, 0xFE)) + struct.pack("!H", 5), 5), (bytes((0x81, 0xFF)) + struct.pack("!Q", 5), 5)]
)
async def test_a_length_in_more_bytes_than_it_needs_is_refused(stage: Stage, head: bytes, size: int) -> None:
    bot = await stage.dial()
    bot.writer.write(head + b"\0\0\0\0" + b"x" * size)
    assert (await bot.closed())[0] == 1002


async def test_a_length_with_its_highest_bit_set_is_refused(stage: Stage) -> None:
    bot = await stage.dial()
    bot.writer.write(bytes((0x81, 0xFF)) + struct.pack("!Q", 1 << 63) + b"mask")
    await bot.ended()
    await stage.seen.until(lambda: not stage.hub.bots["qq:10001"].links)


@pytest.mark.parametrize("cut", [5, 6])
async def test_utf8_that_is_broken_between_fragments_is_closed_with_1007(stage: Stage, cut: int) -> None:
    bot = await stage.dial()
    broken = b'{"x":\xe2\x82"}'
    bot.frame(TEXT, broken[:cut], fin=False)
    bot.frame(CONTINUATION, broken[cut:])
    assert (await bot.closed())[0] == 1007


@pytest.mark.parametrize("code", [999, 1004, 1005, 1015, 1016, 2999, 5000])
async def test_close_codes_that_may_not_be_sent_are_answered_with_1002(stage: Stage, code: int) -> None:
    bot = await stage.dial()
    bot.frame(CLOSE, struct.pack("!H", code))
    assert (await bot.closed())[0] == 1002
    await bot.ended()


@pytest.mark.parametrize("code", [1001, 1003, 1007, 1011, 1014, 3000, 4999])
async def test_close_codes_that_may_be_sent_come_back(stage: Stage, code: int) -> None:
    bot = await stage.dial()
    bot.frame(CLOSE, struct.pack("!H", code))
    assert (await bot.closed())[0] == code
    await bot.ended()


async def test_a_message_in_as_many_fragments_as_are_allowed_is_read(stage: Stage) -> None:
    bot = await stage.dial()
    bot.frame(TEXT, EVENT, fin=False)
    for _ in range(1022):
        bot.frame(CONTINUATION, b"", fin=False)
    bot.frame(CONTINUATION, b"")
    await stage.seen.until(lambda: bool(stage.seen.events))
    assert stage.seen.events[0][1].raw == EVENT
