"""Close codes and reasons."""

from __future__ import annotations

import pytest

from botmatrix.nexus.closing import may_be_sent, reason_bytes


@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 3000, 4999])
def test_codes_that_may_be_sent(code: int) -> None:
    assert may_be_sent(code)


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1100, 2999, 5000, 65535])
def test_codes_that_may_not_be_sent(code: int) -> None:
    assert not may_be_sent(code)


def test_reason_fits_into_a_control_frame_and_stays_utf8() -> None:
    assert reason_bytes("short") == b"short"
    long = reason_bytes("长" * 100)
    assert len(long) <= 123
    assert set(long.decode()) == {"长"}
