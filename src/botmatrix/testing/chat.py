"""People who talk to the bot, and what they hear."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from botmatrix.onebot.message import Message, Sendable

if TYPE_CHECKING:
    from botmatrix.testing.sim import Sim

TIMEOUT = 20.0
"""Seconds for which something expected is waited for."""


class Place:
    """A group of the bot's. `user` gives somebody who speaks in it."""

    def __init__(self, sim: Sim, group: int | str) -> None:
        self._sim, self._group = sim, group

    def user(self, id: int | str, *, name: str = "", role: str = "member") -> Chat:
        """A member; `role`: member, admin or owner."""
        return Chat(self._sim, id, self._group, name=name, role=role)

    async def notice(self, kind: str, **fields: Any) -> None:
        """Something happens in the group: `await group.notice("group_increase", user_id=7)`."""
        await self._sim.happen({"post_type": "notice", "notice_type": kind, "group_id": self._group, **fields})


class Chat:
    """One person in one place. What the bot says in a group is heard by all who speak there, each message once."""

    def __init__(
        self, sim: Sim, user: int | str, group: int | str | None = None, *, name: str = "", role: str = "member"
    ) -> None:
        self._sim, self._user, self._group = sim, user, group
        self._sender = {"user_id": user, "nickname": name or f"user {user}", "role": role}

    async def say(self, message: Sendable, *, at: bool = False, **fields: Any) -> None:
        """Say something; `at`: to the bot. `fields` go into the event as they are."""
        said = Message(message)
        segments = ([{"type": "at", "data": {"qq": str(self._sim.self_id)}}] if at else []) + said.to_array()
        event = {"post_type": "message", "user_id": self._user, "message": segments, "raw_message": said.to_cq()}
        event |= {"message_type": "private", "sub_type": "friend"} if self._group is None else {}
        event |= {"message_type": "group", "sub_type": "normal", "group_id": self._group} if self._group else {}
        await self._sim.happen({**event, "message_id": time.time_ns() % 2**31, "sender": self._sender, **fields})

    async def hear(self) -> Message:
        """The next thing that the bot says here. Raises `AssertionError` when it says nothing."""
        try:
            return await asyncio.wait_for(self._heard().get(), TIMEOUT)
        except TimeoutError:
            raise AssertionError(f"the bot said nothing for {TIMEOUT:g} s") from None

    async def expect(self, message: Sendable) -> Message:
        """The next thing that the bot says is this."""
        heard, wanted = await self.hear(), Message(message)
        if heard != wanted and heard.to_cq() != message:
            raise AssertionError(f"the bot said {heard.to_cq()!r}, not {wanted.to_cq()!r}")
        return heard

    async def expect_contains(self, *texts: str) -> Message:
        """The next thing that the bot says has these in its text."""
        heard = await self.hear()
        if missing := [text for text in texts if text not in heard.text]:
            raise AssertionError(f"the bot said {heard.to_cq()!r}, without {missing!r}")
        return heard

    async def expect_nothing(self) -> None:
        """When all that was said is dealt with, the bot has said nothing more."""
        await self._sim.settled()
        if not self._heard().empty():
            raise AssertionError(f"the bot said {self._heard().get_nowait().to_cq()!r}")

    def _heard(self) -> asyncio.Queue[Message]:
        kind, id = ("private", self._user) if self._group is None else ("group", self._group)
        return self._sim.stage.heard(self._sim.bot, kind, str(id))
