"""The handler of the chaos run: notes that it started, is busy for a while, and answers once.

An event's text is `chaos NUMBER STYLE MS`: busy for MS ms, and its answer leaves
`buffered`: with the acknowledgement; `early`: before it, while the handler is still at work;
`poison`: never, the process dies; `raise`: never, the handler fails.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from pathlib import Path

from botmatrix import ActionFailed, ActionUnknown, App, Context, Plugin

plugin = Plugin(id="chaos", name="Chaos", version="1.0.0", permissions=["*"])

LOG = os.open(os.environ["CHAOS_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
GENERATION = 0
ME = f"{os.environ.get('WORKER_ID', 'worker')}.{os.getpid()}.{GENERATION}"
COUNT = itertools.count(1)
SLOW = Path(os.environ["CHAOS_LOG"]).parent / f"slow-{os.environ.get('WORKER_ID')}"
"""While this file is there, everything takes ten times as long."""


@plugin.on_startup
async def up(app: App) -> None:
    app.on_close(lambda: os.close(LOG))


@plugin.on_message(regex=r"^chaos (?P<number>\d+) (?P<style>\w+) (?P<ms>\d+)$")
async def handle(ctx: Context, number: int, style: str, ms: int) -> None:
    run = f"{ME}:{next(COUNT)}"
    seconds = ms / 1000 * (10 if SLOW.exists() else 1)
    os.write(LOG, f"{number} {ctx.event['self_id']}:{ctx.group_id} {run}\n".encode())
    if style == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    if style == "raise":
        raise RuntimeError("a handler that always fails")
    if style == "early":
        try:
            await ctx.reply(f"re {number} {run}", now=True)
        except (ActionFailed, ActionUnknown):
            pass  # perhaps sent: the hub counts it, the bot says whether it came
        await asyncio.sleep(seconds)
        return
    await asyncio.sleep(seconds)
    await ctx.reply(f"re {number} {run}")
