"""The judge's configuration: one document, checked as a whole before it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from botmatrix.core import urls
from botmatrix.core.normal import normal
from botmatrix.core.patterns import BadPattern, check, compiled
from botmatrix.core.wording import problem_of
from botmatrix.errors import BotMatrixError

MOST_IDS: Final = 20_000
MOST_WORDS: Final = 20_000
MOST_PATTERNS: Final = 200
LARGEST: Final = 1024 * 1024
"""Bytes of the whole document as JSON."""


class BadCoreConfig(BotMatrixError):
    """A document that can't be used: says all that is wrong, place by place. Never carries the values."""


def _word(word: str) -> str:
    if not normal(word).strip():
        raise ValueError("has no visible character")
    return word


def _pattern(pattern: str) -> str:
    try:
        compiled(pattern)
    except BadPattern as error:
        raise ValueError(str(error)) from None
    return pattern


def _patterns(patterns: list[str]) -> list[str]:
    try:
        check(patterns)
    except BadPattern as error:
        raise ValueError(str(error)) from None
    return patterns


def _address(text: str) -> str:
    if not urls.address(text):
        raise ValueError("must begin with http:// or https:// and a host")
    return text


def _domain(text: str) -> str:
    if not urls.domain(text):
        raise ValueError("must be a domain such as example.com")
    return text


Id = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
"""`qq:123`, or `123` for that id on every platform."""
Ids = Annotated[list[Id], Field(max_length=MOST_IDS)]
Plain = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_word)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_pattern)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2000), AfterValidator(_address)]
Domain = Annotated[str, StringConstraints(min_length=1, max_length=253), AfterValidator(_domain)]
Patterns = Annotated[list[Pattern], Field(max_length=MOST_PATTERNS), AfterValidator(_patterns)]
Reply = Annotated[str, StringConstraints(max_length=2000)]


class Section(BaseModel):
    """A part of the document; a name that it does not know is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SystemControl(Section):
    """`open`: false blocks everything. The replies answer private messages and mentions; empty: no answer."""

    open: bool = True
    closed_reply: Reply = ""
    maintenance_mode: bool = False
    maintenance_reply: Reply = "系统维护中，请稍后再试。 Under maintenance, please try again later."


class Names(Section):
    """Ids of users (`system`), bots (`robot`) and groups (`group`)."""

    system: Ids = []
    robot: Ids = []
    group: Ids = []


class Permissions(Section):
    """Who is on the whitelist is not looked up in the blacklist; filters of content still apply."""

    whitelist: Names = Names()
    blacklist: Names = Names()


class WordLevel(Section):
    """Words as they are, and regular expressions (RE2)."""

    plain: Annotated[list[Plain], Field(max_length=MOST_WORDS)] = []
    regex: Patterns = []


Levels = Annotated[dict[Id, WordLevel], Field(max_length=1000)]


class SensitiveWords(Section):
    """`system` holds everywhere, `robot` for messages to that bot, `group` for messages in that group."""

    system: WordLevel = WordLevel()
    robot: Levels = {}
    group: Levels = {}


class UrlSet(Section):
    """Whole addresses, domains with all below them, regular expressions (RE2) on the address."""

    exact: Annotated[list[Address], Field(max_length=MOST_WORDS)] = []
    domain_suffix: Annotated[list[Domain], Field(max_length=MOST_WORDS)] = []
    regex: Patterns = []


class UrlFilter(Section):
    """What is on the whitelist passes, whatever the blacklist says of it."""

    whitelist: UrlSet = UrlSet()
    blacklist: UrlSet = UrlSet()


class Statistics(Section):
    """`enable`: count messages by user, group, bot. `record_blocked`: keep the last 100 that were blocked."""

    enable: bool = True
    record_blocked: bool = True


class CoreConfig(Section):
    """The whole document. `enabled`: false lets everything pass."""

    enabled: bool = True
    system_control: SystemControl = SystemControl()
    permissions: Permissions = Permissions()
    sensitive_words: SensitiveWords = SensitiveWords()
    url_filter: UrlFilter = UrlFilter()
    statistics: Statistics = Statistics()

    def to_json(self) -> bytes:
        """The document as it is kept."""
        return self.model_dump_json().encode()


def parse(document: bytes | str) -> CoreConfig:
    """A kept document. Raises `BadCoreConfig`."""
    try:
        return CoreConfig.model_validate_json(document)
    except ValidationError as error:
        raise _bad(error) from None


def changed(config: CoreConfig, patch: Mapping[str, Any]) -> CoreConfig:
    """The configuration with what `patch` names put in: objects are merged, lists and values replaced.

    Raises `BadCoreConfig`.
    """
    try:
        merged = CoreConfig.model_validate(_merged(config.model_dump(), patch))
    except ValidationError as error:
        raise _bad(error) from None
    if len(merged.to_json()) > LARGEST:
        raise BadCoreConfig("the document would be larger than 1 MiB")
    return merged


def difference(before: CoreConfig, after: CoreConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is not the same, by its place (`system_control.open`): as it was, and as it is."""
    old, new = _places(before.model_dump()), _places(after.model_dump())
    names = sorted(name for name in old | new if old.get(name) != new.get(name))
    return {name: old[name] for name in names if name in old}, {name: new[name] for name in names if name in new}


def _places(section: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in section.items():
        found |= _places(value, f"{above}{name}.") if isinstance(value, Mapping) else {above + name: value}
    return found


_REPLACED: Final = (("sensitive_words", "robot"), ("sensitive_words", "group"))
"""Objects that are collections: given, they replace what was there, so that an entry can go."""


def _merged(old: Mapping[str, Any], new: Mapping[str, Any], place: tuple[str, ...] = ()) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        before, here = old.get(name), (*place, name)
        joined = isinstance(before, dict) and isinstance(value, Mapping) and here not in _REPLACED
        merged[name] = _merged(before, value, here) if joined and before is not None else value
    return merged


def _bad(error: ValidationError) -> BadCoreConfig:
    problems = [f"{'.'.join(map(str, one['loc'])) or 'document'}: {problem_of(one)}" for one in error.errors()]
    left = f"; and {len(problems) - 20} more" if len(problems) > 20 else ""
    return BadCoreConfig("; ".join(problems[:20]) + left)
