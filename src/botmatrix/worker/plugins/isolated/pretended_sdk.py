"""What the Python SDK asks of a worker beyond the protocol for everybody, in a world where everything works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Sdk:
    """Keeps values and sessions as long as the check lasts."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._sessions: dict[str, Any] = {}

    def done(self, name: str, params: Mapping[str, Any], heard: Mapping[str, Any]) -> Any:
        """The `data` of an answer. `heard`: the payload of a message, in case a person is waited for."""
        if name.startswith("values."):
            return self._value(name.removeprefix("values."), str(params.get("key")), params)
        if name == "question.wait":
            return {"id": heard["event_id"], "t": int(heard["received_at"] * 1000), "event": heard["raw"]}
        if name == "session.read":
            return self._sessions.get(str(params.get("of")), {})
        if name == "session.change":
            self._sessions[str(params.get("of"))] = params.get("state")
        if name == "session.forget":
            return int(self._sessions.pop(str(params.get("of")), None) is not None)
        if name == "app.speaker":
            return f"{heard['platform']}:{heard['self_id']}"
        return {"session.history": [], "app.call": {}}.get(name)

    def _value(self, verb: str, key: str, params: Mapping[str, Any]) -> Any:
        if verb == "get":
            return self._values.get(key, [])
        if verb == "delete":
            return self._values.pop(key, None) is not None
        if verb == "keys":
            prefix, after = str(params.get("prefix", "")), str(params.get("after", ""))
            return sorted(one for one in self._values if one.startswith(prefix) and one > after)
        self._values[key] = params.get("value")
        return None
