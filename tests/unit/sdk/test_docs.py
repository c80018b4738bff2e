"""Every example of docs/sdk.md does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from tests.unit.plugins.fakes import Platform, Talk, message, replies

import botmatrix
from botmatrix.onebot.message import Message
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.source import Source

PAGE = Path(__file__).resolve().parents[3] / "docs/sdk.md"
BLOCK = re.compile(r"^```(python|chat)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Each piece of code with the conversation that follows it."""
    found = BLOCK.findall(PAGE.read_text("utf-8"))
    blocks = [(kind, code) for kind, code in found if not code.startswith("# test_")]
    code, chats = blocks[::2], blocks[1::2]
    assert {kind for kind, _ in code} == {"python"}
    assert {kind for kind, _ in chats} == {"chat"}
    return [(example, chat) for (_, example), (_, chat) in zip(code, chats, strict=True)]


def turns(chat: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in chat.splitlines():
        who, _, said = line.partition(": " if "| " not in line[:5] else "| ")
        if who.strip():
            found.append((who, said))
        else:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{said}")
    return found


@pytest.mark.parametrize(("code", "chat"), examples())
async def test_example_answers_as_the_page_says(
    code: str, chat: str, tmp_path: Path, redis_url: str, database_url: str
) -> None:
    platform = Platform(redis_url, database_url)
    host = Host(platform)
    path = tmp_path / code.split()[1]
    path.write_text(code)
    info = await host.load(Source("file", path.stem, path))
    assert (info.state, info.error) == (PluginState.LOADED, "")
    answers: list[str] = []
    talk = Talk(platform, host)
    for index, (who, said) in enumerate(turns(chat)):
        if who == "you":
            assert answers == []
            answers = replies(await talk.handle(message([], message=said), f"{index:024}"))
        elif who == "now":
            sent = [
                Message.parse(params["message"]).to_cq() for action, params in platform.sent if action == "send_msg"
            ]
            assert said in sent
        else:
            answer = answers.pop(0)
            assert said in (answer, Message.cq(answer).text)
    assert answers == []
    await host.close()
    await platform.close()


async def test_the_example_with_a_request_and_a_notice_does_what_it_shows(tmp_path: Path, redis_url: str) -> None:
    platform = Platform(redis_url)
    host = Host(platform)
    (code,) = [code for code, _ in examples() if code.startswith("# dice.py")]
    (tmp_path / "dice.py").write_text(code)
    await host.load(Source("file", "dice", tmp_path / "dice.py"))
    talk = Talk(platform, host)
    whose = {"self_id": 10001, "user_id": 7, "group_id": 456, "time": 1}
    invited = {"post_type": "request", "request_type": "group", "sub_type": "invite", "flag": "f", **whose}
    assert replies(await talk.handle(invited, "a" * 24)) == []
    assert platform.sent[-1] == ("set_group_add_request", {"flag": "f", "sub_type": "invite", "approve": True})
    came = {"post_type": "notice", "notice_type": "group_increase", **whose}
    assert replies(await talk.handle(came, "b" * 24)) == ["[CQ:at,qq=7] 欢迎"]
    await host.close()
    await platform.close()


async def test_the_test_on_the_page_tests_the_first_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = BLOCK.findall(PAGE.read_text("utf-8"))
    (code,) = [code for _, code in found if code.startswith("# test_")]
    (tmp_path / "hello.py").write_text(examples()[0][0])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102
    await names["test_hello"]()


def test_every_public_name_is_in_an_example() -> None:
    code = "\n".join(code for code, _ in examples())
    assert [name for name in botmatrix.__all__ if not re.search(rf"\b{name}\b", code)] == []


def test_every_field_of_the_context_on_the_page_exists() -> None:
    names = re.findall(r"^\| `(?:await )?ctx\.(\w+)", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(names) >= 9
    for name in names:
        assert hasattr(botmatrix.Context, name)
