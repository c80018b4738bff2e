"""`botmatrix plugin`: packages made, installed, upgraded, rolled back, removed; and what their plugins may do."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from botmatrix.cli.common import Json, connected_settings, run_async, say, settings_of, show
from botmatrix.cli.plugin_desk import Desk, Rows, desk_of, show_rows
from botmatrix.cli.tables import caller
from botmatrix.errors import BotMatrixError

if TYPE_CHECKING:
    from botmatrix.core.plugins import PluginWishes

Id = Annotated[str, typer.Argument(help="The plugin's id.")]
Version = Annotated[str, typer.Argument(help="A version that is kept.", show_default=False)]


def new(
    context: typer.Context,
    id: Annotated[str, typer.Argument(metavar="NAME", help="The new plugin's id.")],
    lang: Annotated[str, typer.Option(help="python, go, node or csharp.")] = "python",
    into: Annotated[
        Path | None, typer.Option(help="Where its folder goes; else to the workers' plugins.", show_default=False)
    ] = None,
) -> None:
    """Make a new plugin that works, with a test."""
    from botmatrix.cli.skeleton import make

    folder = into or next(iter(settings_of(context).plugin_dirs))
    made = make(id, lang, folder)
    say(f"{made.folder} is a plugin.")
    if made.build and not made.built:
        say(f"Build it there, now and after each change: {made.build}")
    elif made.build:
        say(f"It is built; after each change: {made.build}")
    say(f"Its test, there: {made.test}")
    say(f"A running worker that watches this folder has it: say /{id} to a bot, or in `botmatrix sim`.")


def pack(
    folder: Annotated[Path, typer.Argument(help="Folder with a plugin.json.")],
    into: Annotated[Path, typer.Option(help="Where the package goes.")] = Path(),
) -> None:
    """Make a package (.bmpk) of a plugin's folder."""
    from botmatrix.cli import packing

    package, data = packing.pack(folder)
    path = into / package.file_name
    path.write_bytes(data)
    say(f"{path}  {package.size} bytes  sha256 {package.sha256}")


def install(
    context: typer.Context,
    what: Annotated[str, typer.Argument(metavar="FILE|URL|FOLDER", help="A package, or the folder to make one of.")],
    sha256: Annotated[str, typer.Option(help="What the package must be.")] = "",
    grant: Annotated[list[str] | None, typer.Option(help="An action that it may do; repeatable.")] = None,
) -> None:
    """Keep a package, and have every worker run it."""

    async def work(desk: Desk) -> Rows:
        with tempfile.SpooledTemporaryFile(1 << 20) as file:
            name = await _open(what, file)
            added = await desk.shelf.add(file, caller(), name=name, sha256=sha256)
        manifest, digest = added.package.manifest, added.package.sha256
        await desk.note("plugin.package", manifest.id, after={"version": manifest.version, "sha256": digest})
        say(f"{manifest.id} {manifest.version}  sha256 {digest}")
        if grant:
            await _grant(desk, manifest.id, grant)
        return await _activate(desk, manifest.id, manifest.version)

    _run(context, work)


def upgrade(context: typer.Context, plugin: Id, version: Version = "") -> None:
    """Have every worker run another version that is kept: the newest, or the one named."""
    _run(context, lambda desk: _activate(desk, plugin, version))


def rollback(context: typer.Context, plugin: Id) -> None:
    """Have every worker run the version that it ran before."""
    from botmatrix.core.plugins import rolled_back

    async def work(desk: Desk) -> Rows:
        before = await desk.told(plugin)
        saved = await desk.keeper.change(lambda wishes: rolled_back(wishes, plugin), caller())
        package = saved.config.wish(plugin).package
        version = package.version if package else ""
        await desk.note("plugin.rollback", plugin, after={"version": version})
        return await _come_to(desk, plugin, version, before)

    _run(context, work)


