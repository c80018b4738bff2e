"""States of actions that a worker asks a bot's HTTP API for itself: the hash and the limits are those of all others."""

from __future__ import annotations

from botmatrix.bus.actions import ENDED, KEEP_SECONDS, ActionResult
from botmatrix.bus.client import Client
from botmatrix.bus.envelope import ActionEntry
from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import DIRECT, DIRECTED


class DirectBox:
    """`worker` is written beside the state, for people."""

    def __init__(self, client: Client, keys: Keys, worker: str) -> None:
        self._client, self._keys, self._worker = client, keys, worker

    async def begin(self, entry: ActionEntry) -> ActionResult | None:
        """Mark it SENT, once for its id: the result is that of its first run, or has the state `NEW`.

        None: it goes by the nexus, because the bot is away, a limit may make it wait, or it went there before. Raises
        `EngineUnavailable`.
        """
        k = self._keys
        keys = [k.act(entry.aid), k.bot(entry.bot), k.room(entry.bot), k.config_ratelimit]
        is_message, repeats = entry.action.startswith("send_"), entry.action.startswith("get_")
        flags = ("1" if is_message else "0", "1" if repeats else "0")
        state, *rest = await self._client.run(DIRECT, keys, KEEP_SECONDS, self._worker, *flags)
        name = state.decode()
        if name == "NEW":
            return ActionResult("NEW")
        if name not in ENDED:
            return None
        retcode, message, data = rest
        return ActionResult(name, int(retcode or 0), (message or b"").decode(errors="replace"), data or b"null")

    async def end(self, entry: ActionEntry, result: ActionResult) -> None:
        """Keep how it ended. Raises `EngineUnavailable`; it stays SENT then, and is never sent again."""
        keys = [self._keys.act(entry.aid), self._keys.stats]
        told = (result.state, result.retcode, result.message, result.data)
        await self._client.run(DIRECTED, keys, KEEP_SECONDS, *told)

    async def close(self) -> None:
        """End the connection."""
        await self._client.close()
