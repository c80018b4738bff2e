"""Whether what a message says means a skill, with the code of the message path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from botmatrix.bus.roster import LaneView
from botmatrix.bus.skills import having, skills_of
from botmatrix.config import Settings
from botmatrix.control.explain_notes import Asked, Note
from botmatrix.core.text import LONGEST, said
from botmatrix.routing.balance import Load
from botmatrix.routing.explain import Candidate, Explanation, Way
from botmatrix.routing.place import Pools
from botmatrix.routing.table import route_of
from botmatrix.skills.permission import SkillPermissions, Speaker, may_say, strictest
from botmatrix.skills.words import Words

SKILL: Final = "skill:"
"""What begins the target of an event whose words mean a skill."""


class Crowd(NamedTuple):
    """Who takes events now, and how busy they are."""

    lanes: Sequence[LaneView]
    pools: Pools
    loads: Mapping[str, Load]


class Meant(NamedTuple):
    """What is to be said of the skills that a message means; `way`: the way to the one that is called, if one is."""

    notes: list[Note]
    way: Way | None = None


def meant_skill(asked: Asked, found: Explanation, crowd: Crowd, settings: Settings) -> Meant:
    """As a nexus finds the skill; its words are compiled anew, so ask in a thread."""
    event = asked.event
    workers = skills_of({**view.presence, "id": view.lane} for view in crowd.lanes)
    every = [one for can in workers.values() for one in can if one.regex]
    if event.post_type != "message" or event.user_id == asked.self_id or not every:
        return Meant([])
    route = route_of(found.winner.rule) if found.winner is not None else None
    permissions = strictest(SkillPermissions(settings.skill_permissions), ((one.name, one.permission) for one in every))
    speaker = Speaker(event.detail_type, event.sub_type, asked.user in settings.commanders)
    notes: list[Note] = []
    for skill in Words({one.name: one.regex for one in every}).meant(said(event.raw).text[:LONGEST].strip()):
        if route is not None and route.copies:
            notes.append(Note("skill_left_alone", {"skill": skill}))
        elif not may_say(permissions[skill], speaker):
            notes.append(Note("skill_forbidden", {"skill": skill, "permission": permissions[skill].value}))
        elif having_it := having(skill, workers, crowd.pools.by_lane, route.targets if route is not None else None):
            notes.append(Note("skill", {"skill": skill, "workers": ", ".join(sorted(having_it))}))
            return Meant(notes, _way(skill, having_it, crowd))
        else:
            notes.append(Note("skill_nobody", {"skill": skill}))
    return Meant(notes)


def _way(skill: str, workers: Sequence[str], crowd: Crowd) -> Way:
    """One of them is drawn, whatever they have to do."""
    candidates = [Candidate(one, crowd.pools.by_lane[one], crowd.loads[one].score) for one in sorted(workers)]
    return Way(SKILL + skill, "lane", candidates, fell_back=False)
