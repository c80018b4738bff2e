"""`REDIS_ADDR` with `REDIS_PWD`, and the `PG_*` names, composed into the two URLs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from botmatrix.config.options import BY_KEY, PARTS
from botmatrix.config.secret import Secret
from botmatrix.config.settings import Source
from botmatrix.errors import ConfigError

_RANK: dict[Source, int] = {"default": 0, "file": 1, "database": 2, "environment": 3, "flag": 4}


def compose_urls(found: dict[str, Any], sources: dict[str, Source], warnings: list[str]) -> None:
    """Replace the parts by URLs. A URL wins over parts from the same source or a lower one."""
    _compose("redis_url", "redis_addr", found, sources, warnings)
    _compose("database_url", "pg_host", found, sources, warnings)
    for option in PARTS:
        found.pop(option.key, None)


def _compose(url: str, address: str, found: dict[str, Any], sources: dict[str, Source], warnings: list[str]) -> None:
    family = address.split("_")[0] + "_"
    given = [key for key in found if key in BY_KEY and key.startswith(family) and key != url]
    if not given:
        return
    if not found.get(address):
        names = ", ".join(sorted(key.upper() for key in given))
        warnings.append(f"{names} without {address.upper()}: not used")
        return
    if found.get(url) and _RANK[sources[url]] >= _RANK[sources[address]]:
        warnings.append(f"{address.upper()} is not used, because {url.upper()} is set")
        return
    found[url] = _redis(found) if url == "redis_url" else _postgres(found)
    sources[url] = sources[address]


def _redis(found: dict[str, Any]) -> Secret:
    address = found["redis_addr"].removeprefix("redis://").strip("/")
    parts = urlsplit(f"//{address}")
    try:
        port = parts.port or 6379
    except ValueError:
        port = 0
    if not parts.hostname or not port or parts.path or parts.username:
        raise ConfigError("REDIS_ADDR", found["redis_addr"], "host:port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    password = found.get("redis_pwd", "")
    login = f":{quote(str(password), safe='')}@" if password else ""
    return Secret(f"redis://{login}{host}:{port}/0")


def _postgres(found: dict[str, Any]) -> Secret:
    value = {option.key: found.get(option.key, option.default) for option in PARTS}
    host, port = value["pg_host"], value["pg_port"]
    login = quote(value["pg_user"], safe="")
    if value["pg_password"]:
        login += ":" + quote(str(value["pg_password"]), safe="")
    query = {"sslmode": value["pg_sslmode"]} if value["pg_sslmode"] else {}
    if host.startswith("/"):
        query = {"host": host, "port": str(port), **query}
        place = ""
    else:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    tail = "?" + urlencode(query, safe="/") if query else ""
    return Secret(f"postgresql://{login}@{place}/{quote(value['pg_dbname'], safe='')}{tail}")
