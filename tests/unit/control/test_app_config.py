"""What is pasted into an application, and the entry by which the hub dials it."""

from __future__ import annotations

import pytest

from botmatrix.config.servers import onebot_app
from botmatrix.control.app_config import Application, app_entry


@pytest.mark.parametrize("application", list(Application))
def test_each_bot_has_an_entry_of_its_own_name(application: Application) -> None:
    bots = ("qq:10001", "qq:20002", "wechat:10001", "wechat:wxid 1/x")
    apps = [onebot_app(app_entry(application, bot, "token")) for bot in bots[:3]]
    entries = [app_entry(application, bot, "token") for bot in bots]
    assert len({entry["name"] for entry in entries}) == len(bots)
    assert [app.bots for app in apps] == [(bot,) for bot in bots[:3]]
