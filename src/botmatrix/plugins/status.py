"""`/status`: how the worker is that answers here. For chat administrators."""

from datetime import timedelta

from botmatrix import Context, Plugin, perm

plugin = Plugin(id="status", name="状态 Status", version="1.0.0", description="工作进程状态 · How the worker is")


@plugin.command("status", aliases={"状态"}, permission=perm.ADMIN, description="工作进程状态 · How the worker is")
async def status(ctx: Context) -> str:
    """Worker, uptime, events handled, plugins."""
    found = ctx.worker.status()
    uptime = timedelta(seconds=int(found["uptime"]))
    lines = (
        f"工作进程 Worker: {ctx.worker.id}",
        f"运行时间 Uptime: {uptime}",
        f"已处理 Handled: {found['handled']}",
        f"插件 Plugins: {', '.join(sorted(found['plugins']))}",
    )
    return "\n".join(lines)
