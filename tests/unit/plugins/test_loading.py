"""Plugins come, go, and fail without hurting anybody."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests.unit.plugins.conftest import Open
from tests.unit.plugins.fakes import Platform, Room, write_plugin

from botmatrix.worker.plugins import source as sources
from botmatrix.worker.plugins.blocked import _plugins as claimed
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.source import Source, discover

EVERYTHING = """
    def note(text):
        with open(__file__ + ".log", "a") as log: log.write(text)
    seen = []
    @plugin.on_startup
    async def up(app): seen.append(app.id)
    @plugin.on_shutdown
    def down(app): note("down 1 ")
    @plugin.on_shutdown
    async def down2(app): note("down 2 ")
    @plugin.command("hi", aliases={"hello"}, bare=True)
    async def hi(ctx): return f"hi {seen[0]}"
    @plugin.on_message("x")
    async def x(ctx): return "x"
    @plugin.on_notice()
    async def n(ctx): return "n"
    @plugin.on_request("friend")
    async def r(ctx): return "r"
"""


def modules() -> set[str]:
    return {name for name in sys.modules if name.startswith("botmatrix_plugin_")}


async def test_unloading_leaves_nothing_behind(open_room: Open, host: Host, tmp_path: Path) -> None:
    before = (modules(), dict(claimed))
    table = host._table
    empty = {name: dict(vars(table)[name]) for name in ("_commands", "_bare", "_others")}
    room = await open_room(EVERYTHING)
    assert await room.say("hello") == ["hi mine"]
    await host.unload("mine")
    for said in ("hello", "/hi", "x"):
        assert await room.say(said) == []
    assert await room.say("", post_type="notice") == []
    assert {name: vars(table)[name] for name in empty} == empty
    assert table._messages == []
    assert (modules(), dict(claimed)) == before
    assert host.commands() == []
    assert host.plugins == []
    assert (tmp_path / "mine.py.log").read_text() == "down 2 down 1 "
    with pytest.raises(KeyError):
        await host.unload("mine")


async def test_a_plugin_loaded_again_runs_its_new_code(host: Host, platform: Platform, tmp_path: Path) -> None:
    room = Room(platform, host)
    for answer in ("one", "two", "six"):  # the same size, within one second
        await host.load(write_plugin(tmp_path, f"@plugin.command('go')\nasync def go(ctx): return '{answer}'\n"))
        assert await room.say("/go") == [answer]
        await host.unload("mine")


async def test_handlers_of_plugins_that_stay_are_left_alone(open_room: Open, host: Host) -> None:
    code = """
        @plugin.command("go", block=False)
        async def go(ctx): return plugin.id
    """
    room = await open_room(code, other=code, third=code)
    await host.unload("other")
    assert await room.say("/go") == ["mine", "third"]
    await host.unload("mine")
    assert await room.say("/go") == ["third"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("def (", "SyntaxError"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("plugin = None", "defines no plugin"),
        ("plugin = None; a = Plugin('a'); b = Plugin('b')", "defines no plugin"),
        ("plugin = Plugin('no spaces')", "is no plugin id"),
        ("plugin = Plugin('x', permissions=['Send Msg'])", "is no permission"),
        ("@plugin.command('two words')\nasync def a(ctx): ...", "is no command"),
        ("@plugin.command('a')\nasync def a(): ...", "must take the context"),
        ("@plugin.command('a')\nasync def a(ctx, x: list[int]): ...", "a(x): list[int] can't be read"),
        ("@plugin.command('a')\nasync def a(ctx, **x): ...", "can't be filled"),
        ("@plugin.command('a', timeout=0)\nasync def a(ctx): ...", "timeout"),
        ("@plugin.on_message('(')\nasync def a(ctx): ...", "error"),
        ("@plugin.on_startup\nasync def up(app): raise OSError('no disk')", "OSError: no disk"),
        ("@plugin.on_startup\ndef up(app): raise OSError('no disk')", "OSError: no disk"),
        (
            "from pydantic import BaseModel\nclass C(BaseModel):\n    key: str\nplugin = Plugin('mine', config=C)",
            "its settings do not fit: key: Field required",
        ),
    ],
)
async def test_plugin_that_fails_to_load_is_reported_and_leaves_nothing(
    host: Host, tmp_path: Path, code: str, error: str
) -> None:
    before = (modules(), dict(claimed))
    info = await host.load(write_plugin(tmp_path, code))
    assert (info.state, info.id) == (PluginState.FAILED, "mine")
    assert error in info.error
    assert host.plugins == [info]
    assert (modules(), dict(claimed)) == before
    again = await host.load(write_plugin(tmp_path, "@plugin.command('go')\nasync def go(ctx): return 'ok'"))
    assert host.plugins == [again]
    assert again.state is PluginState.LOADED


async def test_startup_that_fails_is_undone_by_shutdown(host: Host, tmp_path: Path) -> None:
    code = """
    def note(text):
        with open(__file__ + ".log", "a") as log: log.write(text)
    @plugin.on_shutdown
    async def down(app): note("down")
    @plugin.on_startup
    async def up(app): raise OSError
    """
    await host.load(write_plugin(tmp_path, code))
    assert (tmp_path / "mine.py.log").read_text() == "down"


async def test_shutdown_that_raises_does_not_keep_the_rest_from_being_undone(open_room: Open, host: Host) -> None:
    room = await open_room("""
        @plugin.on_shutdown
        async def down(app): raise ValueError
        @plugin.command("go")
        async def go(ctx): return "go"
    """)
    await host.unload("mine")
    assert await room.say("/go") == []
    assert not modules()


async def test_second_plugin_with_an_id_is_refused(host: Host, tmp_path: Path) -> None:
    await host.load(write_plugin(tmp_path, "", "mine"))
    other = write_plugin(tmp_path, "plugin = Plugin('mine')", "other")
    info = await host.load(other)
    assert info.error == f"the id 'mine' is taken by {tmp_path / 'mine.py'}"


async def test_disabled_plugins_are_not_even_imported(host: Host, platform: Platform, tmp_path: Path) -> None:
    platform.settings.disabled_plugins = ["mine", "by_id"]
    info = await host.load(write_plugin(tmp_path, "raise RuntimeError"))
    assert info.state is PluginState.DISABLED
    info = await host.load(write_plugin(tmp_path, "plugin = Plugin('by_id')", "other"))
    assert info.state is PluginState.DISABLED
    assert not modules()


async def test_config_is_the_plugins_model(open_room: Open) -> None:
    room = await open_room("""
        from pydantic import BaseModel
        class Config(BaseModel):
            units: str = "metric"
        plugin = Plugin("mine", config=Config)
        @plugin.on_message()
        async def units(ctx): return ctx.config.units
    """)
    assert await room.say("x") == ["metric"]


async def test_plugins_are_found_in_files_folders_and_packages(
    tmp_path: Path, platform: Platform, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_plugin(tmp_path, "", "single")
    write_plugin(tmp_path, "", "_hidden")
    (tmp_path / "notes.txt").write_text("no plugin")
    (tmp_path / "empty").mkdir()
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("from .part import plugin")
    (package / "part.py").write_text("from botmatrix import Plugin\nplugin = Plugin('package')")
    described = tmp_path / "described"
    described.mkdir()
    (described / "plugin.json").write_text('{"id": "described", "name": "Described"}')
    (described / "plugin.py").write_text("from botmatrix import Plugin\nmine = Plugin('described')")
    entry = EntryPoint("installed", "tests.unit.plugins.installed:plugin", sources.GROUP)
    monkeypatch.setattr(sources, "entry_points", lambda group: [entry] if group == sources.GROUP else [])
    platform.settings.plugin_dirs = [tmp_path, tmp_path / "missing"]

    assert [(found.kind, found.name) for found in discover([tmp_path])] == [
        ("file", "described"),
        ("file", "package"),
        ("file", "single"),
        ("package", "installed"),
        ("built-in", "echo"),
        ("built-in", "help"),
        ("built-in", "ping"),
        ("built-in", "status"),
    ]
    await host.load_all()
    assert [(info.id, info.state, info.error) for info in host.plugins] == [
        (id, PluginState.LOADED, "")
        for id in ("described", "package", "single", "installed", "echo", "help", "ping", "status")
    ]
    assert await Room(platform, host).say("/installed") == ["from a package"]
    await host.close()
    assert not modules()


@pytest.mark.parametrize(
    ("manifest", "code", "error"),
    [
        ('{"id": "other"}', "plugin = Plugin('mine')", 'must say "id": "mine"'),
        ("{", "plugin = Plugin('mine')", "is no JSON"),
        ("[]", "plugin = Plugin('mine')", "must be one JSON object"),
        ('{"id": "mine"}', None, "has no plugin.py"),
    ],
)
async def test_folder_whose_manifest_does_not_fit_is_refused_in_words(
    host: Host, tmp_path: Path, manifest: str, code: str | None, error: str
) -> None:
    (tmp_path / "plugin.json").write_text(manifest)
    if code:
        (tmp_path / "plugin.py").write_text(f"from botmatrix import *\n{code}")
    info = await host.load(Source("file", "mine", tmp_path))
    assert info.state is PluginState.FAILED
    assert error in info.error


async def test_administrators_plugin_takes_the_place_of_a_built_in(
    host: Host, platform: Platform, tmp_path: Path
) -> None:
    write_plugin(tmp_path, "@plugin.command('ping')\nasync def ping(ctx): return 'mine'", "ping")
    platform.settings.plugin_dirs = [tmp_path]
    await host.load_all()
    assert await Room(platform, host).say("/ping") == ["mine"]
    (serving,) = [info for info in host.plugins if info.id == "ping"]
    assert (serving.state, serving.shadowed) == (PluginState.LOADED, ("built-in ping",))


def test_the_highest_version_of_a_folder_of_versions_counts(tmp_path: Path) -> None:
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        folder = tmp_path / "many" / version
        folder.mkdir(parents=True)
        (folder / "plugin.json").write_text("{}")
    (found, *_) = discover([tmp_path])
    assert (found.name, found.path) == ("many", tmp_path / "many" / "1.10.0")
