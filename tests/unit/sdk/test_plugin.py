"""What a plugin declares, and where its names come from."""

from __future__ import annotations

import subprocess
import sys

import pytest

import botmatrix
from botmatrix import Context, Plugin, perm
from botmatrix.sdk.address import Address
from botmatrix.sdk.handler import Trigger


def test_handlers_are_declared_in_order_and_stay_plain_functions() -> None:
    plugin = Plugin(id="mine", permissions=["send_msg", "storage.get"])

    @plugin.command("go", aliases=["b", "a", "go"], priority=3)
    async def go(ctx: Context) -> None:
        """Go there.

        And more.
        """

    @plugin.on_message(regex="x")
    def x(ctx: Context) -> None: ...

    first, second = plugin.handlers
    assert first.function is go
    assert (first.trigger, first.words, first.block, first.priority) == (Trigger.COMMAND, ("go", "a", "b"), True, 3)
    assert (first.description, first.usage, first.is_async) == ("Go there.", "go", True)
    assert (second.trigger, second.block, second.is_async) == (Trigger.MESSAGE, False, False)
    assert second.function is x
    assert plugin.name == "mine"
    assert plugin.permissions == {"send_msg", "storage.get"}


def test_handlers_with_one_name_get_names_of_their_own() -> None:
    plugin = Plugin("mine")
    for word in ("a", "b", "c"):

        @plugin.command(word)
        async def _(ctx: Context) -> None: ...

    assert [handler.name for handler in plugin.handlers] == ["_", "_#2", "_#3"]


@pytest.mark.parametrize("id", ["", "a b", "-a", "a" * 65, "插件", "a/b"])
def test_ids_that_are_none_are_refused(id: str) -> None:
    with pytest.raises(ValueError, match="is no plugin id"):
        Plugin(id)


@pytest.mark.parametrize("name", ["Send", "a b", "", "a.", "**"])
def test_permissions_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no permission"):
        Plugin("mine", permissions=[name])


def test_all_permissions_may_be_asked_for() -> None:
    assert Plugin("mine", permissions="*").permissions == {"*"}


def test_permissions_of_people_are_ordered() -> None:
    assert perm.MEMBER < perm.GROUP_ADMIN < perm.ADMIN < perm.OWNER


def test_every_exported_name_is_there() -> None:
    for name in botmatrix.__all__:
        assert getattr(botmatrix, name) is not None
    assert set(botmatrix.__all__) <= set(dir(botmatrix))
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = botmatrix.nothing_such


def test_importing_the_package_loads_neither_the_sdk_nor_pydantic() -> None:
    code = """import sys, botmatrix, botmatrix.nexus
print([name for name in sys.modules if name.startswith(("botmatrix.sdk", "pydantic"))])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": "src"})
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("qq:group:456", Address("qq", "", "group", "456")),
        ("QQ@10001:private:123", Address("qq", "10001", "private", "123")),
        ("wechat@wx_a:group:1@chatroom", Address("wechat", "wx_a", "group", "1@chatroom")),
    ],
)
def test_addresses_are_read(text: str, address: Address) -> None:
    assert Address.parse(text) == address


@pytest.mark.parametrize("text", ["", "qq:456", "qq:channel:4", "qq:group:", ":group:4", "qq@:group:4", "qq:group:4 5"])
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match="is no address"):
        Address.parse(text)
