"""The load generator: N OneBot v11 bots in one process that dial a hub or an application.

    python -m bench.load saturate --url URL --token T --bots 100 --outstanding 6 --seconds 8
    python -m bench.load steady   --url URL --token T --bots 100 --rate 2000 --seconds 5
    python -m bench.load idle     --url URL --token T --bots 5000

It prints one JSON object a line: `{"mark": ...}` where a phase begins or ends, with `cpu`, the CPU seconds it has used
itself (it may have ended before anybody could look), and `{"result": {...}}` at the end. `saturate` is a closed loop:
each bot keeps a fixed number of events without a reply. `steady` is an open loop: event n is due at t0 + n / rate
whatever happened before, and its latency counts from that planned time. `idle` connects, gets one echo for each bot,
and stays; when its links end it dials again and reports how long all bots took.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import picows
import uvloop

from bench.frames import SENDS, Slot, answer, decode_action, lifecycle, number_of

FIRST_BOT = 3_000_000_001
DIALS_AT_ONCE = 128


def say(**fields: Any) -> None:
    """One line for whoever started this process."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Bot(picows.WSListener):
    """One link. `on_reply(bot, number)` is called for each reply, after its action was answered."""

    def __init__(self, self_id: int, slots: int, on_reply: Callable[[Bot, int], None]) -> None:
        self.self_id = self_id
        self.slots = [Slot(self_id, 700_000_000 + slot, 10_000 + slot) for slot in range(slots)]
        self.on_reply = on_reply
        self.transport: picows.WSTransport | None = None
        self.on_end: Callable[[Bot], None] | None = None

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport = transport
        transport.send(picows.WSMsgType.TEXT, lifecycle(self.self_id))

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            action = decode_action(frame.get_payload_as_bytes())
            transport.send(picows.WSMsgType.TEXT, answer(action, self.self_id))
            if action.action in SENDS:
                self.on_reply(self, number_of(bytes(action.params)))
        elif frame.msg_type == picows.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self.transport = None
        if self.on_end is not None:
            self.on_end(self)

    def say(self, slot: int, number: int) -> None:
        """Send event `number` in one of the bot's conversations, if the link is up."""
        if self.transport is not None:
            self.transport.send(picows.WSMsgType.TEXT, self.slots[slot].event(number))

    async def dial(self, url: str, token: str) -> None:
        """Connect. Raises what picows and the loop raise."""
        headers = {
            "Authorization": f"Bearer {token}",
            "X-Self-ID": str(self.self_id),
            "X-Client-Role": "Universal",
        }
        await picows.ws_connect(
            lambda: self,
            url,
            extra_headers=headers,
            websocket_handshake_timeout=30,
            read_buffer_init_size=2048,
        )


async def dial_until(bot: Bot, url: str, token: str, gate: asyncio.Semaphore) -> None:
    """Connect, trying again for as long as it takes."""
    while bot.transport is None:
        async with gate:
            try:
                await bot.dial(url, token)
                return
            except (OSError, picows.WSError):
                pass
        await asyncio.sleep(0.05)


async def dial_all(bots: list[Bot], url: str, token: str) -> None:
    """Connect every bot, a bounded number at a time."""
    gate = asyncio.Semaphore(DIALS_AT_ONCE)
    await asyncio.gather(*(dial_until(bot, url, token, gate) for bot in bots))


class Saturation:
    """Closed loop: the reply to event n is followed by the next event of the same conversation."""

    def __init__(self, bots: int, outstanding: int) -> None:
        self.outstanding = outstanding
        self.bots = [Bot(FIRST_BOT + n, outstanding, self.reply) for n in range(bots)]
        self.number = first_number() // outstanding * outstanding
        self.done = self.strange = 0

    def reply(self, bot: Bot, number: int) -> None:
        if number < 0:
            self.strange += 1
            return
        self.done += 1
        slot = number % self.outstanding
        self.number += self.outstanding
        bot.say(slot, self.number + slot)

    async def run(self, args: argparse.Namespace) -> dict[str, Any]:
        await dial_all(self.bots, args.url, args.token)
        await asyncio.sleep(args.settle)
        for bot in self.bots:
            for slot in range(self.outstanding):
                self.number += self.outstanding
                bot.say(slot, self.number + slot)
        await asyncio.sleep(args.warmup)
        say(mark="begin", cpu=time.process_time())
        before, started = self.done, time.perf_counter()
        await asyncio.sleep(args.seconds)
        done, took = self.done - before, time.perf_counter() - started
        say(mark="end", cpu=time.process_time())
        return {"round_trips": done, "seconds": took, "rate": done / took, "strange": self.strange}


