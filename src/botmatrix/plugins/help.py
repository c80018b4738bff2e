"""`/help`: what this bot can do."""

from collections.abc import Sequence

from botmatrix import Context, Plugin
from botmatrix.sdk.services import CommandInfo

plugin = Plugin(id="help", name="帮助 Help", version="1.0.0", description="列出命令 · Lists the commands")


@plugin.command("help", aliases={"帮助"}, description="列出命令 · List the commands")
async def help_(ctx: Context, command: str = "") -> str:
    """All commands that you may use, or what one of them does."""
    prefix = ctx.worker.prefix
    commands = [found for found in ctx.worker.commands() if ctx.may(found.permission)]
    return _one(commands, command.removeprefix(prefix), prefix) if command else _all(commands, prefix)


def _all(commands: Sequence[CommandInfo], prefix: str) -> str:
    lines = [f"{prefix}{command.name} — {command.description}".rstrip(" —") for command in commands]
    return "\n".join(["可用命令 Commands:", *lines, f"用法 Usage: {prefix}help echo"])


def _one(commands: Sequence[CommandInfo], name: str, prefix: str) -> str:
    for command in commands:
        if name.casefold() in (word.casefold() for word in (command.name, *command.aliases)):
            return _details(command, prefix)
    return (
        f"没有命令 {prefix}{name}，发送 {prefix}help 查看全部\n"
        f"There is no command {prefix}{name}; {prefix}help lists them all"
    )


def _details(command: CommandInfo, prefix: str) -> str:
    also = " ".join(f"{prefix}{alias}" for alias in command.aliases)
    lines = (
        f"{prefix}{command.usage}",
        command.description,
        f"别名 Also: {also}" if also else "",
        f"插件 Plugin: {command.plugin}",
    )
    return "\n".join(filter(None, lines))
