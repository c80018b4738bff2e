"""CorePlugin and what it stands on, put together: configuration, figures, verbs, codes, answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import NamedTuple

from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import ReplyError
from botmatrix.bus.core import CoreBox
from botmatrix.clock import Clock
from botmatrix.config.home import Home
from botmatrix.errors import EngineUnavailable
from botmatrix.nexus.binder import Binder
from botmatrix.nexus.core_answers import Answers
from botmatrix.nexus.core_config import CoreState
from botmatrix.nexus.core_figures import Figures
from botmatrix.nexus.core_plugin import CorePlugin
from botmatrix.nexus.core_verbs import Count, Verbs
from botmatrix.nexus.plugin_verbs import PluginVerbs

PATIENCE = 3.0


class Means(NamedTuple):
    """What the judge reads and changes: its own configuration, codes of who binds an account, what is on of plugins."""

    box: CoreBox
    codes: BindBox
    plugins: PluginVerbs


class Core:
    """One per nexus. `plugin` judges; `state` holds the configuration."""

    def __init__(self, means: Means, home: Home, admins: Iterable[str], facts: Count, clock: Clock) -> None:
        self._box = box = means.box
        self.state = CoreState(box, home)
        self.figures = Figures(box, clock)
        self._answers = Answers(clock)
        self._verbs = Verbs(self.state, self._box, self._answers, means.plugins, facts, clock)
        self.binder = Binder(means.codes, self._answers, clock)
        self.plugin = CorePlugin(self.state, self.figures, self._verbs, self._answers, self.binder, admins)

    async def prepare(self) -> None:
        """Have a configuration before the first event: of Redis, else the last good copy."""
        self.state.restore()
        with contextlib.suppress(EngineUnavailable, ReplyError, TimeoutError):
            await asyncio.wait_for(self.state.look(first=True), PATIENCE)

    def work(self) -> dict[str, Coroutine[None, None, None]]:
        """What runs as long as the nexus does, by name."""
        return {
            "core configuration": self.state.run(),
            "core figures": self.figures.run(),
            "core verbs": self._verbs.run(),
            "codes": self.binder.run(),
            "codes outstanding": self.binder.follow(),
        }

    @property
    def counters(self) -> Counter[str]:
        """What its parts counted."""
        return self.figures.counters + self._answers.counters + self._verbs.counters + self.binder.counters

    async def close(self) -> None:
        """Write the last figures and end the connection."""
        with contextlib.suppress(EngineUnavailable, TimeoutError):
            await asyncio.wait_for(self.figures.flush(), PATIENCE)
        await self._box.close()
