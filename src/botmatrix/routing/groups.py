"""Which of several bots in one group answers there: policies, and who is responsible."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from enum import StrEnum
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from botmatrix.errors import BotMatrixError
from botmatrix.onebot.event import Event
from botmatrix.onebot.ids import plain_key

MOST_GROUPS: Final = 10_000
MOST_BOTS: Final = 50
BEHIND: Final = 45
"""A bot whose last message in a group is so many seconds older than another's does not hear what that one hears."""
SHARED_NOTICES: Final = frozenset(
    {"group_increase", "group_decrease", "group_recall", "group_upload", "group_ban", "group_admin", "essence"}
)
"""What every bot of a group hears alike, unless it is about the bot itself."""
KEY_PATTERN: Final = r"^[!-9;-~]{1,32}:[!-~]{1,128}$"


class BadGroupPolicies(BotMatrixError):
    """A document that can't be used: says what is wrong with it."""


class Policy(StrEnum):
    """ALL: every bot answers. ONE: the first that is there. MENTIONED: those that are mentioned, else as with ONE."""

    ALL = "all"
    ONE = "one"
    MENTIONED = "mentioned"


PlatformKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN), AfterValidator(plain_key)]
"""`platform:id`."""


class GroupPolicy(BaseModel):
    """`bots`: who answers, the first one first; empty: whoever was heard in the group, in the order of their keys.

    `since`: when it was set, unix seconds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: Policy
    bots: Annotated[list[PlatformKey], Field(max_length=MOST_BOTS)] = []
    since: Annotated[int, Field(ge=0, le=2**53)] = 0


class GroupPolicies(BaseModel):
    """The whole document, by `platform:group`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: Annotated[dict[PlatformKey, GroupPolicy], Field(max_length=MOST_GROUPS)] = {}

    def to_json(self) -> bytes:
        """The document as it is kept."""
        return self.model_dump_json().encode()


def parse(document: bytes | str) -> GroupPolicies:
    """A kept document. Raises `BadGroupPolicies`."""
    try:
        return GroupPolicies.model_validate_json(document)
    except ValidationError as error:
        raise BadGroupPolicies(f"{error.error_count()} things are wrong with it") from None


def with_policy(policies: GroupPolicies, group: str, policy: GroupPolicy | None) -> GroupPolicies:
    """The document with another policy (or none) for one group. Raises `BadGroupPolicies` when there are too many."""
    groups = {key: one for key, one in policies.groups.items() if key != group}
    if policy is not None:
        groups[group] = policy
    if len(groups) > MOST_GROUPS:
        raise BadGroupPolicies(f"there may be at most {MOST_GROUPS} of them")
    return GroupPolicies(groups=groups)


def is_shared(event: Event, self_id: str) -> bool:
    """Whether every bot of the group hears this."""
    if event.post_type == "notice":
        return event.detail_type in SHARED_NOTICES and event.user_id != self_id
    return event.post_type == "message"


def called(bot: str, mentioned: Set[str], known: Iterable[str], is_online: Callable[[str], bool]) -> str:
    """The bot that a message mentions, `bot` first; "" when it mentions none of those known that is there."""
    if bot in mentioned:
        return bot
    return next((one for one in sorted(mentioned & set(known)) if is_online(one)), "")


def responsible(policy: GroupPolicy, heard: Iterable[str], is_there: Callable[[str], bool]) -> str:
    """The bot that answers; "" when none that may is there, and then every bot answers: better twice than never."""
    return next((bot for bot in policy.bots or sorted(heard) if is_there(bot)), "")
