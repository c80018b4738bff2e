"""The settings as people may see them: values without secrets, sources, and what waits for a restart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botmatrix.config.about import ABOUT, LOCAL
from botmatrix.config.current import Current
from botmatrix.config.merge import STORABLE
from botmatrix.config.options import COMPUTED, OPTIONS, Option
from botmatrix.config.secret import Secret
from botmatrix.config.settings import BotServer, HttpBot, OneBotApp, Settings, Source

NODE = "this node: config.json, environment or flags"
UP = "up"
_FROM_UP = frozenset({"redis_url", "database_url"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One setting. `value` is in force; `pending` will be after a restart. A secret shows only whether it is set."""

    key: str
    value: Any
    set: bool
    secret: bool
    source: Source
    default: Any
    hot: bool
    needs_restart: bool
    pending: Any
    locked_by: str
    """What keeps the database from having a say: an environment variable, a flag, `up`, or that each node has its."""
    description: str
    expected: str


def view(current: Current, *, under_up: bool = False) -> list[Shown]:
    """Every setting, in the order of the documentation. `under_up`: this process has its engines from `up`."""
    return [_shown(option, current, under_up=under_up) for option in OPTIONS]


def shown(value: Any) -> Any:
    """A value as JSON, without what is secret in it; None for a secret as a whole."""
    match value:
        case Secret():
            return None
        case BotServer():
            return {"url": _url(value.url), "platform": value.platform, "token_set": bool(value.token)}
        case HttpBot():
            bot = {"http": _url(value.http), "self_id": value.self_id, "platform": value.platform, "quick": value.quick}
            bot |= {"direct": list(value.direct)}
            return {**bot, "token_set": bool(value.token), "secret_set": bool(value.secret)}
        case OneBotApp():
            app = {"name": value.name, "url": _url(value.url), "bots": list(value.bots), "deliver": value.deliver}
            return {**app, "format": value.format, "token_set": bool(value.token)}
        case tuple():
            return [shown(one) for one in value]
        case str() | int() | bool():
            return value
        case _:
            return str(value)


def locked_by(option: Option, settings: Settings) -> str:
    """What is stronger than the database for this setting; empty when nothing is."""
    source = settings.source(option.key)
    if source == "environment":
        return option.variable
    if source == "flag":
        return "a command-line flag"
    return NODE if option.key in LOCAL else ""


def _shown(option: Option, current: Current, *, under_up: bool) -> Shown:
    value, wanted = getattr(current.running, option.key), getattr(current.wanted, option.key)
    waits = option.key in current.pending
    settings = current.wanted if option.key in STORABLE else current.running
    return Shown(
        key=option.key,
        value=shown(value),
        set=bool(value) if isinstance(value, Secret | tuple) else True,
        secret=option.secret,
        source=settings.source(option.key),
        default=None if option.default is COMPUTED else shown(option.default),
        hot=option.hot,
        needs_restart=waits,
        pending=shown(wanted) if waits else None,
        locked_by=UP if under_up and option.key in _FROM_UP else locked_by(option, settings),
        description=ABOUT[option.key],
        expected=option.expected,
    )


def _url(url: str) -> str:
    return Secret(url).masked
