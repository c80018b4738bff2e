"""CorePlugin, the judge before routing: what a bot heard either goes on or ends here, with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from botmatrix.core.judge import Judge
from botmatrix.core.text import said
from botmatrix.core.verbs import is_verb
from botmatrix.nexus.binder import Binder
from botmatrix.nexus.bot import Bot
from botmatrix.nexus.core_answers import Answers
from botmatrix.nexus.core_config import CoreState
from botmatrix.nexus.core_figures import Figures
from botmatrix.nexus.core_verbs import Verbs
from botmatrix.nexus.tracer import BIND_CODE
from botmatrix.onebot.event import Event


class Verdict(NamedTuple):
    """`reason` is empty when the event goes on."""

    reason: str = ""

    @property
    def blocked(self) -> bool:
        """Whether the event ends here."""
        return bool(self.reason)


PASS: Final = Verdict()
TAKEN: Final = Verdict("admin_command")
"""A chat administrator spoke to the hub itself."""
BOUND: Final = Verdict(BIND_CODE)
"""Somebody said a one-time code, right or wrong."""


class CorePlugin:
    """The verdict on one event, in microseconds; `admins`: `qq:123`, the chat administrators."""

    def __init__(
        self,
        state: CoreState,
        figures: Figures,
        verbs: Verbs,
        answers: Answers,
        binder: Binder,
        admins: Iterable[str],
    ) -> None:
        self._binder = binder
        self._figures, self._verbs, self._answers = figures, verbs, answers
        self.admit(admins)
        self._judge = state.judge
        state.on_change = self._take
        self._take(state.judge)

    def admit(self, admins: Iterable[str]) -> None:
        """These are the chat administrators from now on, and nobody else."""
        admitted: dict[str, set[str]] = {}
        for admin in admins:
            platform, _, user = admin.partition(":")
            admitted.setdefault(platform, set()).add(user)
        self._admins = admitted

    def judge(self, bot: Bot, event: Event) -> Verdict:
        """Whether the event goes on. Never blocks and never raises."""
        message = event.post_type == "message"
        if message and event.user_id in self._admins.get(bot.platform, ()) and self._is_verb(event):
            self._verbs.take(bot, event)
            return TAKEN
        if message and self._binder.is_open and self._binder.takes(bot, event):
            return BOUND
        if message and self._counting:
            self._figures.count(bot, event)
        reason = self._judge.reason(bot.platform, bot.self_id, event)
        if not reason:
            return PASS
        if self._counting:
            self._figures.blocked(bot, event, reason, record=self._recording)
        if message and reason == self._judge.closed:
            self._answers.say_closed(bot, event, reason, self._judge.config.system_control)
        return Verdict(reason)

    def _is_verb(self, event: Event) -> bool:
        # An anonymous member of a group has an id of the platform's choice.
        return event.sub_type != "anonymous" and is_verb(said(event.raw).text)

    def _take(self, judge: Judge) -> None:
        self._judge = judge
        statistics = judge.config.statistics
        self._counting = judge.config.enabled and statistics.enable
        self._recording = statistics.record_blocked
