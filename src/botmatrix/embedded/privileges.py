"""Running a child as somebody else than root.

PostgreSQL refuses to run as uid 0. Started by root, it runs as an unprivileged account that owns the data
and keeps one right of root: to read (and search) past file permissions, as an ambient capability, because
the data folder and the Python environment often lie below `/root`, which nobody else may enter.
See capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from pathlib import Path
from typing import NamedTuple

from botmatrix.errors import EngineUnavailable

_PR_SET_PDEATHSIG, _PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2
_CAPABILITY_VERSION_3 = 0x20080522
_ACCOUNTS = ("botmatrix", "postgres", "nobody")

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Identity(NamedTuple):
    """Whom a child runs as, and which capabilities it keeps."""

    uid: int
    gid: int
    capabilities: tuple[int, ...] = ()


def unprivileged(folder: Path, executable: Path) -> Identity | None:
    """Whom to run an engine as whose data is in `folder`; None when this process isn't root.

    The owner of the data stays its owner, so that a home of an ordinary user stays usable by that user.
    Raises `EngineUnavailable` where root is the only account.
    """
    if os.geteuid() != 0:
        return None
    found = folder.stat() if folder.exists() else None
    if found is not None and found.st_uid != 0:
        return Identity(found.st_uid, found.st_gid, _reading(executable))
    account = _account()
    return Identity(account.pw_uid, account.pw_gid, _reading(executable))


def _account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    for entry in pwd.getpwall():
        if entry.pw_uid != 0:
            return entry
    cure = "Add an account (useradd --system botmatrix), or set database_url"
    raise EngineUnavailable("PostgreSQL", "it refuses to run as root, and there is no other account", cure)


def _reading(executable: Path) -> tuple[int, ...]:
    """The weakest capabilities with which a stranger can read and run `executable` wherever it lies."""
    permitted = _permitted()
    anyone_may_run = bool(executable.stat().st_mode & 0o001)
    if anyone_may_run and permitted >> _CAP_DAC_READ_SEARCH & 1:
        return (_CAP_DAC_READ_SEARCH,)
    return tuple(cap for cap in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH) if permitted >> cap & 1)


def _permitted() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1], 16) for line in lines if line.startswith("CapPrm:")), 0)


def assume(identity: Identity) -> None:
    """Become `identity`; for a child between fork and exec. Raises `OSError`."""
    if identity.capabilities:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(identity.gid)
    os.setuid(identity.uid)
    if identity.capabilities:
        _set_capabilities(identity.capabilities)


def die_with_parent(parent: int, signal: int) -> None:
    """Have the kernel send `signal` when the parent ends (Linux). A change of identity would undo it."""
    if _libc is None:
        return
    _prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        os._exit(1)


def _set_capabilities(capabilities: tuple[int, ...]) -> None:
    mask = sum(1 << cap for cap in capabilities)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _libc is None or _libc.capset(header, effective_permitted_inheritable) != 0:
        raise OSError(ctypes.get_errno(), "capset")
    for cap in capabilities:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, cap)


def _prctl(option: int, *values: int) -> None:
    padded = (*values, 0, 0, 0, 0)[:4]
    if _libc is None or _libc.prctl(option, *(ctypes.c_ulong(value) for value in padded)) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
