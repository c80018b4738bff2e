"""The pages: the status page, and a plain list of the REST interface. Everything they need is served here."""

from __future__ import annotations

import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

WEB: Final = Path(__file__).with_name("web")
LANGUAGES: Final = {"en": "en", "zh": "zh-CN"}
"""Language, and the tag that the page carries. The first one serves everybody else."""

router = APIRouter(include_in_schema=False)
static = StaticFiles(directory=WEB / "static")


@router.get("/")
async def status_page(request: Request) -> HTMLResponse:
    """The status page in the reader's language; its script asks the REST interface for everything else."""
    language = preferred_language(request.headers.get("accept-language", ""))
    return HTMLResponse(_status_page(language), headers={"Vary": "Accept-Language"})


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
    """The texts of the status page."""
    found: dict[str, str] = json.loads((WEB / f"{language}.json").read_text("utf-8"))
    return found


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


@cache
def _status_page(language: str) -> str:
    template = (WEB / "status.html").read_text("utf-8")
    texts = json.dumps(words(language), ensure_ascii=False)
    return template.replace("{{lang}}", LANGUAGES[language]).replace("{{words}}", escape(texts))


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
