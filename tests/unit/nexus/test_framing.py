"""Text frames as RFC 6455, 5.2 and 5.3 have them."""

from __future__ import annotations

import pytest

from botmatrix.nexus.framing import text_frame


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "81 00"),
        (125, "81 7d"),
        (126, "81 7e 00 7e"),
        (65_535, "81 7e ff ff"),
        (65_536, "81 7f 00 00 00 00 00 01 00 00"),
    ],
)
def test_the_length_stands_in_as_few_bytes_as_it_needs(size: int, head: str) -> None:
    payload = b"x" * size
    assert text_frame(payload) == bytes.fromhex(head) + payload
    masked = text_frame(payload, masked=True)
    expected = bytearray.fromhex(head)
    expected[1] |= 0x80
    assert masked[: len(expected)] == expected
    assert len(masked) == len(expected) + 4 + size


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 700])
def test_a_masked_payload_is_found_again_under_its_key(size: int) -> None:
    payload = bytes(number % 256 for number in range(size))
    frame = text_frame(payload, masked=True)
    key, under = frame[-size - 4 :][:4], frame[len(frame) - size :]
    assert bytes(byte ^ key[place % 4] for place, byte in enumerate(under)) == payload


def test_each_frame_has_a_key_of_its_own() -> None:
    assert len({text_frame(b"", masked=True) for _ in range(50)}) > 40
