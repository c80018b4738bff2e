"""The verbs of chat administrators: `/system` and `/nexus`, read and applied; `/bind`. People's words are here too.

What follows `/plugin` is read elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from botmatrix.core.config import CoreConfig, changed

PREFIXES: Final = ("/system", "/nexus", "/plugin")
BIND: Final = "/bind"
CONFIRM: Final = ("confirm", "确认")
Word = Literal["status", "top", "open", "close", "whitelist", "blacklist", "reload", "help"]
_KINDS: Final = {"user": "system", "system": "system", "robot": "robot", "bot": "robot", "group": "group"}

HELP: Final = """\
管理命令 Commands: /system 或 or /nexus
status  状态 state
top  今日最活跃 most active today
open | close  开启、关闭系统 let everything pass, block everything
whitelist|blacklist add|remove user|robot|group ID  名单 lists
reload  重新读取配置 read the configuration again
help  帮助 this text"""


@dataclass(frozen=True, slots=True)
class Verb:
    """One request. `change` is add or remove, `kind` a list of the document, `id` who is meant."""

    word: Word
    change: str = ""
    kind: str = ""
    id: str = ""
    confirmed: bool = False

    @property
    def changes(self) -> bool:
        """Whether it alters the configuration."""
        return self.word in ("open", "close", "whitelist", "blacklist")

    @property
    def dangerous(self) -> bool:
        """Whether it can silence people, so that a group is not the place for a slip."""
        return self.word == "close" or (self.word == "blacklist" and self.change == "add")


def is_verb(text: str) -> bool:
    """Whether a message speaks to the hub."""
    return _first(text) in PREFIXES


def is_bind(text: str) -> bool:
    """Whether a message may say a one-time code."""
    return _first(text) == BIND


def bind_code(text: str) -> str:
    """What comes after `/bind`, in one piece."""
    return "".join(text.split()[1:])


def _first(text: str) -> str:
    return "".join(text.split(None, 1)[:1]).lower()


def read(text: str) -> Verb:
    """What is asked for; `help` when it can't be understood."""
    words = text.split()[1:]
    confirmed = bool(words) and words[-1].lower() in CONFIRM
    if confirmed:
        words.pop()
    match [word.lower() for word in words[:3]]:
        case ["status" | "top" | "open" | "close" | "reload" as word]:
            return Verb(_word(word), confirmed=confirmed)
        case ["whitelist" | "blacklist" as word, "add" | "remove" as change, kind] if len(words) == 4:
            if kind in _KINDS:
                return Verb(_word(word), change, _KINDS[kind], words[3], confirmed)
    return Verb("help")


def _word(text: str) -> Word:
    found: Word = next(word for word in get_args(Word) if word == text)
    return found


def apply(config: CoreConfig, verb: Verb) -> CoreConfig:
    """The configuration that the verb asks for; the same object when nothing changes. Raises `BadCoreConfig`."""
    patch: dict[str, Any]
    if verb.word in ("open", "close"):
        patch = {"system_control": {"open": verb.word == "open"}}
    else:
        ids: list[str] = getattr(getattr(config.permissions, verb.word), verb.kind)
        others = [one for one in ids if one != verb.id]
        ids = [*others, verb.id] if verb.change == "add" else others
        patch = {"permissions": {verb.word: {verb.kind: ids}}}
    after = changed(config, patch)
    return config if after == config else after


def done(verb: Verb, *, altered: bool) -> str:
    """The answer to a change."""
    if verb.word == "open":
        return "系统已开启。 The system is open."
    if verb.word == "close":
        return "系统已关闭，管理命令仍然有效。 The system is closed; these commands still work."
    name = {"whitelist": "白名单 whitelist", "blacklist": "黑名单 blacklist"}[verb.word]
    if not altered:
        return f"没有变化。 Nothing to change: {verb.id}, {name}"
    what = "已加入 added to" if verb.change == "add" else "已移出 removed from"
    return f"{verb.id} {what} {name}"


def ask_to_confirm(text: str) -> str:
    """The answer to a dangerous verb in a group."""
    line = " ".join(text.split())
    return f"请确认 Please confirm: {line} 确认 | {line} confirm"
