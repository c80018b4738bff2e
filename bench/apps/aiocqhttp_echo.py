# mypy: ignore-errors
"""`/echo TEXT` answers TEXT, on aiocqhttp; bots dial ws://127.0.0.1:PORT/ws/."""

import logging
import sys

from aiocqhttp import CQHttp, Event, Message

app = CQHttp(access_token=sys.argv[2])
logging.getLogger("aiocqhttp").setLevel(logging.WARNING)


@app.on_message("group")
async def echo(event: Event) -> None:
    text = Message(event.message).extract_plain_text()
    if text.startswith("/echo "):
        await app.send(event, text.removeprefix("/echo "))


app.run(host="127.0.0.1", port=int(sys.argv[1]), use_reloader=False)
