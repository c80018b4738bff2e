"""A link of an old worker: it hears the events of all bots and names a bot in each of its requests."""

from __future__ import annotations

import random
import time

from botmatrix.bus.envelope import Envelope
from botmatrix.nexus.sockets.link import WorkerLink
from botmatrix.onebot import old_worker
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.serving import BAD_REQUEST, NO_ANSWER, NO_BOT, answer_frame

WORDS = {
    BAD_REQUEST: "Failed to forward to any Bot: ",
    NO_ANSWER: "Request timeout: ",
    NO_BOT: "No Bot available: ",
}
"""How the failures begin that old workers know."""


class OldWorkerLink(WorkerLink):
    """Knows nothing of lifecycles and heartbeats; its answers carry `msg` besides."""

    def greet(self) -> None:
        """It expects no greeting."""

    def beat(self, now: float) -> None:
        """It knows no heartbeats."""

    def event(self, envelope: Envelope) -> bytes:
        platform, _, self_id = envelope.bot.partition(":")
        kind, _, group_id = envelope.conv.partition(":")
        self.sockets.finder.heard(envelope.bot, self_id, group_id if kind == "group" else "")
        echo = f"evt_{time.time_ns()}_{int(random.random() * 1000)}"  # noqa: S311  no secret
        return old_worker.event_frame(bytes(envelope.event), platform, self_id, echo)

    def said(self, payload: bytes) -> None:
        said = old_worker.read_frame(payload)
        if isinstance(said, old_worker.Request):
            self._ask(said)
        elif isinstance(said, old_worker.Registered):
            self.worker.capabilities = said.capabilities
        elif isinstance(said, old_worker.SkillResult):
            self.sockets.skill_result(self.worker, said.fields)
        else:
            self.sockets.count("socket_handled")

    def _ask(self, request: old_worker.Request) -> None:
        bot = self.sockets.finder.find(request.platform, request.self_id, request.group_id)
        if not bot:
            self.sockets.count("socket_no_bot")
            if request.echo:
                words = WORDS[NO_BOT] + "name one by self_id, or a group that a bot is in"
                self.answer(old_worker.failure_frame(NO_BOT, words, request.echo))
            return
        answers = self.acts(bot, request.params)

        def answer(response: ActionResponse | None, retcode: int, words: str) -> None:
            if response is not None and request.group_id and not response.ok:
                self.sockets.finder.learn(bot, request.group_id, response)
            if not request.echo:
                return
            if response is not None:
                self.answer(answer_frame(response, request.echo))
            else:
                self.answer(old_worker.failure_frame(retcode, WORDS.get(retcode, "") + words, request.echo))

        self.sockets.asker.ask(bot, request.action, request.params, answer, answers)
