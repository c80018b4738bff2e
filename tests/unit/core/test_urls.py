"""Which addresses are found, and which are on a list."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.saying import event, text

from botmatrix.core.config import CoreConfig
from botmatrix.core.judge import Judge

BLACK = {
    "domain_suffix": ["evil.com", "例子.中国"],
    "exact": ["https://page.net/Bad?x=1"],
    "regex": [r"^https?://\w+\.test/pay$"],
}
WHITE = {"domain_suffix": ["good.evil.com"], "regex": [r"/allowed$"]}
JUDGE = Judge(CoreConfig.model_validate({"url_filter": {"blacklist": BLACK, "whitelist": WHITE}}))
URL, PATTERN = "blacklisted_url_detected", "blacklisted_url_regex_detected"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("see https://evil.com", URL),
        ("see http://a.b.evil.com/x?y#z now", URL),
        ("HTTPS://EVIL.COM/", URL),
        ("https://evil.com:8443/x", URL),
        ("https://evil.com./x", URL),
        ("https://google.com@evil.com/", URL),
        ("https://evil.com\\@google.com/", URL),
        ("https:\\\\evil.com/", URL),
        ("https://%65vil.com/", URL),
        ("https://evil。com/", URL),
        ("https://ｅｖｉｌ．com", URL),
        ("ht\u200btps://ev\u200bil.com", URL),
        ("(https://evil.com)", URL),
        ("看https://evil.com，好", URL),
        ("https://evil.com看这里", URL),
        ("https://good.evil.com看.evil.com/", URL),
        ("https://" + "a" * 5000 + "@evil.com/", URL),
        ("https://fine.org/" * 900 + "https://evil.com", URL),
        ("https://a,b@evil.com/", URL),
        ("https://evil.com:x", URL),
        ("https://例子.中国/", URL),
        ("https://xn--fsqu00a.xn--fiqs8s/", URL),
        ("https://fine.org/?to=https://evil.com/", URL),
        ("https://fine.org/?to=https%3A%2F%2Fevil.com/", URL),
        ("https://fine.org/ https://evil.com/", URL),
        ("https://page.net/bad?x=1", URL),
        ("https://page.net:443/bad?x=1#top", URL),
        ("http://shop.test/pay", PATTERN),
        ("https://fine.org http://shop.test/pay https://fine.org", PATTERN),
        ("https://page.net/bad?x=2", ""),
        ("https://notevil.com/", ""),
        ("https://evil.com.fine.org/", ""),
        ("https://fine.org/evil.com", ""),
        ("https://x.good.evil.com/", ""),
        ("https://evil.com/allowed", ""),
        ("evil.com without a scheme", ""),
        ("https://", ""),
        ("http://[", ""),
    ],
)
def test_addresses(said: str, expected: str) -> None:
    assert JUDGE.reason("qq", "1", event(text(said))) == expected


def test_an_allowed_address_does_not_excuse_its_neighbour() -> None:
    said = "https://x.good.evil.com/ https://evil.com/"
    assert JUDGE.reason("qq", "1", event(text(said))) == URL


@pytest.mark.parametrize(
    "segment",
    [
        {"type": "share", "data": {"url": "https://evil.com/x"}},
        {"type": "json", "data": {"data": '{"jump":"https:\\/\\/evil.com"}'}},
    ],
)
def test_addresses_of_cards_are_seen(segment: dict[str, Any]) -> None:
    assert JUDGE.reason("qq", "1", event([segment])) == URL
