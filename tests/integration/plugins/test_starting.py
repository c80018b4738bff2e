"""Programs that can't be started, and such that are started for nothing: the log says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.integration.plugins.children import ECHO, write_isolated

from botmatrix.worker.plugins.host import Host
from botmatrix.worker.plugins.info import PluginState


@pytest.mark.parametrize(
    ("first_line", "mode", "advice"),
    [
        ("#!/usr/bin/env python3", 0o644, "main.py: it is not executable: chmod +x it, or name in"),
        ("", 0o755, "main.py: it is no program: give it a first line as #!/usr/bin/env python3, or name in"),
        ("#!/opt/nowhere/python3", 0o755, "main.py: what its first line names is not there: install it, or correct"),
    ],
)
async def test_a_program_that_can_not_be_started(
    host: Host, tmp_path: Path, first_line: str, mode: int, advice: str
) -> None:
    source = write_isolated(tmp_path, "", entry="main.py")
    program = tmp_path / "mine" / "main.py"
    program.write_text(f"{first_line}\n{program.read_text()}" if first_line else program.read_text())
    program.chmod(mode)
    info = await host.load(source)
    assert info.state is PluginState.FAILED
    assert advice in info.error


async def test_a_plugin_that_wants_no_events_is_named(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await host.load(write_isolated(tmp_path, ECHO, "deaf", events=[]))
    await host.load(write_isolated(tmp_path, ECHO, "hears"))
    told = [record for record in caplog.records if "hears nothing" in record.getMessage()]
    assert [record.name for record in told] == ["botmatrix.plugin.deaf"]
    assert '"events": ["on_message"]' in told[0].getMessage()
