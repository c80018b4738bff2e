"""`plugin.json`: what a plugin says of itself. What is wrong with it is refused, never repaired."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any, Final, Literal, NoReturn

import msgspec
from msgspec import Meta

from botmatrix.errors import BotMatrixError
from botmatrix.skills.told import ToldSkill

LARGEST: Final = 64 * 1024
"""Bytes of a manifest."""

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\Z")]
Action = Annotated[str, Meta(pattern=r"^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*)\Z", max_length=64)]
Word = Annotated[str, Meta(min_length=1, max_length=100)]
Requirement = Annotated[str, Meta(min_length=1, max_length=500)]
Short = Annotated[str, Meta(max_length=200)]
Entry = Annotated[list[Annotated[str, Meta(min_length=1, max_length=500)]], Meta(max_length=50)]


class BadManifest(BotMatrixError):
    """A manifest that can't be taken; says what is wrong with it."""


class Intent(msgspec.Struct, frozen=True):
    """Words that make a message an intent: any keyword anywhere in it, or the expression. Case does not matter."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.\-]{1,64}\Z")]
    keywords: Annotated[tuple[Word, ...], Meta(max_length=100)] = ()
    regex: Annotated[str, Meta(max_length=500)] = ""
    priority: int = 0


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of the plugin's process and all that it starts, together. `cpu`: cores, on average of a minute."""

    memory_mb: Annotated[int, Meta(ge=16, le=16_384)] = 512
    cpu: Annotated[float, Meta(gt=0, le=64)] = 0.95
    open_files: Annotated[int, Meta(ge=16, le=65_536)] = 1024
    processes: Annotated[int, Meta(ge=1, le=1024)] = 64


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin. Keys that are not named here mean nothing to a worker and may be there.

    `permissions` and `actions` both name what the plugin wants to do. `timeout_ms`: how long it may take to answer an
    event. `max_concurrency`: events that it works on at once. `exclusive`: it can't run twice, not even while it is
    exchanged. `requirements`: of a Python plugin, as pip reads them.
    """

    id: Id
    name: Short = ""
    version: Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z.+\-_]{0,63}\Z")] = "0.0.0"
    description: Annotated[str, Meta(max_length=2000)] = ""
    entry: str | Entry = ""
    entry_point: str | Entry = ""
    isolation: Literal["", "process"] = ""
    exclusive: bool = False
    run_on: Annotated[list[str], Meta(max_length=10)] = []
    permissions: Annotated[list[Action], Meta(max_length=200)] = []
    actions: Annotated[list[Any], Meta(max_length=200)] = []
    events: Annotated[list[Word], Meta(max_length=50)] = []
    intents: Annotated[tuple[Intent, ...], Meta(max_length=200)] = ()
    skills: Annotated[tuple[ToldSkill, ...], Meta(max_length=200)] = ()
    timeout_ms: Annotated[int, Meta(ge=50, le=60_000)] = 5000
    max_concurrency: Annotated[int, Meta(ge=1, le=64)] = 16
    limits: Limits = Limits()
    requirements: Annotated[tuple[Requirement, ...], Meta(max_length=100)] = ()

    @property
    def wanted(self) -> frozenset[str]:
        """Names of the actions that the plugin asks for."""
        return frozenset(self.permissions) | frozenset(_action_name(action) for action in self.actions)

    @property
    def isolated(self) -> bool:
        """Whether it runs in a process of its own."""
        return bool(self.entry or self.entry_point) or self.isolation == "process"

    def words(self) -> list[str]:
        """The program to start and its arguments. Raises `BadManifest`."""
        entry = self.entry or self.entry_point
        try:
            words = shlex.split(entry) if isinstance(entry, str) else list(entry)
        except ValueError as error:
            raise BadManifest(f"entry can't be read: {error}") from None
        if not words or not words[0] or any("\0" in word for word in words):
            raise BadManifest('needs "entry": the program to start and its arguments')
        return words


# msgspec looks at a type when it is first used, and crashes when two threads do that at once (0.22).
msgspec.convert({"id": "first"}, Manifest)


def parse_document(text: bytes) -> dict[str, Any]:
    """The JSON object alone. Raises `BadManifest`."""
    if len(text) > LARGEST:
        raise BadManifest(f"is larger than {LARGEST // 1024} KiB")
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadManifest(f"is no JSON that can be taken: {error or 'nested too deep'}") from None
    if not isinstance(found, dict):
        raise BadManifest("must be one JSON object")
    return found


def parse_manifest(text: bytes) -> Manifest:
    """Raises `BadManifest`."""
    try:
        manifest = msgspec.convert(parse_document(text), Manifest)
    except msgspec.ValidationError as error:
        raise BadManifest(str(error)) from None
    if manifest.run_on and "worker" not in manifest.run_on:
        raise BadManifest('run_on does not name "worker", so it can\'t run here')
    for action in manifest.actions:
        _action_name(action)
    return manifest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _action_name(action: Any) -> str:
    name = action.get("name") if isinstance(action, dict) else action
    try:
        return msgspec.convert(name, Action)
    except msgspec.ValidationError as error:
        raise BadManifest(f"actions: {error}") from None
