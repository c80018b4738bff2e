"""A bot that says what a test wants, and remembers what it was told to send."""

from __future__ import annotations

import json
import queue
import threading
import time
from contextlib import ExitStack, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

PATIENCE = 60.0


class Talker:
    """One link of the bot 20002. `sent`: the texts that it was told to send, as they came."""

    def __init__(self, gateway: str, token: str) -> None:
        headers = {"X-Self-ID": "20002", "X-Client-Role": "Universal", "Authorization": f"Bearer {token}"}
        self._open = ExitStack()
        self._link = self._open.enter_context(connect(gateway, additional_headers=headers))
        self.sent: queue.Queue[str] = queue.Queue()
        self._number = 0
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        try:
            for frame in self._link:
                self._take(json.loads(frame))
        except ConnectionClosed:
            return

    def _take(self, asked: dict[str, Any]) -> None:
        if "action" not in asked:
            return
        if asked["action"].startswith("send_"):
            self.sent.put(json.dumps(asked["params"], ensure_ascii=False))
        data = {"user_id": 20002, "nickname": "Talker"} if asked["action"] == "get_login_info" else {"message_id": 1}
        self._link.send(json.dumps({"status": "ok", "retcode": 0, "data": data, "echo": asked.get("echo")}))

    def event(self, text: str, group: int) -> dict[str, Any]:
        """A message in a group, as the bot would tell of it."""
        self._number += 1
        return {
            **{"time": int(time.time()), "self_id": 20002, "post_type": "message", "message_type": "group"},
            **{"sub_type": "normal", "message_id": self._number, "group_id": group, "user_id": 77, "font": 0},
            **{"message": [{"type": "text", "data": {"text": text}}], "raw_message": text},
            "sender": {"user_id": 77, "nickname": "Somebody"},
        }

    def say(self, text: str, group: int) -> None:
        """Somebody writes this in a group."""
        self._link.send(json.dumps(self.event(text, group)))

    def hears(self, part: str) -> str:
        """Wait until it is told to send something with this in it."""
        deadline = time.monotonic() + PATIENCE
        while part not in (text := self.sent.get(timeout=max(deadline - time.monotonic(), 0.001))):
            pass
        return text

    def asks(self, text: str, answer: str) -> None:
        """Somebody writes this again and again, until the answer has that in it."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.say(text, 456)
            with suppress(queue.Empty):
                if answer in self.sent.get(timeout=2):
                    return
        raise AssertionError(f"nobody answered {answer!r}")

    def close(self) -> None:
        """Hang up."""
        self._open.close()
        self._thread.join(5)
