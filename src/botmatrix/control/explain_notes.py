"""What an explanation says beside rules and the judge: lines with a code, facts, and words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from botmatrix.onebot.event import Event


class Asked(NamedTuple):
    """The event that is asked about, and whose it is."""

    platform: str
    self_id: str
    event: Event

    @property
    def bot(self) -> str:
        """`platform:self_id`."""
        return f"{self.platform}:{self.self_id}"

    @property
    def group(self) -> str:
        """`platform:group`, empty where there is none."""
        return f"{self.platform}:{self.event.group_id}" if self.event.group_id else ""

    @property
    def user(self) -> str:
        """`platform:user`, empty where there is none."""
        return f"{self.platform}:{self.event.user_id}" if self.event.user_id else ""


class Note(NamedTuple):
    """One line. `code`: one of `WORDS`; `facts`: what it is about. `stops`: the event ends there."""

    code: str
    facts: dict[str, str]
    stops: bool = False

    @property
    def words(self) -> str:
        """In English."""
        return WORDS[self.code].format_map(self.facts)


WORDS: Final[Mapping[str, str]] = {
    "limit_user": "it counts against the limit of {per_min} messages a minute of the user {id}",
    "limit_group": "it counts against the limit of {per_min} messages a minute of the group {id}",
    "limit_bot": "it counts against the limit of {per_min} messages a minute of the bot {id}",
    "group_other_bot": "the group {group} has the policy {policy}, and {bot} answers there: it ends here",
    "group_this_bot": "the group {group} has the policy {policy}, and this bot answers there",
    "group_nobody": "the group {group} has the policy {policy}, but no bot that may answer is there: every bot answers",
    "skill": "its words mean the skill {skill}: a worker that has it gets the message ({workers})",
    "skill_nobody": "its words mean the skill {skill}, which no worker that it may go to has now: it goes on as if not",
    "skill_forbidden": "its words mean the skill {skill}, which is for {permission}: it goes on as if not",
    "skill_left_alone": "its words mean the skill {skill}, but a rule that sends copies stands above that",
    "task": "it sets off the task {name} (number {id})",
    "task_cooldown": "it sets off the task {name} (number {id}), unless that was set off within {cooldown} s before",
    "duplicate": "if the platform sends it again within {seconds} s, that is taken for a duplicate and dropped",
    "plugins_off": "these plugins are off everywhere: {plugins}",
    "plugins_barred": "these plugins do not hear it, by bot, group or person: {plugins}",
    "safe_mode": "safe mode is on: of all plugins, only those hear it that BotMatrix brings along",
}
"""Code -> words; the console has the same in each language (`explain.CODE`)."""
