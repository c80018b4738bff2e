"""Stands between the worker and one plugin process; run as a script of its own (`python -I -S guard.py`).

Nothing that the plugin starts outlives it: when the plugin ends, when it is told to stop (SIGTERM: the plugin gets
SIGTERM, and SIGKILL after the grace), when a limit is passed, or when the worker dies in whatever way, the whole family
is killed, grandchildren that left the process group included.

It imports next to nothing, as it starts whenever a plugin does and takes the processor from events meanwhile: with
`json`, `signal` and `typing` it took three times as long.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator, Mapping
else:
    import _signal as signal

MEMORY, CPU, PROCESSES, NO_START = 201, 202, 203, 204
"""Exit codes that say which limit was passed, or that the program can't be started."""

NICE = 5
"""How much less than the worker a process that it starts is worth: on a full machine it waits rather than events."""
FULL, NICEST = 0.5, 19
"""A family that would take more than so much of a processor is worth next to nothing until it would not: of two
processors, 25 of them would leave the worker a fifth of one, each as nice as above.
"""
LOOK = 0.5
"""Seconds between two looks at what the family uses."""
WINDOW = 60.0
"""Seconds over which the share of the processor is averaged."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(config: Mapping[str, float], argv: list[str]) -> int:
    """Run the program within its limits; the exit code to end with (128 + signal for a killed one).

    `config`: `nice`, `grace` (s), `memory` (bytes), `cpu` (processors), `processes`, and values of `resource.RLIMIT_*`.
    """
    worker = os.getppid()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    wake = _signals()
    place = Place(int(config["nice"]))
    plugin = _spawn(config, argv)
    _detach()
    family = Family(plugin, config)
    stop_at: float | None = None
    while not family.ended:
        readable, _, _ = select.select([wake], [], [], LOOK)
        told = _drain(wake) if readable else b""
        family.reap()
        now = time.monotonic()
        if stop_at is None and (bytes([signal.SIGTERM]) in told or os.getppid() != worker):
            stop_at = now + (config["grace"] if os.getppid() == worker else 0)
            family.tell(signal.SIGTERM)
        if stop_at is not None and now >= stop_at:
            break
        if family.passed_limit(now):
            break
        place.take(family.demand)
    return family.end(wake)


class Place:
    """Of the family among all who want a processor."""

    def __init__(self, nice: int) -> None:
        self._nice = nice
        self._is = nice if step_back(nice) else -1

    def take(self, demand: float) -> None:
        """The one that goes with so many processors; it stays where it is when Linux wants to be asked again later."""
        wanted = NICEST if demand > FULL else self._nice
        if wanted != self._is and step_back(wanted):
            self._is = wanted


class Family:
    """The plugin's process and all that it started."""

    def __init__(self, plugin: int, config: Mapping[str, float]) -> None:
        self.plugin, self._config = plugin, config
        self.ended = False
        self._is_empty = False
        self.code = 0
        self._limit = 0
        self._samples: list[tuple[float, float]] = []
        self._wanted = time.monotonic(), 0.0
        self.demand = 0.0
        """How many processors it would have taken lately, had it been given them."""

    def reap(self) -> None:
        """Take the exit codes of those that ended; that of the plugin itself is kept."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self.ended = self._is_empty = True
                return
            if pid == 0:
                return
            if pid == self.plugin:
                self.ended = True
                code = os.waitstatus_to_exitcode(status)
                self.code = 128 - code if code < 0 else code

    def passed_limit(self, now: float) -> bool:
        """Whether memory, processor or number of processes are more than allowed."""
        members = list(children(os.getpid()))
        memory = sum(resident(pid) for pid in members)
        if memory > self._config["memory"]:
            self._limit = MEMORY
        elif len(members) > self._config["processes"]:
            self._limit = PROCESSES
        elif self._busy(now, sum(_cpu(pid) for pid in members)):
            self._limit = CPU
        self._look_at_demand(now, members)
        return bool(self._limit)

    def _look_at_demand(self, now: float, members: list[int]) -> None:
        since, before = self._wanted
        if now - since >= LOOK / 2:
            wanted = sum(_wanted(pid) for pid in members)
            self.demand, self._wanted = max(0.0, wanted - before) / (now - since), (now, wanted)

    def _busy(self, now: float, used: float) -> bool:
        self._samples.append((now, used))
        while self._samples[0][0] < now - WINDOW:
            began, before = self._samples.pop(0)
            if (used - before) / (now - began) > self._config["cpu"]:
                return True
        return False

    def tell(self, number: int) -> None:
        """Send the plugin a signal."""
        try:
            os.kill(self.plugin, number)
        except ProcessLookupError:
            self.ended = True

    def end(self, wake: int) -> int:
        """Kill whoever is left, again until nobody is: orphans become children of this process, so none is left out.

        `wake` is readable when one of them has ended.
        """
        deadline = time.monotonic() + 2
        while not self._is_empty and time.monotonic() < deadline:
            left = list(children(os.getpid())) or list(descendants())
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            if left and select.select([wake], [], [], LOOK)[0]:
                _drain(wake)
            self.reap()
            if not left:
                break
        return self._limit or self.code


def descendants() -> Iterator[int]:
    """Everybody below this process; orphans come to it, as it is their reaper."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if name.isdecimal() and (fields := _stat(int(name))) and fields[0] != "Z":
            parents.setdefault(int(fields[1]), []).append(int(name))
    found = parents.get(os.getpid(), [])
    for pid in found:
        found += parents.get(pid, [])
        yield pid


