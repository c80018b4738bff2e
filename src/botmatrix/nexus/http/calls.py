"""Actions that applications call over HTTP (OneBot v11, HTTP API): `/onebot/v11/app/{self_id}/{action}`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from botmatrix.nexus.handshake import Refuse, split
from botmatrix.nexus.http.asked import JSON, Asked, OnReply, Reply, call_of
from botmatrix.nexus.sockets.asker import Asker
from botmatrix.nexus.sockets.request import APPLICATIONS, bot_named, refuse_worker_token
from botmatrix.onebot.action import ActionResponse
from botmatrix.onebot.serving import BAD_REQUEST, NO_ANSWER, NO_BOT, answer_body, failure_body, is_number

FORM: Final = "application/x-www-form-urlencoded"
MAX_FIELDS: Final = 256
_STATUS: Final = {BAD_REQUEST: 400, NO_ANSWER: 504, NO_BOT: 404}
"""Retcode of a failure -> HTTP status; everything else is 200, with what went wrong in the answer."""

_NUMBERS: Final = frozenset(
    {"user_id", "group_id", "message_id", "operator_id", "discuss_id", "times", "duration", "delay", "count"}
    | {"message_seq", "page", "page_size"}
)
_FLAGS: Final = frozenset(
    {"auto_escape", "no_cache", "enable", "approve", "reject_add_request", "is_dismiss", "add_to_blacklist"}
)
_TRUTHS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class CallDesk:
    """`opens(name, token)`: whether a worker may call; `bots`: keys of all bots that are known; `answers(bot, params)`:
    the id of the event that such an action answers, or `""`.
    """

    def __init__(
        self,
        asker: Asker,
        opens: Callable[[str, str], bool],
        bots: Collection[str],
        answers: Callable[[str, bytes], str],
    ) -> None:
        self._asker, self._opens, self._bots, self._answers = asker, opens, bots, answers

    def judge(self, asked: Asked) -> Refuse | None:
        """Method, token, bot and content type."""
        path, query = split(asked.request.target)
        token = _token(asked, query)
        if not self._opens("", token):
            return refuse_worker_token(token)
        if "upgrade" in asked.request.headers.get("Connection", "").lower():
            return Refuse(404, "there is no WebSocket at this path", f"applications connect to {APPLICATIONS}/SELF_ID")
        if asked.method not in ("GET", "POST"):
            return Refuse(405, "actions are called by GET or POST", "use POST with JSON", (("Allow", "GET, POST"),))
        call = call_of(path)
        bot = bot_named(call[0], self._bots) if call else Refuse(404, "the path names no action", "see the docs")
        if isinstance(bot, Refuse):
            return bot
        if asked.method == "POST" and _content_type(asked) not in ("", "application/json", FORM):
            return Refuse(406, "this content type is not understood", f"send application/json or {FORM}")
        return None

    def serve(self, asked: Asked, body: bytes, reply: OnReply) -> None:
        """Ask the bot; its whole answer is the body."""
        path, _ = split(asked.request.target)
        call = call_of(path)
        bot = bot_named(call[0], self._bots) if call else ""
        if call is None or isinstance(bot, Refuse):  # judged before; the bots may have changed since
            reply(_failure(NO_BOT, "there is no such bot"))
            return

        def answer(response: ActionResponse | None, retcode: int, words: str) -> None:
            reply(_failure(retcode, words) if response is None else _answer(response))

        params = _params(asked, body)
        self._asker.ask(bot, call[1], params, answer, self._answers(bot, params))


def _answer(response: ActionResponse) -> Reply:
    status = _STATUS.get(response.retcode, 200) if response.retcode != NO_ANSWER else 200
    return Reply(status, answer_body(response), JSON)


def _failure(retcode: int, words: str) -> Reply:
    return Reply(_STATUS.get(retcode, 200), failure_body(retcode, words), JSON)


def _token(asked: Asked, query: dict[str, str]) -> str:
    """Of the header, else `access_token`: other parameters belong to the action."""
    scheme, _, value = asked.request.headers.get("Authorization", "").strip().partition(" ")
    if scheme.lower() not in ("bearer", "token"):
        value = "" if value else scheme
    return value.strip() or query.get("access_token", "").strip()


def _content_type(asked: Asked) -> str:
    return asked.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _params(asked: Asked, body: bytes) -> bytes:
    """The action's parameters as a JSON object; `b""` when they are none."""
    query = asked.request.target.partition("#")[0].partition("?")[2]
    given = _fields(query)
    if given is None:
        return b""
    if asked.method == "POST" and _content_type(asked) == FORM:
        form = _fields(body.decode("ascii", "replace"))
        return b"" if form is None else msgspec.json.encode(given | form)
    if asked.method == "POST" and body.strip():
        return _json(given, body)
    return msgspec.json.encode(given)


def _json(given: dict[str, Any], body: bytes) -> bytes:
    try:
        fields = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    return msgspec.json.encode(given | fields) if given else body


def _fields(text: str) -> dict[str, Any] | None:
    """Parameters of a query or a form; those that OneBot v11 knows as numbers and truth values become such."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None
    return {name: _value(name, value) for name, value in pairs if name != "access_token"}


def _value(name: str, value: str) -> str | int | bool:
    if name in _NUMBERS and is_number(value):
        return int(value)
    if name in _FLAGS:
        return _TRUTHS.get(value.lower(), value)
    return value.encode(errors="replace").decode()
