"""People who may log in, for administrators."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from botmatrix.control.audit import Note, Noting
from botmatrix.control.auth import Principal, needs
from botmatrix.control.bootstrap import forget_first_password
from botmatrix.control.errors import protected
from botmatrix.control.paging import Listing, Page, listing
from botmatrix.control.parts import Parts, UsedParts
from botmatrix.store.tables import Role, User
from botmatrix.store.users import SORTS, Changed

router = APIRouter(prefix="/api/admin/users", tags=["users"])
Administrator = Annotated[Principal, Depends(needs(Role.ADMIN))]
Name = Annotated[str, Field(min_length=1, max_length=64)]
NewName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.@+\-]+$")]
NewPassword = Annotated[str, Field(min_length=8, max_length=1024, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]


class Person(BaseModel):
    """A user, without secrets."""

    id: int
    username: str
    role: Role
    disabled: bool
    created_at: datetime
    last_login_at: datetime | None

    @classmethod
    def of(cls, user: User) -> Person:
        """The public side of a row."""
        return cls.model_validate(user, from_attributes=True)


class People(Page):
    """A page of users; `q` looks into their names."""

    users: list[Person]


class OnePerson(BaseModel):
    """A user as they are now; one that was deleted, as they were."""

    success: Literal[True] = True
    user: Person


class Create(BaseModel):
    """A new user. `is_admin` is how older clients ask for the role admin; `role` counts before it."""

    action: Literal["create"]
    username: NewName
    password: NewPassword
    role: Role | None = None
    is_admin: StrictBool = False

    @property
    def wanted_role(self) -> Role:
        """The least of them unless another one is named."""
        return self.role or (Role.ADMIN if self.is_admin else Role.VIEWER)


class Edit(BaseModel):
    """Another role, another password, or both."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["role"]}, {"required": ["password"]}]})

    action: Literal["edit"]
    username: Name
    role: Role = Role.VIEWER
    password: NewPassword = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set & {"role", "password"}:
            raise ValueError("say a role or a password")
        return self


class Delete(BaseModel):
    """Remove a user with their logins and API keys."""

    action: Literal["delete"]
    username: Name


class ResetPassword(BaseModel):
    """A new password; every login of the user ends."""

    action: Literal["reset_password"]
    username: Name
    password: NewPassword


class ToggleActive(BaseModel):
    """Bar a user, or let them in again; without `active` the other of the two."""

    action: Literal["toggle_active"]
    username: Name
    active: StrictBool | None = None


Request = Annotated[Create | Edit | Delete | ResetPassword | ToggleActive, Field(discriminator="action")]
_listing = listing(*SORTS)


@router.get("", responses=protected())
async def list_users(_: Administrator, parts: UsedParts, wanted: Annotated[Listing, Depends(_listing)]) -> People:
    """Everybody who has an account."""
    found, total = await parts.users.list(query=wanted.q, sort=wanted.sort, limit=wanted.size, offset=wanted.offset)
    return People(users=[Person.of(one) for one in found], total=total, page=wanted.page, size=wanted.size)


@router.post("", responses=protected(404, 409))
async def change_users(body: Request, asker: Administrator, parts: UsedParts, note: Noting) -> OnePerson:
    """Make, edit, remove, bar users, set passwords: nothing above the own role, and an owner always stays."""
    user = await _done(body, asker.role, parts, note)
    parts.settings_keeper.soon()
    return OnePerson(user=Person.of(user))


async def _done(body: Request, by: Role, parts: Parts, note: Note) -> User:
    users, name = parts.users, body.username
    match body:
        case Create():
            user = await users.create(name, body.password, body.wanted_role, by=by)
            note.say("user.create", user.username, after={"role": user.role})
            return user
        case Edit():
            role, password = _said(body)
            return _edited(await users.edit(name, role=role, password=password, by=by), parts, note, password)
        case ResetPassword():
            return _edited(await users.edit(name, password=body.password, by=by), parts, note, body.password)
        case ToggleActive():
            changed = await users.set_disabled(name, None if body.active is None else not body.active, by=by)
            before, after = {"disabled": changed.disabled_before}, {"disabled": changed.user.disabled}
            note.say(
                "user.disable" if changed.user.disabled else "user.enable",
                changed.user.username,
                before=before,
                after=after,
            )
            return changed.user
        case Delete():
            user = await users.delete(name, by=by)
            note.say("user.delete", user.username, before={"role": user.role, "disabled": user.disabled})
            return user


def _said(body: Edit) -> tuple[Role | None, str | None]:
    said = body.model_fields_set
    return body.role if "role" in said else None, body.password if "password" in said else None


def _edited(changed: Changed, parts: Parts, note: Note, password: str | None) -> User:
    user = changed.user
    before: dict[str, Any] = {"role": changed.role_before}
    after: dict[str, Any] = {"role": user.role}
    if password is not None:
        forget_first_password(parts.settings.home, user.username)
        after["password"] = password  # masked when it is written
    note.say(
        "user.edit" if changed.role_before is not user.role else "user.password",
        user.username,
        before=before,
        after=after,
    )
    return user
