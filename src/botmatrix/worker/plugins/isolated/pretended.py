"""The world that a program under test is told of: one in which everything works, or one in which nothing does."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from botmatrix.worker.plugins.isolated.lines import Action
from botmatrix.worker.plugins.isolated.pretended_sdk import Sdk

ASKING = frozenset({"send_message", "reply", "send_image"})
ANSWER = "yes"
_NOTHING = {"ok": False, "error": "this is a check", "retcode": 1400, "data": None, "value": None, "result": None}


class Response(NamedTuple):
    """What comes back for an action with a `correlation_id`."""

    type: str
    name: str
    payload: dict[str, Any]


class World:
    """`works`: whether actions succeed, values are kept and people answer. `internal`: actions of the Python SDK."""

    def __init__(self, internal: Collection[str] = ()) -> None:
        self.works = True
        self._internal, self._sdk = internal, Sdk()
        self._values: dict[str, Any] = {}

    def response(self, action: Action, heard: dict[str, Any]) -> Response:
        """`heard`: the payload of a person's message, in case one is asked for."""
        if action.type in self._internal:
            return Response("response", f"{action.type}_response", self.call(action.type, action.params, heard))
        asks = action.type in ASKING
        if asks and self.works:
            return Response("event", "on_message", heard)
        name = "ask_timeout" if asks else f"{action.type}_response"
        return Response("response", name, self._done(action) if self.works else _NOTHING)

    def call(self, name: str, params: Mapping[str, Any], heard: Mapping[str, Any]) -> dict[str, Any]:
        """What the Python SDK is told that asks for something."""
        return {"ok": True, "error": "", "data": self._sdk.done(name, params, heard)} if self.works else _NOTHING

    def _done(self, action: Action) -> dict[str, Any]:
        if action.type.startswith("storage."):
            return {"ok": True, "error": "", "value": self._kept(action)}
        if action.type == "call_skill":
            return {"ok": True, "error": "", "result": 1}
        return {"ok": True, "error": "", "retcode": 0, "data": {}}

    def _kept(self, action: Action) -> Any:
        key, verb = str(action.params.get("key")), action.type.removeprefix("storage.")
        if verb == "set":
            self._values[key] = action.params.get("value")
            return True
        if verb == "exists":
            return key in self._values
        if verb == "delete":
            return self._values.pop(key, self) is not self
        return self._values.get(key)
