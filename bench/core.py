"""`python -m bench.core`: what the judge costs, in us of CPU per event, by configuration; exit code 1 when a promise
is not held: ten thousand words in 4 kB of text, and hostile expressions that are refused or linear.
"""

from __future__ import annotations

import json
import random
import string
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.hostile import HOSTILE, texts
from botmatrix.core.config import CoreConfig
from botmatrix.core.judge import Judge
from botmatrix.core.patterns import BadPattern, Patterns
from botmatrix.onebot.event import Event

EVENTS = 20_000
ROUNDS = 5
WORDS_US = 1000.0
"""What is promised for ten thousand words in 4 kB."""
TWICE = 3.0
"""Twice the text may take so many times as long: linear, and room for noise."""
SHORT_US = 300.0
"""What takes less is not worth a comparison."""


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


class Hostile:
    """What became of hostile expressions: `slowest` (us) on 4 kB, `growth` of the time when the text doubles."""

    def __init__(self) -> None:
        self.refused = self.taken = 0
        self.slowest = self.growth = 0.0
        for pattern in dict.fromkeys(HOSTILE):
            try:
                self._measure(Patterns([pattern]))
            except BadPattern:
                self.refused += 1

    def _measure(self, expression: Patterns) -> None:
        self.taken += 1
        for text, twice in zip(texts(4096), texts(8192), strict=True):
            us = cost(partial(expression.found, text), 1)
            self.slowest = max(self.slowest, us)
            if us > SHORT_US:
                self.growth = max(self.growth, cost(partial(expression.found, twice), 1) / us)


def held(words: float) -> bool:
    """Print both promises; whether they are held."""
    console, found = Console(highlight=False, soft_wrap=True), Hostile()
    console.print(f"10,000 words in 4 kB: {words:.0f} us, promised under {WORDS_US:.0f}")
    console.print(
        f"hostile expressions: {found.refused} refused, {found.taken} taken: the slowest {found.slowest:.0f} us"
    )
    console.print(f"on 4 kB, and at most {found.growth:.1f} times as long on 8 kB, promised under {TWICE:g}")
    return words < WORDS_US and found.growth < TWICE


def main() -> None:
    short, link = message("晚上一起打球吗？ see you at 8"), message("look at https://www.example.org/a/b?c=d 很好")
    long = message(("今天天气不错 nothing wrong with this text at all " * 99)[:4096])
    table = Table("configuration", "short message", "with an address", "4,096 letters", title="us per judged event")
    words = 0.0
    for name, config in configurations().items():
        judge = Judge(config)
        figures = [
            cost(lambda judge=judge, event=event: judge.reason("qq", "10001", event), times)  # type: ignore[misc]
            for event, times in ((short, EVENTS), (link, EVENTS), (long, EVENTS // 50))
        ]
        words = figures[-1] if name == "10,000 words" else words
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    Console().print(table)
    sys.exit(not held(words))


if __name__ == "__main__":
    main()
