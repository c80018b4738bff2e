"""From a source to a `Plugin` object. Files are imported under a fresh name each time, never reloaded."""

from __future__ import annotations

import itertools
import json
import re
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType

from botmatrix.errors import BotMatrixError
from botmatrix.sdk.plugin import Plugin
from botmatrix.worker.plugins.blocked import claim_module
from botmatrix.worker.plugins.scope import Scope
from botmatrix.worker.plugins.source import Source

_numbers = itertools.count(1)


class LoadError(BotMatrixError):
    """A plugin can't be loaded; says why."""


class _FreshLoader(SourceFileLoader):
    """Reads the source itself: cached bytecode may be older than an edit of the same second."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def import_plugin(source: Source, scope: Scope) -> Plugin:
    """Import and find the plugin; the scope forgets the modules again.

    Raises `LoadError`, and whatever the plugin's own code raises.
    """
    if source.entry_point is not None:
        return _import_entry_point(source, scope)
    if source.path is None:
        raise LoadError(f"{source} has neither a file nor an entry point")
    file = _file(source.path)
    module = _import_file(source.name, file, scope)
    plugin = _find(module, str(source))
    scope.on_close(claim_module(module.__name__, plugin.id))
    _check_manifest(source.path, plugin)
    return plugin


def _import_entry_point(source: Source, scope: Scope) -> Plugin:
    entry_point = source.entry_point
    found = entry_point.load() if entry_point else None
    plugin = found if isinstance(found, Plugin) else _find(found, str(source))
    module = entry_point.module if entry_point else ""
    scope.on_close(claim_module(module, plugin.id))
    return plugin


def _file(path: Path) -> Path:
    """The file to import: itself, a package's `__init__.py`, or `plugin.py` beside a `plugin.json`."""
    if path.is_file():
        return path
    for name in ("__init__.py", "plugin.py"):
        if (path / name).is_file():
            return path / name
    raise LoadError(f'{path} has no plugin.py; a plugin in another language needs "entry" in its plugin.json')


def _import_file(name: str, file: Path, scope: Scope) -> ModuleType:
    fresh = f"botmatrix_plugin_{re.sub(r'[^0-9A-Za-z_]', '_', name)}_{next(_numbers)}"
    folder = [str(file.parent)] if file.name in ("__init__.py", "plugin.py") else None
    loader = _FreshLoader(fresh, str(file))
    spec = spec_from_file_location(fresh, file, loader=loader, submodule_search_locations=folder)
    if spec is None:
        raise LoadError(f"{file} can't be imported")
    module = module_from_spec(spec)
    sys.modules[fresh] = module
    scope.modules.append(fresh)
    scope.on_close(_forget, fresh)
    scope.on_close(claim_module(fresh, name))
    loader.exec_module(module)
    return module


def _forget(module: str) -> None:
    for name in [name for name in sys.modules if name == module or name.startswith(module + ".")]:
        del sys.modules[name]


def _find(module: object, where: str) -> Plugin:
    """The module's `plugin`, or the only `Plugin` in it."""
    named = getattr(module, "plugin", None)
    if isinstance(named, Plugin):
        return named
    found = {id(value): value for value in vars(module).values() if isinstance(value, Plugin)} if module else {}
    if len(found) != 1:
        raise LoadError(f'{where} defines no plugin: it needs one line such as plugin = Plugin(id="hello")')
    return next(iter(found.values()))


def _check_manifest(path: Path, plugin: Plugin) -> None:
    manifest = path / "plugin.json"
    if not manifest.is_file():
        return
    try:
        declared = json.loads(manifest.read_text("utf-8"))
    except ValueError as error:
        raise LoadError(f"{manifest} is no JSON: {error}") from None
    if not isinstance(declared, dict) or declared.get("id", plugin.id) != plugin.id:
        raise LoadError(f'{manifest} must say "id": "{plugin.id}", as its code does')
