"""A supervisor with the real engines and the parts named on the command line: `name=stage=script`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from botmatrix import log
from botmatrix.config import load
from botmatrix.embedded.supervisor import Part, Supervisor
from botmatrix.errors import BotMatrixError

SCRIPTS = {
    "lives": (
        "import signal, sys, time\n"
        "signal.signal(15, lambda *_: (print('got SIGTERM', flush=True), sys.exit(0)))\n"
        "print('alive', flush=True)\n"
        "while True: time.sleep(60)"
    ),
    "deaf": "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('alive', flush=True)\ntime.sleep(600)",
    "crashes": "import sys; print('alive', flush=True); sys.exit(3)",
    "misconfigured": "import sys; print('ws_port = 1: expected a port', flush=True); sys.exit(78)",
    "superseded": "import sys; print('alive', flush=True); sys.exit(75)",
    "looks": (
        "import os, time\n"
        "print('sees', os.environ['REDIS_URL'].split('@')[1], os.environ['DATABASE_URL'].split('@')[1], flush=True)\n"
        "time.sleep(600)"
    ),
    "logs": (
        "import json, time\n"
        "print(json.dumps({'event': 'bot online', 'level': 'warning', 'bot': 'qq:1'}), flush=True)\n"
        "time.sleep(600)"
    ),
    "forks": (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(f'grandchild={p.pid}', flush=True)\n"
        "time.sleep(600)"
    ),
    "fat": "import time\nprint('x' * 3_000_000, flush=True)\nprint('after', flush=True)\ntime.sleep(600)",
}


def part(word: str) -> Part:
    """One part."""
    name, stage, script = word.split("=")
    return Part(name, (sys.executable, "-c", SCRIPTS[script]), int(stage), {}, grace=1.0)


async def ready() -> None:
    """Say so."""
    sys.stdout.write("READY\n")
    sys.stdout.flush()


def main() -> int:
    """Run it: the exit code."""
    try:
        settings = load(Path(sys.argv[1]), {}, {})
        log.configure(part="up", level="debug")
        parts = [part(word) for word in sys.argv[2:]]
        supervisor = Supervisor(settings, parts, environment=dict(os.environ), on_ready=ready)
        return asyncio.run(supervisor.run())
    except BotMatrixError as error:
        sys.stdout.write(f"{error}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