def children(pid: int) -> Iterator[int]:
    """Everybody below a process, at less cost; may miss who was born or orphaned just now: for looking only."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                for child in map(int, file.read().split()):
                    yield child
                    yield from children(child)
    except OSError:
        return


def _stat(pid: int) -> list[str]:
    """What /proc says from the state on; empty when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().decode("ascii", "replace").rpartition(") ")[2].split()
    except OSError:
        return []


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[21]) * _PAGE if fields else 0


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0


def _wanted(pid: int) -> float:
    """Seconds that its threads ran, or waited for a processor."""
    wanted = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat", "rb") as file:
                ran, waited, _ = file.read().split()
            wanted += int(ran) + int(waited)
    except (OSError, ValueError):
        pass
    return wanted / 1e9


def _spawn(config: Mapping[str, float], argv: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for name, value in config.items():
            if name.startswith("RLIMIT_"):
                _limit(getattr(resource, name), int(value))
        os.nice(int(config["nice"]))
        os.execvp(argv[0], argv)  # noqa: S606  no shell, on purpose
    except OSError as error:
        os.write(2, f"{argv[0]}: {_advice(error, argv[0])}\n".encode())
    finally:
        os._exit(NO_START)


def _advice(error: OSError, program: str) -> str:
    """Why a program can't be started, and what to do about it."""
    named = 'name in "entry" what runs it, as "python3 main.py"'
    if error.errno == errno.EACCES and os.path.isfile(program):
        return f"it is not executable: chmod +x it, or {named}"
    if error.errno == errno.ENOEXEC:
        return f"it is no program: give it a first line as #!/usr/bin/env python3, or {named}"
    if error.errno == errno.ENOENT and os.path.exists(program):
        return "what its first line names is not there: install it, or correct that line"
    return error.strerror or str(error)


def step_back(nice: int, pid: int | str = "self") -> bool:
    """Set the niceness of a session: Linux may divide the processor among sessions first, and then that of a process
    says nothing to those of other sessions, as the worker. False: Linux wants to be asked again later.

    Whoever has work for it is not interrupted by it, either: it begins when they have done what they were at.
    """
    if sys.platform == "linux":
        try:
            os.sched_setscheduler(0 if pid == "self" else int(pid), os.SCHED_BATCH, os.sched_param(0))
        except OSError:  # not everywhere allowed
            pass
    try:
        with open(f"/proc/{pid}/autogroup", "w") as file:
            file.write(str(nice))
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _detach() -> None:
    """The pipes are the plugin's alone, so that each side sees when the other is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)


def _signals() -> int:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reading


def _drain(wake: int) -> bytes:
    try:
        return os.read(wake, 4096)
    except BlockingIOError:
        return b""


def _prctl(option: int, value: int) -> None:
    """Linux only; elsewhere the worker's death is noticed by looking."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _told(argv: list[str]) -> tuple[dict[str, float], list[str]]:
    """`NAME=NUMBER ... -- PROGRAM ...`: the limits, and what to run."""
    end = argv.index("--")
    pairs = (word.partition("=") for word in argv[:end])
    return {name: float(value) for name, _, value in pairs}, argv[end + 1 :]


if __name__ == "__main__":
    os._exit(main(*_told(sys.argv[1:])))  # nothing is left to be tidied up
