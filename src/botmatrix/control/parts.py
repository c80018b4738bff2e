"""What the routes work with, put together once."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends, Request

from botmatrix.bus.access import AccessBox
from botmatrix.bus.actions import ActionBox
from botmatrix.bus.binding import BindBox
from botmatrix.bus.client import Client
from botmatrix.bus.controls import Controls
from botmatrix.bus.core import CoreBox
from botmatrix.bus.groups import GroupsBox
from botmatrix.bus.handshakes import HandshakeBox
from botmatrix.bus.hot import HotBox
from botmatrix.bus.keys import Keys
from botmatrix.bus.logs import Logs
from botmatrix.bus.packages import PackageBox
from botmatrix.bus.plugins import PluginsBox, PluginSettingsBox
from botmatrix.bus.presence import Presence
from botmatrix.bus.rooms import Rooms
from botmatrix.bus.rules import RulesMirror
from botmatrix.bus.seen_workers import SeenWorkers
from botmatrix.bus.series import Series
from botmatrix.bus.settings import SettingsBox
from botmatrix.bus.trace_stream import TraceStream
from botmatrix.clock import SystemClock
from botmatrix.config import Current, Settings, host_id
from botmatrix.control.access_keeper import AccessKeeper
from botmatrix.control.alert_delivery import Delivery
from botmatrix.control.alert_keeper import AlertKeeper
from botmatrix.control.alert_mail import Mailer
from botmatrix.control.apps import AppBook
from botmatrix.control.binding_keeper import BindingKeeper
from botmatrix.control.chat.chats import Chats
from botmatrix.control.core_keeper import CoreKeeper, GroupsKeeper, PluginSettingsKeeper, PluginsKeeper
from botmatrix.control.explain import Explainer
from botmatrix.control.restart import Restart
from botmatrix.control.retention import Retention
from botmatrix.control.rules import RuleBook
from botmatrix.control.seen_keeper import SeenKeeper
from botmatrix.control.settings_keeper import SettingsKeeper
from botmatrix.control.shelf import Shelf
from botmatrix.control.skills import SkillDesk
from botmatrix.control.stats_keeper import StatsKeeper
from botmatrix.control.tasks import TaskDesk
from botmatrix.control.throttle import MemoryAttempts, RedisAttempts, Throttle
from botmatrix.control.tracing.feed import Feed
from botmatrix.control.tracing.writer import TraceWriter
from botmatrix.errors import EngineUnavailable
from botmatrix.skills.permission import SkillPermissions
from botmatrix.store.access import BotAccesses
from botmatrix.store.alerts import Alerts
from botmatrix.store.api_keys import ApiKeys
from botmatrix.store.bindings import Bindings
from botmatrix.store.core import CoreDocuments, GroupDocuments, PluginDocuments, PluginSettingsDocuments
from botmatrix.store.engine import Database
from botmatrix.store.executions import Executions
from botmatrix.store.history import History
from botmatrix.store.history_log import HistoryLog
from botmatrix.store.logins import Logins
from botmatrix.store.operations import Operations
from botmatrix.store.packages import Packages
from botmatrix.store.passwords import Passwords
from botmatrix.store.rules import StoredRules
from botmatrix.store.seen import Seen
from botmatrix.store.settings import SettingsTable
from botmatrix.store.tasks import Tasks
from botmatrix.store.users import Users

PART: Final = "control"


@dataclass(slots=True)
class Parts:
    """One control process. `schema_ready` is set when the database has been brought up to date."""

    current: Current = field(repr=False)
    database: Database
    users: Users
    logins: Logins
    keys: ApiKeys
    operations: Operations
    passwords: Passwords
    throttle: Throttle
    presence: Presence
    actions: ActionBox
    rules: RuleBook
    explainer: Explainer
    redis: Client
    core: CoreKeeper
    core_box: CoreBox
    settings_keeper: SettingsKeeper
    bindings: Bindings
    binding_keeper: BindingKeeper
    restart: Restart
    apps: AppBook
    seen: Seen
    seen_keeper: SeenKeeper
    access: AccessKeeper
    handshakes: HandshakeBox
    stats: StatsKeeper
    retention: Retention
    logs: Logs
    alerts: Alerts
    alert_keeper: AlertKeeper
    hot: HotBox
    groups: GroupsKeeper
    groups_box: GroupsBox
    plugins: PluginsKeeper
    shelf: Shelf
    plugin_settings: PluginSettingsKeeper
    rooms: Rooms
    history: History
    trace_writer: TraceWriter
    feed: Feed
    skills: SkillDesk | None
    tasks: TaskDesk | None
    chats: Chats = field(default_factory=Chats)
    schema_ready: asyncio.Event = field(default_factory=asyncio.Event)
    started_at: float = field(default_factory=time.time)
    ending: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.current.running

    def require_schema(self) -> None:
        """Raises `EngineUnavailable` until the database has been brought up to date."""
        if not self.schema_ready.is_set():
            raise EngineUnavailable("PostgreSQL", "its tables are not ready yet", "See /readyz for the reason")

    def let_end(self, task: asyncio.Task[None]) -> None:
        """Cancel a task that nobody waits for; `close` does."""
        self.ending.add(task)
        task.add_done_callback(self.ending.discard)
        task.cancel()

    def permissions(self) -> SkillPermissions:
        """What administrators set for skills, as it is now."""
        return SkillPermissions(self.settings.skill_permissions)

    async def close(self) -> None:
        """End every connection."""
        await asyncio.gather(*self.ending, return_exceptions=True)
        await self.restart.close()
        if self.skills is not None:
            await self.skills.close()
        first = (self.restart.leave, self.feed.close, self.trace_writer.close, self.actions.close, self.presence.close)
        for ending in (*first, self.redis.close, self.database.close):
            with contextlib.suppress(EngineUnavailable, OSError):
                await ending()


def build(current: Current) -> Parts:
    """Put the parts together; nothing is connected yet."""
    keys, settings = Keys(), current.running
    database = Database(str(settings.database_url), part=PART)
    passwords = Passwords()
    redis = Client(settings.redis_url, name=f"botmatrix-{PART}", timeout=2.0)
    core_box = CoreBox(redis, keys)
    groups_box = GroupsBox(redis, keys)
    operations = Operations(database)
    incarnation = f"{PART}-{host_id()}-{settings.webui_port}.{secrets.token_hex(4)}"
    presence = Presence(settings.redis_url, keys, name=f"botmatrix-{PART}-presence")
    seen = Seen(database)
    box = SettingsBox(redis, keys)
    settings_keeper, bindings = SettingsKeeper(SettingsTable(database), box, current), Bindings(database)
    plugins = PluginsKeeper(PluginsBox(redis, keys), PluginDocuments(database), operations)
    alerts, actions = Alerts(database), ActionBox(settings.redis_url, keys, incarnation)
    skills = SkillDesk(settings.redis_url, keys, Executions(database), presence) if settings.enable_skill else None
    return Parts(
        current=current,
        database=database,
        users=Users(database, passwords),
        logins=Logins(database),
        keys=ApiKeys(database),
        operations=operations,
        passwords=passwords,
        throttle=Throttle(RedisAttempts(redis, keys.login), MemoryAttempts(SystemClock())),
        presence=presence,
        actions=actions,
        rules=RuleBook(StoredRules(database), RulesMirror(redis, keys), operations),
        explainer=Explainer(redis, keys, lambda: current.running, Tasks(database)),
        redis=redis,
        core=CoreKeeper(core_box, CoreDocuments(database), operations),
        core_box=core_box,
        settings_keeper=settings_keeper,
        bindings=bindings,
        binding_keeper=BindingKeeper(BindBox(redis, keys), bindings, settings_keeper),
        restart=Restart(incarnation, presence, Controls(redis, keys), box),
        apps=AppBook(redis, keys, settings_keeper),
        seen=seen,
        seen_keeper=SeenKeeper(presence, core_box, seen),
        access=AccessKeeper(AccessBox(redis, keys), BotAccesses(database)),
        handshakes=HandshakeBox(redis, keys),
        logs=Logs(redis, keys),
        alerts=alerts,
        alert_keeper=AlertKeeper(
            alerts, presence, seen, SeenWorkers(redis, keys), Delivery(actions, Mailer(lambda: current.running))
        ),
        retention=Retention(operations, settings.audit_days),
        stats=StatsKeeper(presence, Series(redis, keys)),
        hot=HotBox(redis, keys),
        groups=GroupsKeeper(groups_box, GroupDocuments(database)),
        groups_box=groups_box,
        plugins=plugins,
        shelf=Shelf(Packages(database), plugins, PackageBox(redis, keys)),
        plugin_settings=PluginSettingsKeeper(PluginSettingsBox(redis, keys), PluginSettingsDocuments(database)),
        rooms=Rooms(redis, keys),
        history=History(database),
        trace_writer=TraceWriter(_stream(settings, keys, "trace"), HistoryLog(database), settings),
        feed=Feed(_stream(settings, keys, "live"), presence),
        skills=skills,
        tasks=TaskDesk(database, redis, keys, skills) if skills else None,
    )


def _stream(settings: Settings, keys: Keys, purpose: str) -> TraceStream:
    return TraceStream(settings.redis_url, keys, name=f"botmatrix-{PART}-{purpose}")


async def _parts_of(request: Request) -> Parts:
    """The parts of the application that serves this request.

    Like every dependency a coroutine function: others are called in a thread, which costs more than what they do.
    """
    parts: Parts = request.app.state.parts
    return parts


UsedParts = Annotated[Parts, Depends(_parts_of)]
