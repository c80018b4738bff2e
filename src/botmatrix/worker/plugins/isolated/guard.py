"""Stands between the worker and one plugin process, in a process of its own that knows of nothing else (`RUN`).

Nothing that the plugin starts outlives it: when the plugin ends, when it is told to stop (SIGTERM: the plugin gets
SIGTERM, and SIGKILL after the grace), when a limit is passed, or when the worker dies in whatever way, the whole family
is killed, grandchildren that left the process group included.

It imports next to nothing, as it starts whenever a plugin does and takes the processor from events meanwhile: with
`json`, `signal` and `typing` it took three times as long.
"""

from __future__ import annotations

import ctypes
import errno
import math
import os
import resource
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Iterator, Mapping
else:
    import _signal as signal

RUN = "import sys; sys.path.append(sys.argv[1]); import guard; guard.start(sys.argv[2:])"
"""What starts it, with this folder and what it is told: a script would be compiled each time, for 10 ms."""

MEMORY, CPU, PROCESSES, NO_START = 201, 202, 203, 204
"""Exit codes that say which limit was passed, or that the program can't be started."""

NICE = 5
"""How much less than the worker a process that it starts is worth: on a full machine it waits rather than events."""
FULL, NICEST = 0.5, 19
"""A family that would take more than so much of a processor is worth next to nothing until it would not: of two
processors, 25 of them would leave the worker a fifth of one, each as nice as above. It is so once it has started, and
until it is told to stop: beside somebody else's work a start would take minutes, and no end be done within the grace.
"""
STARTED = signal.SIGURG
"""What the worker says when the plugin has started. It holds it back until this can hear."""
START = 30.0
"""Seconds after which it has, whatever is said."""
LOOK = 0.5
"""Seconds between two looks at what the family uses."""
WINDOW = 60.0
"""Seconds over which the share of the processor is averaged."""

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(config: Mapping[str, float], argv: list[str]) -> int:
    """Run the program within its limits; the exit code to end with (128 + signal for a killed one).

    `config`: `nice`, `nicest` (when it takes too much), `grace` (s), `memory` (bytes), `cpu` (processors), `processes`,
    and values of `resource.RLIMIT_*`.
    """
    worker = os.getppid()
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    wake = _signals()
    step_back(int(config["nice"]))
    plugin = _spawn(config, argv)
    _detach()
    family = Family(plugin, config)
    try:
        _watch(family, config, wake, worker)
    finally:
        code = family.end(wake)
    return code


def _watch(family: Family, config: Mapping[str, float], wake: int, worker: int) -> None:
    """Until its end is due."""
    started_at, stop_at = time.monotonic() + START, math.inf
    while not family.ended:
        readable, _, _ = select.select([wake], [], [], LOOK)
        told = _drain(wake) if readable else b""
        family.reap()
        now = time.monotonic()
        started_at = now if STARTED in told else started_at
        if stop_at == math.inf and (signal.SIGTERM in told or os.getppid() != worker):
            stop_at = now + (config["grace"] if os.getppid() == worker else 0)
            family.tell(signal.SIGTERM)
        if now >= stop_at or family.passed_limit(now):
            return
        is_too_much = now >= started_at and family.demand > FULL and stop_at == math.inf
        family.take_place(int(config["nicest" if is_too_much else "nice"]))


