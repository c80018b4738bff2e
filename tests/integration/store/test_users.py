"""Users in a real PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from argon2 import PasswordHasher

from botmatrix.store.engine import Database
from botmatrix.store.logins import Logins
from botmatrix.store.passwords import Passwords
from botmatrix.store.tables import Role
from botmatrix.store.text import BadValue
from botmatrix.store.users import LastAdministrator, UnknownUser, UserExists, Users

PASSWORD = "correct horse"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url, part="tests")
    yield opened
    await opened.close()


@pytest.fixture
def users(database: Database) -> Users:
    return Users(database, Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)))


async def test_a_user_is_found_in_any_case_and_width(users: Users) -> None:
    made = await users.create("Straße", PASSWORD, Role.VIEWER)
    assert made.username == "Straße"
    assert (await users.get("STRASSE")).id == made.id
    assert (await users.get("Ｓtraße")).id == made.id


@pytest.mark.parametrize("name", ["alice", "ALICE", "ａlice"])
async def test_a_name_is_taken_once(users: Users, name: str) -> None:
    await users.create("Alice", PASSWORD, Role.VIEWER)
    with pytest.raises(UserExists):
        await users.create(name, PASSWORD, Role.VIEWER)


async def test_of_two_who_want_a_name_at_once_one_gets_it(users: Users) -> None:
    results = await asyncio.gather(
        *(users.create("alice", PASSWORD, Role.VIEWER) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, UserExists) for one in results) == 3


@pytest.mark.parametrize("name", ["", "a b", "a\0b", "a\nb", "\u200b", "x" * 65])
async def test_a_bad_name_is_refused_in_words(users: Users, name: str) -> None:
    with pytest.raises(BadValue, match="username"):
        await users.create(name, PASSWORD, Role.VIEWER)


@pytest.mark.parametrize("password", ["", "short", "nul \0 inside", "x" * 1025, "line\nline"])
async def test_a_bad_password_is_refused_without_being_told(users: Users, password: str) -> None:
    with pytest.raises(BadValue) as raised:
        await users.create("alice", password, Role.VIEWER)
    assert not password or password not in str(raised.value)


async def test_a_search_takes_wildcards_literally(users: Users) -> None:
    for name in ("a_b", "axb", "a%b", "A_B2"):
        await users.create(name, PASSWORD, Role.VIEWER)
    page, total = await users.list(query="a_b")
    assert [user.username for user in page] == ["a_b", "A_B2"]
    assert total == 2
    assert (await users.list(query="'; DROP TABLE users; --"))[1] == 0
    assert (await users.list(query="\0a%"))[1] == 1


async def test_a_page_says_how_many_there_are(users: Users) -> None:
    for number in range(5):
        await users.create(f"user{number}", PASSWORD, Role.VIEWER)
    page, total = await users.list(limit=2, offset=2)
    assert ([user.username for user in page], total) == (["user2", "user3"], 5)


@pytest.mark.parametrize("change", ["set_password", "disable"])
async def test_what_ends_trust_ends_sessions(users: Users, database: Database, change: str) -> None:
    logins = Logins(database)
    await users.create("root", PASSWORD, Role.OWNER)
    user = await users.create("alice", PASSWORD, Role.ADMIN)
    token, _ = await logins.start(user, address="127.0.0.1", user_agent="a\0b")
    assert await logins.holder(token) is not None
    await (users.set_password("alice", "another one") if change == "set_password" else users.disable("alice"))
    assert await logins.holder(token) is None
    await users.enable("alice")
    assert await logins.holder(token) is None


async def test_a_session_made_while_the_password_changed_is_void(users: Users, database: Database) -> None:
    logins = Logins(database)
    before = await users.create("alice", PASSWORD, Role.ADMIN)
    await users.set_password("alice", "another one")
    token, _ = await logins.start(before, address="", user_agent="")
    assert await logins.holder(token) is None


async def test_the_token_itself_is_not_in_the_database(users: Users, database: Database) -> None:
    from sqlalchemy import text

    user = await users.create("alice", PASSWORD, Role.ADMIN)
    token, _ = await Logins(database).start(user, address="127.0.0.1", user_agent="tests")
    async with database.connection() as connection:
        row = (await connection.execute(text("SELECT login_sessions::text FROM login_sessions"))).scalar_one()
    assert token not in row
    assert token.encode().hex() not in row


async def test_the_last_administrator_stays(users: Users) -> None:
    await users.create("root", PASSWORD, Role.OWNER)
    await users.create("viewer", PASSWORD, Role.VIEWER)
    with pytest.raises(LastAdministrator):
        await users.disable("root")
    await users.create("second", PASSWORD, Role.ADMIN)
    outcome = await asyncio.gather(users.disable("root"), users.disable("second"), return_exceptions=True)
    assert sum(isinstance(one, LastAdministrator) for one in outcome) == 1
    assert (await users.disable("viewer")).disabled


async def test_an_unknown_user_is_named(users: Users) -> None:
    for attempt in (users.get, users.disable, users.enable):
        with pytest.raises(UnknownUser, match="nobody"):
            await attempt("nobody")
    with pytest.raises(UnknownUser):
        await users.set_password("no\0body", PASSWORD)


@pytest.mark.parametrize(
    ("held", "needed", "allowed"),
    [(Role.OWNER, Role.ADMIN, True), (Role.ADMIN, Role.OWNER, False), (Role.VIEWER, Role.VIEWER, True)],
)
def test_a_role_covers_those_below_it(held: Role, needed: Role, allowed: bool) -> None:
    assert held.covers(needed) is allowed
