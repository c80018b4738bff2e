"""Who may open a link, and as what."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.accepting import Accepting

from botmatrix.nexus.handshake import PATHS, Accept, Refuse, Request, Role, decide, mask


def ask(
    target: str = "/onebot/v11/ws", headers: dict[str, str] | None = None, tokens: tuple[str, ...] = ("T",)
) -> Accept | Refuse:
    given_headers = {"Upgrade": "websocket", "Host": "hub:3001", "Authorization": "Bearer T"} | (headers or {})
    return decide(Request(target, CIMultiDict(given_headers)), Accepting(lambda key: tokens))


def accept(target: str = "/onebot/v11/ws", headers: dict[str, str] | None = None) -> Accept:
    answer = ask(target, headers)
    assert isinstance(answer, Accept)
    return answer


def status(target: str = "/onebot/v11/ws", headers: dict[str, str] | None = None, **tokens: tuple[str, ...]) -> int:
    answer = ask(target, headers, **tokens)
    return 101 if isinstance(answer, Accept) else answer.status


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        ("Bearer T", 101),
        ("bearer T", 101),
        ("BEARER  T ", 101),
        ("Token T", 101),
        ("token T", 101),
        ("T", 101),
        ("Bearer wrong", 403),
        ("Bearer T2", 403),
        ("Bearer t", 403),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("", 401),
        ("Basic T", 401),
    ],
)
def test_token_of_the_header(authorization: str, expected: int) -> None:
    assert status(headers={"Authorization": authorization}) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [("access_token=T", 101), ("token=T", 101), ("x=1&access_token=T", 101), ("access_token=", 401), ("token=x", 403)],
)
def test_token_of_the_query(query: str, expected: int) -> None:
    assert status(f"/?{query}", {"Authorization": ""}) == expected
    assert status(f"/?{query}", {"Authorization": "Bearer "}) == expected


def test_token_of_the_header_comes_first() -> None:
    assert status("/?access_token=T", {"Authorization": "Bearer wrong"}) == 403


def test_no_accepted_token_at_all_lets_nobody_in() -> None:
    assert status(tokens=()) == 403


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("suffix", ["", "/", "?a=b", "/?a=b"])
def test_every_path_is_open_with_and_without_a_slash(path: str, suffix: str) -> None:
    assert accept(path + suffix).role is PATHS[path]


@pytest.mark.parametrize(
    ("path", "header", "role"),
    [
        ("/onebot/v11/ws", "Universal", Role.UNIVERSAL),
        ("/ws", "API", Role.API),
        ("/ws", "event", Role.EVENT),
        ("/", "Bot", Role.UNIVERSAL),
        ("/onebot/v11/event", "", Role.EVENT),
        ("/onebot/v11/api", "nonsense", Role.API),
    ],
)
def test_role_is_of_the_header_or_of_the_path(path: str, header: str, role: Role) -> None:
    assert accept(path, {"X-Client-Role": header}).role is role


def test_names_are_taken_from_headers() -> None:
    answer = accept(headers={"X-Self-ID": " 10001 ", "X-Platform": "KOOK", "User-Agent": "a\x1bb"})
    assert (answer.key, answer.user_agent, answer.names_platform) == ("kook:10001", "a?b", True)
    assert accept(headers={"x-self-id": "0"}).key == ""
    assert accept("/?platform=Discord", {"X-Self-ID": "1"}).key == "discord:1"
    assert accept(headers={"X-Self-ID": "1"}).key == "qq:1"


def test_nobody_without_a_token_learns_whether_the_names_are_right() -> None:
    for headers in ({"X-Platform": "!"}, {"X-Self-ID": "\n" * 3 + "x" * 500}):
        assert status(headers=headers | {"Authorization": ""}) == 401
        assert status(headers=headers) == 400


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://hub", 101),
        ("HTTPS://HUB:3002", 101),
        ("http://evil", 403),
        ("https://hub.evil", 403),
        ("http://[", 403),
        ("[object Object]", 101),
        ("null", 101),
        ("ws://evil", 101),
        ("", 101),
    ],
)
def test_web_pages_of_other_hosts_are_refused(origin: str, expected: int) -> None:
    assert status(headers={"Origin": origin}) == expected


def test_token_is_never_shown() -> None:
    assert "secret" not in repr(accept("/?access_token=secret", {"Authorization": "Bearer T"}))
    assert mask("/ws?access_token=secret&x=1&TOKEN=secret") == "/ws?access_token=***&x=1&TOKEN=***"
    assert mask("/ws?access%5Ftoken=secret&to%6ben=secret") == "/ws?access%5Ftoken=***&to%6ben=***"
    assert "T-secret" not in repr(ask(headers={"Authorization": "Bearer T-secret"}))


@settings(max_examples=500)
@given(
    st.text(max_size=60),
    st.dictionaries(
        st.sampled_from(["Origin", "Host", "X-Self-ID", "Authorization", "X-Platform"]), st.text(max_size=30)
    ),
)
def test_whatever_is_asked_gets_an_answer(target: str, headers: dict[str, str]) -> None:
    assert isinstance(ask("/" + target, headers), Accept | Refuse)
    assert isinstance(ask(target, headers), Accept | Refuse)
