"""Tokens of a gateway under test."""

from __future__ import annotations

from collections.abc import Callable, Collection

TokensOf = Callable[[str | None], Collection[str]]
"""Bot key -> the tokens that open its links; None -> those of all bots."""


class Accepting:
    """Implements `Tokens`; an empty token among the accepted ones means that none is asked for."""

    def __init__(self, tokens: TokensOf) -> None:
        self._tokens = tokens

    def opens(self, bot: str | None, token: str) -> bool:
        return any(one in ("", token) for one in self._tokens(bot))

    def banned(self, bot: str) -> float:
        return 0.0
