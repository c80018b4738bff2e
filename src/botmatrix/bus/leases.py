"""The lease: one key per process, renewed from a thread so that a busy event loop does not lose it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import redis
import structlog

from botmatrix.bus.keys import Keys
from botmatrix.bus.scripts import RENEW

log = structlog.get_logger("lease")


class LeaseThread:
    """Renews the lease of `inc` every `every` s, for `ttl` s, and says which lanes are not ours any more.

    `lanes` gives the lanes believed to be ours; `on_lost` is called from the thread with those that are not. A thread
    survives Python loops on the main thread, not C code that keeps the interpreter's lock: then the lease runs out and
    the lanes are adopted, safely.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        inc: str,
        *,
        ttl: float = 10.0,
        every: float = 2.0,
        lanes: Callable[[], list[str]] = list,
        on_lost: Callable[[set[str]], None] = lambda _lost: None,
    ) -> None:
        self._redis = redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0)
        self._keys, self._inc, self._ttl, self._every = keys, inc, ttl, every
        self._lanes, self._on_lost = lanes, on_lost
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._failing = False

    def start(self) -> None:
        """Take the lease as soon as Redis is there, and keep it."""
        self._thread.start()

    def renew(self) -> None:
        """Renew now; report what was lost."""
        believed = self._lanes()
        mine = self._redis.eval(
            RENEW.text,
            2,
            self._keys.lease(self._inc),
            self._keys.own,
            self._inc,
            int(self._ttl * 1000),
            *believed,
        )
        still = {lane.decode() for lane in mine}
        if lost := set(believed) - still:
            self._on_lost(lost)

    def stop(self) -> None:
        """End the thread and the lease."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(5)
        try:
            self._redis.delete(self._keys.lease(self._inc))
        except redis.RedisError as error:
            log.warning("the lease could not be given back; it runs out by itself", error=str(error))
        self._redis.close()

    def _run(self) -> None:
        while True:
            try:
                self.renew()
                self._failing = False
            except redis.RedisError as error:
                if not self._failing:
                    log.warning("the lease can't be renewed", error=str(error))
                self._failing = True
            if self._stop.wait(self._every):
                return
