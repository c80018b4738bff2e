"""`botmatrix config`: show the settings and where they come from, change one, check all."""

from __future__ import annotations

import json as json_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, home_of, run_async, say, settings_of, show
from botmatrix.cli.stored import refreshed
from botmatrix.config import OPTIONS, STORABLE, Option, Settings, check_change, locate, remembered, save_value
from botmatrix.errors import ConfigError, EngineUnavailable

if TYPE_CHECKING:
    from botmatrix.control.settings_keeper import Done

app = typer.Typer(help="Settings: show, set, check.", no_args_is_help=True)
FILE = "Write config.json of this data folder, for this node alone."


@app.command("show")
def show_settings(context: typer.Context, json: Json = False) -> None:
    """Every setting, its value (secrets masked) and its source."""
    settings = newest(context)
    rows = [{"key": o.key, "value": shown(o, settings), "source": settings.source(o.key)} for o in OPTIONS]
    show(rows, ("key", "value", "source"), as_json=json, empty="")


@app.command("set")
def set_value(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The setting's name.")],
    value: Annotated[str, typer.Argument(help="Its value; lists and objects as JSON; null to take it back.")],
    file: Annotated[bool, typer.Option("--file", help=FILE)] = False,
) -> None:
    """Change a setting for all nodes, in the database; what each node has of its own is written to config.json.

    Exit 78 when the value is wrong, or BotMatrix can't start with the settings as they are now.
    """
    if file or key.lower() not in STORABLE:
        _write_file(context, key, value)
    else:
        _write_database(context, key.lower(), value)


@app.command()
def check(context: typer.Context) -> None:
    """Say whether the settings are in order."""
    settings = newest(context)
    say(f"The settings are in order ({settings.home.config}).")


def newest(context: typer.Context) -> Settings:
    """With what the engines hold where they can be reached, else with the last good copy."""
    settings = settings_of(context)
    try:
        settings = connected_settings(context, database=True)
    except EngineUnavailable:
        return settings
    return run_async(lambda: refreshed(settings, database_first=True))


def _write_file(context: typer.Context, key: str, value: str) -> None:
    home = locate(home_of(context))
    try:
        save_value(home, key, typed(value))
    except ConfigError:
        save_value(home, key, value)
    say(f"Written to {home.config}. A restart makes it take effect.")
    settings_of(context)


def _write_database(context: typer.Context, key: str, value: str) -> None:
    raw = _checked(settings_of(context), key, value)
    try:
        settings = connected_settings(context, database=True)
    except EngineUnavailable as error:
        cure = f"{error.cure}; or write config.json of this node: botmatrix config set --file {key} ..."
        raise EngineUnavailable(error.engine, error.reason, cure) from None
    done = run_async(lambda: _change(settings, key, raw))
    effect = "It takes effect at once." if STORABLE[key].hot else "A restart makes it take effect."
    say(f"Kept in the database, for all nodes. {effect if done.published else 'Redis gets it when it is back.'}")
    if settings.source(key) in ("environment", "flag"):
        say(f"Here it has no effect: the environment sets {STORABLE[key].variable}.", error=True)


def _checked(settings: Settings, key: str, value: str) -> Any:
    """The value as JSON, or as the text that it is. Raises `ConfigError`."""
    try:
        check_change(settings.inputs, remembered(settings.home)[0], {key: typed(value)})
    except ConfigError:
        check_change(settings.inputs, remembered(settings.home)[0], {key: value})
        return value
    return typed(value)


async def _change(settings: Settings, key: str, raw: Any) -> Done:
    from botmatrix.bus.client import Client
    from botmatrix.bus.keys import Keys
    from botmatrix.bus.settings import SettingsBox
    from botmatrix.cli.tables import caller, tables_of
    from botmatrix.config import Current
    from botmatrix.control.settings_keeper import SettingsKeeper
    from botmatrix.store.settings import SettingsTable

    box = SettingsBox(Client(settings.redis_url, name="botmatrix-cli"), Keys())
    try:
        async with tables_of(settings) as (database, note):
            keeper = SettingsKeeper(SettingsTable(database), box, Current(settings))
            done = await keeper.change({key: raw}, caller())
            await note("config.set", key, before=dict(done.before), after={key: raw})
            return done
    finally:
        await box.close()


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
