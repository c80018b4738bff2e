"""Who answers which HTTP request on the gateway's port."""

from __future__ import annotations

from collections.abc import Callable

from botmatrix.nexus.handshake import PATHS, Refuse, Request, refuse_web_page, split
from botmatrix.nexus.http import posts
from botmatrix.nexus.http.asked import MEDIA, Asked, OnReply, call_of, refusal
from botmatrix.nexus.http.calls import CallDesk
from botmatrix.nexus.http.posts import Posts
from botmatrix.nexus.media import MediaDesk

OPEN_BODIES = 8
"""So many bodies of the largest size may be read at the same time, of all connections together."""


class HttpDesk:
    """Applications' calls go to `calls`, bots' events to `posts`, what bots fetch to `media`.

    `note(remote, request, refuse)` keeps refusals.
    """

    def __init__(
        self,
        posts: Posts,
        calls: CallDesk,
        media: MediaDesk,
        max_body: int,
        note: Callable[[str, Request, Refuse], None],
    ) -> None:
        self._posts, self._calls, self._media, self._note = posts, calls, media, note
        self.max_body = max_body
        self.room = OPEN_BODIES * max_body

    def judge(self, asked: Asked) -> Refuse | None:
        """Refuse by the head alone."""
        path = split(asked.request.target)[0]
        if path.startswith(MEDIA):
            return self._media.judge(asked)
        refused = refuse_web_page(asked.request)
        if refused is not None:
            return refused
        if call_of(path) is not None:
            return self._calls.judge(asked)
        return _refuse_road(asked.method, path) or self._posts.judge(asked)

    def serve(self, asked: Asked, body: bytes, reply: OnReply) -> None:
        """Answer."""
        path = split(asked.request.target)[0]
        if path.startswith(MEDIA):
            self._media.serve(asked, reply)
            return
        if call_of(path) is not None:
            self._calls.serve(asked, body, reply)
            return
        refused = self._posts.serve(asked, body, reply)
        if refused is not None:
            self._note(asked.remote, asked.request, refused)
            reply(refusal(refused))


def _refuse_road(method: str, path: str) -> Refuse | None:
    if path in posts.PATHS and method == "POST":
        return None
    if path in PATHS or path.startswith("/ws"):
        return Refuse(
            426,
            "this path speaks WebSocket, not HTTP",
            "put the URL into the client as reverse WebSocket (ws://); a bot that speaks only HTTP posts to "
            "/onebot/v11/http and stands in the setting `bots`",
            (("Upgrade", "websocket"),),
        )
    if path in posts.PATHS:
        return Refuse(405, "bots post their events here", "use POST", (("Allow", "POST"),))
    return Refuse(404, "there is nothing at this path", "bots post their events to /onebot/v11/http")
