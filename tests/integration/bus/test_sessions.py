"""Sessions on a real Valkey: nothing is lost to a race, nothing stays for ever, others can read and write them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from tests.conftest import ValkeyProcess

from botmatrix.bus.client import Client
from botmatrix.bus.envelope import Envelope
from botmatrix.bus.keys import Keys
from botmatrix.bus.memory import LONGEST_TEXT, MOST_WAITING
from botmatrix.bus.sessions import LARGEST, Names, SessionBox, State, StateTooLarge
from botmatrix.clock import ManualClock
from botmatrix.errors import EngineUnavailable

KEYS = Keys()
ALICE = Names.person(KEYS, "qq", "123")
HERE = Names.conversation(KEYS, "qq:10001|group:456")
PERSON, STATE = "botmatrix:session:qq:123", "botmatrix:session:state:qq:123"
PLACE = "botmatrix:conversation:qq:10001|group:456"


@dataclass
class Times:
    session_ttl_sec: int = 86_400
    session_history: int = 5


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Client]:
    client = Client(redis_url, name="test")
    yield client
    await client.close()


@pytest.fixture
async def box(redis_url: str, times: Times, clock: ManualClock) -> AsyncIterator[SessionBox]:
    box = SessionBox(Client(redis_url, name="sessions"), KEYS, lambda: times, clock)
    yield box
    await box.close()


def note(box: SessionBox, number: int, text: str = "", *, user: Any = 123, group: int = 456) -> None:
    envelope = Envelope(f"{number:024x}", "qq:10001", f"group:{group}", "n.1", 1, 1000 * number, msgspec.Raw(b"{}"))
    box.memory.note(envelope, {"user_id": user, "message_id": number}, text or f"message {number}")


def put(**values: Any) -> Callable[[State], object]:
    return lambda state: state.update(values)


async def document(client: Client, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await client.call("GET", key))
    return found


async def lives(client: Client, key: str) -> int:
    return int(await client.call("TTL", key))


async def test_a_context_holds_the_last_five_messages(box: SessionBox, client: Client) -> None:
    for number in range(7):
        note(box, number)
    await box.memory.written()
    found = await document(client, PERSON)
    history = found.pop("history")
    assert found == {
        **{"platform": "qq", "user_id": "123", "last_msg": "message 6", "last_time": 6},
        **{"created_at": 6, "updated_at": 6},
    }
    assert [entry["text"] for entry in history] == [f"message {number}" for number in range(2, 7)]
    assert await lives(client, PERSON) in (86_399, 86_400)
    assert [heard.text for heard in await box.history(ALICE)] == [entry["text"] for entry in history]


async def test_a_conversation_has_a_context_of_its_own(box: SessionBox, client: Client) -> None:
    note(box, 1, "from alice")
    note(box, 2, "from bob", user=124)
    note(box, 3, "from alice elsewhere", group=457)
    assert [heard.text for heard in await box.history(HERE)] == ["from alice", "from bob"]
    assert [heard.text for heard in await box.history(ALICE)] == ["from alice", "from alice elsewhere"]
    assert (await document(client, PLACE))["bot"] == "qq:10001"


async def test_the_length_of_histories_and_their_time_to_live_are_hot(
    box: SessionBox, client: Client, times: Times
) -> None:
    for number in range(5):
        note(box, number)
    await box.memory.written()
    times.session_history, times.session_ttl_sec = 2, 60
    note(box, 5)
    assert [heard.text for heard in await box.history(ALICE)] == ["message 4", "message 5"]
    assert await lives(client, PERSON) in (59, 60)


async def test_a_message_that_is_delivered_again_is_in_the_history_once(box: SessionBox) -> None:
    for number in (1, 2, 1, 2):
        note(box, number)
        await box.memory.written()
    assert [heard.text for heard in await box.history(ALICE)] == ["message 1", "message 2"]


async def test_when_a_context_began_is_kept(box: SessionBox, client: Client) -> None:
    note(box, 1)
    await box.memory.written()
    note(box, 9)
    await box.memory.written()
    found = await document(client, PERSON)
    assert (found["created_at"], found["updated_at"]) == (1, 9)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"last_msg": "b", "history": ["a", "b"], "platform": "qq"}', ["a", "b", "message 1"]),
        ('{"history": [{"text": "a", "more": 1}]}', ["a", "message 1"]),
        ('{"history": {"a": 1}}', ["message 1"]),
        ('{"history": [{"text": "a", "size": 1e999}, {"text": "b"}]}', ["b", "message 1"]),
        ("no json", ["message 1"]),
        ("[[[", ["message 1"]),
    ],
)
async def test_a_context_that_others_wrote_is_read_and_continued(
    box: SessionBox, client: Client, raw: str, expected: list[str]
) -> None:
    await client.call("SET", PERSON, raw)
    note(box, 1)
    assert [heard.text for heard in await box.history(ALICE)] == expected
    assert await lives(client, PERSON) > 0


async def test_hostile_messages_stay_text(box: SessionBox) -> None:
    said = ['"}],"history":[', "line\nbreak\n]}", "\x00\u2028", "{" * 50, "x" * 10_000]
    for number, text in enumerate(said):
        note(box, number, text)
        await box.memory.written()
    assert [heard.text for heard in await box.history(ALICE)] == [text[:LONGEST_TEXT] for text in said]


async def test_a_person_without_a_usable_id_hurts_nobody(box: SessionBox) -> None:
    note(box, 1, user={"a": 1})
    note(box, 2, user="y" * 10_000)
    assert [heard.user_id for heard in await box.history(HERE)] == ["", "y" * 128]


async def test_a_key_of_another_type_is_replaced(box: SessionBox, client: Client) -> None:
    await client.call("RPUSH", PERSON, "a")
    note(box, 1)
    assert [heard.text for heard in await box.history(ALICE)] == ["message 1"]


async def test_what_is_noted_while_redis_is_away_is_written_later_and_bounded(
    own_valkey: ValkeyProcess, times: Times, clock: ManualClock
) -> None:
    box = SessionBox(Client(own_valkey.url, name="sessions", timeout=1.0), KEYS, lambda: times, clock)
    note(box, 0)
    await box.memory.written()
    own_valkey.stop(kill=True)
    for number in range(1, MOST_WAITING):
        note(box, number)
    with pytest.raises(EngineUnavailable):
        await box.history(ALICE)
    assert box.memory.dropped > 0
    own_valkey.start()
    assert [heard.time for heard in await box.history(ALICE)] == list(range(MOST_WAITING - 5, MOST_WAITING))
    await box.close()


async def test_a_hundred_changes_at_once_all_count(
    box: SessionBox, redis_url: str, times: Times, clock: ManualClock
) -> None:
    others = [SessionBox(Client(redis_url, name=f"s{n}"), KEYS, lambda: times, clock) for n in range(4)]

    def more(state: State) -> None:
        state["n"] = state.get("n", 0) + 1

    await asyncio.gather(*(others[n % 4].change(ALICE, more, {"n": None}) for n in range(100)))
    assert await box.read(ALICE) == {"n": 100}
    await asyncio.gather(*(other.close() for other in others))


async def test_a_state_always_has_a_time_to_live(box: SessionBox, client: Client, times: Times) -> None:
    await box.change(ALICE, put(a=1), {"a": None})
    assert await lives(client, STATE) in (86_399, 86_400)
    await client.call("SET", STATE, '{"step": "name"}')
    assert await lives(client, STATE) == -1
    times.session_ttl_sec = 60
    await box.change(ALICE, put(a=1), {"a": None})
    assert await lives(client, STATE) in (59, 60)
    assert await document(client, STATE) == {"step": "name", "a": 1}


async def test_values_end_at_their_own_time(box: SessionBox, client: Client, clock: ManualClock) -> None:
    await box.change(ALICE, put(short=1), {"short": 10})
    assert await lives(client, STATE) in (9, 10)
    await box.change(ALICE, put(long=2), {"long": None})
    assert await box.read(ALICE) == {"short": 1, "long": 2}
    clock.advance(11)
    assert await box.read(ALICE) == {"long": 2}
    await box.change(ALICE, put(more=3), {"more": None})
    assert await document(client, STATE) == {"long": 2, "more": 3}


async def test_a_value_that_is_set_anew_forgets_its_old_time(
    box: SessionBox, client: Client, clock: ManualClock
) -> None:
    await box.change(ALICE, put(a=1), {"a": 10})
    await box.change(ALICE, put(a=1), {"a": None})
    clock.advance(11)
    assert await box.read(ALICE) == {"a": 1}


async def test_a_change_never_shortens_the_life_of_a_state(box: SessionBox, client: Client) -> None:
    await client.call("SET", STATE, '{"a": 1}', "EX", 999_999)
    await box.change(ALICE, put(b=1), {"b": 5})
    assert await lives(client, STATE) > 900_000


async def test_the_last_value_takes_the_key_along(box: SessionBox, client: Client) -> None:
    await box.change(ALICE, put(a=1), {"a": None})
    await box.change(ALICE, lambda state: state.pop("a"), {})
    assert await client.call("EXISTS", STATE) == 0


async def test_a_state_has_a_largest_size(box: SessionBox) -> None:
    await box.change(ALICE, put(a=1), {"a": None})
    with pytest.raises(StateTooLarge, match="64 KiB"):
        await box.change(ALICE, put(b="x" * LARGEST), {"b": None})
    assert await box.read(ALICE) == {"a": 1}


@pytest.mark.parametrize(
    "raw", ["[]", "no json", "[" * 5000, '{"expires_at": 5}', '{"expires_at": {"a": "x"}}', "null"]
)
async def test_a_state_of_others_that_is_no_object_counts_as_empty(box: SessionBox, client: Client, raw: str) -> None:
    await client.call("SET", STATE, raw)
    assert await box.read(ALICE) == {}
    await box.change(ALICE, put(a=[], b=2**60, c=1.5), {})
    assert await box.read(ALICE) == {"a": [], "b": 2**60, "c": 1.5}


async def test_deleting_a_session_takes_state_and_context(box: SessionBox, client: Client) -> None:
    note(box, 1)
    await box.change(ALICE, put(a=1), {"a": None})
    assert await box.delete(ALICE) == 2
    assert await client.call("EXISTS", STATE, PERSON) == 0
