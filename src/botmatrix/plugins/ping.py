"""`/ping`: whether the whole road works, and how long it took to get here."""

import time

from botmatrix import Context, Plugin

plugin = Plugin(id="ping", name="测速 Ping", version="1.0.0", description="测试是否在线 · Is anybody there?")


@plugin.command("ping", description="测试是否在线 · Check that the bot answers")
async def ping(ctx: Context) -> str:
    """Milliseconds from the hub's gateway to this handler."""
    took = max(0.0, time.time() - ctx.received_at) * 1000
    return f"pong {took:.0f} ms"
