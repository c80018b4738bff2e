"""Telling people of an alert: by a webhook, by mail, and through a bot."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import httpx
import msgspec

from botmatrix.bus.actions import ActionBox
from botmatrix.bus.envelope import ActionEntry
from botmatrix.control.alert_mail import Mail, Mailer, NotMailed
from botmatrix.errors import BotMatrixError, EngineUnavailable
from botmatrix.store.tables import AlertRule

PATIENCE: Final = 5.0
"""Seconds that a webhook, or a bot, has to take it."""


class NotTold(BotMatrixError):
    """Somebody could not be told: says why, without the webhook's address."""


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told. `state`: `raised`, `ended` or `test`."""

    rule: str
    kind: str
    subject: str
    state: str
    words: str
    at: float

    @property
    def text(self) -> str:
        """For people."""
        sign = {"raised": "ALERT", "ended": "OVER", "test": "TEST"}[self.state]
        return f"[{sign}] {self.rule}: {self.words}"


class Delivery:
    """Tells one piece of news wherever a rule says."""

    def __init__(self, actions: ActionBox, mailer: Mailer) -> None:
        self._actions, self._mailer = actions, mailer

    async def tell(self, rule: AlertRule, news: News) -> None:
        """Raises `NotTold` when anybody could not be told; the others may be told again later."""
        problems = []
        ways = ((rule.webhook, self._post), (rule.mail, self._mail), (rule.bot, self._say))
        for tell in (way for wanted, way in ways if wanted):
            try:
                await tell(rule, news)
            except NotTold as error:
                problems.append(str(error))
        if problems:
            raise NotTold("; ".join(problems))

    async def _post(self, rule: AlertRule, news: News) -> None:
        body = {
            **{"text": news.text, "rule": news.rule, "kind": news.kind, "subject": news.subject},
            **{"state": news.state, "message": news.words, "at": news.at},
        }
        try:
            async with httpx.AsyncClient(timeout=PATIENCE, follow_redirects=False) as client:
                answer = await client.post(rule.webhook, json=body)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            raise NotTold(f"the webhook could not be reached ({type(error).__name__})") from error
        if not answer.is_success:
            raise NotTold(f"the webhook answered {answer.status_code}")

    async def _mail(self, rule: AlertRule, news: News) -> None:
        when = datetime.fromtimestamp(news.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        try:
            await self._mailer.send(Mail(rule.mail.split(", "), news.text, f"{news.text}\n\n{when}\n"))
        except NotMailed as error:
            raise NotTold(str(error)) from error

    async def _say(self, rule: AlertRule, news: News) -> None:
        kind, _, whom = rule.target.partition(":")
        params = {"message_type": kind, f"{'group' if kind == 'group' else 'user'}_id": _id(whom), "message": news.text}
        entry = ActionEntry(
            bot=rule.bot,
            aid=secrets.token_hex(12),
            action="send_msg",
            params=msgspec.Raw(json.dumps(params).encode()),
            exp=int((time.time() + PATIENCE) * 1000),
        )
        try:
            result = await self._actions.call(entry, timeout=PATIENCE, must_be_online=True)
        except EngineUnavailable as error:
            raise NotTold(f"{rule.bot} could not be asked: {error.reason}") from error
        if result.state != "DONE":
            raise NotTold(f"{rule.bot} could not say it ({result.state.lower()})")


def _id(text: str) -> int | str:
    """OneBot's ids are numbers where they can be."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 19 else text
