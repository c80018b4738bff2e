"""A link of a OneBot v11 application: to it the hub is a OneBot implementation with one bot."""

from __future__ import annotations

from typing import Final

from botmatrix.bus.envelope import Envelope
from botmatrix.nexus.bot import BotState
from botmatrix.nexus.sockets.link import WorkerLink
from botmatrix.onebot import serving
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.event import Event

HEARTBEAT: Final = 30.0
"""Seconds between heartbeats of the hub's own, while the bot sends none."""


class ApplicationLink(WorkerLink):
    """One link for one bot; `accept.role` says which half of a split pair it is, or both."""

    def greet(self) -> None:
        """Lifecycle first: NoneBot2 throws away every event before it."""
        self.beat_at = self.sockets.clock.monotonic()
        if self.accept.role.hears:
            self.connection.send(serving.lifecycle_frame(self.accept.self_id, self.sockets.clock.now()))

    def event(self, envelope: Envelope) -> bytes:
        raw = bytes(envelope.event)
        return serving.with_array_message(raw) if self.sockets.wants_arrays(self.worker.id) else raw

    def meta(self, event: Event, now: float) -> None:
        """A heartbeat of the bot: every link of it hears that."""
        if event.detail_type == "heartbeat" and self.accept.role.hears and self.is_open and not len(self.outbox):
            self.beat_at = now
            self.connection.send(event.raw)

    def beat(self, now: float) -> None:
        if now - self.beat_at < HEARTBEAT or not self.accept.role.hears:
            return
        self.beat_at = now
        bot = self.sockets.hub.bots.get(self.accept.bot)
        here = bot is not None and bot.state is not BotState.OFFLINE
        frame = serving.heartbeat_frame(
            self.accept.self_id,
            self.sockets.clock.now(),
            online=here,
            good=here and bot is not None and bot.healthy,
            interval=HEARTBEAT,
        )
        self.connection.send(frame)

    def said(self, payload: bytes) -> None:
        call = serving.read_call(payload)
        bot = self.accept.bot
        answers = self.acts(bot, call.params)

        def answer(response: ActionResponse | None, retcode: int, words: str) -> None:
            if not call.echo:
                return
            if response is not None:
                self.answer(serving.answer_frame(response, call.echo))
            else:
                self.answer(serving.failure_frame(retcode, words, call.echo))

        self.sockets.asker.ask(bot, call.action, call.params, answer, answers)
