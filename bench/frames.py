"""What the bots of the load generator say: group messages of about 600 bytes, and answers to actions.

Frames are made by filling a template, not by a JSON encoder: the generator shares the cores with what it
measures.
"""

from __future__ import annotations

import re
import time

import msgspec

PAD = "the quick brown fox jumps over the lazy dog"
SENDS = frozenset({"send_group_msg", "send_msg", "send_private_msg", "send_group_msg_async", "send_msg_async"})

_NUMBER = re.compile(rb"#(\d+)#")
_EVENT = (
    '{"self_id":%(bot)d,"user_id":%(user)d,"time":%(time)d,"message_id":@@,"message_seq":@@,"real_id":@@,'
    '"message_type":"group","sender":{"user_id":%(user)d,"nickname":"Fox of the north",'
    '"card":"captain %(user)d","role":"member","title":""},"raw_message":"/echo #@@# %(pad)s","font":14,'
    '"sub_type":"normal","anonymous":null,'
    '"message":[{"type":"text","data":{"text":"/echo #@@# %(pad)s"}}],"message_format":"array",'
    '"group_name":"A group for measuring","post_type":"message","group_id":%(group)d}'
)


class Action(msgspec.Struct, gc=False):
    """What a bot reads of an action. `echo` goes back byte for byte."""

    action: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    echo: msgspec.Raw = msgspec.Raw(b"null")


decode_action = msgspec.json.Decoder(Action).decode


class Slot:
    """One conversation of one bot: makes its events."""

    __slots__ = ("_template",)

    def __init__(self, bot: int, group: int, user: int) -> None:
        text = _EVENT % {"bot": bot, "group": group, "user": user, "time": int(time.time()), "pad": PAD}
        self._template = text.encode().replace(b"%", b"%%").replace(b"@@", b"%d")

    def event(self, number: int) -> bytes:
        """The frame of event `number`; its text is `/echo #number# ...`."""
        return self._template % (number, number, number, number, number)


def lifecycle(bot: int) -> bytes:
    """The first frame of a link."""
    return b'{"post_type":"meta_event","meta_event_type":"lifecycle","sub_type":"connect","self_id":%d,"time":%d}' % (
        bot,
        int(time.time()),
    )


def number_of(params: bytes) -> int:
    """The event number in the text of a reply, or -1."""
    found = _NUMBER.search(params)
    return int(found[1]) if found else -1


def answer(action: Action, bot: int) -> bytes:
    """The answer of a bot that can do everything."""
    name = action.action
    if name in SENDS:
        data = b'{"message_id":1234567}'
    elif name == "get_login_info":
        data = b'{"user_id":%d,"nickname":"bot %d"}' % (bot, bot)
    elif name.endswith("_list"):
        data = b"[]"
    elif name == "get_status":
        data = b'{"online":true,"good":true}'
    elif name == "get_version_info":
        data = b'{"app_name":"bench","app_version":"1","protocol_version":"v11"}'
    else:
        data = b"{}"
    return b'{"status":"ok","retcode":0,"data":' + data + b',"echo":' + bytes(action.echo) + b"}"
