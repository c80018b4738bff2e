"""Every Redis name, once.

`Keys` holds the prefix, so that the hot plane can live in one slot of a cluster (`{botmatrix}:`).
Names carry ids as they are; `plain_id` says which ids may stand in a name.
"""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}")

PARKING = "default"
"""Name of the parking place: the lane that no worker reads."""


def plain_id(text: str) -> bool:
    """Whether `text` may be the id of a worker: letters, digits, `_ . -`, at most 64, and not `default`."""
    return _ID.fullmatch(text) is not None and text != PARKING


def is_parking(lane: str) -> bool:
    """Whether events wait there, be it the parking place or one for a routing rule's target (`wait:w7`)."""
    return ":" in lane or lane == PARKING


class Keys:
    """The names of one deployment. `prefix` ends with a colon."""

    def __init__(self, prefix: str = "botmatrix:") -> None:
        self.prefix = p = prefix
        self.own = p + "own"  # hash: lane -> epoch|inc of its owner
        self.epoch = p + "epoch"  # counter: epochs of lanes and bots; its absence means an empty Redis
        self.workers = p + "workers"  # set: ids of workers with a presence
        self.seen_workers = p + "workers:seen"  # hash: id of a worker -> when an alert rule saw it last
        self.nexuses = p + "nexuses"  # set: incarnations of nexuses
        self.controls = p + "controls"  # set: incarnations of control processes
        self.bots = p + "bots"  # set: keys of bots ever claimed
        self.dead = p + "dead"  # stream: dead letters
        self.trace = p + "trace"  # stream: what happened to events, lossy
        self.stats = p + "stats"  # hash: counters, written where the entry moves
        self.orphans = p + "actions:orphans"  # stream: actions for which no nexus was found
        self.parkings = p + "queue:parkings"  # set: names of the parking places that rules' targets have of their own
        self.parking_owner = p + "queue:default:owner"  # string: the nexus that moves parked entries on
        self.events = p + "events"  # channel: accepted events, lossy
        self.presence_changed = p + "presence"  # channel: id of a worker whose presence was renewed
        self.rules = p + "rules:routing"  # hash: key of a routing rule -> the rule as JSON, or just its target
        self.rules_version = p + "rules:version"  # counter: raised with every change of the rules
        self.rules_changed = p + "rules:changed"  # channel: the rules were changed
        self.core_config = p + "core:config"  # string: the judge's configuration, JSON
        self.core_version = p + "core:version"  # string: its version; every nexus compares it
        self.core_changed = p + "core:changed"  # channel: a new version of it
        self.core_blocked = p + "core:blocked"  # list: the last messages that were blocked
        self.settings = p + "config:settings"  # string: the settings that the database holds, JSON
        self.settings_version = p + "config:settings:version"  # string: its version; every part compares it
        self.settings_changed = p + "config:settings:changed"  # channel: a new version, or a part is to start again
        self.bind_codes = p + "bind:codes"  # hash (10 min): digest of a one-time code -> user, end, wrong tries
        self.bind_claims = p + "bind:claims"  # hash: who said a right code -> the user to bind them to
        self.bind_changed = p + "bind:changed"  # channel: there is a code that was not there, or none any more
        self.handshakes = p + "handshakes"  # list: the last refused handshakes of all nexuses
        self.logs = p + "logs"  # stream: the newest lines of all parts' logs
        self.access = p + "access"  # string: per-bot tokens (hashed) and bans, JSON
        self.access_version = p + "access:version"  # string: its digest; every nexus compares it
        self.access_changed = p + "access:changed"  # channel: a new version of it
        self.config_ratelimit = p + "config:ratelimit"  # hash: hot configuration, limits
        self.config_ttl = p + "config:ttl"  # hash: hot configuration, times to live
        self.hot_changed = p + "config:changed"  # channel: the kind of hot configuration that was changed
        self.groups_policies = p + "groups:policies"  # string: policies of groups with several bots, JSON
        self.groups_version = p + "groups:version"  # string: their version; every nexus compares it
        self.groups_changed = p + "groups:changed"  # channel: a new version of them
        self.groups_heard = p + "groups:heard"  # hash: group and bot -> when the bot last heard something there
        self.plugins = p + "plugins:wanted"  # string: which plugins are on and where, JSON
        self.plugins_version = p + "plugins:version"  # string: its version; every worker compares it
        self.plugins_changed = p + "plugins:changed"  # channel: a new version of it
        self.packages_asked = p + "packages:asked"  # set: sha256 of packages that workers ask for
        self.plugin_settings = p + "plugins:settings"  # string: the settings of plugins, JSON
        self.plugin_settings_version = p + "plugins:settings:version"  # string: its version; every worker compares it
        self.plugin_settings_changed = p + "plugins:settings:changed"  # channel: a new version of it
        self.cron = p + "cron"  # hash: what plugins have the clock start -> when it was due last, and who runs it
        self.media_index = p + "media"  # sorted set: token of a piece of media -> when it expires (ms)
        self.media_sizes = p + "media:sizes"  # hash: token -> bytes; the empty field: of all
        self.paced = p + "paced"  # set: bots with a waiting room
        self.login = p + "login:"  # counter prefix (1 h): login attempts of an account from an address
        self.worker_register = p + "worker:register"  # channel: capabilities, as workers report them
        self.skill_result = p + "worker:skill_result"  # channel: results of workers that don't write the stream
        self.skill_results = p + "skills:results"  # stream: results of skill calls
        self.skills_due = p + "skills:due"  # channel: an execution waits to be dispatched
        self.skills_told = p + "skills:told"  # list: calls that control made, for a nexus to put on lanes
        self.skills_asked = p + "skills:asked"  # stream: skills called from code
        self.tasks_changed = p + "tasks:changed"  # channel: tasks were made or changed
        self.skills_ended = p + "skills:ended"  # channel: executions that ended, and what came of them
        self.results = p + "act:done:"  # channel prefix: an action somebody waits for has its result

    def lane(self, name: str) -> str:
        """Stream of a lane, or of a parking place (`is_parking`)."""
        return f"{self.prefix}queue:{name}" if is_parking(name) else f"{self.prefix}queue:worker:{name}"

    def deaths(self, lane: str) -> str:
        """Hash: entry id -> how many workers died while it was delivered."""
        return f"{self.prefix}lane:{lane}:deaths"

    def suspects(self, lane: str) -> str:
        """Set: ids of entries that run alone because workers died with them."""
        return f"{self.prefix}lane:{lane}:suspect"

    def presence(self, worker_id: str) -> str:
        """Hash (30 s): what a worker says of itself."""
        return f"{self.prefix}worker:{worker_id}"

    def worker_plugins(self, worker_id: str) -> str:
        """String (30 s): the plugins of a worker, JSON."""
        return f"{self.prefix}worker:{worker_id}:plugins"

    def drain(self, worker_id: str) -> str:
        """String: a worker is asked to take nothing new."""
        return f"{self.prefix}worker:{worker_id}:drain"

    def lease(self, inc: str) -> str:
        """String (10 s): this incarnation of a worker or nexus lives."""
        return f"{self.prefix}lease:{inc}"

    def nexus(self, inc: str) -> str:
        """Hash: `seq` of the last batch, the letters of the last batches, counters."""
        return f"{self.prefix}nexus:{inc}"

    def mark(self, digest: str) -> str:
        """String: the platform's duplicate mark of an event."""
        return f"{self.prefix}d:{digest}"

    def bot(self, bot: str) -> str:
        """Hash: epoch, nexus, link. `bot` is `platform:self_id`."""
        return f"{self.prefix}bot:{bot}"

    def media(self, token: str) -> str:
        """String (1 h): a piece of media for bots."""
        return f"{self.prefix}media:{token}"

    def groups(self, bot: str) -> str:
        """String (7 days), JSON: group id -> name, as the bot's own list said last."""
        return f"{self.prefix}groups:{bot}"

    def series(self, step: str) -> str:
        """Stream: figures of the whole matrix, one entry for each step of so many seconds; its id is the moment."""
        return f"{self.prefix}stats:series:{step}"

    def affinity(self, bot: str) -> str:
        """Hash (1 h): conversation -> lane."""
        return f"{self.prefix}aff:{bot}"

    def actions(self, nexus: str) -> str:
        """Stream: actions for the bots of one nexus incarnation."""
        return f"{self.prefix}actions:{nexus}"

    def room(self, bot: str) -> str:
        """Stream: actions that wait for the turn of a bot; nobody has read them."""
        return f"{self.prefix}paced:{bot}"

    def act(self, action_id: str) -> str:
        """Hash (24 h): state and result of an action."""
        return f"{self.prefix}act:{action_id}"

    def ask(self, action_id: str) -> str:
        """String (24 h): when a handler asked a question, and behind which entry of its lane the answers come."""
        return f"{self.prefix}ask:{action_id}"

    def uses(self, limit: str) -> str:
        """Set (as long as its cooldown or quota): ids of the events that used a handler with a limit."""
        return f"{self.prefix}uses:{limit}"

    def package(self, sha256: str) -> str:
        """Hash (2 min): number -> 256 KiB of a package's file, the last piece shorter."""
        return f"{self.prefix}package:{sha256}"

    def plugin_store(self, plugin: str) -> str:
        """Hash: key -> value and time limit, of one isolated plugin."""
        return f"{self.prefix}plugin:{plugin}:store"

    def settled(self, nexus: str) -> str:
        """Channel: how many events of this nexus a lane settled, and when they were received."""
        return f"{self.prefix}settled:{nexus}"

    def result(self, inc: str) -> str:
        """Channel: ids of finished actions that this incarnation waits for."""
        return f"{self.results}{inc}"

    def lines(self, nexus: str) -> str:
        """Hash (30 s): name -> state of each server that a nexus dials, JSON."""
        return f"{self.prefix}lines:{nexus}"

    def sockets(self, nexus: str) -> str:
        """String (30 s): the socket workers of a nexus and their bots, JSON."""
        return f"{self.prefix}sockets:{nexus}"

    def dialler(self, server: str) -> str:
        """String (10 s): the nexus that dials a bot's own server."""
        return f"{self.prefix}dial:{server}"

    def superseded(self, nexus: str) -> str:
        """Channel: bots that a nexus lost to another."""
        return f"{self.prefix}superseded:{nexus}"

    def skill_mark(self, attempt: str) -> str:
        """String (1 h): this attempt of an execution is on a lane."""
        return f"{self.prefix}skills:sent:{attempt}"

    def skill_answer(self, attempt: str) -> str:
        """String (10 min): what came of a skill called from code, JSON."""
        return f"{self.prefix}skills:answer:{attempt}"

    def skill_caller(self, attempt: str) -> str:
        """String (10 min): incarnation that waits for what comes of it."""
        return f"{self.prefix}skills:caller:{attempt}"

    def skill_answered(self, inc: str) -> str:
        """Channel: what came of skills that plugins of a worker called."""
        return f"{self.prefix}skills:answered:{inc}"

    def control(self, inc: str) -> str:
        """String (30 s): a control process was there at that moment (unix s)."""
        return f"{self.prefix}control:{inc}"

    def restart(self, inc: str) -> str:
        """String (5 min): this process is asked to end in order and start again."""
        return f"{self.prefix}restart:{inc}"

    def core_stats(self, day_kind: str) -> str:
        """Hash (3 days): name -> messages of a day (UTC), by `user`, `group`, `bot`, `reason`."""
        return f"{self.prefix}core:stats:{day_kind}"

    def session(self, person: str) -> str:
        """String (session_ttl_sec): what somebody said last, JSON. `person` is `platform:user_id`."""
        return f"{self.prefix}session:{person}"

    def session_state(self, person: str) -> str:
        """String (session_ttl_sec, or as given): what plugins and workers note of somebody, a JSON object."""
        return f"{self.prefix}session:state:{person}"

    def conversation(self, conversation: str) -> str:
        """String (session_ttl_sec): what was said last in a conversation, JSON."""
        return f"{self.prefix}conversation:{conversation}"

    def conversation_state(self, conversation: str) -> str:
        """String (session_ttl_sec, or as given): what plugins and workers note of a conversation, a JSON object."""
        return f"{self.prefix}conversation:state:{conversation}"
