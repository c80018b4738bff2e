"""Skills of a plugin in a process of its own: told by its `plugin.json`, or by its Python code; executed by it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from botmatrix.bus.envelope import Envelope
from botmatrix.sdk.app import App
from botmatrix.sdk.context import Context
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.services import CommandInfo, Services
from botmatrix.skills.model import OWN_PARAMS
from botmatrix.skills.schema import fitted
from botmatrix.skills.told import ToldSkill
from botmatrix.skills.words import expression

if TYPE_CHECKING:
    from botmatrix.sdk.skill import Skill

Execute = Callable[[str, Mapping[str, Any], Context], Awaitable[Any]]


def made(told: ToldSkill, execute: Execute, app: App, services: Services) -> Skill:
    """The skill as a host takes it. Raises `ValueError` for an expression."""
    # pydantic costs a tenth of a second: only plugins with skills pay that.
    from botmatrix.sdk.skill import Skill

    class Remote(Skill):
        """Its function is in another process."""

        def start(self, arguments: Mapping[str, Any], ctx: Context | None) -> Any:
            return execute(self.name, arguments, ctx or _nowhere(self.name, app, services))

        def arguments(self, params: Mapping[str, Any]) -> dict[str, Any]:
            found = fitted(params, self.schema)
            return {name: value for name, value in found.items() if name not in OWN_PARAMS}

    async def nothing() -> None:
        """What a remote skill has in place of a function."""

    expression(told.regex)
    options: dict[str, Any] = {"description": told.description, "regex": told.regex, "permission": told.permission}
    skill = Remote(told.name, nothing, **options, timeout=told.timeout)
    skill.schema = told.schema or {"type": "object"}
    return skill


class _Nobody:
    """The worker, for what is said by nobody."""

    id = prefix = ""

    def commands(self) -> list[CommandInfo]:
        return []

    def status(self) -> Mapping[str, Any]:
        return {}


def _nowhere(skill: str, app: App, services: Services) -> Context:
    """A call by the hub: no bot heard it, nobody is there to be answered."""
    id = Outbox("", app.id, f"{skill}|{services.clock.now()}", services).mark()
    envelope = Envelope(id, "", "bot", "", 0, int(services.clock.now() * 1000), msgspec.Raw(b"{}"))
    return Context(envelope, {}, app, Outbox(id, app.id, skill, services), services, _Nobody())
