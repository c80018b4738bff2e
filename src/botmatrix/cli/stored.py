"""What the engines hold of the settings, fetched when a command starts."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable

import structlog

from botmatrix.config import Settings, Stored, parse_stored, remember, resolve
from botmatrix.errors import EngineUnavailable

PATIENCE = 3.0
"""Seconds for each engine."""

log = structlog.get_logger("settings")


async def refreshed(settings: Settings, *, database_first: bool = False) -> Settings:
    """The settings with what Redis holds of them, else PostgreSQL, else the last good copy of the data folder.

    Never waits longer than a few seconds, and never fails for an engine.
    """
    looks: list[Callable[[Settings], Awaitable[Stored | None]]] = [_redis, _database]
    for look in reversed(looks) if database_first else looks:
        stored = await look(settings)
        if stored is not None:
            return await _with(settings, stored)
    return settings


async def _with(settings: Settings, stored: Stored) -> Settings:
    fresh = resolve(settings.inputs, stored)
    for warning in fresh.warnings:
        if warning not in settings.warnings:
            log.warning(warning)
    with contextlib.suppress(OSError):
        await asyncio.to_thread(remember, settings.home, stored)
    engines = ("redis_url", "database_url", "ws_port", "webui_port", "nexus_id", "worker_id")
    return dataclasses.replace(fresh, **{key: getattr(settings, key) for key in engines})


async def _redis(settings: Settings) -> Stored | None:
    from botmatrix.bus.client import Client, ReplyError
    from botmatrix.bus.keys import Keys
    from botmatrix.bus.settings import SettingsBox

    if not settings.redis_url:
        return None
    box = SettingsBox(Client(settings.redis_url, name="botmatrix-start", timeout=PATIENCE), Keys())
    try:
        published = await box.read()
        return parse_stored(published.document) if published else None
    except (EngineUnavailable, ReplyError, ValueError) as error:
        log.warning("Redis does not tell the settings now", reason=str(error))
        return None
    finally:
        await box.close()


async def _database(settings: Settings) -> Stored | None:
    from botmatrix.store.glance import glance

    if not settings.database_url:
        return None
    try:
        return await glance(settings.database_url)
    except EngineUnavailable as error:
        log.warning("PostgreSQL does not tell the settings now", reason=str(error))
        return None
