"""Where the gateway asks which tokens open a link."""

from __future__ import annotations

from typing import Protocol


class Tokens(Protocol):
    """Answers from memory, at once. A bot's key is `platform:self_id`."""

    def opens(self, bot: str | None, token: str) -> bool:
        """Whether this token opens a link of this bot: its own if it has one, else the common one.

        None stands for a bot that has not said who it is: whether some bot may use the token; it is asked again with
        the key when the name is known. Takes the same time however much of the token is right.
        """
        ...

    def banned(self, bot: str) -> float:
        """Seconds for which this bot is to stay away; 0: it may come."""
        ...
