"""What an installed package offers by an entry point."""

from __future__ import annotations

from botmatrix import Context, Plugin

plugin = Plugin(id="installed")


@plugin.command("installed")
async def installed(ctx: Context) -> str:
    return "from a package"
