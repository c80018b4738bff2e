"""Who may open a link, and as what: one pure gate for every route, judged before the upgrade.

The order matters: an unknown road, no WebSocket, a foreign web page, the token, and only then what the
headers say of the bot; so that nobody without a token learns anything about the bots of this hub.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from botmatrix.errors import BadFrame
from botmatrix.nexus.tokens import Tokens
from botmatrix.onebot.ids import id_text

VERSIONS: Final = frozenset({"13", "8", "7"})
"""Of WebSocket; the two old ones differ from 13 in nothing that is used here."""

DEFAULT_PLATFORM: Final = "qq"


class Role(Enum):
    """What a link carries: events, actions and their answers, or both."""

    UNIVERSAL = "universal"
    API = "api"
    EVENT = "event"

    @property
    def hears(self) -> bool:
        """Whether the bot's events come over it."""
        return self is not Role.API

    @property
    def speaks(self) -> bool:
        """Whether actions go over it."""
        return self is not Role.EVENT


PATHS: Final[Mapping[str, Role]] = {
    "/onebot/v11/ws": Role.UNIVERSAL,
    "/onebot/v11/api": Role.API,
    "/onebot/v11/event": Role.EVENT,
    "/onebot/v11": Role.UNIVERSAL,
    "/ws/bots": Role.UNIVERSAL,
    "/ws/bot": Role.UNIVERSAL,
    "/ws": Role.UNIVERSAL,
    "/": Role.UNIVERSAL,
}

_HOST: Final = re.compile(r"(?:[A-Za-z0-9.\-_]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_PLATFORM: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")


