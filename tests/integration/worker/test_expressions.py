"""A regular expression that takes for ever is its plugin's trouble, not the worker's."""

from __future__ import annotations

from pathlib import Path

from tests.integration.worker.composed import composed, message, said
from tests.integration.worker.support import Stage

SLOW = r"""
from botmatrix import Plugin

plugin = Plugin(id="slow")

@plugin.on_message(regex=r"^(a+)+$")
async def found(ctx):
    return "found"
"""

OTHER = """
from botmatrix import Plugin

plugin = Plugin(id="other")

@plugin.on_message(keywords=["aaa"])
async def heard(ctx):
    return "heard"
"""


async def test_a_message_on_which_an_expression_never_ends_fails_for_its_plugin_only(stage: Stage, home: Path) -> None:
    async with composed(stage, home, slow=SLOW, other=OTHER) as worker:
        await stage.put("w1", message("a" * 60 + "b"))
        await stage.until_sent(1, timeout=60)
        assert await said(stage) == ["heard"]
        assert await stage.dead() == ["handler_blocked: slow.found"]
        assert worker.process.returncode is None
