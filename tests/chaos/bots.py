"""Fake OneBot v11 bots that say numbered events, as many as are allowed to be without a reply, for as long as wanted.

A bot keeps at most `LINK_WINDOW` events unanswered on one link and a few per conversation, so one conversation that
waits for a dead worker's lane does not silence the others. It never says an event again: OneBot has no resend.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable

import picows
from bench.frames import Action, answer, decode_action, lifecycle
from tests.chaos.oracle import Oracle, Reply, Style

LINK_WINDOW = 64
CONVERSATION_WINDOW = 6
FIRST_BOT = 5_000_000_001
FIRST_GROUP = 900_000_000

_TEXT = re.compile(r"re (\d+) ([\w.:-]+)")


class Bot(picows.WSListener):
    """One bot; dials again by itself with a small back-off until `close`."""

    def __init__(self, index: int, conversations: int, oracle: Oracle, style: Style, rng: random.Random) -> None:
        self.self_id = FIRST_BOT + index
        self.groups = [FIRST_GROUP + index * 1000 + n for n in range(conversations)]
        self._oracle, self.style, self._rng = oracle, style, rng
        self._transport: picows.WSTransport | None = None
        self._open: dict[int, int] = {}  # unanswered and said on this link: number -> group
        self._crowded: Counter[int] = Counter()  # how many of them, by group
        self._orderly = False
        self._leaving = False
        self._ended = asyncio.Event()
        self.speaking = False
        self.redials = True

    @property
    def online(self) -> bool:
        return self._transport is not None

    async def live(self, url: str, token: str) -> None:
        """Dial, and dial again whenever the link ends, until cancelled."""
        headers = {"Authorization": f"Bearer {token}", "X-Self-ID": str(self.self_id), "X-Client-Role": "Universal"}
        while self.redials:
            self._ended.clear()
            try:
                link, _ = await picows.ws_connect(
                    lambda: self, url, extra_headers=headers, websocket_handshake_timeout=5
                )
                if not link.is_disconnected:  # a connection that is lost in the handshake ends without a word
                    await self._ended.wait()
            except (OSError, picows.WSError):
                pass
            await asyncio.sleep(self._rng.uniform(0.05, 0.25))

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport, self._orderly, self._leaving = transport, False, False
        transport.send(picows.WSMsgType.TEXT, lifecycle(self.self_id))
        self.speak()

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            self._act(transport, decode_action(frame.get_payload_as_bytes()))
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            self._orderly = True
            self._transport = None  # nothing may follow our Close
            if not self._leaving:
                transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._transport = None
        if self._orderly:
            self._oracle.closes += 1
        else:
            self._oracle.cut(set(self._open))
        self._open.clear()
        self._crowded.clear()
        self._ended.set()

    def speak(self) -> None:
        """Say as many events as the windows allow."""
        if not self.speaking:
            return
        for group in self.groups:
            while self.online and not self.crowded(group):
                self.say(group)

    def move(self) -> None:
        """End the link in order and dial again: what was said before is owed."""
        transport, self._transport = self._transport, None
        if transport is not None:
            self._leaving = True
            transport.send_close(picows.WSCloseCode.OK)

    def crowded(self, group: int) -> bool:
        """Whether a conversation, or the link, has as many unanswered events as are allowed."""
        return len(self._open) >= LINK_WINDOW or self._crowded[group] >= CONVERSATION_WINDOW

    def say_barred(self, group: int, user: int) -> None:
        """Say one event as somebody who is blocked: it is in nobody's way."""
        assert self._transport is not None
        said = self._oracle.say(self.self_id, f"{self.self_id}:{group}", self.style)
        self._oracle.barred.add(said.number)
        self._transport.send(picows.WSMsgType.TEXT, self.event(group, said.number, said.style, user))

    def say(self, group: int) -> int:
        """Say one event now; gives its number. The link must be up."""
        assert self._transport is not None
        said = self._oracle.say(self.self_id, f"{self.self_id}:{group}", self.style)
        self._open[said.number] = group
        self._crowded[group] += 1
        self._transport.send(picows.WSMsgType.TEXT, self.event(group, said.number, said.style))
        return said.number

    def event(self, group: int, number: int, style: str, user: int = 0) -> bytes:
        """A group message. Every conversation has one user: then conversation and serial key are the same."""
        user = user or group + 1
        text = f"chaos {number} {style}"
        return json.dumps(
            {
                "post_type": "message", "message_type": "group", "sub_type": "normal", "time": int(time.time()),
                "self_id": self.self_id, "group_id": group, "user_id": user, "message_id": number,
                "message": [{"type": "text", "data": {"text": text}}], "raw_message": text, "font": 0,
                "sender": {"user_id": user, "nickname": "chaos", "role": "member"},
            }
        ).encode()  # fmt: skip

    def give_up(self, number: int) -> None:
        """An event takes no room any more."""
        group = self._open.pop(number, None)
        if group is not None:
            self._crowded[group] -= 1

    def hang_up(self) -> None:
        """End the link; what is unanswered then is no concern of the oracle."""
        self._open.clear()
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    def _act(self, transport: picows.WSTransport, action: Action) -> None:
        if self._transport is transport:
            transport.send(picows.WSMsgType.TEXT, answer(action, self.self_id))
        params = bytes(action.params)
        found = _TEXT.search(params.decode())
        if found is None:
            return
        group = int(json.loads(params).get("group_id", 0))
        number = int(found[1])
        if self._transport is not transport:
            self._oracle.late.add(number)
        self._oracle.hear(Reply(number, self.self_id, f"{self.self_id}:{group}", found[2]))
        self.give_up(number)
        self.speak()


