"""Measurements of BotMatrix beside a bare floor and other frameworks: `python -m bench`."""
