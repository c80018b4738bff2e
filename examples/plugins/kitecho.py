"""Answers the words of the test kit's bot simulator. Copy this file to HOME/plugins to try it.

`ping X` -> `pong X`; `whoami X` -> `iam X <user_id> <nickname>`; `groups X` -> `groups X <count> <first group_id>`;
`boom X` -> `failed X <retcode>`.
"""

from botmatrix import ActionFailed, Context, Plugin

plugin = Plugin(
    id="kitecho",
    name="Kit echo",
    version="1.0.0",
    permissions=["get_login_info", "get_group_list", "no_such_action"],
)


@plugin.on_message(regex=r"(?s)^ping(?: (?P<tag>.*))?$")
async def ping(ctx: Context, tag: str = "") -> str:
    return f"pong {tag}"


@plugin.on_message(regex=r"(?s)^whoami(?: (?P<tag>.*))?$")
async def whoami(ctx: Context, tag: str = "") -> str:
    me = await ctx.call("get_login_info")
    return f"iam {tag} {me['user_id']} {me['nickname']}"


@plugin.on_message(regex=r"(?s)^groups(?: (?P<tag>.*))?$")
async def groups(ctx: Context, tag: str = "") -> str:
    found = await ctx.call("get_group_list")
    return f"groups {tag} {len(found)} {found[0]['group_id']}"


@plugin.on_message(regex=r"(?s)^boom(?: (?P<tag>.*))?$")
async def boom(ctx: Context, tag: str = "") -> str:
    try:
        await ctx.call("no_such_action")
    except ActionFailed as failure:
        return f"failed {tag} {failure.retcode}"
    return f"worked {tag}"