class Crowd:
    """All bots of a phase."""

    def __init__(self, oracle: Oracle, rng: random.Random, style: Style, bots: int, conversations: int) -> None:
        self.oracle = oracle
        self.bots = [Bot(index, conversations, oracle, style, rng) for index in range(bots)]
        self._lives: list[asyncio.Task[None]] = []
        self._chat: asyncio.Task[None] | None = None
        self._rng = rng
        self._token = ""

    def dial(self, url: str, token: str) -> None:
        """Every bot dials, and goes on dialling whenever its link ends."""
        self._token = token
        self._lives = [asyncio.create_task(bot.live(url, token)) for bot in self.bots]

    def add(self, bot: Bot, url: str) -> None:
        """One more bot, which dials at once."""
        self.bots.append(bot)
        self._lives.append(asyncio.create_task(bot.live(url, self._token)))

    async def all_online(self, seconds: float = 30) -> None:
        """Raises `TimeoutError`."""
        async with asyncio.timeout(seconds):
            while not all(bot.online for bot in self.bots):
                await asyncio.sleep(0.01)

    def speak(self) -> None:
        for bot in self.bots:
            bot.speaking = True
            bot.speak()

    def chat(self, rate: float) -> None:
        """Say `rate` events a second, each in a conversation drawn by chance, some with two more there."""
        self._chat = asyncio.create_task(self._chatting(rate / 1.25))

    async def _chatting(self, rate: float) -> None:
        began, said = time.monotonic(), 0
        while True:
            while said < (time.monotonic() - began) * rate:
                bot = self._rng.choice(self.bots)
                group = self._rng.choice(bot.groups)
                for _ in range(3 if self._rng.random() < 0.125 else 1):
                    if bot.online and not bot.crowded(group):
                        bot.say(group)
                said += 1
            await asyncio.sleep(0.005)

    def burst(self) -> None:
        """One event in every conversation, whatever is unanswered there."""
        for bot in self.bots:
            for group in bot.groups:
                if bot.online:
                    bot.say(group)

    def hush(self) -> None:
        if self._chat is not None:
            self._chat.cancel()
        for bot in self.bots:
            bot.speaking = False

    async def answered(self, number: int, seconds: float) -> bool:
        """Whether an event is answered within `seconds`."""
        return await self.quiet_until(lambda: self.oracle.said[number].answered_at > 0, seconds)

    async def quiet_until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait for `done`; False when `seconds` pass without any new reply and without it."""
        heard, since = len(self.oracle.replies), time.monotonic()
        while not done():
            if len(self.oracle.replies) > heard:
                heard, since = len(self.oracle.replies), time.monotonic()
            if time.monotonic() - since > seconds:
                return False
            await asyncio.sleep(0.02)
        return True

    async def close(self) -> None:
        self.hush()
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)
        for bot in self.bots:
            bot.hang_up()
