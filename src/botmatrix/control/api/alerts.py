"""Alerts: the rules that raise them, and what was raised."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.control.alert_delivery import NotTold
from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.store.alerts import Raised
from botmatrix.store.tables import AlertRule
from botmatrix.store.text import BadValue, label

router = APIRouter(prefix="/api/alerts", tags=["alerts"])

Kind = Literal["bot_offline", "worker_away", "too_few_workers", "queue_depth", "dead_letters", "redis_away"]
_MOST: Final = 1e12
_MOST_ADDRESSES: Final = 20
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")


class Rule(BaseModel):
    """When to raise an alarm, and whom to tell. `webhook` shows the host only; `created_at`: unix seconds."""

    id: int
    name: str
    kind: str
    subject: str
    threshold: float
    enabled: bool
    webhook: str
    bot: str
    target: str
    mail: str
    created_at: float


class Alert(BaseModel):
    """One alarm. Moments are unix seconds; `ended_at` is null while it lasts; `problem`: why it could not be told."""

    id: int
    rule_id: int
    rule: str
    kind: str
    subject: str
    message: str
    started_at: float
    ended_at: float | None
    told: bool
    problem: str


class Alerts(Page):
    """The rules, and a page of alerts: those that last, then the newest."""

    rules: list[Rule]
    alerts: list[Alert]


class Change(BaseModel):
    """`create` needs name, kind and threshold; the others `id`; `edit` changes what the body names.

    `subject`: the only bot or worker (or, of too few workers, pool) that counts. `bot` and `target` (`group:ID`,
    `private:ID`) belong together. `mail`: addresses with commas between them.
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["create", "edit", "delete", "test"]
    id: int | None = Field(None, ge=1, lt=2**63)
    name: str | None = Field(None, max_length=200)
    kind: Kind | None = None
    subject: str | None = Field(None, max_length=160)
    threshold: float | None = Field(None, ge=0, le=_MOST, allow_inf_nan=False)
    enabled: bool | None = None
    webhook: str | None = Field(None, max_length=2000, repr=False)
    bot: str | None = Field(None, max_length=160)
    target: str | None = Field(None, max_length=160)
    mail: str | None = Field(None, max_length=1000)


class Changed(BaseModel):
    """The rule as it is now; as it was, when it was deleted."""

    success: Literal[True] = True
    rule: Rule


_listing = listing("started_at", default="-started_at")


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_alerts(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Alerts:
    """Every rule, and the alerts of the last 90 days."""
    raised, total = await parts.alerts.raised(limit=wanted.size, offset=wanted.offset)
    rules = [_view(rule) for rule in await parts.alerts.rules()]
    return Alerts(rules=rules, alerts=[_alert(one) for one in raised], total=total, page=wanted.page, size=wanted.size)


@router.post("", responses=protected(404, 409), dependencies=[ADMIN])
async def change_alerts(body: Change, parts: UsedParts, note: Noting) -> Changed:
    """Make, change, delete or test a rule. A test tells its people so, and says 409 when that fails."""
    values = _values(body)
    if body.action == "create":
        _require(body.name, body.kind, body.threshold)
        _check(values)
        rule = await parts.alerts.create({"enabled": True, **values})
        note.say("alert.create", rule.name, after=_said(rule))
        return Changed(rule=_view(rule))
    if body.id is None:
        raise ApiError(422, "invalid", f"id: {body.action} needs the id of a rule")
    before = await parts.alerts.rule(body.id)
    if body.action == "test":
        note.nothing_changed()
        await _test(parts, before)
        return Changed(rule=_view(before))
    if body.action == "delete":
        rule = await parts.alerts.delete(body.id)
    else:
        _check({**{name: getattr(before, name) for name in ("webhook", "bot", "target")}, **values})
        rule = await parts.alerts.edit(body.id, values)
    note.say(f"alert.{body.action}", rule.name, before=_said(before), after=_said(rule))
    return Changed(rule=_view(rule))


async def _test(parts: UsedParts, rule: AlertRule) -> None:
    if not (rule.webhook or rule.mail or rule.bot):
        raise ApiError(409, "nobody_to_tell", "this rule tells nobody: give it a webhook, mail, or a bot and a target")
    try:
        await parts.alert_keeper.test(rule)
    except NotTold as error:
        raise ApiError(409, "not_told", str(error)) from error


def _require(*needed: object) -> None:
    if any(one is None for one in needed):
        raise ApiError(422, "invalid", "create needs name, kind and threshold")


def _values(body: Change) -> dict[str, Any]:
    values = body.model_dump(exclude={"action", "id"}, exclude_none=True)
    for name in ("subject", "bot", "target", "webhook", "mail"):
        if not values.get(name, "").isprintable():
            raise BadValue(name, "must not have invisible characters")
    if "mail" in values:
        values["mail"] = _addresses(values["mail"])
    return {**values, "name": label("name", values["name"])} if "name" in values else values


def _addresses(mail: str) -> str:
    """As they are kept. Raises `BadValue`."""
    found = [one.strip() for one in mail.replace(";", ",").split(",") if one.strip()]
    if len(found) > _MOST_ADDRESSES or not all(_ADDRESS.fullmatch(one) for one in found):
        raise BadValue("mail", f"must be at most {_MOST_ADDRESSES} mail addresses with commas between them")
    return ", ".join(found)


def _check(values: dict[str, Any]) -> None:
    """Raises `BadValue`."""
    if values.get("webhook"):
        try:
            parts = urlsplit(values["webhook"])
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadValue("webhook", "must be a URL with http or https")
    bot, target = values.get("bot", ""), values.get("target", "")
    if bool(bot) != bool(target):
        raise BadValue("target", "bot and target belong together")
    kind, _, whom = target.partition(":")
    if target and (kind not in ("group", "private") or not whom):
        raise BadValue("target", "must be group:ID or private:ID")
    if bot and not all(bot.partition(":")):
        raise BadValue("bot", "must be platform:self_id, as in qq:10001")


def _said(rule: AlertRule) -> dict[str, Any]:
    return _view(rule).model_dump(exclude={"id", "created_at"})


def _view(rule: AlertRule) -> Rule:
    parts = urlsplit(rule.webhook)
    return Rule(
        id=rule.id,
        name=rule.name,
        kind=rule.kind,
        subject=rule.subject,
        threshold=rule.threshold,
        enabled=rule.enabled,
        webhook=f"{parts.scheme}://{parts.hostname}/..." if rule.webhook else "",
        bot=rule.bot,
        target=rule.target,
        mail=rule.mail,
        created_at=rule.created_at.timestamp(),
    )


def _alert(raised: Raised) -> Alert:
    alert, rule = raised
    return Alert(
        id=alert.id,
        rule_id=rule.id,
        rule=rule.name,
        kind=rule.kind,
        subject=alert.subject,
        message=alert.words,
        started_at=alert.started_at.timestamp(),
        ended_at=alert.ended_at.timestamp() if alert.ended_at else None,
        told=not alert.untold,
        problem=alert.problem,
    )
