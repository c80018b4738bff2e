"""The judge's configuration as this nexus holds it: read from Redis, swapped whole, kept in HOME."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import structlog

from botmatrix.bus.client import ReplyError
from botmatrix.bus.core import CoreBox, Kept
from botmatrix.config.home import Home
from botmatrix.core.config import BadCoreConfig, CoreConfig, parse
from botmatrix.core.judge import Judge
from botmatrix.errors import EngineUnavailable

log = structlog.get_logger("core")
EVERY = 2.0
"""Seconds between two looks at the version, in case that a signal was lost."""


class CoreState:
    """The judge in force. While Redis is away, or holds what can't be used, the last one stays.

    `on_change` is called with every new judge.
    """

    def __init__(self, box: CoreBox, home: Home) -> None:
        self._box, self._home = box, home
        self._file = home.root / "core-config.json"
        self._nudged = asyncio.Event()
        self._looking = asyncio.Lock()
        self._refused = -1
        self.version = 0
        self.judge = Judge(CoreConfig())
        self.on_change: Callable[[Judge], None] = lambda _judge: None

    def restore(self) -> None:
        """Take the last good copy of HOME, if there is one."""
        try:
            found = json.loads(self._file.read_text("utf-8"))
            version, config = int(found["version"]), parse(json.dumps(found["document"]))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, BadCoreConfig) as error:
            log.warning("the copy of the judge's configuration can't be used", file=str(self._file), error=str(error))
            return
        self._take(version, Judge(config))

    def nudge(self, _version: bytes = b"") -> None:
        """There may be a new version."""
        self._nudged.set()

    async def run(self) -> None:
        """Look when nudged, and every 2 s."""
        while True:
            try:
                await self.look()
            except (EngineUnavailable, ReplyError) as error:
                log.debug("the configuration stays as it is", error=str(error))
            try:
                async with asyncio.timeout(EVERY):
                    await self._nudged.wait()
            except TimeoutError:
                pass
            self._nudged.clear()

    async def look(self, *, first: bool = False) -> None:
        """Take the version of Redis when it is another one (or, `first`, whichever). Raises `EngineUnavailable`."""
        async with self._looking:
            if not first and await self._box.version() in (0, self.version, self._refused):
                return
            kept = await self._box.read()
            if kept is not None:
                await self._load(kept)

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

    async def _load(self, kept: Kept) -> None:
        try:
            # Thousands of words take a while to compile; events must not wait for that.
            judge = await asyncio.to_thread(lambda: Judge(parse(kept.document)))
        except BadCoreConfig as error:
            self._refused = kept.version
            log.error("the configuration can't be used, the last one stays", version=kept.version, error=str(error))
            return
        self._take(kept.version, judge)
        copy = json.dumps({"version": kept.version, "document": json.loads(kept.document)}, ensure_ascii=False)
        try:
            await asyncio.to_thread(self._home.write_private, self._file, copy)
        except OSError as error:
            log.warning("the configuration could not be copied", file=str(self._file), error=str(error))

    def _take(self, version: int, judge: Judge) -> None:
        self.version, self.judge = version, judge
        self._refused = -1
        log.info("the judge has a configuration", version=version, closed=judge.closed or "no")
        self.on_change(judge)
