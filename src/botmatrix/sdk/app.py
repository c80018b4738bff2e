"""`App`: a loaded plugin's own corner of the worker."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from botmatrix.bus.envelope import ActionEntry
from botmatrix.onebot.message import Sendable
from botmatrix.sdk.address import Address
from botmatrix.sdk.outbox import Outbox
from botmatrix.sdk.raised import must_leave
from botmatrix.sdk.services import Services
from botmatrix.sdk.store import Store
from botmatrix.sdk.voice import answer, array, encode, is_granted, refusal, target, text

if TYPE_CHECKING:
    import httpx
    from sqlalchemy.ext.asyncio import AsyncSession

    from botmatrix.store.plugin_schemas import PluginSchema

T = TypeVar("T")
HTTP_TIMEOUT = 30.0
"""Seconds that a request of a plugin may take, unless it says otherwise."""


class App:
    """Given to hooks and to what the clock starts. `config`: the plugin's model, filled; None without one.

    `store`: what the plugin keeps for good. `grants`: what it may have bots do; `refused`: what it may not and tried.
    """

    __slots__ = (
        "_db", "_http", "_outbox", "_services", "_timers", "_undo",
        "config", "grants", "id", "log", "migrations", "refused", "store",
    )  # fmt: skip

    def __init__(
        self, id: str, services: Services, outbox: Outbox, grants: Collection[str], config: Any = None
    ) -> None:
        self.id, self.config, self.grants = id, config, grants
        self.store = Store(services.values, id)
        self.log = logging.getLogger(f"botmatrix.plugin.{id}")
        self.refused: Counter[str] = Counter()
        self._services, self._outbox = services, outbox
        self._undo: list[Callable[[], Any]] = []
        self._timers: set[asyncio.TimerHandle] = set()
        self._http: list[httpx.AsyncClient] = []
        self._db: list[PluginSchema] = []
        self.migrations: Sequence[str] = ()

    # -- what to do ---------------------------------------------------------------------------------------

    async def send(self, address: str, message: Sendable, *, now: bool = False) -> str:
        """Say something: `qq:group:456`, `qq@10001:private:123`. Without `@bot`, a bot speaks that is there and online.

        It leaves at once. With `now` its message id is waited for and given; else the answer is empty. Raises
        `ValueError` for what is no address, `ActionFailed` when the plugin may not or no bot is there.
        """
        there = Address.parse(address)
        self._check("send_msg")
        bot = f"{there.platform}:{there.bot}" if there.bot else await self._services.speaker(there, "")
        segments = array(message)
        for keep in self._services.offload(segments):
            await keep()
        params = {**target(there, numeric=True), "message": segments}
        entry = self._outbox.entry(bot, "send_msg", encode(params))
        if not now:
            await self._services.post(self._outbox.expiring(entry))
            return ""
        data = await self._asked(entry)
        return text(data.get("message_id")) if isinstance(data, dict) else ""

    async def call(self, bot: str, action: str, **params: Any) -> Any:
        """Have a bot (`qq:10001`) do any OneBot action; gives the answer's `data`. Raises as `Context.call` does."""
        self._check(action)
        return await self._asked(self._outbox.entry(bot, action, encode(params)))

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function in another process: for what takes seconds of CPU (`Context.run`)."""
        found: T = await self._services.run(function, *args, **kwargs)
        return found

    @property
    def http(self) -> httpx.AsyncClient:
        """A client for the web, the plugin's own; closed with the plugin."""
        if not self._http:
            import httpx  # only who asks for it pays for it

            self._http.append(httpx.AsyncClient(timeout=HTTP_TIMEOUT, follow_redirects=True))
            self.on_close(self._http[0].aclose)
        return self._http[0]

    def db(self) -> AbstractAsyncContextManager[AsyncSession]:
        """`async with app.db() as session`: a transaction in the plugin's own schema, as its migrations made it.

        Committed at the end, rolled back by an error. Raises `EngineUnavailable` while PostgreSQL is away or where a
        worker has none; a handler that lets that through runs again later.
        """
        return self.schema.session()

    @property
    def schema(self) -> PluginSchema:
        """The plugin's own schema."""
        if not self._db:
            from botmatrix.store.plugin_schemas import PluginSchema  # only who asks for it pays for it

            self._db.append(PluginSchema(self.id, self.migrations, self._services.database_url))
            self.on_close(self._db[0].close)
        return self._db[0]

    # -- what it holds ------------------------------------------------------------------------------------

    def on_close(self, undo: Callable[[], Any]) -> None:
        """Call this, or await what it gives, when this version of the plugin is let go; what was said last goes first.

        For whatever it holds: `app.on_close(file.close)`, `app.on_close(client.aclose)`.
        """
        self._undo.append(undo)

    def after(self, seconds: float, function: Callable[[], object]) -> asyncio.TimerHandle:
        """Call a function on the worker's loop, unless the plugin is let go before."""

        def fire() -> None:
            self._timers.discard(timer)
            try:
                function()
            except BaseException as error:
                self.log.exception("a timer of it failed", exc_info=error)

        timer = asyncio.get_running_loop().call_later(seconds, fire)
        self._timers.add(timer)
        return timer

    def acting_for(self, outbox: Outbox) -> App:
        """The same corner, for what must not repeat its actions when it runs again; the host asks for it."""
        other = copy.copy(self)
        other._outbox = outbox
        return other

    @property
    def outbox(self) -> Outbox:
        """Actions on their way out; for the host."""
        return self._outbox

    async def close(self) -> None:
        """Undo everything; the host calls it. What raises is logged."""
        while self._timers:
            self._timers.pop().cancel()
        while self._undo:
            try:
                ended = self._undo.pop()()
                if inspect.isawaitable(ended):
                    await ended
            except BaseException as error:
                if must_leave(error):
                    raise
                self.log.exception("something could not be closed", exc_info=error)
        self._http.clear()
        self._db.clear()

    def _check(self, action: str) -> None:
        if not is_granted(action, self.grants):
            self.refused[action] += 1
            raise refusal(action)

    async def _asked(self, entry: ActionEntry) -> Any:
        return answer(await self._services.call(self._outbox.expiring(entry)), entry.action)
