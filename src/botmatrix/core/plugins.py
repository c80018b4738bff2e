"""What is wanted of plugins everywhere: which are on, which are to be loaded anew, where each is off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from botmatrix.core.archive import LARGEST
from botmatrix.errors import BotMatrixError
from botmatrix.onebot.ids import plain_key

MOST_PLUGINS: Final = 1000
MOST_CELLS: Final = 10_000
ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$"
VERSION_PATTERN: Final = r"^[0-9A-Za-z][0-9A-Za-z.+\-_]{0,63}$"
GRANT_PATTERN: Final = r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*)$"
MOST_GRANTS: Final = 200
_KEY_PATTERN: Final = r"^([!-9;-~]{1,32}:[!-~]{1,128})?$"


class BadPlugins(BotMatrixError):
    """A document that can't be used: says what is wrong with it."""


class NothingBefore(BadPlugins):
    """A plugin has no earlier version to go back to."""

    def __init__(self, plugin: str) -> None:
        super().__init__(f"{plugin} has no earlier version to go back to")


PluginId = Annotated[str, StringConstraints(pattern=ID_PATTERN)]
Place = Annotated[str, StringConstraints(pattern=_KEY_PATTERN), AfterValidator(plain_key)]
"""`platform:id`; empty: any."""


Version = Annotated[str, StringConstraints(pattern=VERSION_PATTERN)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Grant = Annotated[str, StringConstraints(pattern=GRANT_PATTERN, max_length=64)]
"""The name of an action; `*`: all."""


class Chosen(BaseModel):
    """One package, down to its last byte. `size`: bytes of its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Version
    sha256: Sha256
    size: Annotated[int, Field(ge=1, le=LARGEST)]


class Wish(BaseModel):
    """What is wanted of one plugin. `generation` rises each time when every worker is to load it anew.

    `package`: what every worker runs that has no file of this id; `previous`: what that was before. `grants`: what it
    may do; None: nothing is said of that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    generation: Annotated[int, Field(ge=0, le=2**53)] = 0
    package: Chosen | None = None
    previous: Chosen | None = None
    grants: Annotated[tuple[Grant, ...], Field(max_length=MOST_GRANTS)] | None = None


class Cell(BaseModel):
    """Whether a plugin hears a bot, a group, a person, or what all that is said of them fits to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plugin: PluginId
    bot: Place = ""
    group: Place = ""
    user: Place = ""
    on: bool = False

    @property
    def place(self) -> tuple[str, str, str, str]:
        """What the cell is about."""
        return (self.plugin, self.bot, self.group, self.user)

    @property
    def weight(self) -> int:
        """Of cells that fit the same event the heaviest counts: person, then group, then bot."""
        return 4 * bool(self.user) + 2 * bool(self.group) + bool(self.bot)


class PluginWishes(BaseModel):
    """The whole document. `safe_mode`: of all plugins, workers have those that BotMatrix brings along and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plugins: Annotated[dict[PluginId, Wish], Field(max_length=MOST_PLUGINS)] = {}
    matrix: Annotated[list[Cell], Field(max_length=MOST_CELLS)] = []
    safe_mode: bool = False

    def to_json(self) -> bytes:
        """The document as it is kept."""
        return self.model_dump_json().encode()

    def wish(self, plugin: str) -> Wish:
        """What is wanted of a plugin; nothing said: it is on."""
        return self.plugins.get(plugin, _ON)


_ON: Final = Wish()


def parse(document: bytes | str) -> PluginWishes:
    """A kept document. Raises `BadPlugins`."""
    try:
        return PluginWishes.model_validate_json(document)
    except ValidationError as error:
        raise BadPlugins(f"{error.error_count()} things are wrong with it") from None


def switched(wishes: PluginWishes, plugin: str, *, on: bool) -> PluginWishes:
    """The document with a plugin on or off; the same object when it is so already. Raises `BadPlugins`."""
    if wishes.wish(plugin).enabled is on:
        return wishes
    return _with(wishes, plugin, enabled=on)


def in_safe_mode(wishes: PluginWishes, *, on: bool) -> PluginWishes:
    """The document with safe mode on or off; the same object when it is so already."""
    return wishes if wishes.safe_mode is on else wishes.model_copy(update={"safe_mode": on})


def reloaded(wishes: PluginWishes, plugin: str) -> PluginWishes:
    """The document that has every worker load a plugin anew. Raises `BadPlugins`."""
    return _with(wishes, plugin, generation=wishes.wish(plugin).generation + 1)


def chosen(wishes: PluginWishes, plugin: str, package: Chosen) -> PluginWishes:
    """The document that has every worker run this package; the same object when it does. Raises `BadPlugins`."""
    wish = wishes.wish(plugin)
    if wish.package == package:
        return wishes
    return _with(wishes, plugin, package=package, previous=wish.package)


def rolled_back(wishes: PluginWishes, plugin: str) -> PluginWishes:
    """The document that has every worker run what it ran before. Raises `BadPlugins`."""
    wish = wishes.wish(plugin)
    if wish.previous is None:
        raise NothingBefore(plugin)
    return _with(wishes, plugin, package=wish.previous, previous=wish.package)


def removed(wishes: PluginWishes, plugin: str) -> PluginWishes:
    """The document without a package of this plugin, and without what was granted to it. Raises `BadPlugins`."""
    wish = wishes.wish(plugin)
    if (wish.package, wish.previous, wish.grants) == (None, None, None):
        return wishes
    return _with(wishes, plugin, package=None, previous=None, grants=None)


def without_previous(wishes: PluginWishes, plugin: str, version: str) -> PluginWishes:
    """The document from which nobody goes back to this version."""
    previous = wishes.wish(plugin).previous
    return wishes if previous is None or previous.version != version else _with(wishes, plugin, previous=None)


def granted(wishes: PluginWishes, plugin: str, grants: Iterable[str] | None) -> PluginWishes:
    """The document that grants a plugin these actions; None: says nothing of that any more. Raises `BadPlugins`."""
    wanted = None if grants is None else tuple(sorted(set(grants)))
    return wishes if wishes.wish(plugin).grants == wanted else _with(wishes, plugin, grants=wanted)


def with_cells(wishes: PluginWishes, cells: Iterable[Cell], clear: Iterable[Cell] = ()) -> PluginWishes:
    """The document with these cells, in the place of those about the same, and without those in `clear`.

    Raises `BadPlugins`.
    """
    kept = {cell.place: cell for cell in wishes.matrix}
    for cell in clear:
        kept.pop(cell.place, None)
    kept |= {cell.place: cell for cell in cells}
    if len(kept) > MOST_CELLS:
        raise BadPlugins(f"the matrix may have at most {MOST_CELLS} cells")
    found = list(kept.values())
    return wishes if found == wishes.matrix else wishes.model_copy(update={"matrix": found})


def _with(wishes: PluginWishes, plugin: str, **changes: Any) -> PluginWishes:
    plugins = {**wishes.plugins, plugin: wishes.wish(plugin).model_copy(update=changes)}
    if len(plugins) > MOST_PLUGINS:
        raise BadPlugins(f"there may be at most {MOST_PLUGINS} plugins in it")
    return wishes.model_copy(update={"plugins": plugins})


class Matrix:
    """The cells, made ready to be asked for every event. False while there are none."""

    def __init__(self, cells: Iterable[Cell] = ()) -> None:
        self._plugins: dict[str, dict[tuple[str, str, str], bool]] = {}
        self._kinds: dict[str, list[tuple[bool, bool, bool]]] = {}
        for cell in sorted(cells, key=lambda one: one.weight, reverse=True):
            self._plugins.setdefault(cell.plugin, {})[cell.bot, cell.group, cell.user] = cell.on
            kinds = self._kinds.setdefault(cell.plugin, [])
            kind = (bool(cell.bot), bool(cell.group), bool(cell.user))
            if kind not in kinds:
                kinds.append(kind)

    def __bool__(self) -> bool:
        return bool(self._plugins)

    def barred(self, bot: str, group: str, user: str) -> frozenset[str]:
        """Ids of the plugins that do not hear this; all three are `platform:id`, or empty where there is none."""
        return frozenset(plugin for plugin in self._plugins if not self._on(plugin, bot, group, user))

    def _on(self, plugin: str, bot: str, group: str, user: str) -> bool:
        cells = self._plugins[plugin]
        for by_bot, by_group, by_user in self._kinds[plugin]:  # at most eight, whatever the number of cells
            found = cells.get((bot if by_bot else "", group if by_group else "", user if by_user else ""))
            if found is not None:
                return found
        return True
