"""The road of one event in words: its stations in order, and why nobody answered, if nobody did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from botmatrix.bus.keys import PARKING, is_parking
from botmatrix.bus.trace_parts import Acted, Heard, Part, Ran, Repeated

_part: Final = Heard | Repeated | Ran | Acted
_QUIET: Final = {
    "answer": "it answers a question of a plugin, which had asked",
    "own": "it is the bot's own message, which triggers no plugin",
    "permission": "the person may not use this command",
    "plugin_off": "the plugin that would take it is off for this bot, group or person",
    "quarantined": "the plugin that would take it crashed too often and is in quarantine until it is loaded anew",
    "silent": "the application did nothing in this conversation within 10 s",
    "lost_on_close": "the link of the application ended before it answered",
}
_NOBODY: Final = "no plugin of worker {} listens to this"
_BLOCKED: Final = {
    "system_closed": "the system is closed",
    "maintenance": "the system is under maintenance",
    "user_blacklisted": "the user is on the black list",
    "group_blacklisted": "the group is on the black list",
    "bot_blacklisted": "the bot is on the black list",
    "admin_command": "a chat administrator spoke to the hub itself",
    "bind_code": "it was a one-time code for the hub, which is not shown",
    "sensitive_word_detected": "it has a sensitive word",
    "sensitive_word_regex_detected": "it matches a pattern of sensitive words",
    "blacklisted_url_detected": "it has an address on the black list",
    "blacklisted_url_regex_detected": "it has an address that matches a pattern of the black list",
    "limited_user": "the user has said too much",
    "limited_group": "too much was said in the group",
    "limited_bot": "the bot has heard too much",
    "waiting_full": "too much waits for the target of its routing rule",
    "other_bot": "another bot of the group answers",
    "rule": "a routing rule blocks it",
    "blocked_rule": "while it was parked, a routing rule was made that blocks it",
    "dropped_rule": "while it was parked, the target of its routing rule was away, and the rule says drop",
    "expired": "the target of its routing rule did not come within a day",
    "target_away": "the target of its routing rule is away, and the rule says drop",
}


class Station(NamedTuple):
    """One thing that happened: when (ms of unix time), where (a nexus, worker or bot), what, and how long it took
    (ms; -1 when it took no time of its own).
    """

    t: int
    where: str
    what: str
    took: float = -1


class Road:
    """The parts of one trace, read again; what can't be read is left out."""

    def __init__(self, parts: Iterable[Mapping[str, Any]]) -> None:
        found = [part for one in parts if (part := _read(one)) is not None]
        self.heard = [part for part in found if isinstance(part, Heard)]
        self.ran = sorted((part for part in found if isinstance(part, Ran)), key=lambda part: part.started)
        self.acted = sorted((part for part in found if isinstance(part, Acted)), key=lambda part: part.queued)
        self.repeated = [part for part in found if isinstance(part, Repeated)]

    @property
    def received(self) -> int:
        """When it was received, ms; 0 when that is not known."""
        times = [part.t for part in self.heard] + [part.t for part in self.ran]
        return min(times, default=0)

    def stations(self) -> list[Station]:
        """Everything that happened, in order."""
        found = [station for part in self.heard[:1] for station in _arrival(part)]
        found += [_decided(part) for part in self.heard]
        found += [Station(part.at, "", "the platform had sent it before: it went no further") for part in self.repeated]
        found += [station for part in self.ran for station in _handled(part)]
        found += [_done(part) for part in self.acted]
        return sorted(found, key=lambda station: station.t)

    def why(self) -> str:
        """Why there was no answer, in one sentence; empty when there was one."""
        if self.repeated:
            return "The platform had sent the same event before, so it was not handled again."
        if stopped := next((part for part in self.heard if part.reason), None):
            return f"It was blocked: {_words(stopped)}."
        if self.acted:
            return _undelivered(self.acted)
        if self.ran:
            return _unanswered(self.ran[-1])
        return self._waiting()

    def _waiting(self) -> str:
        lane = self.heard[-1].lane if self.heard else ""
        if lane == PARKING:
            return "It waits: no worker takes events now."
        if is_parking(lane):
            return f"It waits: the target of rule {self.heard[-1].rule} is away."
        return f"It waits on the lane of worker {lane}, which has not handled it yet." if lane else ""


def _read(one: Mapping[str, Any]) -> Part | None:
    try:
        return msgspec.convert(one, _part)
    except msgspec.ValidationError:
        return None


def _words(part: Heard) -> str:
    words = _BLOCKED.get(part.reason) or part.reason.replace("_", " ")
    return f"{words} ({part.detail})" if part.detail else words


def _arrival(part: Heard) -> list[Station]:
    return [Station(part.t, part.nexus, f"received from {part.bot}")]


def _decided(part: Heard) -> Station:
    if part.reason:
        return Station(part.at, part.nexus, f"blocked: {_words(part)}")
    rule = f" by rule {part.rule}" if part.rule else ""
    where = "parked" if is_parking(part.lane) else f"put on the lane of {part.lane}"
    return Station(part.at, part.nexus, where + rule)


def _handled(part: Ran) -> list[Station]:
    end = f"{part.outcome}: {part.reason}" if part.reason else part.outcome
    steps = [Station(part.started, part.worker, f"{step.handler}: {step.ended}", step.took) for step in part.steps]
    whole = Station(part.ended, part.worker, f"handled, {end}", float(part.ended - part.started))
    return [Station(part.started, part.worker, "taken up", float(part.started - part.t)), *steps, whole]


def _done(part: Acted) -> Station:
    said = f" “{part.text}”" if part.text else ""
    end = part.state.lower() + (f": {part.words} ({part.code})" if part.state != "DONE" else "")
    return Station(part.ended, part.bot, f"{part.action}{said}: {end}", float(part.ended - (part.sent or part.queued)))


def _undelivered(acted: list[Acted]) -> str:
    failed = [part for part in acted if part.state != "DONE"]
    if len(failed) < len(acted):
        return ""
    last = failed[-1]
    if last.state == "EXPIRED":
        return "There was an answer, but its time passed before the bot could take it."
    if last.state == "UNKNOWN":
        return f"There was an answer; whether it arrived is unknown: {last.words}."
    return f"There was an answer, but the platform refused it: {last.words} ({last.code})."


def _unanswered(ran: Ran) -> str:
    if ran.outcome == "dead":
        return f"Handling it failed: {ran.reason}."
    if ran.outcome == "retry":
        return f"It is being tried again: {ran.reason}."
    if ran.actions:
        return ""
    if ran.steps:
        return f"{', '.join(step.handler for step in ran.steps)} handled it and gave no answer."
    words = _QUIET.get(ran.quiet) or _NOBODY.format(ran.worker)
    return f"{words[:1].upper()}{words[1:]}."