def remove(context: typer.Context, plugin: Id, version: Version = "") -> None:
    """Keep a plugin's packages no longer, or only one version that no worker runs."""

    async def work(desk: Desk) -> Rows:
        if version:
            await desk.shelf.remove_version(plugin, version, caller())
        else:
            await desk.shelf.remove(plugin, caller())
        await desk.note("plugin.remove", plugin, before={"version": version} if version else None)
        say(f"{plugin} {version}".rstrip() + " is kept no longer.")
        return {}

    _run(context, work)


def grant(
    context: typer.Context,
    plugin: Id,
    actions: Annotated[
        list[str] | None, typer.Argument(help="What it may do, and nothing else; * for all.", show_default=False)
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Say nothing of what it may do any more.")] = False,
) -> None:
    """Say what a plugin may do; it counts at once."""

    async def work(desk: Desk) -> Rows:
        await _grant(desk, plugin, None if forget else actions or [])
        return {}

    _run(context, work)


def packages(context: typer.Context, json: Json = False) -> None:
    """The packages that are kept, and which every worker runs."""
    settings = connected_settings(context, database=True)

    async def look() -> list[dict[str, Any]]:
        async with desk_of(settings) as desk:
            wishes = (await desk.keeper.current()).config
            return [_row(row, wishes) for row in await desk.shelf.packages.list()]

    columns = ("id", "version", "state", "size", "added_at", "added_by", "sha256")
    show(run_async(look), columns, as_json=json, empty="No package is kept.")


def _run(context: typer.Context, work: Callable[[Desk], Awaitable[Rows]]) -> None:
    settings = connected_settings(context, database=True)

    async def run() -> Rows:
        async with desk_of(settings) as desk:
            return await work(desk)

    show_rows(run_async(run))


async def _open(what: str, file: IO[bytes]) -> str:
    """Write a package into a file: what it was called, as far as that counts."""
    from botmatrix.control.fetch import fetch

    return await fetch(what, file) if "://" in what else _read(Path(what), file)


def _read(path: Path, file: IO[bytes]) -> str:
    from botmatrix.cli import packing
    from botmatrix.core.archive import LARGEST

    if path.is_dir():
        file.write(packing.pack(path)[1])
        return ""
    try:
        with path.open("rb") as source:
            file.write(source.read(LARGEST + 1))
    except OSError as error:
        raise BotMatrixError(f"{path}: {error.strerror}") from error
    return path.name


async def _activate(desk: Desk, plugin: str, version: str) -> Rows:
    before = await desk.told(plugin)
    package = (await desk.shelf.activate(plugin, version, caller())).config.wish(plugin).package
    chosen = package.version if package else ""
    await desk.note("plugin.activate", plugin, after={"version": chosen})
    return await _come_to(desk, plugin, chosen, before)


async def _come_to(desk: Desk, plugin: str, version: str, before: Rows) -> Rows:
    def is_so(row: dict[str, Any]) -> bool:
        serves = row.get("version") == version and not row.get("error")  # else the error is of another version
        return serves or f"bmpk {plugin} {version}" in row.get("shadowed", ())

    return await desk.settled(plugin, before, await desk.workers(), is_so)


async def _grant(desk: Desk, plugin: str, actions: list[str] | None) -> None:
    from pydantic import ValidationError

    from botmatrix.core.plugins import Wish, granted

    try:
        Wish(grants=None if actions is None else tuple(actions))
    except ValidationError as error:
        raise BotMatrixError(f"this is no name of an action: {error.errors()[0]['input']!r}") from None
    await desk.keeper.change(lambda wishes: granted(wishes, plugin, actions), caller())
    await desk.note("plugin.grant", plugin, after={"grants": actions})
    allowed = "what it may do is not said" if actions is None else f"may do {', '.join(actions) or 'nothing more'}"
    say(f"{plugin}: {allowed}")


def _row(row: Any, wishes: PluginWishes) -> dict[str, Any]:
    wish = wishes.wish(row.plugin)
    states = {one.sha256: name for one, name in ((wish.previous, "previous"), (wish.package, "active")) if one}
    added = row.added_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    about = {"id": row.plugin, "version": row.version, "state": states.get(row.sha256, ""), "size": row.size}
    return {**about, "added_at": added, "added_by": row.added_by, "sha256": row.sha256}
