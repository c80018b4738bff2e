"""A matrix in which something goes on: bots with names, people in groups who talk, a plugin, some rules."""

from __future__ import annotations

import itertools
import json
import random
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

BOTS: Final = {
    10001: "Ada · 艾达",
    10002: "Harbour Desk",
    10003: "小助手",
    10004: "Night Watch",
    10005: "图书馆",
}
GROUPS: Final = {456: "Rowing Club", 457: "周末徒步", 458: "Makers", 459: "读书会", 460: "Support"}
PEOPLE: Final = {
    2001: "Mira",
    2002: "李雷",
    2003: "Jonas",
    2004: "韩梅梅",
    2005: "Priya",
    2006: "Tomás",
    2007: "小雨",
    2008: "Noor",
}
LINES: Final = (
    "Good morning everyone",
    "有人周六一起去爬山吗?",
    "/ping",
    "The boat house opens at seven",
    "/weather Hamburg",
    "今天的书读到第几章了?",
    "/help",
    "Who has the key to the workshop?",
    "/echo see you at eight",
    "收到,谢谢!",
    "Can somebody look at ticket 4711?",
    "/weather 杭州",
    "Free casino coins for all",
    "/tide Atlantis",
    "New 3D printer is here",
    "太好了",
)
PLUGIN: Final = '''"""The weather, as everybody would like it."""

from typing import Literal

from botmatrix import Context, Plugin
from pydantic import BaseModel, Field


class Config(BaseModel):
    home: str = Field("Hamburg", title="Home · 所在地", description="Where it is meant when nobody says where.")
    unit: Literal["°C", "°F"] = Field("°C", title="Unit · 单位")
    forecast_days: int = Field(3, ge=1, le=14, title="Days ahead · 预报天数")


plugin = Plugin(
    id="weather",
    name="天气 Weather",
    version="1.2.0",
    description="How the weather is",
    config=Config,
    permissions={"get_group_info", "get_group_member_list", "send_group_msg"},
)


@plugin.command("weather", aliases={"天气"}, description="How the weather is somewhere")
async def weather(ctx: Context, place: str) -> str:
    """Sunny in most places."""
    ctx.log.info("somebody asked for %s", place)
    return f"{place}: 21 °C, sunny, light wind from the west"


@plugin.skill("forecast", description="The weather of the next days", timeout=20)
async def forecast(city: str, days: int = 3) -> str:
    return f"{city}: sunny for {days} days"
'''
TIDES: Final = '''"""The tides, where there is a station."""

from botmatrix import Context, Plugin

plugin = Plugin(id="tides", version="0.3.0", description="High and low water")


@plugin.command("tide", description="When the water is high")
async def tide(ctx: Context, place: str) -> str:
    """Nowhere, by now."""
    raise LookupError(f"no station answers in {place}")
'''


class Bot:
    """One bot of the town, that answers whatever is asked of it."""

    def __init__(self, gateway: str, token: str, number: int) -> None:
        headers = {"X-Self-ID": str(number), "X-Client-Role": "Universal", "Authorization": f"Bearer {token}"}
        headers["User-Agent"] = "NapCat/4.8.2"
        self.number = number
        self._open = ExitStack()
        self._link = self._open.enter_context(connect(gateway, additional_headers=headers))
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def say(self, text: str, message_id: int, user: int, group: int = 0) -> None:
        """Somebody says something to it."""
        where = {"message_type": "group", "group_id": group} if group else {"message_type": "private"}
        event = {
            **{"time": int(time.time()), "self_id": self.number, "post_type": "message", "sub_type": "normal"},
            **{"message_id": message_id, "user_id": user, "font": 0, "raw_message": text, **where},
            **{"message": [{"type": "text", "data": {"text": text}}]},
            "sender": {"user_id": user, "nickname": PEOPLE[user]},
        }
        self._link.send(json.dumps(event))

    def close(self) -> None:
        """Hang up."""
        self._open.close()
        self._thread.join(5)

    def _answer(self) -> None:
        with suppress(ConnectionClosed):
            for frame in self._link:
                asked = json.loads(frame)
                if "action" in asked:
                    self._link.send(json.dumps({"status": "ok", "retcode": 0, **self._answered(asked)}))

    def _answered(self, asked: dict[str, Any]) -> dict[str, Any]:
        return {"data": self._data(asked["action"]), "echo": asked.get("echo")}

    def _data(self, action: str) -> Any:
        if action == "get_login_info":
            return {"user_id": self.number, "nickname": BOTS[self.number]}
        if action == "get_group_list":
            return [{"group_id": group, "group_name": name} for group, name in GROUPS.items()]
        return {"message_id": random.randrange(1 << 30)}


