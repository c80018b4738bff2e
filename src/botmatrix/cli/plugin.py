"""`botmatrix plugin`: help for who writes plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from botmatrix.cli.common import run_async, say, settings_of
from botmatrix.errors import BotMatrixError

app = typer.Typer(help="Plugins: check one.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Plugins."""


@app.command()
def check(context: typer.Context, path: Annotated[Path, typer.Argument(help="Folder with a plugin.json.")]) -> None:
    """Start a plugin in any language and send it every message of the protocol; says what it does wrong."""
    from botmatrix.worker.plugins.isolated import check as checking

    envs = settings_of(context).home.plugin_envs
    problems = 0

    async def run() -> None:
        nonlocal problems
        async for finding in checking.check(path.absolute(), envs):
            problems += bool(finding.problem)
            say(f"FAILED  {finding.what}: {finding.problem}" if finding.problem else f"ok      {finding.what}")

    run_async(run)
    if problems:
        raise BotMatrixError(f"{problems} {'thing is' if problems == 1 else 'things are'} wrong with {path}")
    say("It speaks the protocol.")
