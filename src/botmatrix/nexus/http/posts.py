"""What bots post: who may, and where it goes (OneBot v11, HTTP POST)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from botmatrix.clock import Clock
from botmatrix.config.settings import HttpBot
from botmatrix.nexus.handshake import Refuse, split, token_of
from botmatrix.nexus.http.asked import Asked, OnReply, Reply, refusal
from botmatrix.nexus.http.bots import HttpBots
from botmatrix.nexus.tokens import Tokens

PATHS: Final = frozenset({"/onebot/v11/http", "/onebot/v11", "/"})
SETTLED: Final = 10.0
"""Seconds for which a bot that came here is not taken from another nexus again."""
_NOBODYS: Final = secrets.token_hex(16)
"""Signs what unknown bots post, so that they take as long to refuse as known ones."""


class Posts:
    """`bots()`: all bots of the settings that speak HTTP; `take` makes this nexus the one that serves a bot."""

    def __init__(
        self,
        bots: Callable[[], Iterable[HttpBot]],
        kept: HttpBots,
        take: Callable[[HttpBot], Awaitable[None]],
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._bots, self._kept, self._take, self._tokens, self._clock = bots, kept, take, tokens, clock
        self._taken: dict[str, float] = {}
        self._taking: set[asyncio.Task[None]] = set()

    def judge(self, asked: Asked) -> Refuse | None:
        """Before the body: who it says it is, and its token when it has no secret."""
        if not asked.request.headers.get("X-Self-ID", "").strip():
            return Refuse(400, "no X-Self-ID was given", "a bot that posts events says who it is in this header")
        bot = self._bot(asked)
        if bot is not None and not bot.secret:
            token = token_of(asked.request, split(asked.request.target)[1])
            return None if self._tokens.opens(bot.key, token) else _refuse_token(token)
        return None if asked.request.headers.get("X-Signature") else _no_signature()

    def serve(self, asked: Asked, body: bytes, reply: OnReply) -> Refuse | None:
        """With the body: its signature; then it is handed on."""
        bot = self._bot(asked)
        if (bot is None or bot.secret) and not _is_signed(asked, body, str(bot.secret) if bot else _NOBODYS):
            return _wrong_signature()
        if bot is None:
            return _wrong_signature()
        if seconds := self._tokens.banned(bot.key):
            later = (("Retry-After", str(max(1, round(seconds)))),)
            return Refuse(403, "an operator sent this bot away for a while", "wait, or let it in again", later)
        peer = self._kept.get(bot.key)
        if peer is not None:
            peer.hear(body, asked.remote, reply)
        else:
            task = asyncio.create_task(self._serve_elsewhere(bot, body, asked.remote, reply), name="a bot came")
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)
        return None

    async def _serve_elsewhere(self, bot: HttpBot, body: bytes, remote: str, reply: OnReply) -> None:
        """Another nexus serves the bot, or nobody: it is for the one to which it posts."""
        now = self._clock.monotonic()
        if now - self._taken.get(bot.key, -SETTLED) < SETTLED:
            words = "this bot posts to several nexuses by turns: give it the address of one\n"
            reply(Reply(503, words.encode(), "text/plain; charset=utf-8", (("Retry-After", "10"),)))
            return
        self._taken[bot.key] = now
        await self._take(bot)
        peer = self._kept.get(bot.key)
        if peer is None:
            reply(refusal(Refuse(503, "the bot is being reconfigured", "try again")))
        else:
            peer.hear(body, remote, reply)

    def _bot(self, asked: Asked) -> HttpBot | None:
        headers, query = asked.request.headers, split(asked.request.target)[1]
        self_id = headers.get("X-Self-ID", "").strip()
        platform = (headers.get("X-Platform") or query.get("platform") or "").strip().lower()
        found = [bot for bot in self._bots() if bot.self_id == self_id and platform in ("", bot.platform)]
        return found[0] if len(found) == 1 else None


def _is_signed(asked: Asked, body: bytes, secret: str) -> bool:
    given = asked.request.headers.get("X-Signature", "").strip().lower()
    right = "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    return hmac.compare_digest(given.encode(errors="surrogateescape"), right.encode())


def _no_signature() -> Refuse:
    return Refuse(
        401,
        "the event is not signed, or no bot of the setting `bots` has this X-Self-ID",
        "put the secret of the bot's entry in `bots` into the client, and see that `http` and `self_id` stand there",
    )


def _wrong_signature() -> Refuse:
    return Refuse(
        403,
        "the signature is wrong, or no bot of the setting `bots` has this X-Self-ID",
        "compare the client's secret with the one of the bot's entry in `bots`",
    )


def _refuse_token(token: str) -> Refuse:
    return Refuse(
        403 if token else 401,
        "the token is wrong" if token else "no token was given, and the bot has no secret",
        "give the bot a `secret` in its entry of `bots` and in the client, or let it post to a URL that ends with "
        "?access_token= and the gateway's token",
    )
