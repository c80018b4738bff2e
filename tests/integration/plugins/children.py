"""Plugins for a process of their own, as small Python scripts that speak the protocol without any kit."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path
from typing import Any

from botmatrix.worker.plugins.source import Source

HEAD = """
import json, os, sys, time

def say(**answer):
    sys.stdout.write(json.dumps(answer) + "\\n")
    sys.stdout.flush()

def text(words, **more):
    return {"type": "send_message", "target": "", "target_id": "", "text": words, **more}

def messages():
    for line in sys.stdin:
        yield json.loads(line)

def reply(m, *words):
    p = m["payload"]
    say(id=m["id"], ok=True, actions=[
        {"type": "send_message", "target": p["from"], "target_id": p["group_id"], "text": w} for w in words])
"""

ECHO = """
for m in messages():
    reply(m, m["payload"]["text"])
"""


def write_isolated(folder: Path, code: str, name: str = "mine", **manifest: Any) -> Source:
    """A plugin folder. Its code finds `say`, `messages`, `reply` and `text` ready."""
    path = folder / name
    path.mkdir(exist_ok=True)
    told = {"id": name, "version": "1.0.0", "events": ["on_message"], "timeout_ms": 10_000, **manifest}
    told.setdefault("entry", [sys.executable, "-u", "main.py"])
    (path / "plugin.json").write_text(json.dumps(told))
    (path / "main.py").write_text(HEAD + textwrap.dedent(code))
    return Source("file", name, path)
