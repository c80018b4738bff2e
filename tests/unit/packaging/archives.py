"""Packages for tests: good ones, and each kind of bad one."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

MANIFEST: dict[str, Any] = {"id": "dice", "version": "1.0.0"}
CODE = """
from botmatrix import Plugin

plugin = Plugin(id="dice")


@plugin.command("roll")
async def roll(ctx):
    return "{said}"
"""


def zipped(files: Mapping[str, str | bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """An archive of these files, the same bytes each time."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def package(*, said: str = "1", code: str | None = None, **manifest: Any) -> bytes:
    """A package of a plugin `dice` that answers `/roll`."""
    files = {
        "plugin.json": json.dumps({**MANIFEST, **manifest}),
        "plugin.py": (code or CODE.replace("{said}", said)).replace('"dice"', json.dumps(manifest.get("id", "dice"))),
    }
    return zipped(files)


def _with(info: zipfile.ZipInfo | str, content: str | bytes = b"x", **also: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("plugin.json", json.dumps(MANIFEST))
        archive.writestr("plugin.py", CODE)
        archive.writestr(info, content)
        for name, more in also.items():
            archive.writestr(name, more)
    return out.getvalue()


def _of_mode(mode: int, name: str = "odd") -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return _with(info, "/etc/passwd")


def _named(name: str) -> bytes:
    """A file with a name that zipfile itself would not write as it is."""
    placeholder = "Z" * len(name.encode())
    return _with(placeholder).replace(placeholder.encode(), name.encode())


def _latin() -> bytes:
    return _with("ZZZZ").replace(b"ZZZZ", b"\xe9\xe8ab")


def _marked_utf8_but_is_not() -> bytes:
    return _with("\u00e9ZZ").replace("\u00e9ZZ".encode(), b"\xe9\xe8ab")


def _flagged(bit: int) -> bytes:
    """The last file with a bit set in both of its headers."""
    data = bytearray(_with("odd"))
    local, central = data.rfind(b"PK\x03\x04"), data.rfind(b"PK\x01\x02")
    data[local + 6] |= bit
    data[central + 8] |= bit
    return bytes(data)


def _broken_content() -> bytes:
    data = bytearray(zipped({"plugin.json": json.dumps(MANIFEST), "plugin.py": CODE}, method=zipfile.ZIP_STORED))
    at = data.find(b"from botmatrix")
    data[at : at + 4] = b"FROM"
    return bytes(data)


def _lying_size() -> bytes:
    """Says of a bomb that it is small."""
    data = bytearray(_with("odd", b"\0" * (1 << 20)))
    central = data.rfind(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 10)
    return bytes(data)


def _overlapping() -> bytes:
    data = bytearray(_with("odd"))
    central = data.rfind(b"PK\x01\x02")
    first = data.find(b"PK\x01\x02")
    data[central + 42 : central + 46] = data[first + 42 : first + 46]
    return bytes(data)


def _many_said() -> bytes:
    """Few files, but the end record says that there are as many as fit into it."""
    data = bytearray(package())
    data[-14:-10] = b"\xff\xff\xff\xff"
    return bytes(data)


def _zip64() -> bytes:
    data = package()
    return data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:]


def _commented() -> bytes:
    out = io.BytesIO(package())
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"PK\x05\x06 hello"
    return out.getvalue()


def _manifest(text: str | bytes) -> bytes:
    return zipped({"plugin.json": text, "plugin.py": CODE})


def _says(**changes: Any) -> bytes:
    return _manifest(json.dumps({**MANIFEST, **changes}))


