"""The skills of the plugins that are loaded, and how one of them is executed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from botmatrix.sdk.app import App
from botmatrix.skills.model import Capability
from botmatrix.worker.plugins.loader import LoadError
from botmatrix.worker.plugins.runs import Runs
from botmatrix.worker.plugins.threads import Threads

if TYPE_CHECKING:
    from botmatrix.sdk.skill import Skill


class SkillTable:
    """Skills by name; a name belongs to one plugin."""

    def __init__(self, runs: Runs, threads: Threads) -> None:
        self._runs, self._threads = runs, threads
        self._skills: dict[str, tuple[App, Skill]] = {}

    def add(self, app: App, skill: Skill) -> Callable[[], object]:
        """Offer a skill; the answer takes it back. Raises `LoadError` when its name is taken."""
        if (other := self._skills.get(skill.name)) is not None:
            raise LoadError(f"the skill {skill.name!r} is taken by plugin {other[0].id}")
        self._skills[skill.name] = app, skill
        return lambda: self._skills.pop(skill.name, None)

    def __contains__(self, name: str) -> bool:
        return name in self._skills

    def capabilities(self) -> list[Capability]:
        """What is reported to the hub."""
        return [
            Capability(
                name=skill.name,
                description=skill.description,
                usage=skill.usage,
                params=skill.params,
                regex=skill.regex,
                schema=skill.schema,
            )
            for _, skill in self._skills.values()
        ]

    async def run(self, name: str, params: Mapping[str, Any], limit: float) -> Any:
        """Execute a skill within its own time limit and `limit` (s).

        Raises `BadParams`, `HandlerTimeout`, and whatever the skill raises.
        """
        app, skill = self._skills[name]
        arguments = skill.arguments(params)
        work = (
            skill.function(**arguments) if skill.is_async else self._threads.run(partial(skill.function, **arguments))
        )
        return await self._runs.watch(app.id, name, min(limit, skill.timeout), work)
