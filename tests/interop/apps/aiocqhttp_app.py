# mypy: ignore-errors
"""What the simulator's users expect, on aiocqhttp, which is dialled (PORT); pings are answered by quick operation."""

import os

from aiocqhttp import ActionFailed, CQHttp, Event, Message

app = CQHttp(access_token=os.environ.get("TOKEN") or None)


@app.on_message
async def answer(event: Event):
    word, _, tag = Message(event.message).extract_plain_text().strip().partition(" ")
    if word == "ping":
        return {"reply": f"pong {tag}", "at_sender": False}
    if word == "whoami":
        me = await app.get_login_info(self_id=event.self_id)
        await app.send(event, f"iam {tag} {me['user_id']} {me['nickname']}")
    elif word == "groups":
        groups = await app.get_group_list()
        await app.send(event, f"groups {tag} {len(groups)} {groups[0]['group_id']}")
    elif word == "boom":
        try:
            await app.call_action("no_such_action")
        except ActionFailed as error:
            await app.send(event, f"failed {tag} {error.retcode}")
    return None


app.run(host="127.0.0.1", port=int(os.environ["PORT"]), use_reloader=False)
