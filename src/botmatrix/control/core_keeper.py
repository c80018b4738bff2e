"""The documents that control keeps: the judge's configuration, the policies of groups."""

from __future__ import annotations

from botmatrix.bus.core import CoreBox
from botmatrix.bus.groups import GroupsBox
from botmatrix.control.keeper import Keeper
from botmatrix.core.config import CoreConfig
from botmatrix.core.config import parse as parse_core
from botmatrix.routing.groups import GroupPolicies
from botmatrix.routing.groups import parse as parse_groups
from botmatrix.store.core import CoreDocuments, GroupDocuments


class CoreKeeper(Keeper[CoreConfig]):
    """What the judge goes by."""

    def __init__(self, box: CoreBox, documents: CoreDocuments) -> None:
        super().__init__(box, documents, parse_core, CoreConfig())


class GroupsKeeper(Keeper[GroupPolicies]):
    """Which of several bots in a group answers."""

    def __init__(self, box: GroupsBox, documents: GroupDocuments) -> None:
        super().__init__(box, documents, parse_groups, GroupPolicies())