class Steady:
    """Open loop at a fixed rate, evenly spread over the bots, latency from the planned time."""

    CONVERSATIONS = 8

    def __init__(self, bots: int, rate: float) -> None:
        self.rate = rate
        self.bots = [Bot(FIRST_BOT + n, self.CONVERSATIONS, self.reply) for n in range(bots)]
        self.first = first_number()
        self.start = 0.0
        self.latencies: list[tuple[int, float]] = []
        self.finished = asyncio.Event()
        self.total = 0

    def reply(self, bot: Bot, number: int) -> None:
        index = number - self.first
        if 0 <= index < self.total:
            self.latencies.append((index, time.perf_counter() - self.start - index / self.rate))
            if len(self.latencies) >= self.total:
                self.finished.set()

    async def run(self, args: argparse.Namespace) -> dict[str, Any]:
        await dial_all(self.bots, args.url, args.token)
        await asyncio.sleep(args.settle)
        warm = int(args.warmup * self.rate)
        self.total = warm + int(args.seconds * self.rate)
        say(mark="begin", cpu=time.process_time())
        await self._send_all()
        try:
            await asyncio.wait_for(self.finished.wait(), 10)
        except TimeoutError:
            pass
        say(mark="end", cpu=time.process_time())
        counted = sorted(latency for index, latency in self.latencies if index >= warm)
        return {
            "sent": self.total,
            "missing": self.total - len({index for index, _ in self.latencies}),
            "p50_ms": percentile(counted, 0.50) * 1e3,
            "p99_ms": percentile(counted, 0.99) * 1e3,
            "max_ms": percentile(counted, 1.0) * 1e3,
        }

    async def _send_all(self) -> None:
        """Say each event as soon as its planned time has come; never skip one, never hurry."""
        count = len(self.bots)
        self.start = time.perf_counter() + 0.05
        sent = 0
        while sent < self.total:
            due = min(self.total, int((time.perf_counter() - self.start) * self.rate) + 1)
            while sent < due:
                self.bots[sent % count].say(sent // count % self.CONVERSATIONS, self.first + sent)
                sent += 1
            await asyncio.sleep(0.001)


class Idle:
    """Many bots that say one thing after each connect, dial again when their link ends, and wait."""

    REDIAL_AFTER = 0.2

    def __init__(self, bots: int) -> None:
        self.bots = [Bot(FIRST_BOT + n, 1, self.reply) for n in range(bots)]
        self.silent = {bot.self_id for bot in self.bots}
        self.number = first_number()
        self.began = 0.0
        self.round_began = asyncio.Event()
        self.all_echoed = asyncio.Event()

    def reply(self, bot: Bot, number: int) -> None:
        self.silent.discard(bot.self_id)
        if not self.silent:
            self.all_echoed.set()

    def begin_round(self) -> None:
        """From here on every bot must be heard anew."""
        self.silent = {bot.self_id for bot in self.bots}
        self.all_echoed.clear()
        self.began = time.perf_counter()
        self.round_began.set()

    async def live(self, bot: Bot, url: str, token: str, gate: asyncio.Semaphore) -> None:
        """One bot for ever: dial, speak once, wait for the end of the link."""
        ended = asyncio.Event()
        bot.on_end = lambda _: ended.set()
        while True:
            ended.clear()
            await dial_until(bot, url, token, gate)
            self.number += 1
            bot.say(0, self.number)
            await ended.wait()
            if self.all_echoed.is_set():
                self.begin_round()
            await asyncio.sleep(self.REDIAL_AFTER)

    async def run(self, args: argparse.Namespace) -> dict[str, Any]:
        gate = asyncio.Semaphore(DIALS_AT_ONCE)
        self.begin_round()
        took: list[float] = []
        lives = [asyncio.create_task(self.live(bot, args.url, args.token, gate)) for bot in self.bots]
        for mark in ("online", *["back"] * args.restarts):
            await self.round_began.wait()
            self.round_began.clear()
            await self.all_echoed.wait()
            took.append(time.perf_counter() - self.began)
            say(mark=mark, seconds=took[-1])
        for life in lives:
            life.cancel()
        return {"seconds": took}


def first_number() -> int:
    """Where this run's event numbers begin: above those of any run before, whatever its rate."""
    return time.time_ns() // 1_000 % 10**15


def percentile(ordered: list[float], share: float) -> float:
    """The value below which `share` of an ordered list lies; NaN for an empty list."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=["saturate", "steady", "idle"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--bots", type=int, default=100)
    parser.add_argument("--outstanding", type=int, default=6)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--warmup", type=float, default=2)
    parser.add_argument("--settle", type=float, default=1)
    parser.add_argument("--restarts", type=int, default=1)
    return parser.parse_args(argv)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    args = parse()

    async def run() -> dict[str, Any]:
        if args.kind == "saturate":
            return await Saturation(args.bots, args.outstanding).run(args)
        if args.kind == "steady":
            return await Steady(args.bots, args.rate).run(args)
        return await Idle(args.bots).run(args)

    say(result=uvloop.run(run()))


if __name__ == "__main__":
    main()
