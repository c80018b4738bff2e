"""Plugins in processes of their own: events in, actions out, matched, granted, in order."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.integration.plugins.children import ECHO, write_isolated
from tests.integration.plugins.conftest import Open, texts
from tests.unit.plugins.fakes import Platform, Room, actions, envelope, message, private, replies, write_plugin

from botmatrix.errors import ActionFailed
from botmatrix.skills.model import BadParams
from botmatrix.worker.outcome import Dead, Done
from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState
from botmatrix.worker.plugins.isolated.keeper import Pace
from botmatrix.worker.plugins.isolated.plugin import Isolation
from botmatrix.worker.plugins.source import Source

OTHER = """
    @plugin.on_message()
    async def other(ctx): return "fine"
"""


def process(host: Host, name: str = "mine") -> dict[str, Any]:
    """What the list of plugins says of a process."""
    (found,) = [plugin.process for plugin in host.plugins if plugin.id == name]
    assert found is not None
    return dict(found)


async def test_what_it_answers_is_said_where_the_event_happened(open_room: Open) -> None:
    room = await open_room(ECHO)
    assert await room.say("hello") == ["hello"]
    assert replies(await room.handle(private("psst"))) == ["psst"]
    assert replies(await room.handle(message("[CQ:at,qq=all]"))) == ["&#91;CQ:at,qq=all&#93;"]  # text stays text


async def test_events_in_flight_are_matched_to_their_own_answers(open_room: Open) -> None:
    room = await open_room("""
        held = []
        for m in messages():
            held.append(m)
            if len(held) == 3:
                for m in reversed(held):
                    reply(m, m["payload"]["text"])
    """)
    said = await asyncio.gather(*(room.handle(message(f"n{n}", user_id=n), f"{n:024x}") for n in range(3)))
    assert [replies(outcome) for outcome in said] == [["n0"], ["n1"], ["n2"]]


async def test_ids_in_the_payload_are_texts_and_the_raw_event_is_there(open_room: Open) -> None:
    room = await open_room("""
        for m in messages():
            p = m["payload"]
            said = [m["type"], m["name"], p["from"], p["group_id"], p["user_id"], p["platform"], p["self_id"]]
            reply(m, json.dumps(said), p["raw"]["sender"]["nickname"], json.dumps(p["prefixes"]))
    """)
    first, nickname, prefixes = await room.say("x")
    assert first == '["event", "on_message", "123", "456", "123", "qq", "10001"]'
    assert (nickname, prefixes) == ("alice", '["/"]')


async def test_notices_and_requests_come_only_to_who_asked_for_them(open_room: Open) -> None:
    room = await open_room(
        """
        for m in messages():
            reply(m, m["name"])
        """,
        events=["on_notice"],
    )
    assert await room.say("x") == []
    assert await room.say("", post_type="notice", notice_type="group_increase") == ["on_notice"]
    assert await room.say("", post_type="request", request_type="friend") == []


async def test_an_intent_is_told_besides_the_message(open_room: Open) -> None:
    room = await open_room(
        """
        for m in messages():
            reply(m, m["name"] + " " + m["payload"].get("intent_name", ""))
        """,
        intents=[{"name": "weather", "keywords": ["Rain", "天气"]}, {"name": "dice", "regex": "^roll \\d+$"}],
    )
    assert await room.say("will it RAIN?") == ["on_message ", "intent_weather weather"]
    assert await room.say("roll 6") == ["on_message ", "intent_dice dice"]
    assert await room.say("roll x") == ["on_message "]


async def test_what_is_said_with_more_leaves_at_once(open_room: Open, platform: Platform) -> None:
    room = await open_room("""
        for m in messages():
            say(id=m["id"], ok=True, actions=[text("drawing", target_id=m["payload"]["group_id"])], more=True)
            reply(m, "done")
    """)
    assert await room.say("draw") == ["done"]
    ((action, params),) = platform.sent
    assert (action, params["message"][0]["data"]["text"]) == ("send_msg", "drawing")


async def test_what_others_say_leaves_before_it_has_answered(
    open_room: Open, platform: Platform, host: Host, tmp_path: Path
) -> None:
    room = await open_room("""
        for m in messages():
            while not os.path.exists(m["payload"]["text"]): time.sleep(0.01)
            reply(m, "at last")
    """)
    await host.load(write_plugin(tmp_path, OTHER, "other"))
    handled = asyncio.create_task(room.say(str(tmp_path / "go")))
    async with asyncio.timeout(20):
        while not platform.sent:
            await asyncio.sleep(0.01)
    assert [params["message"][0]["data"]["text"] for _, params in platform.sent] == ["fine"]
    (tmp_path / "go").touch()
    assert await handled == ["at last"]


async def test_an_action_that_is_not_granted_is_refused_answered_and_counted(
    open_room: Open, platform: Platform, host: Host
) -> None:
    code = """
        for m in messages():
            if m["type"] == "response":
                say(id=event["id"], ok=True, actions=[text(json.dumps(m["payload"]), target_id="456")])
            else:
                event = m
                kick = {"type": "kick_user", "target": "5", "target_id": "456", "correlation_id": "c1"}
                say(id=m["id"], ok=True, actions=[kick], more=True)
    """
    room = await open_room(code)
    (said,) = await room.say("x")
    assert "kick_user is not granted" in said
    assert platform.sent == []
    assert process(host)["refused"] == {"kick_user": 1}


async def test_an_action_that_is_granted_is_done_and_its_data_answered(open_room: Open, platform: Platform) -> None:
    platform.answers["get_group_member_info"] = {"card": "Al"}
    code = """
        for m in messages():
            if m["type"] == "response":
                said = [m["name"], m["correlation_id"], m["payload"]["ok"], m["payload"]["data"]]
                say(id=event["id"], ok=True, actions=[text(json.dumps(said), target_id="456")])
            else:
                event = m
                look = {"type": "get_group_member_info", "target": "5", "target_id": "456", "correlation_id": "c1"}
                say(id=m["id"], ok=True, actions=[look], more=True)
    """
    room = await open_room(code, permissions=["get_group_member_info"])
    (said,) = await room.say("x")
    assert "get_group_member_info_response" in said
    assert '"card": "Al"' in said
    assert platform.sent == [("get_group_member_info", {"user_id": 5, "group_id": 456})]
    platform.answers["get_group_member_info"] = ActionFailed(1200, "not there")
    platform.done.clear()
    (said,) = await room.say("x")
    assert "false" in said


async def test_saying_something_elsewhere_needs_a_grant(open_room: Open, host: Host) -> None:
    code = """
        for m in messages():
            say(id=m["id"], ok=True, actions=[text("hi", target_id="999"), text("here", target_id="456")])
    """
    room = await open_room(code)
    assert await room.say("x") == ["here"]
    assert process(host)["refused"] == {"send_message": 1}
    await host.unload("mine")
    room = await open_room(code, permissions=["send_message"])
    assert await room.say("x") == ["hi", "here"]


async def test_what_is_asked_for_is_narrowed_down_by_the_administrator(
    open_room: Open, platform: Platform, host: Host
) -> None:
    platform.settings.plugin_grants = ["other:*", "mine:delete_msg"]
    act = "[{'type': t, 'target': '5', 'target_id': '456'} for t in ('kick_user', 'delete_message')]"
    code = f"for m in messages(): say(id=m['id'], ok=True, actions={act})"
    room = await open_room(code, permissions=["kick_user", "delete_msg"])
    outcome = await room.handle(message("x"))
    assert [entry.action for entry in actions(outcome)] == ["delete_msg"]
    assert process(host)["refused"] == {"kick_user": 1}


async def test_another_bot_can_not_be_commanded(open_room: Open, host: Host) -> None:
    room = await open_room(
        """
        for m in messages():
            say(id=m["id"], ok=True, actions=[text("x", target_id="456", payload={"self_id": "10002"})])
        """,
        permissions=["*"],
    )
    assert await room.say("x") == []
    assert process(host)["refused"] == {"send_message": 1}


async def test_storage_keeps_values_for_one_plugin_alone(open_room: Open, host: Host) -> None:
    code = """
        for m in messages():
            if m["type"] == "response":
                steps.append(m["payload"].get("value"))
            else:
                event, steps = m, []
                todo = [("set", {"key": "n", "value": {"a": 1}}), ("get", {"key": "n"}), ("exists", {"key": "n"}),
                        ("delete", {"key": "n"}), ("get", {"key": "n"})]
            if len(steps) == 5:
                say(id=event["id"], ok=True, actions=[text(json.dumps(steps), target_id="456")])
                continue
            verb, payload = todo[len(steps)]
            act = {"type": "storage." + verb, "payload": {**payload, "correlation_id": "c"}}
            say(id=event["id"], ok=True, actions=[act], more=True)
    """
    room = await open_room(code)
    (said,) = await room.say("x")
    assert said == '[true, {"a": 1}, true, true, null]'


async def test_a_skill_of_another_plugin_is_called_and_its_result_answered(open_room: Open) -> None:
    await open_room(
        """
        for m in messages():
            p = m["payload"]
            result = {"type": "skill_result", "payload": {"result": [p["caller_id"], p["params"]["n"] * 2]}}
            say(id=m["id"], ok=True, actions=[result])
        """,
        name="twice",
        events=[],
    )
    room = await open_room(
        """
        for m in messages():
            if m["type"] == "response":
                say(id=event["id"], ok=True, actions=[text(json.dumps(m["payload"]), target_id="456")])
            else:
                event = m
                skill = {"target_plugin": m["payload"]["text"], "skill_name": "double", "payload": {"n": 21}}
                act = {"type": "call_skill", "correlation_id": "c", "payload": skill}
                say(id=m["id"], ok=True, actions=[act], more=True)
        """,
        permissions=["call_skill"],
    )
    (said,) = await room.say("twice")
    assert '"result": ["mine", 42]' in said
    (said,) = await room.say("nobody")
    assert "there is no plugin 'nobody' here" in said


ASKING = """
    waiting = {}
    for m in messages():
        p = m["payload"]
        if m.get("correlation_id") in waiting:
            first = waiting.pop(m["correlation_id"])
            say(id=m["id"], ok=True, actions=[])
            if m["type"] == "response":
                reply(first, "too late")
            else:
                reply(first, "so: " + p["text"])
        elif p["text"] == "ask":
            c = "ask_" + m["id"]
            waiting[c] = m
            prompt = {"type": "send_message", "target": p["from"], "target_id": p["group_id"], "text": "well?",
                      "correlation_id": c, "payload": {"timeout": 5}}
            say(id=m["id"], ok=True, actions=[prompt], more=True)
        else:
            reply(m, "heard " + p["text"])
