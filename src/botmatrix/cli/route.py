"""`botmatrix route`: the routing rules."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from botmatrix.cli.common import Json, connected_settings, run_async, say, show, table
from botmatrix.cli.tables import Note, tables_of
from botmatrix.config import Settings
from botmatrix.routing.rule import Rule, as_document, make_rule

if TYPE_CHECKING:
    from botmatrix.bus.client import Client
    from botmatrix.control.explain import Explained
    from botmatrix.control.rules import RuleBook
    from botmatrix.store.tasks import Tasks

app = typer.Typer(help="Routing rules: who is served by which worker.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="user_ID, group_ID, bot_ID or a bare id; * stands for anything.")]
File = Annotated[Path, typer.Argument(help="A YAML file; - is standard input or output.")]


@app.command("list")
def list_rules(context: typer.Context, json: Json = False) -> None:
    """Every rule."""
    settings = connected_settings(context, database=True)

    async def look() -> list[Rule]:
        async with book_of(settings) as (book, _):
            return list((await book.all()).values())

    columns = ("key", "target", "priority", "fallback", "deliver", "disabled")
    defaults = {"priority": 0, "fallback": "balance", "deliver": "one", "disabled": False}
    rows = [{**defaults, **as_document(rule)} for rule in run_async(look)]
    show(rows, columns, as_json=json, empty="There are no rules: every event is balanced in the default pool.")


@app.command("set")
def set_rule(
    context: typer.Context,
    key: Key,
    target: Annotated[str, typer.Argument(help="A worker's id or pool:NAME, several with commas between, or block.")],
    priority: Annotated[int, typer.Option(help="The higher of two wildcards decides.")] = 0,
    fallback: Annotated[str, typer.Option(help="While the target is away: balance, wait or drop.")] = "balance",
    deliver: Annotated[str, typer.Option(help="one of several targets gets it, or all a copy.")] = "one",
    disabled: Annotated[bool, typer.Option("--disabled", help="Keep the rule, but do not follow it.")] = False,
) -> None:
    """Make a rule, or change the one with this key."""
    rule = make_rule(key, target, priority=priority, fallback=fallback, deliver=deliver, disabled=disabled)
    settings = connected_settings(context, database=True)

    async def save() -> list[str]:
        from botmatrix.bus.keys import Keys
        from botmatrix.control.rules import said, warnings

        async with book_of(settings) as (book, note):
            saved = await book.save([rule])
            await note("route.set", key, before=said(saved.before.get(key)), after=said(rule))
        async with redis_of(settings) as redis:
            return await warnings(rule, redis, Keys())

    away = run_async(save)
    say(f"{key} goes to {target}." if not disabled else f"The rule for {key} is kept, and not followed.")
    for warning in away:
        say(f"Note: {warning}.")


@app.command()
def unset(context: typer.Context, key: Key) -> None:
    """Delete a rule."""
    settings = connected_settings(context, database=True)

    async def delete() -> None:
        from botmatrix.control.rules import said

        async with book_of(settings) as (book, note):
            await note("route.unset", key, before=said(await book.delete(key)))

    run_async(delete)
    say(f"The rule for {key} is gone.")


@app.command()
def explain(
    context: typer.Context,
    user: Annotated[str, typer.Option(help="The user's id.")] = "",
    group: Annotated[str, typer.Option(help="The group's id.")] = "",
    bot: Annotated[str, typer.Option(help="platform:self_id, or the bot's own id.")] = "",
    text: Annotated[str, typer.Option(help="What it says.")] = "",
    json: Json = False,
) -> None:
    """Where a message would go now, and why."""
    settings = connected_settings(context)
    said = (("user_id", user), ("group_id", group), ("message", text), ("raw_message", text))
    event = {name: value for name, value in said if value}

    async def ask() -> Explained:
        from botmatrix.bus.keys import Keys
        from botmatrix.control.explain import Explainer

        async with redis_of(settings) as redis, _tasks_of(settings) as tasks:
            return await Explainer(redis, Keys(), lambda: settings, tasks).explain(event, bot)

    _tell(run_async(ask), as_json=json)


@app.command("import")
def import_rules(
    context: typer.Context,
    file: File,
    replace: Annotated[bool, typer.Option("--replace", help="Delete every rule that is not in the file.")] = False,
) -> None:
    """Make or change all rules of a file, or none when one of them is wrong."""
    from botmatrix.routing.document import in_order, load_rules

    rules = in_order(load_rules(_read(file)), time.time())
    settings = connected_settings(context, database=True)

    async def save() -> None:
        from botmatrix.control.rules import noted

        async with book_of(settings) as (book, note):
            saved = await book.save(rules, replace=replace)
            before, after = noted((*saved.before.values(), *saved.deleted)), noted(saved.rules)
            await note("route.import", f"{len(rules)} rules", before=before, after=after)

    run_async(save)
    say(f"{len(rules)} rules imported.")


@app.command("export")
def export_rules(context: typer.Context, file: File = Path("-")) -> None:
    """Write all rules to a file that `import` reads."""
    from botmatrix.routing.document import dump_rules

    settings = connected_settings(context, database=True)

    async def look() -> list[Rule]:
        async with book_of(settings) as (book, _):
            return list((await book.all()).values())

    text = dump_rules(run_async(look))
    if str(file) == "-":
        typer.echo(text, nl=False)
    else:
        file.write_text(text, encoding="utf-8")


@app.command("test")
def test_rules(
    rules: File, cases: Annotated[Path, typer.Argument(help="A YAML file with cases (docs/routing.md).")]
) -> None:
    """Check a file of rules against cases, without any engine. Exit code 1 when a case fails."""
    from botmatrix.routing.document import load_cases, load_rules, run_cases

    outcomes = run_cases(load_rules(_read(rules)), load_cases(_read(cases)))
    failed = [outcome for outcome in outcomes if outcome.problem]
    for case, problem in failed:
        say(f"FAILED  {case.name}: {problem}")
    say(f"{len(outcomes) - len(failed)} of {len(outcomes)} cases passed.")
    if failed:
        raise typer.Exit(1)


@asynccontextmanager
async def book_of(settings: Settings) -> AsyncIterator[tuple[RuleBook, Note]]:
    """The routing rules of a matrix, and what writes a change of them into the operation log."""
    from botmatrix.bus.keys import Keys
    from botmatrix.bus.rules import RulesMirror
    from botmatrix.control.rules import RuleBook
    from botmatrix.store.operations import Operations
    from botmatrix.store.rules import StoredRules

    async with tables_of(settings) as (database, note), redis_of(settings) as redis:
        yield RuleBook(StoredRules(database), RulesMirror(redis, Keys()), Operations(database)), note


@asynccontextmanager
async def _tasks_of(settings: Settings) -> AsyncIterator[Tasks | None]:
    """The table of tasks, where there is one to look into."""
    from botmatrix.store.tasks import Tasks

    if not settings.database_url or not settings.enable_skill:
        yield None
        return
    async with tables_of(settings) as (database, _):
        yield Tasks(database)


@asynccontextmanager
async def redis_of(settings: Settings) -> AsyncIterator[Client]:
    """A connection to Redis."""
    from botmatrix.bus.client import Client

    redis = Client(settings.redis_url, name="botmatrix-cli")
    try:
        yield redis
    finally:
        await redis.close()


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file} is no text in UTF-8") from None


def _tell(explained: Explained, *, as_json: bool) -> None:
    found = explained.explanation
    if as_json:
        from botmatrix.control.api.routing import answer_of

        typer.echo(answer_of(explained).model_dump_json(indent=2))
        return
    why = explained.why
    say(f"{explained.conversation}: {explained.verdict}. {why[:1].upper()}{why[1:]}.")
    for note in explained.notes:
        say(f"- {note.words}")
    lost = [[hit.rule.key, hit.rule.target, why] for hit, why in found.lost]
    candidates = [[way.target, one.lane, one.pool, f"{one.score:.4f}"] for way in found.ways for one in way.candidates]
    columns = ("target", "candidate", "pool", "score")
    for rows, names in ((lost, ("lost", "target", "why")), (candidates, columns)):
        for line in table(rows, names) if rows else ():
            say(line)
    for lane in filter(None, explained.last_lanes):
        say(f"The conversation was last on {lane}; it stays until everything of it there is settled.")
