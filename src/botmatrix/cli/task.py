"""`botmatrix task`: what is to be done at some time, or when something happens."""

from __future__ import annotations

import json as json_text
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, presence_of, run_async, say, show
from botmatrix.cli.skill import BadPair, require_skills
from botmatrix.cli.tables import Note, caller, tables_of
from botmatrix.config import Settings

if TYPE_CHECKING:
    from botmatrix.control.tasks import TaskDesk
    from botmatrix.store.executions import Executions
    from botmatrix.tasks.definition import Definition

app = typer.Typer(
    help="Tasks: list, add, run, enable, disable, delete, executions, cancel, tags, tag, untag.", no_args_is_help=True
)

_LARGEST = (1 << 63) - 1
Id = Annotated[int, typer.Argument(help="The number of the task, as `list` shows it.", min=1, max=_LARGEST)]
Tag = Annotated[str, typer.Argument(help="The tag.")]
Target = Annotated[str, typer.Argument(help="group:77 or friend:12345; on another platform kook:group:77.")]


@app.command("list")
def list_tasks(context: typer.Context, json: Json = False) -> None:
    """Every task."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        from botmatrix.store.tasks import WantedTasks

        async with _desk(settings) as (desk, _, _note):
            found, _total = await desk.tasks.find(WantedTasks(limit=10_000))
        columns = ("id", "name", "type", "action_type", "status", "next_run_time", "last_run_time", "time_zone")
        rows = [{name: getattr(one, name) for name in columns} for one in found]
        return [{**row, "trigger": json_text.dumps(one.trigger_config)} for row, one in zip(rows, found, strict=True)]

    columns = ("id", "name", "type", "trigger", "action_type", "status", "next_run_time")
    show([_dashed(row) for row in run_async(look)], columns, as_json=json, empty="There are no tasks.")


@app.command()
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is called.")],
    action: Annotated[str, typer.Argument(help="send_message, mute_group, unmute_group or skill_call.")],
    params: Annotated[list[str], typer.Argument(help="bot_id=qq:10001 group_id=77 message=早")],
    cron: Annotated[str, typer.Option(help="Five fields: '0 23 * * *'.")] = "",
    once: Annotated[str, typer.Option(help="A moment: 2026-12-24T18:00.")] = "",
    delay: Annotated[float | None, typer.Option(help="Seconds from now.", min=0)] = None,
    on: Annotated[str, typer.Option(help='A condition, as JSON: \'{"event": "message", "keyword": "广告"}\'.')] = "",
    zone: Annotated[str, typer.Option(help="The time zone of --cron and --once, as in Asia/Shanghai.")] = "UTC",
    tag: Annotated[list[str] | None, typer.Option(help="Do it for every group and friend with this tag.")] = None,
    retries: Annotated[int, typer.Option(help="How often it is tried again.", min=0, max=10)] = 3,
) -> None:
    """Make a task. One of --cron, --once, --delay and --on says when."""
    described = _definition(
        name=name,
        action=action,
        params=dict(map(_pair, params)),
        when=_when(cron, once, delay, on),
        zone=zone,
        tags=tag or [],
        retries=retries,
    )
    settings = connected_settings(context, database=True)

    async def make() -> str:
        async with _desk(settings) as (desk, _, note):
            task = await desk.create(described, caller())
            await note("task.create", f"{task.id} {task.name}", after=_said(described))
            return f"Task {task.id} " + (
                f"runs at {task.next_run_time}." if task.next_run_time else "waits for events."
            )

    say(run_async(make))


@app.command()
def run(context: typer.Context, task: Id) -> None:
    """Set a task off now; its schedule stays as it is."""
    settings = connected_settings(context, database=True)

    async def set_off() -> list[str]:
        async with _desk(settings) as (desk, _, note):
            found, made = await desk.run(task, caller())
            await note("task.run", f"{found.id} {found.name}", after={"executions": len(made)})
            return made

    for execution in run_async(set_off):
        typer.echo(execution)


@app.command()
def enable(context: typer.Context, task: Id) -> None:
    """Let a paused task go on, from now."""
    _change(context, task, "pending")
    say(f"Task {task} is on.")


@app.command()
def disable(context: typer.Context, task: Id) -> None:
    """Pause a task."""
    _change(context, task, "disabled")
    say(f"Task {task} is paused.")


@app.command()
def delete(context: typer.Context, task: Id) -> None:
    """Delete a task and its executions."""
    settings = connected_settings(context, database=True)

    async def drop() -> None:
        async with _desk(settings) as (desk, _, note):
            found = await desk.delete(task)
            await note("task.delete", f"{found.id} {found.name}")

    run_async(drop)
    say(f"Task {task} is deleted.")


@app.command()
def executions(
    context: typer.Context,
    task: Annotated[int | None, typer.Argument(help="Of this task only.", min=1, max=_LARGEST)] = None,
    size: Annotated[int, typer.Option(help="How many.", min=1, max=1000)] = 20,
    json: Json = False,
) -> None:
    """What was done, the newest first."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        from dataclasses import asdict

        from botmatrix.store.executions import Wanted

        async with _desk(settings) as (_, executions, _note):
            found, _total = await executions.find(Wanted(task_id=task, limit=size))
            return [asdict(one) for one in found]

    columns = ("task_id", "execution_id", "status", "trigger_time", "retry_count", "next_retry_time", "cause", "error")
    show([_dashed(row) for row in run_async(look)], columns, as_json=json, empty="Nothing was done yet.")


