"""`python -m bench.skills`: how long a call of a skill takes when idle, how many a second go by REST and from code.

Nexus, control, one worker, Valkey and PostgreSQL, each a process of its own. The skill gives back what it gets. From
code: a skill whose function calls the other one, many at a time, by the services of its plugin.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from rich.console import Console
from tests.chaos.fleet import Talker
from websockets.sync.client import connect

from bench.furnish import Furnished
from bench.http_client import HttpClient
from bench.parts import Part
from bench.report import Check, commit, machine
from bench.stolen import stolen

PASSWORD = "bench-password-of-loopback"  # noqa: S105 - guards nothing but this run
UNDER_WAY = 32
PLUGIN = f"""
import asyncio, time
from botmatrix import Plugin

plugin = Plugin(id="bench")


@plugin.skill("give", permission="public")
async def give(word: str) -> str:
    return word


@plugin.command("many")
async def many(ctx, count: int):
    gate, began = asyncio.Semaphore({UNDER_WAY * 4}), time.monotonic()

    async def one(number):
        async with gate:
            await ctx.call_skill("give", word=str(number))

    await asyncio.gather(*map(one, range(count)))
    return f"took {{time.monotonic() - began:.3f}}"
"""


Request = Callable[[HttpClient, int], Awaitable[object]]


class Skilled(Furnished):
    """Everything, with the skill system on in every part."""

    def __init__(self) -> None:
        super().__init__(())
        self.control = 0

    def add(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> Part:
        plugins = self.folder / "home" / "plugins"
        plugins.mkdir(exist_ok=True)
        (plugins / "bench.py").write_text(PLUGIN)
        more = {"ENABLE_SKILL": "1", "DATABASE_URL": self._postgres.url(), "DEFAULT_ADMIN_PASSWORD": PASSWORD}
        part = super().add(name, argv, {**(env or {}), **more})
        if name == "control":
            self.control = int(part.env["WEBUI_PORT"])
        return part


async def log_in(client: HttpClient) -> None:
    """As an administrator; returns when a worker offers the skill."""
    for _ in range(600):
        status, answer = await client.ask("POST", "/api/login", {"username": "admin", "password": PASSWORD})
        if status == 200:
            break
        await asyncio.sleep(0.1)  # the tables are being made
    else:
        raise RuntimeError(f"no login: {answer}")
    client.headers["Authorization"] = f"Bearer {answer['token']}"
    for _ in range(600):
        if (await client.ask("GET", "/api/skills"))[1].get("skills"):
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("no worker offers the skill")


async def lone(client: HttpClient, count: int) -> tuple[list[float], list[float]]:
    """Seconds that calls took, one after the other; and those of them during which the host took nothing away."""
    took, undisturbed = [], []
    for number in range(count):
        before = stolen()
        took.append(await call(client, number))
        if stolen() == before:
            undisturbed.append(took[-1])
    return took, undisturbed


async def call(client: HttpClient, number: int) -> float:
    """Seconds that one call took."""
    began = time.perf_counter()
    status, answer = await client.ask("POST", "/api/skills/give/call", {"params": {"word": str(number)}})
    if status != 200 or answer["result"] != str(number):
        raise RuntimeError(f"a call gave {status} {answer}")
    return time.perf_counter() - began


async def look(client: HttpClient, _number: int) -> None:
    """The least that control answers."""
    status, answer = await client.ask("GET", "/api/me")
    if status != 200:
        raise RuntimeError(f"/healthz gave {status} {answer}")


async def many(client: HttpClient, count: int, request: Request = call) -> float:
    """Requests a second, `UNDER_WAY` at a time."""
    numbers, began = iter(range(count)), time.perf_counter()

    async def caller() -> None:
        for number in numbers:
            await request(client, number)

    await asyncio.gather(*(caller() for _ in range(UNDER_WAY)))
    return count / (time.perf_counter() - began)


def from_code(case: Skilled, count: int) -> float:
    """Calls a second of one handler, as it says itself."""
    headers = {"X-Self-ID": "10001", "Authorization": f"Bearer {case.env['BOT_TOKEN']}"}
    with connect(case.url, additional_headers=headers, proxy=None) as link:
        talker = Talker(link)
        talker.ask(f"/many {count}")
        until = time.monotonic() + 120
        while time.monotonic() < until:
            if took := next((text.split()[1] for text in talker.heard if text.startswith("took ")), ""):
                return count / float(took)
            time.sleep(0.05)
    raise RuntimeError(f"no answer to /many: {talker.heard[:3]}")


async def measure(args: argparse.Namespace) -> list[Check]:
    """All three, one after the other."""
    case = Skilled()
    with case:
        async with HttpClient("127.0.0.1", case.control) as client:
            await log_in(client)
            await many(client, 100)
            took, undisturbed = await lone(client, args.calls)
            by_rest = await many(client, args.calls * 3)
            floor = await many(client, args.calls * 3, look)
            by_code = await asyncio.to_thread(from_code, case, args.calls * 10)
    median, p99, p99_undisturbed = statistics.median(took) * 1000, p99_of(took), p99_of(undisturbed)
    calm = f"{p99_undisturbed:.1f} ms of the {len(undisturbed)} from which the host took nothing"
    return [
        Check(f"one call, p99 (median {median:.1f} ms; {calm})", p99, 25, 25, "ms", False),
        Check(f"calls by REST (GET /api/me: {floor:.0f})", by_rest, 300, 300, "/s", True),
        Check("calls from code", by_code, 1000, 1000, "/s", True),
    ]


def p99_of(took: list[float]) -> float:
    """In ms."""
    return statistics.quantiles(took, n=100)[98] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.skills", description=__doc__)
    parser.add_argument("--calls", type=int, default=500)
    console = Console(soft_wrap=True)
    console.print(f"{commit()}, {machine()}, one worker")
    for check in asyncio.run(measure(parser.parse_args())):
        console.print(f"{check.text}: {check.value:.1f} {check.unit} (promised: {check.must:g})  {check.verdict}")


if __name__ == "__main__":
    main()
