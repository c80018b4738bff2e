"""Where the gateway asks which tokens open a link."""

from __future__ import annotations

from collections.abc import Callable, Collection

Tokens = Callable[[str | None], Collection[str]]
"""Bot key (`platform:self_id`) -> the tokens that may open a link of this bot: its own if it has one, else
the shared.

None stands for a bot that has not said who it is: every token that some bot may use; it is asked again with
the key when the name is known. `""` among them: no token is needed. Must answer from memory, at once.
"""
