"""Rules as one YAML file, and cases that a file of rules must satisfy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import yaml

from botmatrix.routing.rule import BadRule, Rule, as_document, make_rule
from botmatrix.routing.table import Table

_RULE = {"key": str, "target": str, "priority": int, "fallback": str, "deliver": str, "disabled": bool}
_CASE = {"name": str, "user": (str, int), "group": (str, int), "bot": (str, int), "target": str, "rule": str}


class Case(NamedTuple):
    """An event (ids as text, "" when absent) and what should decide about it; None: is not looked at, "": nothing."""

    name: str
    user: str
    group: str
    bot: str
    target: str | None
    rule: str | None


class Outcome(NamedTuple):
    """A case, and in words what was found instead of what it wants; empty when it passed."""

    case: Case
    problem: str


def dump_rules(rules: Iterable[Rule]) -> str:
    """The file; `load_rules` reads it."""
    content = {"rules": [as_document(rule) for rule in sorted(rules, key=lambda rule: (rule.created, rule.key))]}
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=120)


def load_rules(text: str) -> list[Rule]:
    """The rules of a file; of two that are otherwise equal the one further up counts as older.

    Raises `BadRule`, which says where.
    """
    rules: dict[str, Rule] = {}
    for number, entry in enumerate(_entries(text, "rules"), 1):
        where = f"rule {number}"
        fields = _fields(entry, _RULE, where)
        for name in ("key", "target"):
            if name not in fields:
                raise BadRule(where, f"has no {name}")
        try:
            rule = make_rule(**fields)
        except BadRule as error:
            raise BadRule(f"{where} ({fields['key']})", str(error)) from None
        if rule.key in rules:
            raise BadRule(where, f"the key {rule.key} is there twice")
        rules[rule.key] = rule
    return list(rules.values())


def load_cases(text: str) -> list[Case]:
    """The cases of a file. Raises `BadRule`, which says where."""
    return [_case(entry, f"case {number}") for number, entry in enumerate(_entries(text, "cases"), 1)]


def in_order(rules: Iterable[Rule], start: float = 0.0) -> list[Rule]:
    """The rules with ages as they stand in a file: the one further up is the older. `start`: unix seconds."""
    return [msgspec.structs.replace(rule, created=start + at * 1e-5) for at, rule in enumerate(rules)]


def run_cases(rules: Iterable[Rule], cases: Iterable[Case]) -> list[Outcome]:
    """What the rules decide about each case."""
    table = Table(in_order(rules))
    return [Outcome(case, _problem(table, case)) for case in cases]


def _problem(table: Table, case: Case) -> str:
    hits = table.explain(case.bot, case.group, case.user)
    target, rule = (hits[0].rule.target, hits[0].rule.key) if hits else ("", "")
    found = f"the rule {rule} sends it to {target}" if hits else "no rule matches"
    if case.target is not None and case.target != target:
        return f"should go to {case.target or 'no target'}, but {found}"
    if case.rule is not None and case.rule != rule:
        return f"{case.rule or 'no rule'} should decide, but {found}"
    return ""


def _case(entry: Any, where: str) -> Case:
    fields = _fields(entry, _CASE, where, empty=("target", "rule"))
    if "target" not in fields and "rule" not in fields:
        raise BadRule(where, "wants nothing: say target, rule, or both (null: no rule matches)")
    user, group, bot = (str(fields.get(name, "")) for name in ("user", "group", "bot"))
    wanted = [fields[name] or "" if name in fields else None for name in ("target", "rule")]
    return Case(fields.get("name", where), user, group, bot, *wanted)


def _entries(text: str, name: str) -> list[Any]:
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a day such as 2026-99-99 is a ValueError
        raise BadRule("YAML", " ".join(str(error).split())) from None
    entries = content.get(name) if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise BadRule("YAML", f"expected a list called {name!r}")
    return entries


def _fields(entry: Any, known: dict[str, Any], where: str, *, empty: Iterable[str] = ()) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise BadRule(where, "is not a list of names and values")
    for name, value in entry.items():
        if name not in known:
            raise BadRule(where, f"{name!r} is none of {', '.join(known)}")
        kind = known[name]
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits and not (value is None and name in empty):
            raise BadRule(where, f"{name} is no {_WORDS.get(kind, 'id')}: put quotes around it if it is text")
    return dict(entry)


_WORDS: dict[Any, str] = {str: "text", int: "whole number", bool: "true or false"}
