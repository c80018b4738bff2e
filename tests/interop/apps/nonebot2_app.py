# mypy: ignore-errors
"""What the simulator's users expect, on NoneBot2: it dials (FORWARD, URLs with commas) or is dialled (PORT)."""

import os

import nonebot
from nonebot import on_message
from nonebot.adapters.onebot.v11 import ActionFailed, Adapter, Bot, MessageEvent

settings = {"log_level": "INFO", "onebot_v11_access_token": os.environ.get("TOKEN") or None}
if os.environ.get("FORWARD"):
    settings |= {"driver": "~websockets", "onebot_v11_ws_urls": os.environ["FORWARD"].split(",")}
else:
    settings |= {"driver": "~fastapi", "host": "127.0.0.1", "port": int(os.environ["PORT"])}
nonebot.init(_env_file=None, **settings)
nonebot.get_driver().register_adapter(Adapter)
said = on_message()


@said.handle()
async def answer(bot: Bot, event: MessageEvent) -> None:
    word, _, tag = event.get_plaintext().strip().partition(" ")
    if word == "ping":
        await said.finish(f"pong {tag}")
    if word == "whoami":
        me = await bot.get_login_info()
        await said.finish(f"iam {tag} {me['user_id']} {me['nickname']}")
    if word == "groups":
        groups = await bot.get_group_list()
        await said.finish(f"groups {tag} {len(groups)} {groups[0]['group_id']}")
    if word == "boom":
        try:
            await bot.call_api("no_such_action")
        except ActionFailed as error:
            await said.finish(f"failed {tag} {error.info['retcode']}")


nonebot.run()
