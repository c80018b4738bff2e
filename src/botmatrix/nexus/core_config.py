"""The judge's configuration as this nexus holds it."""

from __future__ import annotations

from collections.abc import Callable

from botmatrix.bus.core import CoreBox
from botmatrix.bus.document_state import DocumentState
from botmatrix.config.home import Home
from botmatrix.core.config import CoreConfig, parse
from botmatrix.core.judge import Judge
from botmatrix.errors import EngineUnavailable


class CoreState(DocumentState[Judge]):
    """The judge in force."""

    def __init__(self, box: CoreBox, home: Home) -> None:
        super().__init__(box, home, "core-config.json", lambda text: Judge(parse(text)), Judge(CoreConfig()))

    @property
    def judge(self) -> Judge:
        """The judge in force."""
        return self.value

    async def replace(self, change: Callable[[CoreConfig], CoreConfig]) -> bool:
        """Change the configuration everywhere; False when the change changes nothing.

        Raises `BadCoreConfig`, `EngineUnavailable`.
        """
        for _ in range(10):
            await self.look()
            before, version = self.judge.config, self.version
            after = change(before)
            if after is before:
                return False
            if await self._box.write(after.to_json(), expected=version, version=version + 1):
                await self.look()
                return True
        raise EngineUnavailable("the configuration", "it is being changed by others without a pause", "Try again")
