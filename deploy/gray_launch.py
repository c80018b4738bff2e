#!/usr/bin/env python3
"""Where a fleet stands on its way to the skill system, and what each step must show.

    python deploy/gray_launch.py http://127.0.0.1:3002 STEP        (the token or API key in BOTMATRIX_TOKEN)

    off         nobody has it: the state before, and after going back
    workers     some workers have it, no nexus yet: nothing calls them
    nexus       the nexus and control have it too: calls go to those workers alone
    everywhere  every part has it

Prints what it finds, one line each; exit code 0 when all of it is as it must be, 1 when not. It changes nothing.
Nothing but Python 3.11 is needed. docs/skills.md has the whole way.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

STEPS = ("off", "workers", "nexus", "everywhere")


class Console:
    """The REST interface of a control process."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url.rstrip("/"), token

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        request = Request(self._url + path, headers={"Authorization": f"Bearer {self._token}"})  # noqa: S310
        try:
            with urlopen(request, timeout=10) as answer:  # noqa: S310 - the operator's own console
                return answer.status, json.load(answer)
        except HTTPError as refusal:
            return refusal.code, json.load(refusal)

    def parts(self, kind: str) -> dict[str, bool]:
        """The parts of a kind that live, and whether each has the skill system on."""
        _, ready = self.get("/readyz")
        return {one["id"]: bool(one["skills"]) for one in ready["parts"] if one["part"] == kind and one["alive"]}

    def warned(self) -> bool:
        """Whether the console warns that parts disagree."""
        _, ready = self.get("/readyz")
        return any("enable_skill differs" in warning for warning in ready["warnings"])

    def skills(self) -> dict[str, list[str]] | None:
        """The skills and who has them; None where the skill system is off."""
        status, found = self.get("/api/skills?size=200")
        return None if status == 409 else {one["name"]: one["workers"] for one in found["skills"]}


def checks(console: Console, step: str) -> list[tuple[str, bool]]:
    """What the step must show, and whether it does."""
    workers, nexuses, controls = (console.parts(kind) for kind in ("worker", "nexus", "control"))
    hub, skills = {**nexuses, **controls}, console.skills()
    on = sorted(worker for worker, is_on in workers.items() if is_on)
    told = f"workers with skills: {', '.join(on) or 'none'}"
    if step == "off":
        return [
            (told, not on),
            ("nexus and control are off", not any(hub.values())),
            ("routes answer 409", skills is None),
        ]
    if step == "workers":
        return [
            (told, bool(on)),
            ("nexus and control are still off", not any(hub.values())),
            ("the console warns that parts disagree", console.warned()),
            ("nothing calls them: routes answer 409", skills is None),
        ]
    having = {worker.split(".")[0] for found in (skills or {}).values() for worker in found}
    names = {worker.split(".")[0] for worker in on}
    found = [
        (told, bool(on)),
        ("nexus and control are on", bool(hub) and all(hub.values())),
        (f"skills: {', '.join(sorted(skills or {})) or 'none'}", bool(skills)),
        ("only those workers are called", having <= names),
    ]
    if step == "everywhere":
        found += [("every worker is on", all(workers.values())), ("no warning is left", not console.warned())]
    return found


def main(arguments: list[str]) -> int:
    """The exit code."""
    if len(arguments) != 2 or arguments[1] not in STEPS:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    found = checks(Console(arguments[0], os.environ.get("BOTMATRIX_TOKEN", "")), arguments[1])
    for words, is_so in found:
        sys.stdout.write(f"{'ok' if is_so else 'NOT YET'}  {words}\n")
    return 0 if all(is_so for _, is_so in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
