"""`/echo`: says what you said."""

from botmatrix import Context, Message, Plugin

plugin = Plugin(id="echo", name="复读 Echo", version="1.0.0", description="原样返回消息 · Says what you said")


@plugin.command("echo", aliases={"复读"}, description="原样返回消息 · Say it again")
async def echo(ctx: Context) -> Message | str:
    """The message comes back with its pictures, faces and all."""
    return ctx.args or "用法 Usage: /echo 你好"
