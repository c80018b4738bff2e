"""Asks a bot for an action on behalf of a socket worker, wherever the bot's link is, and answers exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import structlog

from botmatrix.bus.actions import ActionBox, ActionResult
from botmatrix.bus.client import ReplyError
from botmatrix.bus.envelope import ActionEntry
from botmatrix.clock import Clock
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.hub import Hub
from botmatrix.nexus.sockets.turns import Turns
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.serving import BAD_REQUEST, NO_ANSWER, NO_BOT

log = structlog.get_logger("sockets")

TIMEOUT: Final = 30.0
MAX_ELSEWHERE: Final = 1024
"""Actions under way to bots of other nexuses."""
MAX_WAITING: Final = 10_000
"""Actions that wait for the room of slow bots, of all workers together."""
RETRY_SECONDS: Final = 0.05


class Answer(Protocol):
    """Takes the one answer: the bot's own, or the hub's failure (retcode and words)."""

    def __call__(self, response: ActionResponse | None, retcode: int, words: str) -> None:
        """Called exactly once."""
        ...


class Question:
    """One action of a socket worker that was not answered yet; `answers`: the id of an event, or `""`."""

    __slots__ = ("_answer", "action", "answered", "answers", "asked", "bot", "deadline", "params")

    def __init__(self, bot: str, action: str, params: bytes, answer: Answer, answers: str) -> None:
        self.bot, self.action, self.params, self.answers = bot, action, params, answers
        self.asked = self.deadline = 0.0
        self.answered = False
        self._answer = answer

    def settle(self, response: ActionResponse | None, retcode: int = 0, words: str = "") -> bool:
        """Answer, unless that was done: what a bot says late must not reach an application twice."""
        if self.answered:
            return False
        self.answered = True
        self._answer(response, retcode, words)
        return True


class Asker:
    """Sends questions to bots. Counters: `socket_action`, and how they failed."""

    def __init__(self, hub: Hub, elsewhere: Callable[[], ActionBox], ids: Callable[[], str], clock: Clock) -> None:
        self._hub, self._elsewhere, self._ids, self._clock = hub, elsewhere, ids, clock
        self._waiting: dict[str, deque[Question]] = {}
        self._count_waiting = 0
        self._remote: set[asyncio.Task[None]] = set()
        self.turns = Turns(clock, self._take_turn)
        self.on_end: Callable[[Question, ActionResponse | None, int, str], None] = lambda *_: None
        self.counters: Counter[str] = Counter()

    def ask(self, bot: str, action: str, params: bytes, answer: Answer, answers: str = "") -> None:
        """Ask the bot. `answer` is called once, perhaps before this returns, at the latest 30 s after its turn came."""
        self.counters["socket_action"] += 1
        question = Question(bot, action, params, answer, answers)
        question.asked, question.deadline = self._clock.now(), self._clock.monotonic() + TIMEOUT
        if not action:
            self._fail(question, BAD_REQUEST, "the call names no action")
        elif not params:
            self._fail(question, BAD_REQUEST, "params must be an object")
        elif self.turns.must_wait(question):
            self._put_off(question)
        else:
            self._go(question)

    async def run(self) -> None:
        """Send what had to wait for its turn, and try again what slow bots had no room for."""
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            self.turns.admit()
            for bot in list(self._waiting):
                self._retry(bot)

    async def close(self) -> None:
        """Give up what is under way to other nexuses."""
        for task in self._remote:
            task.cancel()
        await asyncio.gather(*self._remote, return_exceptions=True)

    def _put_off(self, question: Question) -> None:
        if self.turns.is_full:
            self._fail(question, BAD_REQUEST, f"{self.turns.waiting} messages wait for their turn already")
            return
        self.counters["socket_action_paced"] += 1
        self.turns.add(question)

    def _take_turn(self, question: Question) -> None:
        question.deadline = self._clock.monotonic() + TIMEOUT
        self._go(question)

    def _go(self, question: Question) -> None:
        if question.bot in self._waiting:
            self._wait(question)
        else:
            self._send(question)

    def _send(self, question: Question) -> None:
        bot = self._hub.bots.get(question.bot)
        if bot is None or bot.api_link is None:
            self._ask_elsewhere(question)
        elif not self._write(question):
            self._wait(question)

    def _write(self, question: Question) -> bool:
        bot = self._hub.bots[question.bot]
        left = max(0.1, question.deadline - self._clock.monotonic())
        return bot.call(
            question.action, question.params, lambda response: self._on_answer(question, response), timeout=left
        )

    def _on_answer(self, question: Question, response: ActionResponse | None) -> None:
        if response is None:
            self._fail(question, NO_ANSWER, "the bot did not answer in time")
        elif question.settle(response):
            self.on_end(question, response, 0, "")
        else:
            self.counters["socket_action_late"] += 1

    def _wait(self, question: Question) -> None:
        if self._count_waiting >= MAX_WAITING:
            self._fail(question, BAD_REQUEST, f"{MAX_WAITING} actions wait for slow bots already")
            return
        self._waiting.setdefault(question.bot, deque()).append(question)
        self._count_waiting += 1

    def _retry(self, bot: str) -> None:
        queue, now = self._waiting[bot], self._clock.monotonic()
        known = self._hub.bots.get(bot)
        link = known.api_link if known is not None else None
        while queue:
            question = queue[0]
            if link is None or question.deadline <= now:
                self._fail(question, NO_ANSWER if link else BAD_REQUEST, "the bot takes no actions")
            elif not self._write(question):
                return
            queue.popleft()
            self._count_waiting -= 1
        del self._waiting[bot]

    def _ask_elsewhere(self, question: Question) -> None:
        if len(self._remote) >= MAX_ELSEWHERE:
            self._fail(question, BAD_REQUEST, "too many actions are under way to other nexuses")
            return
        task = asyncio.create_task(self._call(question), name="ask another nexus")
        self._remote.add(task)
        task.add_done_callback(self._remote.discard)

    async def _call(self, question: Question) -> None:
        entry = ActionEntry(
            bot=question.bot,
            aid=self._ids(),
            action=question.action,
            params=msgspec.Raw(question.params),
            exp=int((self._clock.now() + TIMEOUT) * 1000),
            eid=question.answers,
        )
        try:
            result = await self._elsewhere().call(entry, timeout=TIMEOUT, must_be_online=True)
        except (EngineUnavailable, ReplyError):
            known = question.bot in self._hub.bots
            self._fail(question, BAD_REQUEST if known else NO_BOT, "the bot is not on this nexus, and Redis is away")
        else:
            self._take(question, result)

    def _take(self, question: Question, result: ActionResult) -> None:
        if result.state == "NOBOT":
            self._fail(question, NO_BOT, "there is no such bot")
        elif result.state == "OFFLINE":
            self._fail(question, BAD_REQUEST, "the bot is offline")
        elif result.state == "DONE" or (result.state == "FAILED" and result.data):
            question.settle(_response(result))
        else:
            self._fail(question, NO_ANSWER, result.message or "the bot did not answer in time")

    def _fail(self, question: Question, retcode: int, words: str) -> None:
        if question.settle(None, retcode, words):
            self.counters["socket_action_failed"] += 1
            self.on_end(question, None, retcode, words)


def _response(result: ActionResult) -> ActionResponse:
    """The answer as the bot would have given it here."""
    ok = result.state == "DONE"
    fields = {
        "status": "ok" if ok else "failed",
        "retcode": result.retcode,
        "data": msgspec.Raw(result.data),
        "message": result.message,
        "wording": result.message,
    }
    raw = msgspec.json.encode(fields)
    status = "ok" if ok else "failed"
    return ActionResponse(status, result.retcode, msgspec.Raw(result.data), result.message, result.message, raw)
