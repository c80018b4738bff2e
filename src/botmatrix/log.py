"""Logging: structlog to standard output, for people or as JSON; secrets masked; it never raises."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import time
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, NamedTuple, Protocol

import structlog

Event = MutableMapping[str, Any]

MASK = "***"
_TOKEN = re.compile(
    r"((?:access_token|token|password|pwd)(?:=|%3[dD]|[\"']?\s*:\s*[\"']))[^\s&\"'#,;]+"
    r"|((?:bearer|token)\s+)[A-Za-z0-9._~+/=\-]{8,}"
    r"|(\b[a-z][a-z0-9+.\-]{0,20}://[^\s/?#@:]{0,200}:)[^\s/?#@]+(?=@)",
    re.IGNORECASE,
)
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
_SHORTEST = 6
"""Shorter values are not masked wherever they occur: `1234` would blacken half the log."""


class Masker:
    """Blackens secrets in text: what looks like one, and the known values."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        values = sorted({value for value in known if len(value) >= _SHORTEST}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, values))) if values else None

    def text(self, line: str) -> str:
        """`line` without secrets."""
        if self._known is not None:
            line = self._known.sub(MASK, line)
        return _TOKEN.sub(lambda match: f"{match[1] or match[2] or match[3]}{MASK}", line)


class Writable(Protocol):
    """What is needed of a file."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> None: ...
    def isatty(self) -> bool: ...


class Stream:
    """Writes whole lines; a full disk or a closed pipe loses them and nothing else."""

    def __init__(self, file: Writable, masker: Masker) -> None:
        self._file, self._masker = file, masker

    def msg(self, message: str) -> None:
        """Write one message."""
        with contextlib.suppress(OSError, ValueError):
            self._file.write(self._masker.text(message) + "\n")
            self._file.flush()

    log = debug = info = warning = warn = error = critical = fatal = exception = failure = msg


class _Bridge(logging.Handler):
    """Hands what libraries log to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            fields: dict[str, Any] = {"logger": record.name}
            if record.exc_info:
                fields["exc_info"] = record.exc_info
            structlog.get_logger().log(record.levelno, record.getMessage(), **fields)


def configure(
    *,
    part: str,
    level: str = "info",
    format: str = "console",
    secrets: Iterable[str] = (),
    file: Writable | None = None,
) -> None:
    """Set logging up for this process. `part` names it in every line; `secrets` are masked everywhere."""
    target = file or sys.stdout
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _named(part),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso" if format == "json" else "%H:%M:%S", utc=format == "json"),
            _Copy(Masker(secrets)),
            *renderers(format, colors=_is_terminal(target)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: Stream(target, Masker(secrets)),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers[:] = [_Bridge()]
    root.setLevel(max(logging.getLevelName(level.upper()), logging.INFO))
    for noisy in ("httpx", "httpcore", "uvicorn", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


class Line(NamedTuple):
    """One line of the log, without secrets. `at`: unix seconds."""

    at: float
    part: str
    level: str
    text: str


def copy_to(sink: Callable[[Line], None] | None) -> None:
    """Hand every line also to `sink`, which must be quick and never log; None: to nobody any more."""
    global _sink
    _sink = sink


_sink: Callable[[Line], None] | None = None


class _Copy:
    """A step that hands a copy of the event to the sink, as the text that the console would show."""

    def __init__(self, masker: Masker) -> None:
        self._masker, self._console = masker, Console(colors=False)

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        if _sink is not None:
            with contextlib.suppress(Exception):
                copy = {**event, "part": "", "timestamp": "", "level": "info"}
                text = self._masker.text(self._console(logger, method, copy).strip())
                _sink(Line(time.time(), str(event.get("part", "")), str(event.get("level", "info")), text))
        return event


def renderers(format: str, *, colors: bool) -> list[Any]:
    """The last steps: from the event's fields to one line."""
    if format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=repr)]
    return [Console(colors=colors)]


_COLORS = {"warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[31m", "debug": "\x1b[2m"}


PLUGIN_LOGGER = "botmatrix.plugin."
"""Begins the names of plugins' loggers; the plugin's id follows."""


class Console:
    """`12:00:00 nexus    bot online  bot=qq:10001`: time, part, what happened, details."""

    def __init__(self, *, colors: bool) -> None:
        self._colors = colors

    def __call__(self, logger: Any, method: str, event: Event) -> str:
        """One line, with the traceback below it if there is one."""
        structlog.processors.format_exc_info(logger, method, event)
        trace = event.pop("exception", "")
        logger_name = str(event.pop("logger", ""))
        if logger_name.startswith(PLUGIN_LOGGER):
            event["plugin"] = logger_name.removeprefix(PLUGIN_LOGGER)
        level = str(event.pop("level", "info"))
        head = f"{event.pop('timestamp', '')} {event.pop('part', ''):<9}"
        word = f"{level}: " if level in ("warning", "error", "critical") else ""
        text = f"{word}{_printable(str(event.pop('event', '')))}"
        details = "".join(f"  {key}={_plain(value)}" for key, value in event.items())
        line = f"{head} {text}{details}"
        if self._colors and level in _COLORS:
            line = f"{_COLORS[level]}{line}\x1b[0m"
        return f"{line}\n{trace}" if trace else line


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text) if not text or " " in text or not text.isprintable() else text


def _printable(text: str) -> str:
    """Neither line breaks nor terminal codes that a peer may have put into a name."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def _named(part: str) -> Any:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event.setdefault("part", part)
        return event

    return add


def _is_terminal(file: Writable) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return file.isatty()
    return False