@app.command()
def cancel(context: typer.Context, execution: Annotated[str, typer.Argument(help="The id of the execution.")]) -> None:
    """End an execution that waits, runs or is to be tried again."""
    settings = connected_settings(context, database=True)

    async def end() -> None:
        async with _desk(settings) as (desk, _, note):
            found = await desk.cancel(execution, caller())
            await note("task.cancel", f"{found.task_id} {execution}")

    run_async(end)
    say(f"{execution} is cancelled.")


@app.command()
def tags(context: typer.Context, json: Json = False) -> None:
    """Tags on groups and friends."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        async with _desk(settings) as (desk, _, _note):
            found, _total = await desk.tags.find(q="", limit=100_000, offset=0)
            return [{"tag": t.name, "platform": t.platform, "type": t.type, "target_id": t.target_id} for t in found]

    show(run_async(look), ("tag", "platform", "type", "target_id"), as_json=json, empty="There are no tags.")


@app.command()
def tag(context: typer.Context, tag: Tag, target: Target) -> None:
    """Put a tag on a group or friend."""
    _retag(context, tag, target, add=True)


@app.command()
def untag(context: typer.Context, tag: Tag, target: Target) -> None:
    """Take a tag off a group or friend."""
    _retag(context, tag, target, add=False)


def _change(context: typer.Context, task: int, status: str) -> None:
    settings = connected_settings(context, database=True)

    async def change() -> None:
        async with _desk(settings) as (desk, _, note):
            before, after = await desk.edit(task, {"status": status})
            said = {"before": {"status": before.status}, "after": {"status": after.status}}
            await note("task.edit", f"{after.id} {after.name}", **said)

    run_async(change)


def _retag(context: typer.Context, name: str, target: str, *, add: bool) -> None:
    from botmatrix.store.tags import Tagged
    from botmatrix.tasks.definition import label
    from botmatrix.tasks.ids import id_text
    from botmatrix.tasks.model import TargetType

    *front, kind, whom = target.split(":") if ":" in target else ("", target)
    if len(front) > 1 or kind not in tuple(TargetType):
        raise typer.BadParameter("write group:ID, friend:ID, or PLATFORM:group:ID", param_hint="TARGET")
    platform = (front or ["qq"])[0].lower()
    tagged = Tagged(label("TAG", name), platform, TargetType(kind), id_text("TARGET", whom))
    settings = connected_settings(context, database=True)

    async def change() -> bool:
        async with _desk(settings) as (desk, _, note):
            changed = await (desk.tags.add(tagged) if add else desk.tags.remove(tagged))
            await note("tag.add" if add else "tag.remove", f"{tagged.name} {platform}:{kind}:{whom}")
            return changed

    say(("Done." if add else "Taken off.") if run_async(change) else "It was so already.")


def _when(cron: str, once: str, delay: float | None, on: str) -> tuple[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {}
    if cron:
        given["cron"] = {"cron": cron}
    if once:
        given["once"] = {"time": once}
    if delay is not None:
        given["delayed"] = {"delay": delay}
    if on:
        given["condition"] = _object(on)
    if len(given) != 1:
        raise typer.BadParameter("say when, in one way", param_hint="--cron, --once, --delay or --on")
    return next(iter(given.items()))


def _definition(
    *,
    name: str,
    action: str,
    params: dict[str, Any],
    when: tuple[str, dict[str, Any]],
    zone: str,
    tags: list[str],
    retries: int,
) -> Definition:
    from botmatrix.tasks.definition import Definition
    from botmatrix.tasks.model import ActionType, TaskType

    if action not in tuple(ActionType):
        raise typer.BadParameter(f"an action is one of {', '.join(ActionType)}", param_hint="ACTION")
    if "duration" in params:
        params["duration"] = int(params["duration"]) if params["duration"].isdecimal() else params["duration"]
    type, config = when
    return Definition(
        name=name,
        type=TaskType(type),
        trigger_config=config,
        action_type=ActionType(action),
        action_params=params,
        time_zone=zone,
        tags=tags,
        max_retries=retries,
    ).checked()


def _object(text: str) -> dict[str, Any]:
    try:
        found = json_text.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--on")
    return found


def _pair(text: str) -> tuple[str, Any]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise BadPair(text)
    return name, value


def _said(definition: Definition) -> dict[str, Any]:
    from dataclasses import asdict

    return {name: value for name, value in asdict(definition).items() if name != "name"}


def _dashed(row: dict[str, Any]) -> dict[str, Any]:
    return {name: "-" if value is None else value for name, value in row.items()}


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncIterator[tuple[TaskDesk, Executions, Note]]:
    """Raises `SkillsOff`."""
    from botmatrix.bus.client import Client
    from botmatrix.bus.keys import Keys
    from botmatrix.control.skills import SkillDesk
    from botmatrix.control.tasks import TaskDesk
    from botmatrix.store.executions import Executions

    redis = Client(settings.redis_url, name="botmatrix-cli")
    try:
        async with presence_of(settings) as presence, tables_of(settings) as (database, note):
            await require_skills(presence)
            executions = Executions(database)
            skills = SkillDesk(settings.redis_url, Keys(), executions, presence)
            try:
                yield TaskDesk(database, redis, Keys(), skills), executions, note
            finally:
                await skills.close()
    finally:
        await redis.close()