"""


def dialogue(platform: Platform, text: str) -> None:
    """The person says something, as the worker hands it to who asked."""
    event = message(text)
    assert platform.listening is not None
    platform.listening.set_result((envelope(event, "b" * 24), event))


async def test_the_next_message_of_a_person_answers_the_question(open_room: Open, platform: Platform) -> None:
    room = await open_room(ASKING)
    asking = asyncio.create_task(room.handle(message("ask"), "a" * 24))
    async with asyncio.timeout(10):
        await platform.asked.wait()
    assert [params["message"][0]["data"]["text"] for _, params in platform.sent] == ["well?"]
    assert await room.say("other", user_id=7) == ["heard other"]
    dialogue(platform, "blue")
    assert texts(await asking) == ["so: blue"]
    assert await room.say("red") == ["heard red"]


async def test_a_question_that_nobody_answers_ends(open_room: Open, platform: Platform) -> None:
    room = await open_room(ASKING)
    asking = asyncio.create_task(room.handle(message("ask"), "a" * 24))
    async with asyncio.timeout(10):
        await platform.asked.wait()
    assert platform.listening is not None
    platform.listening.set_result(None)
    assert texts(await asking) == ["too late"]


async def test_a_process_that_ends_while_it_asks_is_noticed(open_room: Open, platform: Platform, host: Host) -> None:
    room = await open_room(
        ASKING
        + """
        if p["text"] == "die": sys.exit(1)
