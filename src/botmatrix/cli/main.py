"""The command line: puts the groups together, and turns errors into words and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from botmatrix.cli import (
    bot,
    config,
    core,
    db,
    doctor,
    parts,
    plugin,
    queue,
    route,
    sim,
    skill,
    task,
    trace,
    up,
    user,
    worker,
)
from botmatrix.cli.common import Globals, say
from botmatrix.errors import BotMatrixError
from botmatrix.version import VERSION

app = typer.Typer(
    name="botmatrix",
    help="A matrix of chat bots behind one hub.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(up.up)
app.command("nexus")(parts.nexus)
app.command("control")(parts.control)
app.add_typer(worker.app, name="worker")
app.command("doctor")(doctor.doctor)
app.command("sim")(sim.sim)
app.add_typer(bot.app, name="bot")
app.add_typer(queue.app, name="queue")
app.add_typer(route.app, name="route")
app.command("trace")(trace.trace)
app.add_typer(core.app, name="core")
app.add_typer(skill.app, name="skill")
app.add_typer(task.app, name="task")
app.add_typer(plugin.app, name="plugin")
app.add_typer(config.app, name="config")
app.add_typer(user.app, name="user")
app.add_typer(db.app, name="db")

Home = Annotated[
    Path | None,
    typer.Option("--home", help="The data folder; else BOTMATRIX_HOME, else the platform's.", show_default=False),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        say(VERSION)
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)]


@app.callback()
def root(context: typer.Context, home: Home = None, version: Version = False) -> None:
    """A matrix of chat bots behind one hub."""
    context.obj = Globals(home)


@app.command("version")
def show_version() -> None:
    """Print the version."""
    _print_version(True)


def run(arguments: Sequence[str]) -> int:
    """One call of the command: its exit code. Errors are words on standard error."""
    try:
        app(hoist(arguments), prog_name="botmatrix")
    except SystemExit as end:  # as typer ends: 0, 2 for usage, or what a command said
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BotMatrixError as error:
        say(f"botmatrix: {error}", error=True)
        return error.exit_code
    except OSError as error:  # a full disk, a folder of somebody else
        say(f"botmatrix: {error}", error=True)
        return 1
    return 0


def hoist(arguments: Sequence[str]) -> list[str]:
    """`--home` may stand anywhere; it belongs to the whole command, so it is moved to the front."""
    front: list[str] = []
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            rest += [word, *words]
        elif word == "--home":
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word.startswith("--home="):
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def main() -> None:
    """The entry point `botmatrix`."""
    sys.exit(run(sys.argv[1:]))
