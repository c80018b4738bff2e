"""How the verbs of chat administrators are read, and what they change."""

from __future__ import annotations

import pytest

from botmatrix.core.config import BadCoreConfig, CoreConfig
from botmatrix.core.verbs import Verb, apply, bind_code, is_bind, is_verb, read


@pytest.mark.parametrize("text", ["/system", "/nexus status", "  /SYSTEM close", "/system\nclose"])
def test_what_speaks_to_the_hub(text: str) -> None:
    assert is_verb(text)


@pytest.mark.parametrize("text", ["", "system", "/systems", "hello /system close", "/system2 close", "/status"])
def test_what_does_not(text: str) -> None:
    assert not is_verb(text)


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("/system status", Verb("status")),
        ("/nexus TOP", Verb("top")),
        ("/system close", Verb("close")),
        ("/system close confirm", Verb("close", confirmed=True)),
        ("/system close 确认", Verb("close", confirmed=True)),
        ("/system open", Verb("open")),
        ("/system reload", Verb("reload")),
        ("/system blacklist add user 123", Verb("blacklist", "add", "system", "123")),
        ("/system blacklist add system qq:123 确认", Verb("blacklist", "add", "system", "qq:123", True)),
        ("/nexus whitelist remove group 456", Verb("whitelist", "remove", "group", "456")),
        ("/nexus whitelist add robot 1", Verb("whitelist", "add", "robot", "1")),
        ("/system", Verb("help")),
        ("/system help", Verb("help")),
        ("/system explode", Verb("help")),
        ("/system close now", Verb("help")),
        ("/system blacklist add user", Verb("help")),
        ("/system blacklist add user 1 2", Verb("help")),
        ("/system blacklist add planet 1", Verb("help")),
    ],
)
def test_reading(text: str, verb: Verb) -> None:
    assert read(text) == verb


def test_a_list_gains_and_loses_an_id() -> None:
    before = CoreConfig()
    after = apply(before, read("/system blacklist add user 123"))
    assert after.permissions.blacklist.system == ["123"]
    assert apply(after, read("/system blacklist add user 123")) is after
    assert apply(after, read("/system blacklist remove user 123")) == before
    assert apply(before, read("/system blacklist remove user 123")) is before


def test_closing_and_opening() -> None:
    closed = apply(CoreConfig(), read("/system close"))
    assert not closed.system_control.open
    assert apply(closed, read("/system open")) == CoreConfig()


def test_an_id_that_can_be_none_is_refused() -> None:
    with pytest.raises(BadCoreConfig):
        apply(CoreConfig(), read("/system blacklist add user 你好"))


@pytest.mark.parametrize(
    ("text", "code"), [("/bind ABCDE-FGH23", "ABCDE-FGH23"), (" /BIND  abc de ", "abcde"), ("/bind", "")]
)
def test_what_may_say_a_code(text: str, code: str) -> None:
    assert is_bind(text)
    assert bind_code(text) == code


@pytest.mark.parametrize("text", ["", "bind x", "/binding x", "x /bind y", "/system bind"])
def test_what_says_none(text: str) -> None:
    assert not is_bind(text)
