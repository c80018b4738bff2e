"""`botmatrix config`: show the settings and where they come from, change one, check all."""

from __future__ import annotations

import json as json_module
from typing import Annotated, Any

import typer

from botmatrix.cli.common import Json, home_of, say, settings_of, show
from botmatrix.config import OPTIONS, Option, Settings, locate, save_value
from botmatrix.errors import ConfigError

app = typer.Typer(help="Settings: show, set, check.", no_args_is_help=True)


@app.command("show")
def show_settings(context: typer.Context, json: Json = False) -> None:
    """Every setting, its value (secrets masked) and its source."""
    settings = settings_of(context)
    rows = [{"key": o.key, "value": shown(o, settings), "source": settings.source(o.key)} for o in OPTIONS]
    show(rows, ("key", "value", "source"), as_json=json, empty="")


@app.command("set")
def set_value(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The setting's name.")],
    value: Annotated[str, typer.Argument(help="Its value; lists and objects as JSON.")],
) -> None:
    """Write a setting to config.json. Exit 78 when BotMatrix can't start with the settings as they are now."""
    home = locate(home_of(context))
    try:
        save_value(home, key, typed(value))
    except ConfigError:
        save_value(home, key, value)
    say(f"Written to {home.config}. A restart makes it take effect.")
    settings_of(context)


@app.command()
def check(context: typer.Context) -> None:
    """Say whether the settings are in order."""
    settings = settings_of(context)
    say(f"The settings are in order ({settings.home.config}).")


def shown(option: Option, settings: Settings) -> Any:
    """A value as it may be printed."""
    value = getattr(settings, option.key)
    if option.secret and isinstance(value, tuple):
        return [str(item) for item in value]
    if option.secret:
        return value.masked
    return [str(item) for item in value] if isinstance(value, tuple) else value


def typed(value: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json_module.loads(value)
    except ValueError:
        return value
