"""Processes for what takes a plugin seconds of CPU: a bounded number, started when needed, gone when idle."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import cloudpickle  # type: ignore[import-untyped]

from botmatrix.sdk.running import RunCrashed, RunFailed
from botmatrix.worker.crunch import HEAD
from botmatrix.worker.spawn import Spawned, spawn

LARGEST: Final = 256 << 20
"""Bytes of what goes in or comes back."""
IDLE: Final = 60.0
"""Seconds after which a process that nobody needs is ended."""
_registering = threading.Lock()


class Processes:
    """Calls functions in at most `size` processes. Each is thrown away when its call is cancelled or it dies."""

    def __init__(self, size: int = 0) -> None:
        self._room = asyncio.Semaphore(size or max(1, min(8, os.cpu_count() or 1)))
        self._idle: list[Spawned] = []
        self._busy: set[Spawned] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the function gives, or raises. Raises `RunCrashed` when its process died, `ValueError` for too much.

        Cancelled, the process is killed.
        """
        asked = _packed(function, args, kwargs)
        async with self._room:
            process = self._idle.pop() if self._idle else await _start()
            self._busy.add(process)
            try:
                answer = await _exchange(process, asked)
            except BaseException:
                await _end(process)
                raise
            finally:
                self._busy.discard(process)
            self._keep(process)
        return _result(answer)

    async def close(self) -> None:
        """End all of them."""
        if self._timer is not None:
            self._timer.cancel()
        ending, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(_end(process) for process in ending))

    @property
    def pids(self) -> list[int]:
        """Those that are there."""
        return [process.pid for process in (*self._idle, *self._busy)]

    def _keep(self, process: Spawned) -> None:
        self._idle.append(process)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(IDLE, self._rest)

    def _rest(self) -> None:
        """Nobody needed one for a while."""
        while self._idle:
            process = self._idle.pop()
            process.stdin.close()


async def _start() -> Spawned:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return await spawn((sys.executable, "-m", "botmatrix.worker.crunch"), env=env, own_stderr=False)


async def _exchange(process: Spawned, asked: bytes) -> bytes:
    try:
        process.stdin.write(HEAD.pack(len(asked)) + asked)
        await process.stdin.drain()
        (size,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        if size > LARGEST:
            raise RunCrashed(f"it gave more than {LARGEST >> 20} MiB")
        return await process.stdout.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError) as error:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 1)
        raise RunCrashed(f"the process that ran it died ({process.returncode})") from error


async def _end(process: Spawned) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
    process.close()


def _packed(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
    """The call, with the code of modules that only this process knows."""
    with _by_value(getattr(function, "__module__", "")):
        packed: bytes = cloudpickle.dumps((function, args, kwargs))
    if len(packed) > LARGEST:
        raise ValueError(f"a function can be given at most {LARGEST >> 20} MiB")
    return packed


@contextmanager
def _by_value(module: str) -> Iterator[None]:
    """Plugins are loaded under names that no other process can import, so their code goes along."""
    found = sys.modules.get(module.partition(".")[0])
    if found is None or not module.startswith("botmatrix_plugin_"):
        yield
        return
    with _registering:
        cloudpickle.register_pickle_by_value(found)
        try:
            yield
        finally:
            cloudpickle.unregister_pickle_by_value(found)


def _result(answer: bytes) -> Any:
    went_well, found, told = cloudpickle.loads(answer)
    if went_well:
        return found
    if isinstance(found, Exception):
        raise found from RunFailed(told)
    raise RunFailed(told)
