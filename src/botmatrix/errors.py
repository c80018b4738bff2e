"""What can go wrong, in one tree.

BotMatrixError
 ├─ ConfigError          a setting is wrong                        exit 78
 ├─ EngineUnavailable    Redis or PostgreSQL can't be reached      exit 69
 ├─ Superseded           a newer process took this id              exit 75
 ├─ BadFrame             a peer sent something that is no OneBot
 ├─ BadEnvelope          an entry of a lane can't be read
 ├─ Fenced               the lane belongs to somebody else now
 ├─ SkillFailed          a skill that was called did not succeed
 └─ ActionError
     ├─ ActionFailed     the bot (or the hub) answered with a failure
     └─ ActionUnknown    it may have happened: no answer came
"""

from __future__ import annotations

from typing import ClassVar


class BotMatrixError(Exception):
    """Base of every error raised on purpose. `exit_code` is what a command line ends with."""

    exit_code: ClassVar[int] = 1


class ConfigError(BotMatrixError):
    """A setting is wrong: says which, what was found, and what was expected."""

    exit_code = 78

    def __init__(self, key: str, value: object, expected: str) -> None:
        self.key, self.value, self.expected = key, value, expected
        super().__init__(f"{key} = {value!r}: expected {expected}")


class EngineUnavailable(BotMatrixError):
    """An engine (Redis, PostgreSQL) can't be reached; `cure` says what to do."""

    exit_code = 69

    def __init__(self, engine: str, reason: str, cure: str = "") -> None:
        self.engine, self.reason, self.cure = engine, reason, cure
        super().__init__(f"{engine} can't be reached: {reason}" + (f". {cure}" if cure else ""))


class Superseded(BotMatrixError):
    """A newer process with the same id is running; this one must end."""

    exit_code = 75


class BadFrame(BotMatrixError):
    """A frame that is no valid OneBot payload. `reason` is a counter label: short, no peer data."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class BadEnvelope(BotMatrixError):
    """The payload of a stream entry can't be understood. `reason` is a counter label."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Fenced(BotMatrixError):
    """The lane has another owner: drop its queues, settle nothing, join anew."""


class SkillFailed(BotMatrixError):
    """A skill that was called did not succeed, or nobody executed it in time; `reason` says why."""

    def __init__(self, skill: str, reason: str) -> None:
        self.skill, self.reason = skill, reason
        super().__init__(f"skill {skill}: {reason}")


class ActionError(BotMatrixError):
    """An action did not succeed, as far as is known."""


class ActionFailed(ActionError):
    """The answer to an action was a failure.

    `retcode` is the bot's (1400, 1401, 1404 are the hub's own: undeliverable, time-out, no such bot).
    """

    def __init__(self, retcode: int, message: str = "", action: str = "") -> None:
        self.retcode, self.message, self.action = retcode, message, action
        super().__init__(f"{action or 'action'} failed: retcode {retcode} {message}".rstrip())


class ActionUnknown(ActionError):
    """The action was written to the bot's link and no answer came: it may have happened."""

    def __init__(self, action: str = "", reason: str = "") -> None:
        self.action, self.reason = action, reason
        super().__init__(f"{action or 'action'}: outcome unknown {reason}".rstrip())