"""
    )
    asking = asyncio.create_task(room.handle(message("ask"), "a" * 24))
    async with asyncio.timeout(10):
        await platform.asked.wait()
    await room.handle(message("die", user_id=7))
    outcome = await asking
    assert isinstance(outcome, Dead)
    assert "plugin_down" in outcome.reason


async def test_a_plugin_that_fails_says_why_and_is_tried_twice(open_room: Open, host: Host) -> None:
    room = await open_room("""
        for m in messages():
            say(id=m["id"], ok=False, actions=[], error="no luck")
    """)
    outcome = await room.handle(message("x"))
    assert outcome == Dead("handler_error: mine.on_message no luck")
    assert process(host)["events"] == 2


async def test_unloading_ends_the_process_and_loading_starts_it_anew(
    host: Host, tmp_path: Path, platform: Platform
) -> None:
    room = Room(platform, host)
    for words in ("one", "two"):
        await host.load(write_isolated(tmp_path, f"for m in messages(): reply(m, {words!r})"))
        assert await room.say("x") == [words]
        pid = process(host)["pid"]
        await host.unload("mine")
        assert not psutil.pid_exists(pid)
        assert await room.say("x") == []


@pytest.mark.parametrize(
    ("manifest", "error"),
    [
        ({"entry": ""}, "plugin.py"),
        ({"entry": "no_such_program_here"}, "does not have"),
        ({"entry": "./missing.sh"}, "which is not there"),
        ({"entry": "python3 -c '"}, "entry can't be read"),
        ({"id": "../up"}, "$.id"),
        ({"id": 5}, "$.id"),
        ({"events": "on_message"}, "$.events"),
        ({"permissions": ["Kick User"]}, "$.permissions"),
        ({"timeout_ms": 10**9}, "$.timeout_ms"),
        ({"limits": {"memory_mb": -1}}, "$.limits.memory_mb"),
        ({"limits": {"root": True}}, "root"),
        ({"intents": [{"name": "x", "regex": "("}]}, "regex"),
        ({"run_on": ["center"]}, "run_on"),
        ({"actions": [{"no": "name"}]}, "actions"),
    ],
)
async def test_a_bad_manifest_is_refused(host: Host, tmp_path: Path, manifest: dict[str, Any], error: str) -> None:
    info = await host.load(write_isolated(tmp_path, ECHO, **manifest))
    assert info.state is PluginState.FAILED
    assert error in info.error


async def test_a_plugin_that_does_not_stay_is_not_loaded(platform: Platform, tmp_path: Path) -> None:
    host = Host(platform, Isolation(platform, pace=Pace(settle=5)))
    code = "print('I am', 'leaving', file=sys.stderr); sys.exit(7)"
    info = await host.load(write_isolated(tmp_path, code))
    assert info.state is PluginState.FAILED
    assert "exit code 7: I am leaving" in info.error
    await host.close()


async def test_actions_have_the_same_ids_when_an_event_comes_again(open_room: Open) -> None:
    room = await open_room(ECHO)
    ids = [[entry.aid for entry in actions(await room.handle(message("x"), "a" * 24))] for _ in range(2)]
    assert ids[0] == ids[1]
    assert isinstance(await room.handle(message("x"), "b" * 24), Done)


async def test_its_skills_are_executed_by_its_process(open_room: Open) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    told = {"name": "double", "schema": schema, "permission": "public", "regex": "^double (?P<n>[0-9]+)$"}
    room = await open_room(
        """
        for m in messages():
            result = {"type": "skill_result", "payload": {"result": m["payload"]["params"]["n"] * 2}}
            say(id=m["id"], ok=m["name"] == "skill_double", actions=[text("nobody hears this"), result])
        """,
        skills=[told],
    )
    skills = room.host.skills
    assert [(one.name, one.permission, one.schema) for one in skills.capabilities()] == [("double", "public", schema)]
    assert await skills.run("double", {"n": 21, "skill": "double"}, 10) == 42
    with pytest.raises(BadParams, match="n"):
        await skills.run("double", {}, 10)


async def test_skills_of_python_code_in_its_process_are_the_hosts(
    platform: Platform, host: Host, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "plugin.json").write_text('{"id": "mine", "isolation": "process"}')
    (folder / "plugin.py").write_text(
        "from botmatrix import Plugin\n"
        "plugin = Plugin(id='mine')\n"
        "@plugin.skill('add', permission='member')\n"
        "async def add(a: int, b: int = 1) -> int:\n"
        "    return a + b\n"
    )
    info = await host.load(Source("file", "mine", folder))
    assert info.state is PluginState.LOADED, info.error
    (found,) = host.skills.capabilities()
    assert (found.name, found.permission, found.schema["required"]) == ("add", "member", ["a"])
    assert await host.skills.run("add", {"a": 2}, 10) == 3
