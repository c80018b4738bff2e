"""Bots that count, a nemesis that breaks things on a seeded schedule, and a checker: `python -m tests.chaos`."""
