"""Who may open a worker's link, and as which worker: judged before the upgrade, like the bots' links.

| path | who comes |
|---|---|
| `/onebot/v11/app/{self_id}`, `.../{platform}:{self_id}` | an application for this bot; below it `/event`, `/api` |
| `/onebot/v11/app` | the same, while the matrix has exactly one bot |
| `/ws/workers`, `/ws/worker`, `/?role=worker` | an old worker, for all bots |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import unquote

from botmatrix.bus.keys import plain_id
from botmatrix.errors import BadFrame
from botmatrix.nexus.handshake import (
    DEFAULT_PLATFORM,
    Refuse,
    Request,
    Role,
    clean_platform,
    printable,
    refuse_plain_http,
    refuse_web_page,
    split,
    token_of,
)
from botmatrix.onebot.ids import id_text

APPLICATIONS: Final = "/onebot/v11/app"
OLD_WORKERS: Final = frozenset({"/ws/workers", "/ws/worker"})
_HALVES: Final = {"event": Role.EVENT, "api": Role.API}
_UNPLAIN: Final = re.compile(r"[^A-Za-z0-9_.\-]+")


class Kind(StrEnum):
    """What a socket worker speaks, as its presence says it (`transport`)."""

    APPLICATION = "onebot"
    OLD = "ws"


@dataclass(frozen=True, slots=True)
class AcceptWorker:
    """Come in as this worker. `bot`: key of the one bot that an application's link is for, `""` for an old worker."""

    kind: Kind
    worker_id: str
    bot: str
    role: Role
    user_agent: str

    @property
    def self_id(self) -> str:
        """The bot's own id."""
        return self.bot.partition(":")[2]


def is_workers_road(target: str) -> bool:
    """Whether a worker, not a bot, would ask for this target."""
    path, query = split(target)
    return (
        path in OLD_WORKERS
        or (path == "/" and query.get("role", "").lower() == "worker")
        or path == APPLICATIONS
        or path.startswith(APPLICATIONS + "/")
    )


def decide_worker(
    request: Request, remote: str, opens: Callable[[str, str], bool], bots: Collection[str]
) -> AcceptWorker | Refuse:
    """Accept or refuse a worker. `opens(name, token)`: whether the token is good for a worker that calls itself so
    (`""`: it does not say). `bots`: keys of all bots that are known. Never raises, whatever the peer sent.
    """
    path, query = split(request.target)
    refusal = refuse_plain_http(request) or refuse_web_page(request)
    if refusal is not None:
        return refusal
    token = token_of(request, query)
    if not opens(query.get("name", ""), token):
        return refuse_worker_token(token)
    if path.startswith(APPLICATIONS):
        return application(path, query, request.headers, bots)
    return old_worker(query, request.headers, remote)


def old_worker(query: Mapping[str, str], headers: Mapping[str, str], remote: str) -> AcceptWorker:
    """An old worker: it may say who it is, else it is known by its address."""
    named = headers.get("X-Self-ID") or query.get("worker_id") or query.get("id") or query.get("name") or ""
    worker_id = _plain(named) or _plain(f"ws-{remote}")
    return AcceptWorker(Kind.OLD, worker_id, "", Role.UNIVERSAL, printable(headers.get("User-Agent", "")))


def application(
    path: str, query: Mapping[str, str], headers: Mapping[str, str], bots: Collection[str]
) -> AcceptWorker | Refuse:
    """An application: the path says for which bot. `bots`: keys of all bots that are known."""
    parts = [unquote(part) for part in path[len(APPLICATIONS) :].split("/") if part]
    role = _HALVES.get(parts[-1].lower(), Role.UNIVERSAL) if parts else Role.UNIVERSAL
    named = parts[:-1] if role is not Role.UNIVERSAL else parts
    if len(named) > 1:
        return Refuse(404, "there is nothing at this path", f"applications connect to {APPLICATIONS}/SELF_ID")
    bot = bot_named(named[0], bots) if named else _only_bot(bots)
    if isinstance(bot, Refuse):
        return bot
    given = query.get("name", "")
    if given and not plain_id(given):
        return Refuse(400, "name is no worker's id", "use letters, digits, '_', '.' and '-', at most 64")
    worker_id = given or _plain("app-" + bot.partition(":")[2])
    return AcceptWorker(Kind.APPLICATION, worker_id, bot, role, printable(headers.get("User-Agent", "")))


def refuse_worker_token(token: str) -> Refuse:
    """Whoever shows no token, or a wrong one."""
    if not token:
        return Refuse(
            401,
            "no token was given",
            "put the workers' token into the application's access token (header Authorization: Bearer TOKEN, or "
            "?access_token=TOKEN)",
            (("WWW-Authenticate", "Bearer"),),
        )
    return Refuse(
        403,
        "the token is wrong, or it is a bot's",
        "workers and applications use `worker_token`: the one in secrets.json in the data folder of the first node, "
        "unless `botmatrix config set worker_token ...` has set another",
    )


def bot_named(name: str, bots: Collection[str]) -> str | Refuse:
    """`self_id` or `platform:self_id`; a bot that is not known yet may come later."""
    platform, colon, self_id = name.partition(":")
    if colon and clean_platform(platform) and self_id:
        return _checked(clean_platform(platform), self_id)
    known = sorted(key for key in bots if key.partition(":")[2] == name)
    if len(known) > 1:
        return Refuse(409, "several platforms have a bot with this id", "connect to " + _paths(known))
    return known[0] if known else _checked(DEFAULT_PLATFORM, name)


def _checked(platform: str, self_id: str) -> str | Refuse:
    try:
        return f"{platform}:{id_text(self_id)}"
    except BadFrame:
        return Refuse(400, "the path names no bot", f"connect to {APPLICATIONS}/SELF_ID with the bot's own id")


def _only_bot(bots: Collection[str]) -> str | Refuse:
    if len(bots) == 1:
        return next(iter(bots))
    if not bots:
        return Refuse(409, "no bot has connected yet", f"connect a bot first, or connect to {APPLICATIONS}/SELF_ID")
    return Refuse(409, "the path does not say for which bot", "connect to one of " + _paths(sorted(bots)))


def _paths(bots: list[str]) -> str:
    shown = ", ".join(f"{APPLICATIONS}/{bot}" for bot in bots[:10])
    return shown if len(bots) <= 10 else f"{shown} and {len(bots) - 10} more"


def _plain(name: str) -> str:
    """The name as it may be the id of a worker."""
    plain = _UNPLAIN.sub("-", name).strip("-._")[:64]
    return plain if plain_id(plain) else ""
