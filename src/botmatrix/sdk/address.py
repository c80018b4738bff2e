"""Where something is said: `platform[@bot]:group|private:id`.

For instance `qq:group:456`, `qq@10001:private:123`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ADDRESS = re.compile(r"(?P<platform>[^\s:@]+)(?:@(?P<bot>[^\s:]+))?:(?P<kind>group|private):(?P<id>[^\s:]+)")


class Address(NamedTuple):
    """A conversation. `bot`: self_id of the bot that shall speak, or empty for whichever fits."""

    platform: str
    bot: str
    kind: str
    id: str

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises `ValueError`."""
        found = _ADDRESS.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no address: write platform:group:ID or platform@bot:private:ID")
        return cls(found["platform"].lower(), found["bot"] or "", found["kind"], found["id"])