class Family:
    """The plugin's process and all that it started."""

    def __init__(self, plugin: int, config: Mapping[str, float]) -> None:
        self.plugin, self._config = plugin, config
        self.ended = False
        self._is_empty = False
        self.code = 0
        self._limit = 0
        self._samples: list[tuple[float, float]] = []
        self._members: dict[int, list[str]] = {}
        self._seen = time.monotonic(), 0.0
        self._waits: dict[str, Waits] = {}
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
        self._members = members = {pid: fields for pid in children(os.getpid()) if (fields := _stat(pid))}
        memory, used = sum(map(_resident, members.values())), _cpu(members.values())
        if memory > self._config["memory"]:
            self._limit = MEMORY
        elif len(members) > self._config["processes"]:
            self._limit = PROCESSES
        elif self._busy(now, used):
            self._limit = CPU
        self._look_at_demand(now, used)
        return bool(self._limit)

    def take_place(self, nice: int) -> None:
        """Among all who want a processor: every session of the family is worth as much."""
        for pid in {fields[3]: pid for pid, fields in self._members.items()}.values():
            if _place(pid) not in (nice, None):
                step_back(nice, pid)

    def _look_at_demand(self, now: float, used: float) -> None:
        since, before = self._seen
        if now - since < LOOK / 2:
            return
        waits = {thread: found for pid in self._members for thread, found in _waits(pid)}
        waited = sum(found.in_vain(self._waits[thread]) for thread, found in waits.items() if thread in self._waits)
        self.demand = (max(0.0, used - before) + waited) / (now - since)
        self._seen, self._waits = (now, used), waits

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
        except PermissionError:  # it became somebody else
            pass

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
                except (ProcessLookupError, PermissionError):
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


def children(pid: int, *, most: int = 100_000) -> Iterator[int]:
    """Everybody below a process, at less cost; may miss who was born or orphaned just now: for looking only.

    `most`: threads whose children are looked for.
    """
    parents = [pid]
    while parents:
        for path in _threads(parents.pop()):
            found = [int(child) for child in _read(f"{path}/children").split()]
            parents += found
            yield from found
            if (most := most - 1) <= 0:
                return


def _threads(pid: int) -> Iterator[str]:
    """Where /proc tells of each thread of a process."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            yield f"/proc/{pid}/task/{thread}"
    except OSError:  # it is gone
        return


def _read(path: str) -> bytes:
    """A file of /proc; empty when what it tells of is gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _stat(pid: int) -> list[str]:
    """What /proc says from the state on; empty when the process is gone."""
    return _read(f"/proc/{pid}/stat").decode("ascii", "replace").rpartition(") ")[2].split()


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 when it is gone."""
    fields = _stat(pid)
    return _resident(fields) if fields else 0


def _resident(fields: list[str]) -> int:
    return int(fields[21]) * _PAGE


def _cpu(members: Iterable[list[str]]) -> float:
    """Seconds that they ran, and with them those that they started and that have ended."""
    ended = os.times()
    ticks = sum(int(field) for fields in members for field in fields[11:15])
    return ticks / _TICKS + ended.children_user + ended.children_system


class Waits:
    """A thread's: `waited` for a processor (s), and how often it `slept`, and was `interrupted` while it ran."""

    __slots__ = ("interrupted", "slept", "waited")

    def __init__(self, waited: float, slept: int, interrupted: int) -> None:
        self.waited, self.slept, self.interrupted = waited, slept, interrupted

    def in_vain(self, before: Waits) -> float:
        """Seconds in which it would have run. Who mostly sleeps would not: it waits its turn for each little thing."""
        is_busy = self.interrupted - before.interrupted > self.slept - before.slept
        return max(0.0, self.waited - before.waited) if is_busy else 0.0


def _waits(pid: int) -> Iterator[tuple[str, Waits]]:
    """Of each thread of a process."""
    for path in _threads(pid):
        times, status = _read(f"{path}/schedstat").split(), _read(f"{path}/status")
        if times and status:
            slept, interrupted = (_number(status, name) for name in (b"\nvoluntary", b"\nnonvoluntary"))
            yield path, Waits(int(times[1]) / 1e9, slept, interrupted)


def _number(status: bytes, name: bytes) -> int:
    """0 where it is not told."""
    words = status.partition(name + b"_ctxt_switches:")[2].split(None, 1)
    return int(words[0]) if words else 0


def _place(pid: int) -> int | None:
    """The niceness of its session; None where Linux knows of none."""
    words = _read(f"/proc/{pid}/autogroup").split()
    return int(words[-1]) if words else None


def _spawn(config: Mapping[str, float], argv: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, STARTED):
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
    for number in (signal.SIGTERM, signal.SIGCHLD, STARTED):
        signal.signal(number, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [STARTED])
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


def start(words: list[str]) -> None:
    """Run what is told (see `_told`), and end with its exit code."""
    os._exit(main(*_told(words)))  # nothing is left to be tidied up
