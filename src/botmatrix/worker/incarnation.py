"""Who this process is among all starts of all workers."""

from __future__ import annotations

import os
import secrets
import socket
from functools import cache
from pathlib import Path

import psutil


def new_incarnation(worker_id: str) -> str:
    """`{id}.{8 hex}`: this start of the worker."""
    return f"{worker_id}.{secrets.token_hex(4)}"


def worker_of(inc: str) -> str:
    """The worker's id in an incarnation."""
    return inc.rpartition(".")[0]


@cache
def machine() -> str:
    """Where a process id means something: host, boot and (on Linux) the namespace of process ids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        boot, namespace = str(int(psutil.boot_time())), ""
    return f"{socket.gethostname()} {boot} {namespace}".strip()


def process_gone(fields: dict[str, str], inc: str) -> bool:
    """Whether a presence proves that the process of `inc` is no more: it ran on this machine, and its pid is free."""
    if fields.get("incarnation") != inc or fields.get("machine") != machine():
        return False
    try:
        return psutil.Process(int(fields["pid"])).status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return "pid" in fields
