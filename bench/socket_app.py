"""A quick OneBot application: `/echo TEXT` answers TEXT. It is dialled (reverse WebSocket), or dials as an old worker.

python -m bench.socket_app listen PORT
python -m bench.socket_app dial URL TOKEN
"""

from __future__ import annotations

import sys
from itertools import count

import msgspec
import picows
import uvloop


class Event(msgspec.Struct, gc=False):
    """What is read of an event; ids are texts for old workers."""

    post_type: str = ""
    group_id: int | str = 0
    self_id: int | str = 0
    raw_message: str = ""


_decode = msgspec.json.Decoder(Event).decode


class Echo(picows.WSListener):
    """One link."""

    def __init__(self) -> None:
        self._echoes = count(1)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type != picows.WSMsgType.TEXT:
            return
        event = _decode(frame.get_payload_as_bytes())
        if event.post_type == "message":
            params = {"group_id": event.group_id, "message": event.raw_message.removeprefix("/echo ")}
            fields = {"action": "send_group_msg", "params": params, "echo": next(self._echoes)}
            if isinstance(event.self_id, str):
                fields["self_id"] = event.self_id
            transport.send(picows.WSMsgType.TEXT, msgspec.json.encode(fields))


async def main() -> None:
    if sys.argv[1] == "listen":
        server = await picows.ws_create_server(lambda _request: Echo(), "127.0.0.1", int(sys.argv[2]))
        await server.serve_forever()
    else:
        header = {"Authorization": f"Bearer {sys.argv[3]}"}
        transport, _ = await picows.ws_connect(Echo, sys.argv[2], extra_headers=header)
        await transport.wait_disconnected()


if __name__ == "__main__":
    uvloop.run(main())
