"""`python -m bench.core`: what the judge costs, in us of CPU per event, by configuration."""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from botmatrix.core.config import CoreConfig
from botmatrix.core.judge import Judge
from botmatrix.onebot.event import Event

EVENTS = 20_000
ROUNDS = 5


def message(text: str) -> Event:
    """A message of a group, of one text segment."""
    body: dict[str, Any] = {
        **{"post_type": "message", "message_type": "group", "sub_type": "normal", "self_id": 10001, "user_id": 7},
        **{"time": 1_700_000_000, "message_id": 5, "group_id": 456, "raw_message": text, "font": 0},
        "message": [{"type": "text", "data": {"text": text}}],
        "sender": {"user_id": 7, "nickname": "somebody", "card": "", "role": "member"},
    }
    raw = json.dumps(body, ensure_ascii=False).encode()
    return Event("message", "group", "normal", "10001", "7", "456", "5", 1_700_000_000, raw)


def configurations() -> dict[str, CoreConfig]:
    """From nothing to everything."""
    rng = random.Random(1)
    words = sorted({"".join(rng.choices(string.ascii_lowercase, k=rng.randint(6, 12))) for _ in range(10_000)})
    ids = [str(rng.randrange(10**9, 10**10)) for _ in range(10_000)]
    lists = {"permissions": {"blacklist": {"system": ids, "group": ids}, "whitelist": {"system": ids[:100]}}}
    plain = {"sensitive_words": {"system": {"plain": words}}}
    domains = [f"{word}.com" for word in words]
    urls = {"url_filter": {"blacklist": {"domain_suffix": domains, "exact": [f"http://{one}/x" for one in domains]}}}
    some: dict[str, Any] = {
        "system": {
            "plain": words,
            "regex": [rf"{one}\d+{two}" for one, two in zip(words[:20], words[20:40], strict=True)],
        }
    }
    everything = {"nothing": {}, "lists of 10,000": lists, "10,000 words": plain, "20,000 URLs": urls}
    everything["lists, words, URLs"] = lists | plain | urls
    everything["the same and 20 expressions"] = lists | urls | {"sensitive_words": some}
    return {name: CoreConfig.model_validate(one) for name, one in everything.items()}


def cost(run: Callable[[], object], times: int) -> float:
    """The least of some rounds, in us of CPU for one run."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(times):
            run()
        best = min(best, (time.process_time() - started) / times * 1e6)
    return best


def main() -> None:
    short, link = message("晚上一起打球吗？ see you at 8"), message("look at https://www.example.org/a/b?c=d 很好")
    long = message("今天天气不错 nothing wrong with this text at all " * 90)
    table = Table("configuration", "short message", "with an address", "4,000 letters", title="us per judged event")
    for name, config in configurations().items():
        judge = Judge(config)
        figures = [
            cost(lambda judge=judge, event=event: judge.reason("qq", "10001", event), times)  # type: ignore[misc]
            for event, times in ((short, EVENTS), (link, EVENTS), (long, EVENTS // 50))
        ]
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
