"""`botmatrix doctor`: what is in order, what is not, and what to do about it."""

from __future__ import annotations

import dataclasses
import json as json_module
from typing import TYPE_CHECKING

import typer

from botmatrix.cli.common import Json, run_async, say, settings_of

if TYPE_CHECKING:
    from botmatrix.embedded.checks import Finding

_SIGNS = {"ok": "ok  ", "warning": "warn", "failed": "FAIL"}


def doctor(context: typer.Context, json: Json = False) -> None:
    """Check engines, versions, ports, tokens, clock and limits, and say what to do. Exit 1 when something fails."""
    from botmatrix.embedded.checks import examine

    settings = settings_of(context)
    findings = run_async(lambda: examine(settings))
    if json:
        say(json_module.dumps([dataclasses.asdict(finding) for finding in findings]))
    else:
        _print(findings)
    if any(finding.state == "failed" for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        say(f"{_SIGNS[finding.state]}  {finding.what}: {finding.found}")
        if finding.cure:
            say(f"      -> {finding.cure}")
    troubles = sum(finding.state != "ok" for finding in findings)
    say("Everything is in order." if not troubles else f"{troubles} of {len(findings)} want attention.")
