"""Cooldowns and quotas of handlers."""

from __future__ import annotations

from botmatrix.bus.envelope import Envelope
from botmatrix.bus.uses import Use
from botmatrix.sdk.rate import Rate
from botmatrix.sdk.services import Services
from botmatrix.worker.plugins.table import Bound


class Limits:
    """Counts the uses of handlers that have limits."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def refusal(self, bound: Bound, envelope: Envelope, user_id: str) -> str | None:
        """Count this use; None when it may be, else what to say, which is said once until the limit starts anew.

        An event counts once, however often it is handled. Raises `EngineUnavailable`.
        """
        handler = bound.handler
        uses = [self._cooldown(bound, envelope, user_id, one) for one in handler.cooldown]
        uses += [self._quota(bound, envelope, user_id, one) for one in handler.quota]
        refused = await self._services.uses.count(envelope.id, uses)
        if refused is None:
            return None
        if not refused.first:
            return ""
        chinese, english = _span(refused.ms)
        if refused.limit < len(handler.cooldown):
            return f"请 {chinese}后再试 · Try again in {english}"
        return f"次数已用完，{chinese}后恢复 · Used up, again in {english}"

    def _cooldown(self, bound: Bound, envelope: Envelope, user_id: str, rate: Rate) -> Use:
        name = f"{bound.name}|{rate.uses}/{rate.seconds}|{_whose(rate, envelope, user_id)}"
        return Use(name, rate.uses, rate.seconds * 1000)

    def _quota(self, bound: Bound, envelope: Envelope, user_id: str, rate: Rate) -> Use:
        now = self._services.clock.now()
        left = rate.left(now)
        period = round(now + left)
        name = f"{bound.name}|{rate.uses}/{rate.seconds}|{_whose(rate, envelope, user_id)}|{period}"
        return Use(name, rate.uses, max(1, int(left * 1000)))


def _whose(rate: Rate, envelope: Envelope, user_id: str) -> str:
    if rate.by == "all":
        return "all"
    if rate.by == "user":
        return f"user:{envelope.bot.partition(':')[0]}:{user_id}"
    return envelope.conversation if rate.by == "conversation" else f"{envelope.conversation}|{user_id}"


def _span(ms: int) -> tuple[str, str]:
    """A time in words, rounded up."""
    seconds = max(1, -(-ms // 1000))
    for size, chinese, english in ((86_400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= 2 * size:
            number = -(-seconds // size)
            return f"{number} {chinese}", f"{number} {english}"
    return f"{seconds} 秒", f"{seconds} s"
