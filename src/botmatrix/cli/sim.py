"""`botmatrix sim`: a bot in the terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from botmatrix.cli.common import run_async, say, settings_of
from botmatrix.config import Settings

Url = Annotated[str | None, typer.Option(help="The gateway; else the one of these settings.", show_default=False)]
Token = Annotated[str | None, typer.Option(help="Its token; else the one of these settings.", show_default=False)]
SelfId = Annotated[int, typer.Option(min=1, help="The bot's own number.")]
User = Annotated[int, typer.Option(min=1, help="The number of the person who talks.")]
Group = Annotated[int, typer.Option(min=0, help="Talk in this group; 0: in private.")]
Once = Annotated[bool, typer.Option("--once", help="Send the lines of standard input, print their answers, end.")]
Patience = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for an answer.")]


def sim(
    context: typer.Context,
    url: Url = None,
    token: Token = None,
    self_id: SelfId = 10001,
    user: User = 20002,
    group: Group = 0,
    once: Once = False,
    timeout: Patience = 10.0,
) -> None:
    """A bot in the terminal: what you type is a message, what comes back is printed."""
    from botmatrix.cli.simulator import Conversation, SimulatedBot

    settings = settings_of(context)
    bot = SimulatedBot(
        url or gateway_url(settings),
        settings.bot_token if token is None else token,
        self_id=self_id,
        user_id=user,
        group_id=group,
    )
    run_async(lambda: Conversation(bot, say, timeout=timeout, once=once).run())


def gateway_url(settings: Settings) -> str:
    """Of the running `up`, else of the settings."""
    from botmatrix.cli.welcome import reachable
    from botmatrix.embedded.running import find

    running = find(settings.home)
    port = running.ws_port if running else settings.ws_port
    return f"ws://{reachable(settings.gateway_host)}:{port}/onebot/v11/ws"
