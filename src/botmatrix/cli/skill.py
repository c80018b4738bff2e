"""`botmatrix skill`: what workers can do, and having them do it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, show
from botmatrix.config import Settings
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from botmatrix.bus.presence import Presence
    from botmatrix.control.skills import SkillDesk

app = typer.Typer(help="Skills: list them, call one.", no_args_is_help=True)


class SkillsOff(BotMatrixError):
    """No nexus has the skill system on."""

    def __init__(self) -> None:
        super().__init__("the skill system is off: set enable_skill to true and restart every part")


class BadPair(BotMatrixError):
    """A parameter is not written `name=value`."""

    def __init__(self, pair: str) -> None:
        super().__init__(f"{pair!r}: write parameters as name=value")


@app.command("list")
def list_skills(context: typer.Context, json: Json = False) -> None:
    """The skills that workers have now."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        async with _desk(settings) as desk:
            found = await desk.skills()
        return [
            {"name": name, "usage": one.usage, "description": one.description, "workers": ",".join(workers)}
            for name, (one, workers) in found.items()
        ]

    show(run_async(look), ("name", "usage", "description", "workers"), as_json=json, empty="No worker has a skill.")


@app.command("call")
def call_skill(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The skill.")],
    params: Annotated[list[str] | None, typer.Argument(help="Its parameters: city=上海 days=3")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the result.", min=0.1)] = 30.0,
) -> None:
    """Call a skill, wait, and print its result. Ends with 1 when it failed or is not done in time."""
    given = dict(_pair(one) for one in params or ())
    settings = connected_settings(context, database=True)

    from botmatrix.control.skills import Caller
    from botmatrix.skills.permission import SkillPermissions
    from botmatrix.store.tables import Role

    async def call() -> bool:
        async with _desk(settings) as desk:
            caller = Caller("command line", Role.OWNER, SkillPermissions(settings.skill_permissions))
            made = await desk.make(name, given, caller, limit=max(timeout, 300.0))
            found = await desk.end(made, timeout)
        if found.status == "success":
            typer.echo(found.result)
            return True
        say(f"botmatrix: {name} is {found.status}: {found.error or 'not done yet'}", error=True)
        say(f"Execution {found.execution_id}", error=True)
        return False

    if not run_async(call):
        raise typer.Exit(1)


async def require_skills(presence: Presence) -> None:
    """Raises `SkillsOff` unless some nexus has the skill system on."""
    nexuses = await presence.nexuses()
    if not any(one["alive"] == "1" and one.get("enable_skill") == "true" for one in nexuses):
        raise SkillsOff


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise BadPair(text)
    return name, value


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncIterator[SkillDesk]:
    """Raises `SkillsOff`."""
    from botmatrix.bus.keys import Keys
    from botmatrix.control.skills import SkillDesk
    from botmatrix.store.engine import Database
    from botmatrix.store.executions import Executions

    async with presence_of(settings) as presence:
        await require_skills(presence)
        database = Database(str(settings.database_url), part="cli")
        desk = SkillDesk(settings.redis_url, Keys(), Executions(database), presence)
        try:
            yield desk
        finally:
            await desk.close()
            await database.close()
