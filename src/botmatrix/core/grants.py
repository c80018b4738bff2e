"""What a plugin may do: what it asks for, and what an administrator says to that."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from botmatrix.core.plugins import Wish


def grants_of(plugin: str, wish: Wish, setting: Iterable[str], *, packaged: bool) -> list[str] | None:
    """What is granted to a plugin; None: whatever it asks for.

    What was said of this plugin counts, then the setting `plugin_grants` (`PLUGIN:ACTION`) if it names it. With
    neither, a package gets nothing, and what lies in a worker's own folder what it asks for.
    """
    if wish.grants is not None:
        return list(wish.grants)
    named = [action for name, _, action in (grant.partition(":") for grant in setting) if name == plugin]
    return named or ([] if packaged else None)


def allowed(wanted: Collection[str], grants: Collection[str] | None) -> list[str]:
    """What of all that it asks for a plugin may do. `*` asks for everything, or grants it."""
    if grants is None or "*" in grants:
        return sorted(wanted)
    return sorted(grants) if "*" in wanted else sorted(set(wanted) & set(grants))
