"""The Lua scripts of the spine (DELIVERY: each moves an entry and everything that depends on it in one step).

They run by EVALSHA on Redis 6.2 and Valkey 7.2 alike; their texts and arguments are documented in the files.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import NamedTuple


class Script(NamedTuple):
    """A Lua text and its SHA-1, which is its name in Redis."""

    name: str
    text: str
    sha: str


def _load(name: str) -> Script:
    text = resources.files("botmatrix.bus").joinpath("lua", f"{name}.lua").read_text("utf-8")
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


INGEST = _load("ingest")
JOIN = _load("join")
RENEW = _load("renew")
SETTLE = _load("settle")
RELEASE = _load("release")
RETIRE = _load("retire")
ROSTER = _load("roster")
UNPARK = _load("unpark")
BURY = _load("bury")
REPLAY = _load("replay")
ACT = _load("act")
CLAIM = _load("claim")
DESCRIBE = _load("describe")
FINISH = _load("finish")
FORWARD = _load("forward")
RESCUE = _load("rescue")
CONFIGURE = _load("configure")
HOT = _load("hot")
ONLINE = _load("online")
REMEMBER = _load("remember")
SWAP = _load("swap")
ASKED = _load("asked")
ALLOW = _load("allow")
DEFER = _load("defer")
ADMIT = _load("admit")
CALL = _load("call")
REPORT = _load("report")
ASK_SKILL = _load("ask_skill")
ANSWER_SKILL = _load("answer_skill")
OFFER = _load("offer")
BIND = _load("bind")
DIRECT = _load("direct")
DIRECTED = _load("directed")
FIRE = _load("fire")
KEEP = _load("keep")
ALL = (
    *(FIRE, KEEP, ASK_SKILL, ANSWER_SKILL),
    *(DEFER, ADMIT, CALL, REPORT, OFFER, BIND, DIRECT, DIRECTED),
    *(INGEST, JOIN, RENEW, SETTLE, RELEASE, RETIRE, ROSTER),
    *(UNPARK, BURY, REPLAY, ACT, CLAIM, DESCRIBE, FINISH, FORWARD, RESCUE, CONFIGURE, HOT, ONLINE),
    *(REMEMBER, SWAP, ASKED, ALLOW),
)