@dataclass(frozen=True, slots=True)
class Request:
    """An upgrade request: the target as it was sent, and the headers (looked up without case)."""

    target: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Accept:
    """Come in. `self_id` is `""` for a bot that has not said who it is; then `platform` may still be
    corrected.
    """

    role: Role
    platform: str
    self_id: str
    user_agent: str
    names_platform: bool
    token: str = field(repr=False)
    hub: str = ""
    """The hub's address as the bot knows it, `http://host:port`; empty when the hub dialled the bot."""

    @property
    def key(self) -> str:
        """`platform:self_id`, or `""` while it is not known."""
        return f"{self.platform}:{self.self_id}" if self.self_id else ""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Stay out: an HTTP status, why, and what to do about it, in words that never hold the token."""

    status: int
    reason: str
    cure: str
    headers: tuple[tuple[str, str], ...] = ()


def decide(request: Request, tokens: Tokens) -> Accept | Refuse:
    """Accept or refuse the request. Never raises, whatever the peer sent."""
    path, query = split(request.target)
    refusal = _refuse_road(path, query) or refuse_plain_http(request) or refuse_web_page(request)
    if refusal is not None:
        return refusal
    platform, named = _platform(request, query)
    self_id = _self_id(request)
    token = token_of(request, query)
    key = f"{platform}:{self_id}" if platform and self_id else None
    return (
        (None if tokens.opens(key, token) else _refuse_token(token))
        or _refuse_names(platform, self_id)
        or Accept(
            role=_role(PATHS[path], request),
            platform=platform or DEFAULT_PLATFORM,
            self_id=self_id or "",
            user_agent=printable(request.headers.get("User-Agent", "")),
            names_platform=named,
            token=token,
            hub=_hub(request),
        )
    )


def _hub(request: Request) -> str:
    """Where the bot found us. It says so itself, and only it is told what is made of it."""
    host = request.headers.get("Host", "").strip()
    secure = request.headers.get("X-Forwarded-Proto", "").strip().lower() in ("https", "wss")
    return f"{'https' if secure else 'http'}://{host}" if _HOST.fullmatch(host) else ""


def mask(target: str) -> str:
    """The target of a request as it may be logged and shown: values of token parameters are hidden."""
    path, mark, query = target.partition("?")
    return printable(path + mark + "&".join(_mask_pair(pair) for pair in query.split("&")))


def _mask_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}=***" if equals and "token" in unquote_plus(name).lower() else pair


def split(target: str) -> tuple[str, dict[str, str]]:
    """Path without a slash at its end, and query (names in lower case, the last of each)."""
    path, _, query = target.partition("#")[0].partition("?")
    if path.startswith(("http://", "https://", "ws://", "wss://")):
        path = "/" + path.partition("://")[2].partition("/")[2]
    try:
        pairs = dict(parse_qsl(query, keep_blank_values=True, max_num_fields=64))
    except ValueError:
        pairs = {}
    return path.rstrip("/") or "/", {name.lower(): value for name, value in pairs.items()}


def _refuse_road(path: str, query: Mapping[str, str]) -> Refuse | None:
    if path == "/ws/subscriber" or query.get("role", "").lower() == "subscriber":
        return Refuse(404, "subscribers are not served here", "follow /api/live on the console's port instead")
    if path.startswith("/onebot/v12"):
        return Refuse(
            404,
            "the client speaks OneBot 12, the hub speaks OneBot 11",
            "switch the client to OneBot v11 and connect to /onebot/v11/ws",
        )
    if path not in PATHS:
        return Refuse(404, "there is nothing at this path", "bots connect to " + ", ".join(PATHS))
    return None


def refuse_plain_http(request: Request) -> Refuse | None:
    """Whoever asks for no WebSocket."""
    if request.headers.get("Upgrade", "").strip().lower() == "websocket":
        return None
    return Refuse(
        426,
        "this is the gateway for bots: it speaks WebSocket only",
        "put this URL with ws:// into the bot client; the web console is on another port",
        (("Upgrade", "websocket"),),
    )


def refuse_version(request: Request) -> Refuse | None:
    """Whoever may come in, but in a version of WebSocket or OneBot that is not spoken here."""
    version = request.headers.get("Sec-WebSocket-Version", "").strip()
    if version not in VERSIONS:
        return Refuse(
            426,
            f"WebSocket version {printable(version) or '(none)'} is not spoken here",
            "update the client, or the proxy between it and the hub: they must speak WebSocket 13 (RFC 6455)",
            (("Sec-WebSocket-Version", "13"),),
        )
    if request.headers.get("Sec-WebSocket-Protocol", "").strip().startswith("12."):
        return Refuse(
            400,
            "the client asks for OneBot 12, the hub speaks OneBot 11",
            "switch the client to OneBot v11",
        )
    if not request.headers.get("Sec-WebSocket-Key"):
        return Refuse(400, "no Sec-WebSocket-Key was given", "a proxy may have dropped it: let it pass upgrades on")
    return None


def refuse_web_page(request: Request) -> Refuse | None:
    """Pages of other hosts must not reach the gateway through somebody's browser; other nonsense is
    harmless.
    """
    origin = request.headers.get("Origin", "").strip().lower()
    if not origin.startswith(("http://", "https://")) or _host(origin) == _host(
        "http://" + request.headers.get("Host", "").strip().lower()
    ):
        return None
    return Refuse(
        403,
        "the request comes from a web page of another host",
        "connect from a bot client; a reverse proxy must pass on Host, or drop Origin",
    )


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def token_of(request: Request, query: Mapping[str, str]) -> str:
    """The token of the header, else of the query; `""` when there is none."""
    scheme, _, value = request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() not in ("bearer", "token"):
        value = "" if value else scheme
    return value.strip() or query.get("access_token", "").strip() or query.get("token", "").strip()


def _refuse_token(token: str) -> Refuse:
    if not token:
        return Refuse(
            401,
            "no token was given",
            "put the gateway's token into the client's access token (header Authorization: Bearer TOKEN, "
            "or ?access_token=TOKEN)",
            (("WWW-Authenticate", "Bearer"),),
        )
    return Refuse(
        403,
        "the token is wrong, or it is not for this bot",
        "compare the client's access token with the one that `botmatrix up` prints; a bot that was given a token of "
        "its own (`botmatrix bot token`) needs that one",
    )


def _platform(request: Request, query: Mapping[str, str]) -> tuple[str | None, bool]:
    """The platform (None: not acceptable), and whether the request names it."""
    given = (request.headers.get("X-Platform") or query.get("platform") or "").strip().lower()
    if not given:
        return DEFAULT_PLATFORM, False
    return (given, True) if _PLATFORM.fullmatch(given) else (None, True)


def clean_platform(name: str) -> str:
    """A platform as a frame names it, or `""` when it can't be one."""
    return name.lower() if _PLATFORM.fullmatch(name.lower()) else ""


def _self_id(request: Request) -> str | None:
    """The bot's id, `""` when not given (some send 0 before they know it), None when not acceptable."""
    given = request.headers.get("X-Self-ID", "").strip()
    try:
        return "" if given == "0" else id_text(given)
    except BadFrame:
        return None


def _refuse_names(platform: str | None, self_id: str | None) -> Refuse | None:
    if platform is None:
        return Refuse(400, "X-Platform is no platform name", "use letters, digits, '.', '_' and '-', at most 32")
    if self_id is None:
        return Refuse(400, "X-Self-ID is no id", "use the account's number, or printable text of at most 128")
    return None


def _role(of_path: Role, request: Request) -> Role:
    named = request.headers.get("X-Client-Role", "").strip().lower()
    return Role(named) if named in ("universal", "api", "event") else of_path


def printable(text: str) -> str:
    """What a peer wrote, as it may be logged and shown; at most 256 characters."""
    return "".join(c if c.isprintable() else "?" for c in text[:256])
