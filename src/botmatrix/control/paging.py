"""Lists: `?page=&size=&sort=&q=` -> `{success, <plural>: [...], total, page, size}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel

from botmatrix.control.errors import ApiError


class Page(BaseModel):
    """What every list answers beside its items."""

    success: Literal[True] = True
    total: int
    page: int
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What part of a list is wanted."""

    page: int
    size: int
    sort: str
    q: str

    @property
    def offset(self) -> int:
        """How many items come before the page."""
        return (self.page - 1) * self.size

    @property
    def field(self) -> str:
        """What it is sorted by."""
        return self.sort.removeprefix("-")

    def cut(self, items: Iterable[BaseModel], plural: str) -> dict[str, Any]:
        """Filter by `q` in any text of an item, sort, and cut the page out."""
        rows = [item for item in items if self._matches(item)]
        rows.sort(key=lambda row: _order(getattr(row, self.field)), reverse=self.sort.startswith("-"))
        window = rows[self.offset : self.offset + self.size]
        return {plural: window, "total": len(rows), "page": self.page, "size": self.size}

    def window(self, rows: Iterable[Mapping[str, Any]], *, texts: Sequence[str]) -> tuple[list[Mapping[str, Any]], int]:
        """The same for plain rows, of which there may be thousands: the page, and how many match in all.

        `q` is searched in the fields `texts`.
        """
        wanted, field = self.q.casefold(), self.field
        found = [row for row in rows if not wanted or any(wanted in row.get(one, "").casefold() for one in texts)]
        found.sort(key=lambda row: _order(row.get(field)), reverse=self.sort.startswith("-"))
        return found[self.offset : self.offset + self.size], len(found)

    def _matches(self, item: BaseModel) -> bool:
        wanted = self.q.casefold()
        if not wanted:
            return True
        return any(wanted in value.casefold() for _, value in item if isinstance(value, str))


def listing(*fields: str, default: str = "") -> Callable[..., Awaitable[Listing]]:
    """A dependency for a list that can be sorted by these fields; without a `default` by the first."""
    allowed = [mark + field for field in fields for mark in ("", "-")]

    async def read(
        page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
        size: Annotated[int, Query(ge=1, le=500)] = 50,
        q: Annotated[str, Query(max_length=200)] = "",
        sort: str = Query(default or fields[0], json_schema_extra={"enum": allowed}),
    ) -> Listing:
        if sort not in allowed:
            raise ApiError(422, "invalid", f"sort: one of {', '.join(fields)}, with a leading - for descending")
        return Listing(page, size, sort, q)

    return read


def _order(value: Any) -> tuple[int, Any]:
    """What is missing before numbers and moments, these before texts, so that a mixed column can be sorted."""
    if value is None:
        return 0, 0
    return (2, value.casefold()) if isinstance(value, str) else (1, value)
