"""Brings the console's libraries from their npm packages into the project, as the manifest names them.

    python scripts/vendor.py            # the versions of the manifest; ends with 1 when a file is not what it was
    python scripts/vendor.py --accept   # writes down what came: after a change of a version or of the files

The packages come through npm, from the registry that it is set up for.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MANIFESTS = (ROOT / "src/botmatrix/control/web/vendor/manifest.json", ROOT / "tests/browser/vendor/manifest.json")
SPRITE = "sprite.svg"
"""Of a package of icons: one file that holds those that the manifest names."""


def main() -> int:
    accept = "--accept" in sys.argv[1:]
    wrong = [name for manifest in MANIFESTS for name in refresh(manifest, accept=accept)]
    for name in wrong:
        sys.stderr.write(f"not what the manifest says: {name}\n")
    return 1 if wrong else 0


def refresh(manifest: Path, *, accept: bool) -> list[str]:
    """Write the files of a manifest; answers those whose checksum differs."""
    packages: dict[str, Any] = json.loads(manifest.read_text("utf-8"))
    wrong = []
    for package, wanted in packages.items():
        for name, content in unpacked(package, wanted).items():
            digest = hashlib.sha256(content).hexdigest()
            if accept:
                wanted.setdefault("sha256", {})[name] = digest
            elif wanted["sha256"].get(name) != digest:
                wrong.append(f"{package} {name}")
                continue
            (manifest.parent / name).write_bytes(content)
    if accept:
        manifest.write_text(json.dumps(packages, indent=2) + "\n", "utf-8")
    return wrong


def unpacked(package: str, wanted: dict[str, Any]) -> dict[str, bytes]:
    """The wanted files of one package, by the name that they get."""
    with tempfile.TemporaryDirectory() as folder:
        asked = ["npm", "pack", "--silent", "--pack-destination", folder, f"{package}@{wanted['version']}"]
        subprocess.run(asked, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own words
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            found = {name: member(archive, path) for name, path in wanted["files"].items()}
            if "icons" in wanted:
                found[SPRITE] = sprite({name: member(archive, path) for name, path in icons(wanted).items()})
            return found


def icons(wanted: dict[str, Any]) -> dict[str, str]:
    return {name: f"icons/outline/{name}.svg" for name in wanted["icons"]}


def member(archive: tarfile.TarFile, path: str) -> bytes:
    file = archive.extractfile(f"package/{path}")
    if file is None:
        raise FileNotFoundError(path)
    return file.read()


def sprite(drawings: dict[str, bytes]) -> bytes:
    symbols = []
    for name, drawing in drawings.items():
        inner = drawing.decode().partition(">")[2] if drawing.startswith(b"<svg") else drawing.decode()
        inner = inner[: inner.rindex("</svg>")]
        inner = inner[inner.index("<svg") :].partition(">")[2] if "<svg" in inner else inner
        paths = "".join(line.strip() for line in inner.splitlines())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{paths}</symbol>')
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'.encode()


if __name__ == "__main__":
    raise SystemExit(main())
