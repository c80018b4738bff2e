"""One routing rule: whom it is about, where their events go, and what happens while that target is away."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from botmatrix.errors import BotMatrixError

KEY_LENGTH: Final = 160
PRIORITIES: Final = (-1_000_000, 1_000_000)
LATEST: Final = 32_503_680_000.0
"""The year 3000, in unix seconds: what is later was meant as milliseconds."""
PREFIXES: Final = ("user_", "group_", "bot_")
BLOCK: Final = "block"
POOL: Final = "pool:"
DEFAULT_POOL: Final = "default"
MOST_TARGETS: Final = 8
TARGET_LENGTH: Final = 600

KEY_PATTERN: Final = r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]*[^\x00-\x20\x7f-\xa0])?$"
_ONE: Final = r"(pool:)?[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}"
TARGET_PATTERN: Final = rf"^{_ONE}(, ?{_ONE}){{0,{MOST_TARGETS - 1}}}$"

_KEY = re.compile(KEY_PATTERN[:-1])
_TARGET = re.compile(TARGET_PATTERN[:-1])


Choice = TypeVar("Choice", bound=StrEnum)


class BadRule(BotMatrixError):
    """A rule can't be accepted: `field` and, in words, why."""

    def __init__(self, field: str, reason: str) -> None:
        self.field, self.reason = field, reason
        super().__init__(f"{field}: {reason}")


class Fallback(StrEnum):
    """What happens to an event while the target of its rule takes none."""

    BALANCE = "balance"
    WAIT = "wait"
    DROP = "drop"


class Deliver(StrEnum):
    """How many of a rule's targets get an event: one of them, or each a copy."""

    ONE = "one"
    ALL = "all"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A checked rule; made by `make_rule`.

    `key`: `user_ID`, `group_ID`, `bot_ID` or a bare id, with `*` anywhere for any characters. `target`: a worker's id
    or `pool:NAME`, or up to eight of them with commas between; or `block`. `priority` counts among wildcards only.
    `created`: unix seconds; the older of two rules that are otherwise equal wins.
    """

    key: str
    target: str
    priority: int = 0
    fallback: Fallback = Fallback.BALANCE
    deliver: Deliver = Deliver.ONE
    disabled: bool = False
    created: float = 0.0

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets one by one."""
        return tuple(self.target.split(","))

    @property
    def is_wildcard(self) -> bool:
        """Whether the key has a `*`."""
        return "*" in self.key

    @property
    def literal(self) -> int:
        """How many characters of the key are literal."""
        return len(self.key) - self.key.count("*")

    @property
    def says(self) -> tuple[str, int, Fallback, Deliver, bool]:
        """What a person decided: all but the key and the age."""
        return (self.target, self.priority, self.fallback, self.deliver, self.disabled)


def make_rule(
    key: str,
    target: str,
    *,
    priority: int = 0,
    fallback: str = Fallback.BALANCE,
    deliver: str = Deliver.ONE,
    disabled: bool = False,
    created: float = 0.0,
) -> Rule:
    """A rule of what somebody typed. Raises `BadRule` with words that say what to write instead."""
    return Rule(
        key=check_key(key),
        target=_target(target),
        priority=_priority(priority),
        fallback=_choice("fallback", Fallback, fallback),
        deliver=_choice("deliver", Deliver, deliver),
        disabled=disabled,
        created=created,
    )


def check_key(key: str) -> str:
    """The key itself, when it may be one. Raises `BadRule`."""
    if not key or len(key) > KEY_LENGTH:
        raise BadRule("key", f"must have 1 to {KEY_LENGTH} characters")
    if not _KEY.fullmatch(key) or any("\ud800" <= character <= "\udfff" for character in key):
        raise BadRule("key", "must not have control characters, or spaces at its ends")
    if key in PREFIXES:
        raise BadRule("key", f"{key!r} names nobody: write an id behind it, or {key + '*'!r} for everybody")
    return key


def rule_of(key: str, value: bytes, created: float = 0.0) -> Rule:
    """The rule in one field of the mirror: JSON of a rule, or just a target. Raises `BadRule`."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise BadRule("target", "is no UTF-8") from None
    if not text.lstrip().startswith("{"):
        return make_rule(key, text.strip(), created=created)
    try:
        found = _lenient.decode(value)
    except msgspec.DecodeError as error:
        raise BadRule("rule", f"is no JSON of a rule ({error})") from None
    except RecursionError:
        raise BadRule("rule", "is no JSON of a rule (it is nested too deep)") from None
    if not 0 <= found.created <= LATEST:
        raise BadRule("created", "must be unix seconds, or left out")
    return make_rule(
        key,
        found.target or found.worker_id,
        priority=found.priority,
        fallback=found.fallback,
        deliver=found.deliver,
        disabled=found.disabled,
        created=found.created or created,
    )


def mirrored(rule: Rule) -> bytes:
    """The field of the mirror that holds this rule; `rule_of` reads it."""
    return msgspec.json.encode(rule)


def as_document(rule: Rule) -> dict[str, Any]:
    """What a person would write: key, target, and whatever is not the default."""
    document: dict[str, Any] = {"key": rule.key, "target": rule.target}
    if rule.priority:
        document["priority"] = rule.priority
    if rule.fallback is not Fallback.BALANCE:
        document["fallback"] = rule.fallback.value
    if rule.deliver is not Deliver.ONE:
        document["deliver"] = rule.deliver.value
    if rule.disabled:
        document["disabled"] = True
    return document


class _Written(msgspec.Struct):
    """A rule in JSON as somebody may have written it by hand."""

    target: str = ""
    worker_id: str = ""
    priority: int = 0
    fallback: str = Fallback.BALANCE.value
    deliver: str = Deliver.ONE.value
    disabled: bool = False
    created: float = 0.0


_lenient = msgspec.json.Decoder(_Written)


def _target(target: str) -> str:
    if not _TARGET.fullmatch(target):
        raise BadRule(
            "target",
            "must be a worker's id, pool:NAME or block (letters, digits, _ . -, at most 64), "
            f"or up to {MOST_TARGETS} workers and pools with commas between",
        )
    targets = target.replace(" ", "").split(",")
    if DEFAULT_POOL in targets:
        raise BadRule("target", "no worker is called 'default'; for the default pool write 'pool:default'")
    if BLOCK in targets and len(targets) > 1:
        raise BadRule("target", "'block' stands alone")
    if len(set(targets)) < len(targets):
        raise BadRule("target", "names somebody twice")
    return ",".join(targets)


def _priority(priority: int) -> int:
    lowest, highest = PRIORITIES
    if not lowest <= priority <= highest:
        raise BadRule("priority", f"must be from {lowest} to {highest}")
    return priority


def _choice(field: str, kind: type[Choice], text: str) -> Choice:
    try:
        return kind(text)
    except ValueError:
        raise BadRule(field, f"must be one of {', '.join(kind)}") from None
