"""The pages: the console, and a plain list of the REST interface. Everything they need is served here."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from botmatrix.control.assets import current_version, files
from botmatrix.control.auth import has_login
from botmatrix.control.shield import HEADERS

WEB: Final = Path(__file__).with_name("web")
LANGUAGES: Final = {"en": "en", "zh": "zh-CN"}
"""Language, and the tag that the page carries. The first one serves everybody else."""
MODULES: Final = {
    "preact": "preact.js",
    "preact/hooks": "preact-hooks.js",
    "htm": "htm.js",
    "@preact/signals": "signals.js",
    "@preact/signals-core": "signals-core.js",
    "uplot": "uplot.js",
    "uqr": "uqr.js",
    "cytoscape": "cytoscape.js",
}
"""What our modules import by name, and the file in `web/vendor`."""
LATER: Final = (
    *("app/pages/", "app/theme.js", "app/lib/flow.js", "app/lib/sim.js", "app/ui/graph.js"),
    *("vendor/uplot.js", "vendor/uqr.js", "vendor/cytoscape.js"),
)
"""Scripts that are not needed before the first paint."""

router = APIRouter(include_in_schema=False)
static = StaticFiles(directory=WEB / "static")


@router.get("/")
async def console(request: Request) -> HTMLResponse:
    """The console in the reader's language; its scripts ask the REST interface for everything else."""
    language = preferred_language(request.headers.get("accept-language", ""))
    headers = {"Vary": "Accept-Language, Cookie", "Content-Security-Policy": console_policy()}
    return HTMLResponse(_console(language, known=has_login(request)), headers=headers)


@router.get("/docs")
async def docs_page(request: Request) -> HTMLResponse:
    """What the REST interface offers."""
    return HTMLResponse(_docs_page(request.app.openapi()))


def preferred_language(accepted: str) -> str:
    """The language that a reader likes best among ours."""
    ranked = []
    for position, part in enumerate(accepted.split(",")[:20]):
        tag, _, rest = part.partition(";")
        ranked.append((-_quality(rest), position, tag.strip().lower().partition("-")[0]))
    for quality, _, language in sorted(ranked):
        if quality and language in LANGUAGES:
            return language
    return next(iter(LANGUAGES))


def words(language: str) -> dict[str, str]:
    """The texts of the console."""
    found: dict[str, str] = json.loads((WEB / "lang" / f"{language}.json").read_text("utf-8"))
    return found


@cache
def import_map() -> str:
    """Where modules that are imported by name are found; the one inline script of the console."""
    folder = f"./assets/{current_version()}/vendor"
    return json.dumps({"imports": {name: f"{folder}/{file}" for name, file in MODULES.items()}})


@cache
def console_policy() -> str:
    """What the console may load: our own files, this one import map, drawings inside our style sheets."""
    digest = base64.b64encode(hashlib.sha256(import_map().encode()).digest()).decode()
    own = f"script-src 'self' 'sha256-{digest}'; style-src 'self'; img-src 'self' data:"
    return f"{HEADERS['Content-Security-Policy']}; {own}"


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@cache
def _console(language: str, *, known: bool) -> str:
    template = (WEB / "console.html").read_text("utf-8")
    assets = f"assets/{current_version()}"
    early = [one for one in files() if one.endswith(".js") and not one.startswith(LATER)]
    preload = "\n".join(f'<link rel="modulepreload" href="{assets}/{one}">' for one in early)
    filled = template.replace("{{assets}}", assets).replace("{{preload}}", preload)
    return (
        filled.replace("{{lang}}", LANGUAGES[language])
        .replace("{{map}}", import_map())
        .replace("{{known}}", "true" if known else "")
    )


def _docs_page(schema: dict[str, Any]) -> str:
    template = (WEB / "docs.html").read_text("utf-8")
    operations = "".join(
        _operation(method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    )
    return template.replace("{{version}}", escape(schema["info"]["version"])).replace("{{operations}}", operations)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    words = escape(operation.get("description") or operation.get("summary") or "")
    answers = ", ".join(escape(status) for status in sorted(operation["responses"]))
    parameters = ", ".join(escape(one["name"]) for one in operation.get("parameters", [])) or "-"
    return (
        f'<section><h2><span class="method">{escape(method.upper())}</span> <code>{escape(path)}</code></h2>'
        f"<p>{words}</p><p class='quiet'>Parameters: {parameters}. Answers: {answers}.</p></section>"
    )
