# mypy: ignore-errors
"""`/echo TEXT` answers TEXT, on NoneBot2 (FastAPI driver); bots dial ws://127.0.0.1:PORT/onebot/v11/ws."""

import sys

import nonebot
from nonebot.adapters.onebot.v11 import Adapter, GroupMessageEvent

nonebot.init(
    _env_file=None,
    driver="~fastapi",
    host="127.0.0.1",
    port=int(sys.argv[1]),
    log_level="WARNING",
    onebot_v11_access_token=sys.argv[2],
)
nonebot.get_driver().register_adapter(Adapter)

matcher = nonebot.on_startswith("/echo ")


@matcher.handle()
async def echo(event: GroupMessageEvent) -> None:
    await matcher.finish(event.get_plaintext().removeprefix("/echo "))


nonebot.run()
