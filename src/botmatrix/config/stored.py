"""What the database holds of the settings, as it travels to every process and lies in HOME as a last good copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from botmatrix.config.home import Home


@dataclass(frozen=True, slots=True)
class Stored:
    """Unchecked values by key. Its `repr` shows none of them: some are tokens."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What was set on purpose: stronger than `config.json`, weaker than the environment."""
    generated: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Tokens that were made at the first start: defaults that all nodes share."""
    bound: tuple[str, ...] = ()
    """`platform:user_id` of console users who may command the hub from chat."""

    def document(self) -> str:
        """As JSON; equal contents give equal text."""
        found = {"values": dict(self.values), "generated": dict(self.generated), "bound": sorted(self.bound)}
        return json.dumps(found, sort_keys=True, separators=(",", ":"))


def parse_stored(text: str | bytes) -> Stored:
    """The opposite of `Stored.document`. Raises `ValueError` for anything else."""
    try:
        found = json.loads(text)
        values, generated, bound = found["values"], found["generated"], found["bound"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError("this is no document of settings") from error
    if not isinstance(values, dict) or not isinstance(generated, dict) or not isinstance(bound, list):
        raise ValueError("this is no document of settings")
    return Stored(values, generated, tuple(str(one) for one in bound))


def remember(home: Home, stored: Stored) -> None:
    """Keep the last good copy, 0600, for a start while the engines are away. Raises `OSError`."""
    home.write_private(home.settings, stored.document())


def remembered(home: Home) -> tuple[Stored, str]:
    """The last good copy, and a warning in words when there is one that can't be read.

    Nobody is bound in it: who has lost that right since must not have it again.
    """
    try:
        found = parse_stored(home.settings.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return Stored(), ""
    except (OSError, ValueError) as error:
        return Stored(), f"{home.settings.name} can't be used: {error}"
    return Stored(found.values, found.generated), ""
