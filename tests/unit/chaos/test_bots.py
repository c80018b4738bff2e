"""The fake bots against a small server: what they say, how much at once, and what they make of a link's end."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator

import picows
import pytest
from tests.chaos.bots import CONVERSATION_WINDOW, LINK_WINDOW, Crowd
from tests.chaos.oracle import Fate, Oracle


class Hub(picows.WSListener):
    """Keeps what bots said; answers when told to."""

    def __init__(self) -> None:
        self.events: list[dict[str, object]] = []
        self.links: list[picows.WSTransport] = []
        self.url = ""

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.links.append(transport)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == picows.WSMsgType.TEXT:
            event = json.loads(frame.get_payload_as_bytes())
            if event.get("post_type") == "message":
                self.events.append(event)

    def reply(self, event: dict[str, object]) -> None:
        number = str(event["raw_message"]).split(" ")[1]
        message = [{"type": "text", "data": {"text": f"re {number} w1.7:{number}"}}]
        params = {"message_type": "group", "group_id": event["group_id"], "message": message}
        action = {"action": "send_msg", "params": params, "echo": 1}
        self.links[-1].send(picows.WSMsgType.TEXT, json.dumps(action).encode())


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub()
    server = await picows.ws_create_server(lambda _: hub, "127.0.0.1", 0)
    hub.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    yield hub
    server.close()
    await server.wait_closed()


def crowd_of(conversations: int) -> Crowd:
    return Crowd(Oracle(), random.Random(1), lambda _: "buffered 20", bots=1, conversations=conversations)


async def until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.005)


async def speaking(hub: Hub, conversations: int) -> Crowd:
    crowd = crowd_of(conversations)
    crowd.dial(hub.url, "token")
    await crowd.all_online()
    crowd.speak()
    return crowd


async def test_a_link_carries_at_most_64_unanswered_events(hub: Hub) -> None:
    crowd = await speaking(hub, 20)
    await until(lambda: len(hub.events) >= LINK_WINDOW)
    assert len(crowd.oracle.said) == LINK_WINDOW
    await crowd.close()


async def test_a_conversation_waits_when_its_own_events_are_unanswered(hub: Hub) -> None:
    crowd = await speaking(hub, 2)
    await until(lambda: len(hub.events) >= 2 * CONVERSATION_WINDOW)
    assert len(crowd.oracle.said) == 2 * CONVERSATION_WINDOW
    await crowd.close()


async def test_a_reply_makes_room_for_the_next_event_of_its_conversation(hub: Hub) -> None:
    crowd = await speaking(hub, 1)
    await until(lambda: len(hub.events) >= CONVERSATION_WINDOW)
    hub.reply(hub.events[0])
    await until(lambda: len(hub.events) > CONVERSATION_WINDOW)
    assert crowd.oracle.said[1].fate is Fate.ANSWERED
    assert crowd.oracle.replies[0].run == "w1.7:1"
    await crowd.close()


async def test_events_of_a_link_that_breaks_are_in_doubt(hub: Hub) -> None:
    crowd = await speaking(hub, 1)
    await until(lambda: len(hub.events) >= CONVERSATION_WINDOW)
    crowd.hush()
    hub.links[0].disconnect(graceful=False)
    await until(lambda: crowd.oracle.cuts == 1)
    assert crowd.oracle.fates()[Fate.CUT] == crowd.oracle.in_the_air == CONVERSATION_WINDOW
    await crowd.close()


async def test_events_of_a_link_that_was_closed_in_order_are_owed(hub: Hub) -> None:
    crowd = await speaking(hub, 1)
    await until(lambda: len(hub.events) >= CONVERSATION_WINDOW)
    crowd.hush()
    hub.links[0].send_close(picows.WSCloseCode.SERVICE_RESTART)
    await until(lambda: crowd.oracle.closes == 1)
    assert crowd.oracle.waiting() == CONVERSATION_WINDOW
    await crowd.close()


async def test_a_bot_that_moves_is_owed_what_it_said_and_says_nothing_after_its_close(hub: Hub) -> None:
    crowd = await speaking(hub, 1)
    await until(lambda: len(hub.events) >= CONVERSATION_WINDOW)
    crowd.hush()
    crowd.bots[0].move()
    hub.reply(hub.events[0])
    await until(lambda: crowd.oracle.late == {1})
    assert crowd.oracle.said[1].fate is Fate.ANSWERED
    hub.links[0].send_close(picows.WSCloseCode.OK)
    await until(lambda: len(hub.links) == 2)
    assert (crowd.oracle.closes, crowd.oracle.cuts) == (1, 0)
    assert crowd.oracle.waiting() == CONVERSATION_WINDOW - 1
    await crowd.close()


async def test_a_chat_has_its_rate_and_ends_when_hushed(hub: Hub) -> None:
    crowd = crowd_of(200)
    crowd.dial(hub.url, "token")
    await crowd.all_online()
    crowd.chat(rate=100)
    await until(lambda: len(crowd.oracle.said) >= 30)
    took = crowd.oracle.said[30].at - crowd.oracle.said[1].at
    assert 0.1 < took < 3.0
    crowd.hush()
    said = len(crowd.oracle.said)
    await asyncio.sleep(0.05)
    assert len(crowd.oracle.said) == said
    await crowd.close()


async def test_a_bot_dials_again(hub: Hub) -> None:
    crowd = await speaking(hub, 1)
    hub.links[0].disconnect(graceful=False)
    await until(lambda: len(hub.links) == 2)
    await crowd.close()
