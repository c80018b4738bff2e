"""A new author's path: from `plugin new` to an answer in the chat, and from an edit to its being heard.

`python -m bench.author [--lang python go node csharp]` starts everything in a folder of its own and plays the author.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from botmatrix.config import load

TOOLS = {"python": "", "go": "go", "node": "node", "csharp": "mcs"}
SOURCES = {"python": "plugin.py", "go": "main.go", "node": "main.js", "csharp": "Program.cs"}
LONGEST = 180.0


def main() -> None:
    """Print a line for each language."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lang", nargs="*", default=list(TOOLS))
    languages = [one for one in parser.parse_args().lang if not TOOLS[one] or shutil.which(TOOLS[one])]
    with tempfile.TemporaryDirectory(prefix="bm-author-") as top:
        os.chmod(top, 0o755)  # noqa: S103  started by root, the engines run as somebody else
        folder = str(Path(top) / "home")
        env = {**os.environ, "BOTMATRIX_HOME": folder, "WS_PORT": str(_port()), "WEBUI_PORT": str(_port())}
        with (Path(top) / "up.log").open("w") as log:
            up = subprocess.Popen(_command("up"), env=env, stdout=log, stderr=log)
        try:
            with _bot(Path(folder), env) as bot:
                _answer(bot, "/ping", "")
                print(f"{'language':10}{'new, s':>9}{'answer, s':>11}{'edit, s':>9}")
                for language in languages:
                    _author(language, Path(folder), env, bot)
        finally:
            up.terminate()
            up.wait(60)


def _author(language: str, home: Path, env: dict[str, str], bot: ClientConnection) -> None:
    """Make a plugin, hear it, edit it (and build it, where that is needed), hear the change."""
    id = f"hello-{language}"
    began = time.monotonic()
    subprocess.run(_command("plugin", "new", id, "--lang", language), env=env, check=True, stdout=subprocess.DEVNULL)
    made = time.monotonic() - began
    _answer(bot, f"/{id}", "Hello, world!")
    answered = time.monotonic() - began
    folder = home / "plugins" / id
    source = folder / SOURCES[language]
    began = time.monotonic()
    source.write_text(source.read_text().replace("Hello, ", "Good day, "))
    build = {"go": ["go", "build", "-o", id, "."], "csharp": ["mcs", f"-out:{id}.exe", "BotMatrix.cs", "Program.cs"]}
    if language in build:
        subprocess.run(build[language], cwd=folder, check=True)
    _answer(bot, f"/{id}", "Good day, world!")
    print(f"{language:10}{made:>9.1f}{answered:>11.1f}{time.monotonic() - began:>9.1f}", flush=True)


def _bot(home: Path, env: dict[str, str]) -> ClientConnection:
    """A bot that is connected, once the gateway is open."""
    until = time.monotonic() + LONGEST
    while True:
        try:
            token = load(home, {}, env).bot_token
            headers = {"Authorization": f"Bearer {token}", "X-Self-ID": "10001", "X-Client-Role": "Universal"}
            return connect(f"ws://127.0.0.1:{env['WS_PORT']}/onebot/v11/ws", additional_headers=headers)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _answer(bot: ClientConnection, text: str, wanted: str) -> None:
    """Say it, every 100 ms, until the answer has the words that are wanted."""
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        bot.send(json.dumps(_event(text)))
        end = time.monotonic() + 0.1
        while (left := end - time.monotonic()) > 0:
            try:
                said = _heard(bot, json.loads(bot.recv(left)))
            except TimeoutError:
                break
            if said and wanted in said:
                return
    raise TimeoutError(f"nobody said {wanted!r}")


def _heard(bot: ClientConnection, action: dict[str, Any]) -> str:
    """What the bot was told to say; it says that it did."""
    data = {"message_id": 1, "user_id": 10001, "nickname": "bot"}
    bot.send(json.dumps({"status": "ok", "retcode": 0, "data": data, "echo": action.get("echo")}))
    return json.dumps(action.get("params", {}), ensure_ascii=False) if action.get("action") == "send_msg" else ""


_count = int(time.time()) % 10_000_000 * 100


def _event(text: str) -> dict[str, Any]:
    global _count
    _count += 1
    message = [{"type": "text", "data": {"text": text}}]
    about = {"post_type": "message", "message_type": "private", "sub_type": "friend", "message": message}
    who = {"time": int(time.time()), "self_id": 10001, "user_id": 42, "message_id": _count, "font": 0}
    return {**about, **who, "raw_message": text, "sender": {"user_id": 42, "nickname": "me"}}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "botmatrix", *words]


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