def _deep() -> bytes:
    return _manifest('{"id": "dice", "version": "1.0.0", "x": ' + "[" * 20_000 + "]" * 20_000 + "}")


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "no bytes": (lambda: b"", "no zip archive"),
    "no archive": (lambda: b"#!/bin/sh\n" + b"x" * 100, "no zip archive"),
    "cut off": (lambda: package()[:-1], "cut off"),
    "the first half": (lambda: package()[: len(package()) // 2], "cut off"),
    "a program before it": (lambda: b"#!/bin/sh\nexit\n" + package(), "no zip archive"),
    "another archive before it": (lambda: package() + package(), "written before it"),
    "bytes behind it": (lambda: package() + b"more", "written behind it"),
    "a comment that looks like an end": (_commented, "written behind it"),
    "zip64": (_zip64, "zip64"),
    "more files than there are": (_many_said, "more than 2000 files"),
    "thousands of files": (
        lambda: zipped({f"f{n}": "" for n in range(2001)} | {"plugin.json": ""}),
        "more than 2000 files",
    ),
    "path out of it": (lambda: _with("../../evil.py"), "leads out"),
    "path out of it, later": (lambda: _with("a/../../evil.py"), "leads out"),
    "path with a dot": (lambda: _with("a/./b"), "leads out"),
    "path with an empty part": (lambda: _with("a//b"), "leads out"),
    "absolute path": (lambda: _named("/etc/cron.d/x"), "absolute"),
    "path of another system": (lambda: _named("C:/evil.py"), "absolute"),
    "backslashes": (lambda: _named("..\\..\\evil.py"), "characters"),
    "a NUL in a name": (lambda: _named("ok.py\0.txt"), "characters"),
    "a line break in a name": (lambda: _with("a\nb"), "characters"),
    "a name that reads backwards": (lambda: _with("a\u202egnp.py"), "characters"),
    "a name that is not UTF-8": (_latin, "UTF-8"),
    "a name that only claims to be UTF-8": (_marked_utf8_but_is_not, "damaged"),
    "a very long name": (lambda: _with("a" * 201), "too long"),
    "very deep folders": (lambda: _with("a/" * 20 + "b"), "too deep"),
    "symbolic link": (lambda: _of_mode(stat.S_IFLNK | 0o777), "symbolic link"),
    "device": (lambda: _of_mode(stat.S_IFCHR | 0o666), "neither a file"),
    "pipe": (lambda: _of_mode(stat.S_IFIFO | 0o666), "neither a file"),
    "set-user-id": (lambda: _of_mode(stat.S_IFREG | 0o4755), "rights of its owner"),
    "the same name twice": (lambda: _named("plugin.py"), "twice"),
    "the same name in other letters": (lambda: _with("Plugin.PY"), "twice"),
    "the same folder in other letters": (lambda: _with("data/a", **{"DATA/b": b"x"}), "twice"),
    "the same name in another spelling": (lambda: _with("caf\u00e9", **{"cafe\u0301": b"x"}), "twice"),
    "a file that is a folder too": (lambda: _with("plugin.py/x"), "twice"),
    "encrypted": (lambda: _flagged(0x1), "encrypted"),
    "an unusual compression": (
        lambda: zipped({"plugin.json": json.dumps(MANIFEST), "plugin.py": CODE}, method=zipfile.ZIP_LZMA),
        "compressed in a way",
    ),
    "a bomb": (lambda: _with("bomb", b"\0" * (30 << 20)), "times larger"),
    "a larger bomb": (lambda: zipped({f"bomb{n}": b"\0" * (70 << 20) for n in range(3)}), "more than 200 MiB"),
    "a bomb that says it is small": (_lying_size, "damaged"),
    "files that share their bytes": (_overlapping, "overlap"),
    "a content that is not what its checksum says": (_broken_content, "damaged"),
    "no manifest": (lambda: zipped({"plugin.py": CODE}), "no plugin.json"),
    "a manifest in a folder": (
        lambda: zipped({"dice/plugin.json": json.dumps(MANIFEST), "dice/plugin.py": CODE}),
        "at the root",
    ),
    "a package in a package": (lambda: _with("more.bmpk", package()), "package in the package"),
    "no code": (lambda: zipped({"plugin.json": json.dumps(MANIFEST)}), "neither an entry nor a plugin.py"),
    "no JSON": (lambda: _manifest("{id: dice}"), "no JSON"),
    "JSON that is no object": (lambda: _manifest("[]"), "one JSON object"),
    "a manifest that is not UTF-8": (lambda: _manifest(b'{"id": "\xff"}'), "no JSON"),
    "a manifest that is too large": (lambda: _says(description="x" * 70_000), "larger than 64 KiB"),
    "a manifest that is nested too deep": (_deep, "no JSON"),
    "a key twice": (lambda: _manifest('{"id": "dice", "id": "cards", "version": "1"}'), "twice"),
    "no id": (lambda: _manifest('{"version": "1"}'), "id"),
    "an id with a path": (lambda: _says(id="../dice"), "id"),
    "an id with a line break": (lambda: _says(id="dice\n"), "id"),
    "an id of another type": (lambda: _says(id=7), "id"),
    "an id of BotMatrix's own": (lambda: _says(id="matrix"), "taken"),
    "no version": (lambda: _manifest('{"id": "dice"}'), "version"),
    "a version with a path": (lambda: _says(version="1/../../2"), "version"),
    "a version with a line break": (lambda: _says(version="1.0\n"), "version"),
    "a program of the machine's own": (lambda: _says(entry=["/bin/sh", "-c", "true"]), "paths of a machine"),
    "a program that is not in it": (lambda: _says(entry=["./dice"]), "not in the package"),
    "a program above it": (lambda: _says(entry=["../dice"]), "not in the package"),
    "an entry that can't be split": (lambda: _says(entry='python "main.py'), "entry"),
    "permissions that are none": (lambda: _says(permissions=["rm -rf"]), "permissions"),
    "a plugin for somewhere else": (lambda: _says(run_on=["center"]), "run_on"),
    "limits without a limit": (lambda: _says(limits={"memory_mb": 10**9}), "memory_mb"),
}
"""What is wrong -> how to make it, and a word of the refusal."""
