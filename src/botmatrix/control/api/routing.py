"""The routing rules: who is served by which worker, and why."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from botmatrix.bus.keys import Keys
from botmatrix.control.api.traces import Trace, find, view
from botmatrix.control.audit import Noting
from botmatrix.control.auth import ADMIN, VIEWER, Asker
from botmatrix.control.errors import ApiError, protected
from botmatrix.control.explain import Explained
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import UsedParts
from botmatrix.control.rules import implicit_rules, said, warnings
from botmatrix.routing.explain import Way
from botmatrix.routing.rule import (
    KEY_LENGTH,
    KEY_PATTERN,
    PRIORITIES,
    TARGET_LENGTH,
    TARGET_PATTERN,
    Deliver,
    Fallback,
    Rule,
    make_rule,
)
from botmatrix.routing.table import Hit
from botmatrix.store.tables import Role
from botmatrix.store.tables import Trace as TraceRow

router = APIRouter(prefix="/api/admin/routing", tags=["routing"])


class Shown(BaseModel):
    """A rule. `worker_id`: a worker's id or `pool:NAME`, several with commas between, or `block`; `created`: unix
    seconds. `implicit`: nobody wrote it, an application is attached to the bot; every written rule goes before it."""

    key: str
    worker_id: str
    priority: int
    fallback: Fallback
    deliver: Deliver
    disabled: bool
    created: float
    implicit: bool = False


class Rules(Page):
    """A page of rules."""

    rules: list[Shown]


class Wanted(BaseModel):
    """A rule to make, or to change when its key has one. What is left out is the default."""

    model_config = ConfigDict(extra="forbid")

    key: Annotated[str, Field(max_length=KEY_LENGTH, pattern=KEY_PATTERN)]
    worker_id: Annotated[str, Field(max_length=TARGET_LENGTH, pattern=TARGET_PATTERN)]
    priority: Annotated[int, Field(strict=True, ge=PRIORITIES[0], le=PRIORITIES[1])] = 0
    fallback: Fallback = Fallback.BALANCE
    deliver: Deliver = Deliver.ONE
    disabled: Annotated[bool, Field(strict=True)] = False


class Saved(BaseModel):
    """The rule as it is now. `warnings`: what it names that is not here."""

    success: Literal[True] = True
    rule: Shown
    warnings: list[str]


class Deleted(BaseModel):
    """Which rule is gone."""

    success: Literal[True] = True
    key: str


class Question(BaseModel):
    """An OneBot event, or the id of one that has a trace (`/api/traces`; for operators).

    `bot` is `platform:self_id` or a self_id, when the event does not say whose it is.
    """

    model_config = ConfigDict(extra="forbid")

    event: dict[str, Any] | None = None
    event_id: Annotated[str, Field(max_length=64)] = ""
    bot: Annotated[str, Field(max_length=200)] = ""


class Match(BaseModel):
    """A rule that matches: by which subject (`user`, `group`, `bot`) and text, and why it does not decide."""

    rule: Shown
    subject: str
    text: str
    why: str = ""


class Candidate(BaseModel):
    """A worker that may be chosen. `score`: expected wait in seconds, lower is better."""

    worker_id: str
    pool: str
    score: float


class ShownWay(BaseModel):
    """Where the event goes, or one copy of it.

    `chosen`: the candidate with the best score; the real choice is the better one of two drawn at random.
    `last_lane`: where the conversation was last; it stays there until everything of it there is settled.
    `fell_back`: the target takes no events now.
    """

    target: str
    verdict: Literal["lane", "parked", "dropped", "blocked"]
    fell_back: bool
    candidates: list[Candidate]
    chosen: str
    last_lane: str


class Judged(BaseModel):
    """The verdict of the judge (CorePlugin), which comes first."""

    blocked: bool
    reason: str


class ShownNote(BaseModel):
    """What another part of the hub has to do with the event. `code` and `facts`: for programs; `words`: in English.

    `stops`: the event ends there.
    """

    code: str
    facts: dict[str, str]
    words: str
    stops: bool


class Answer(BaseModel):
    """What becomes of the event if it is the first of its conversation.

    `notes`: limits, policies of groups, skills, tasks, duplicates and plugins that have to do with it, in their order.

    `chosen`: the worker that gets it, the first one if several get copies; `ways` says more. `trace`: what became of
    it then, when it was asked for by its id; all else is how it would be now.
    """

    success: Literal[True] = True
    verdict: Literal["lane", "parked", "dropped", "blocked"]
    why: str
    bot: str
    conversation: str
    judge: Judged
    rule: Match | None
    lost: list[Match]
    ways: list[ShownWay]
    chosen: str
    notes: list[ShownNote]
    trace: Trace | None = None


TEXTS: Final = ("key", "worker_id", "fallback", "deliver")
_listing = listing("key", "worker_id", "priority", "fallback", "deliver", "created")


@router.get("", responses=protected(), dependencies=[VIEWER])
async def list_rules(parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> Rules:
    """Every rule, and those that attached applications are."""
    implicit = [_shown(rule, implicit=True).model_dump() for rule in await implicit_rules(parts.redis, Keys())]
    page, total = wanted.window([*await parts.rules.rows(), *implicit], texts=TEXTS)
    return Rules(rules=[Shown.model_validate(row) for row in page], total=total, page=wanted.page, size=wanted.size)


@router.post("", responses=protected(), dependencies=[ADMIN])
async def save_rule(wanted: Wanted, parts: UsedParts, note: Noting) -> Saved:
    """Make a rule, or change the one with this key. Every nexus follows it within a second."""
    rule = make_rule(
        wanted.key,
        wanted.worker_id,
        priority=wanted.priority,
        fallback=wanted.fallback,
        deliver=wanted.deliver,
        disabled=wanted.disabled,
    )
    saved = await parts.rules.save([rule])
    note.say("route.set", rule.key, before=said(saved.before.get(rule.key)), after=said(rule))
    return Saved(rule=_shown(saved.rules[0]), warnings=await warnings(rule, parts.redis, Keys()))


@router.delete("", responses=protected(404), dependencies=[ADMIN])
async def delete_rule(
    parts: UsedParts, note: Noting, key: Annotated[str, Query(min_length=1, max_length=KEY_LENGTH)]
) -> Deleted:
    """Delete the rule with this key."""
    note.say("route.unset", key, before=said(await parts.rules.delete(key)))
    return Deleted(key=key)


@router.post("/explain", responses=protected(404), dependencies=[VIEWER])
async def explain(question: Question, parts: UsedParts, note: Noting, asker: Asker) -> Answer:
    """Where an event would go now, and why; nothing is sent."""
    note.nothing_changed()
    if (question.event is None) is (not question.event_id):
        raise ApiError(
            422, "invalid", "say either what the event is (event), or the id of one that has a trace (event_id)"
        )
    if question.event is not None:
        return answer_of(await parts.explainer.explain(question.event, question.bot))
    if not asker.role.covers(Role.OPERATOR):
        raise ApiError(403, "forbidden", "what people said is for operators: explain an event of your own making")
    found = await find(parts, question.event_id)
    if found is None:
        raise ApiError(404, "unknown_trace", "nothing is known of an event with this id: it was not traced, or is gone")
    answer = answer_of(await parts.explainer.explain(_event_of(found), found.bot))
    answer.trace = view(found)
    return answer


def _event_of(row: TraceRow) -> dict[str, Any]:
    """As much of an event as its trace knows."""
    post_type, _, detail = row.kind.partition(".")
    ids = {name: value for name, value in (("user_id", row.user_id), ("group_id", row.group_id)) if value}
    event = {"post_type": post_type, f"{post_type}_type": detail, **ids}
    return {**event, "message": row.text, "raw_message": row.text} if post_type == "message" else event


def _shown(rule: Rule, *, implicit: bool = False) -> Shown:
    return Shown(
        key=rule.key,
        worker_id=rule.target,
        priority=rule.priority,
        fallback=rule.fallback,
        deliver=rule.deliver,
        disabled=rule.disabled,
        created=rule.created,
        implicit=implicit,
    )


def _match(hit: Hit, why: str = "") -> Match:
    return Match(rule=_shown(hit.rule), subject=hit.subject, text=hit.text, why=why)


def _way(way: Way, last_lane: str) -> ShownWay:
    return ShownWay(
        target=way.target,
        verdict=way.verdict,
        fell_back=way.fell_back,
        candidates=[Candidate(worker_id=one.lane, pool=one.pool, score=one.score) for one in way.candidates],
        chosen=way.candidates[0].lane if way.candidates else "",
        last_lane=last_lane,
    )


def answer_of(explained: Explained) -> Answer:
    """The explanation as it is shown."""
    found, judged = explained.explanation, explained.judged
    ways = (
        []
        if explained.is_stopped
        else [_way(way, lane) for way, lane in zip(found.ways, explained.last_lanes, strict=True)]
    )
    return Answer(
        verdict=explained.verdict,
        why=explained.why,
        bot=explained.bot,
        conversation=explained.conversation,
        judge=Judged(blocked=bool(judged), reason=judged),
        rule=_match(found.winner) if found.winner else None,
        lost=[_match(hit, why) for hit, why in found.lost],
        ways=ways,
        chosen=next((way.chosen for way in ways if way.chosen), ""),
        notes=[ShownNote(code=one.code, facts=one.facts, words=one.words, stops=one.stops) for one in explained.notes],
    )
