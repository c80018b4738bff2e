"""Expressions that ruin a matcher which goes back: nested, greedy, long, or beyond what RE2 can do."""

from __future__ import annotations

NESTED = [
    f"{group}{outer}{end}"
    for group in ("(a+)", "(a*)", "(a|a)", "(a|aa)", "(?:a?b?)", r"(\w+\s?)", "([a-z]+)", "(.*)")
    for outer in ("+", "*", "{2,9}", "{1,50}")
    for end in ("$", "b", "!$", r"\d")
]
GREEDY = [
    f"(?:{inner}){{{count}}}{end}"
    for inner in (".*a", "a?", "a*", "[a-z]*x")
    for count in (5, 25, 100, 900)
    for end in ("", "$", "b")
]
LONG = ["a?" * count + "a" * count for count in (10, 50, 200, 900)] + [
    f"a{{{count}}}" for count in (10, 499, 1000, 1001)
]
BEYOND = [
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "(?<!a)",
    r"(a)\1",
    r"(?P<x>a)(?P=x)",
    "(?>a+)",
    "a++",
    "(?(1)a)",
    r"\p{No}{900}",
    "(" * 2000 + "a" + ")" * 2000,
    "((((a{9}){9}){9}){9})",
    "[",
    "(",
    "*",
    "\\",
    "a{2,1}",
    "(?P<x",
    "",
    "a*",
    "|",
    "(?i)",
    "^",
    "$",
]
HOSTILE = [r"\C{400}", *NESTED, *GREEDY, *LONG, *BEYOND]
"""More than two hundred."""


def texts(size: int) -> tuple[str, ...]:
    """Texts made for them, of about so many letters each."""
    return ("a" * size + "!", "ab " * (size // 3), "x" * size)