class Town:
    """The bots, and the people who talk to them until it is closed."""

    def __init__(self, gateway: str, token: str) -> None:
        self._bots = [Bot(gateway, token, number) for number in BOTS]
        self._over = threading.Event()
        self._talking = threading.Thread(target=self._talk, daemon=True)
        self._talking.start()

    def say(self, text: str, *, number: int = 0) -> None:
        """One line, by the person and in the group whose turn it is."""
        user = list(PEOPLE)[number % len(PEOPLE)]
        group = 0 if number % 5 == 4 else list(GROUPS)[number % len(GROUPS)]
        self._bots[number % len(self._bots)].say(text, 1_000_000 + number, user, group)

    def close(self) -> None:
        """Everybody goes home."""
        self._over.set()
        self._talking.join(5)
        for bot in self._bots:
            bot.close()

    def _talk(self) -> None:
        for number in itertools.count():
            pause = random.uniform(0.05, 0.5)
            if self._over.wait(pause):
                return
            try:
                self.say(LINES[(number * 5) % len(LINES)], number=number)
            except ConnectionClosed:
                return


def furnish(home: Path) -> None:
    """The plugins of the town, before anything starts."""
    for name, text in (("weather", PLUGIN), ("tides", TIDES)):
        folder = home / "plugins" / name
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(text, "utf-8")


def arrange(admin: httpx.Client) -> None:
    """Rules, and a word that nobody may say, by REST."""
    for rule in (
        {"key": "group_460", "worker_id": "pool:default", "fallback": "wait"},
        {"key": "user_2008*", "worker_id": "pool:default", "priority": 5},
        {"key": "group_spam*", "worker_id": "block"},
    ):
        admin.post("/api/admin/routing", json=rule).raise_for_status()
    core = {"sensitive_words": {"system": {"plain": ["casino"]}}}
    admin.post("/api/admin/core", json=core).raise_for_status()


def schedule(admin: httpx.Client) -> None:
    """Tasks of several kinds, some of which have run, by REST."""
    said = {"bot_id": "qq:10001", "group_id": "456"}
    for name, trigger, message in (
        ("Good morning · 早安", {"cron": "0 7 * * 1-5"}, "Good morning, everybody!"),
        ("周末徒步提醒", {"cron": "30 18 * * 5"}, "明天早上八点集合"),
        ("Boat house report", {"cron": "*/30 8-20 * * *"}, "All boats are in"),
    ):
        action = {"action_type": "send_message", "action_params": {**said, "message": message}}
        made = _made(
            admin, {"name": name, "type": "cron", "trigger_config": trigger, "time_zone": "Asia/Shanghai", **action}
        )
        admin.post(f"/api/tasks/{made}/run").raise_for_status()
    once = {"name": "Quiet hours · 全员禁言", "type": "once", "trigger_config": {"time": "2099-12-31T22:00:00"}}
    made = _made(admin, {**once, "action_type": "mute_group", "action_params": {**said, "duration": 28800}})
    admin.patch(f"/api/tasks/{made}", json={"status": "disabled"}).raise_for_status()
    admin.post("/api/skills/forecast/call", json={"params": {"city": "Hamburg"}, "timeout": 20}).raise_for_status()


def _made(admin: httpx.Client, task: dict[str, Any]) -> int:
    answer = admin.post("/api/tasks", json=task)
    answer.raise_for_status()
    number: int = answer.json()["task"]["id"]
    return number
