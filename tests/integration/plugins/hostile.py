"""Isolated plugins that do their worst with the first event they get."""

from __future__ import annotations

from typing import Any

QUICK = {"timeout_ms": 300}
PATIENT = {"timeout_ms": 20_000}

WORST: dict[str, tuple[str, dict[str, Any], str]] = {
    "endless loop": ("for m in messages():\n    while True: pass", QUICK, "handler_timeout"),
    "sleep": ("for m in messages(): time.sleep(600)", QUICK, "handler_timeout"),
    "segfault": ("for m in messages(): os.kill(os.getpid(), 11)", {}, "plugin_down: mine.on_message was killed by"),
    "kills itself": ("for m in messages(): os.kill(os.getpid(), 9)", {}, "plugin_down"),
    "exits at once": ("for m in messages(): sys.exit(3)", {}, "exit code 3"),
    "never reads": ("time.sleep(600)", QUICK, "handler_timeout"),
    "closes stdin": ("os.close(0); time.sleep(600)", QUICK, "mine"),
    "closes stdout": ("os.close(1); time.sleep(600)", QUICK, "mine"),
    "one GiB of lines": ("for m in messages():\n    while True: print('x' * 1000)", PATIENT, "floods its output"),
    "a line of 100 MB": (
        "for m in messages():\n    sys.stdout.write('{' + 'x' * 100_000_000 + chr(10)); sys.stdout.flush()",
        PATIENT,
        "floods its output",
    ),
    "no end of line": ("for m in messages():\n    while True: sys.stdout.write('{' * 100000)", PATIENT, "floods"),
    "floods stderr": ("for m in messages():\n    while True: print('x' * 1000, file=sys.stderr)", QUICK, "timeout"),
    "bad JSON": ("for m in messages(): print('{not json'); sys.stdout.flush()", QUICK, "handler_timeout"),
    "no answer": ("for m in messages(): say(hello='you')", QUICK, "handler_timeout"),
    "wrong types": ("for m in messages(): say(id=m['id'], ok='yes', actions='all')", QUICK, "handler_timeout"),
    "deep JSON": ("for m in messages(): print('{\"a\":' * 100000); sys.stdout.flush()", QUICK, "handler_timeout"),
    "forged ids": ("for m in messages(): say(id='a' * 24, ok=True, actions=[text('x')])", QUICK, "handler_timeout"),
    "a flood of empty lines": ("for m in messages():\n    while True: print(end='\\n' * 10000)", PATIENT, "floods"),
    "a flood of bad JSON": (
        "for m in messages():\n    while True: sys.stdout.write('{\\n' * 10000)",
        PATIENT,
        "floods",
    ),
    "a flood of forged ids": (
        "for m in messages():\n    line = json.dumps({'id': 'x', 'ok': True}) + chr(10)\n"
        "    while True: sys.stdout.write(line * 1000)",
        PATIENT,
        "floods its output",
    ),
    "a flood of answers": (
        "for m in messages():\n    line = json.dumps({'id': m['id'], 'ok': True, 'more': True}) + chr(10)\n"
        "    while True: sys.stdout.write(line * 1000)",
        PATIENT,
        "floods its output",
    ),
    "memory leak": (
        "kept = []\nfor m in messages():\n    while True: kept.append(b'x' * 1_000_000); time.sleep(0.01)",
        {"limits": {"memory_mb": 64}, **PATIENT},
        "more memory than it may",
    ),
    "fast memory leak": (
        "kept = []\nfor m in messages():\n    while True: kept.append(b'x' * 1_000_000)",
        {"limits": {"memory_mb": 64}, **PATIENT},
        "plugin_down",
    ),
    "fork bomb": (
        "for m in messages():\n    for _ in range(40):\n        if os.fork() == 0: time.sleep(60)\n    time.sleep(60)",
        {"limits": {"processes": 8}, **PATIENT},
        "more processes than it may",
    ),
    "many open files": (
        "for m in messages():\n    kept = [open('/dev/null') for _ in range(500)]",
        {"limits": {"open_files": 64}},
        "exit code 1",
    ),
}
"""Code, more of its manifest, and what becomes of its event. The loop is never held, and the others answer."""
