"""Who gets in: passwords, the lock, roles, push tokens, and the demo's people."""

from __future__ import annotations

import asyncio
import itertools
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotline.db.engine import Database
from hotline.identity.demo import demo_people
from hotline.identity.lock import ATTEMPTS, LOCK_US, Attempts, attempt
from hotline.identity.people import (
    BadPerson,
    LogInRefusal,
    NewPerson,
    Person,
    _hasher,
    authenticate,
    create_person,
    find_person,
    list_people,
    seed_people,
    set_enabled,
)
from hotline.identity.roles import Role
from hotline.identity.token import BadToken, Claims, _sign, mint, verify

WANG = NewPerson(number="1001", name="王丽娟", role=Role.AGENT)
PASSWORD = "泰山之巅-12345"
NOW = 1_700_000_000_000_000
KEY = "a key of the tests"


async def hire(database: Database, new: NewPerson = WANG) -> None:
    async with database.begin() as session:
        await create_person(session, new, PASSWORD, NOW)


async def test_the_right_password_lets_in(database: Database) -> None:
    await hire(database)
    person = await authenticate(database, "1001", PASSWORD, NOW)
    assert person == Person(number="1001", name="王丽娟", role=Role.AGENT, enabled=True)


@pytest.mark.parametrize(
    ("number", "password"),
    [
        ("1001", "wrong"),
        ("1001", ""),
        ("1001", PASSWORD + "x" * 5000),
        ("1002", PASSWORD),
        ("1001' OR 1=1 --", PASSWORD),
        ("", ""),
        ("10\x0001", PASSWORD),
    ],
)
async def test_anything_else_does_not(database: Database, number: str, password: str) -> None:
    await hire(database)
    assert await authenticate(database, number, password, NOW) is LogInRefusal.WRONG


def test_a_guess_at_a_stolen_hash_costs_three_passes_over_64_mib() -> None:
    """The real hasher: imported before the tests' cheap one took its place."""
    assert _hasher().hash(PASSWORD).startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_five_failures_lock_for_five_minutes(database: Database) -> None:
    await hire(database)
    for _ in range(ATTEMPTS):
        assert await authenticate(database, "1001", "wrong", NOW) is LogInRefusal.WRONG
    assert await authenticate(database, "1001", PASSWORD, NOW) is LogInRefusal.LOCKED
    assert await authenticate(database, "1001", PASSWORD, NOW + LOCK_US - 1) is LogInRefusal.LOCKED
    assert isinstance(await authenticate(database, "1001", PASSWORD, NOW + LOCK_US), Person)


async def test_a_success_wipes_the_failures(database: Database) -> None:
    await hire(database)
    for _ in range(3):
        for _ in range(ATTEMPTS - 1):
            await authenticate(database, "1001", "wrong", NOW)
        assert isinstance(await authenticate(database, "1001", PASSWORD, NOW), Person)


async def test_guesses_sent_at_once_get_no_more_tries(database: Database) -> None:
    await hire(database)
    answers = await asyncio.gather(*(authenticate(database, "1001", f"guess {n}", NOW) for n in range(12)))
    assert answers.count(LogInRefusal.WRONG) == ATTEMPTS
    assert answers.count(LogInRefusal.LOCKED) == 12 - ATTEMPTS


async def test_a_disabled_person_stays_out(database: Database) -> None:
    await hire(database)
    async with database.begin() as session:
        assert await set_enabled(session, "1001", False)
        assert not await set_enabled(session, "1999", False)
    assert await authenticate(database, "1001", PASSWORD, NOW) is LogInRefusal.WRONG


async def test_a_number_belongs_to_one_person(database: Database) -> None:
    await hire(database)
    with pytest.raises(BadPerson, match="1001"):
        await hire(database)


@pytest.mark.parametrize(
    ("new", "password"),
    [
        (NewPerson(number="101", name="王", role=Role.AGENT), PASSWORD),
        (NewPerson(number="１００１", name="王", role=Role.AGENT), PASSWORD),
        (NewPerson(number="1001", name="", role=Role.AGENT), PASSWORD),
        (NewPerson(number="1001", name="王\n丽", role=Role.AGENT), PASSWORD),
        (WANG, "short"),
        (WANG, "x" * 129),
    ],
)
async def test_a_person_is_checked_before_being_added(
    database: Database, new: NewPerson, password: str
) -> None:
    with pytest.raises(BadPerson):
        async with database.begin() as session:
            await create_person(session, new, password, NOW)


async def test_the_demos_people_are_seeded_once_and_get_in(database: Database) -> None:
    people = demo_people(30)
    for expected in (len(people), 0):
        async with database.begin() as session:
            assert await seed_people(session, people, PASSWORD, NOW) == expected
    async with database.read() as session:
        assert [person.number for person in await list_people(session)] == sorted(p.number for p in people)
        assert await find_person(session, "9001") == Person(
            number="9001", name=people[30].name, role=Role.SUPERVISOR, enabled=True
        )
        assert await find_person(session, "1;--") is None
    assert isinstance(await authenticate(database, "1030", PASSWORD, NOW), Person)


@pytest.mark.parametrize("count", [1, 57, 131, 7000])
def test_every_demo_person_has_a_number_of_their_own(count: int) -> None:
    people = demo_people(count)
    assert len({person.number for person in people}) == len(people)
    assert sum(person.role is Role.AGENT for person in people) == count


@given(st.lists(st.integers(0, 3 * LOCK_US), max_size=30))
def test_five_minutes_lie_between_two_rounds_of_attempts(steps: list[int]) -> None:
    state, admitted = Attempts(), []
    for now in sorted(steps):
        after = attempt(state, now)
        if after is None:
            assert state.count == ATTEMPTS and now < state.locked_until_us
        else:
            admitted.append(now)
            state = after
    rounds = [admitted[n : n + ATTEMPTS] for n in range(0, len(admitted), ATTEMPTS)]
    for before, later in itertools.pairwise(rounds):
        assert later[0] - before[-1] >= LOCK_US


def token(expires_us: int = NOW + 1, seat: str | None = "8001") -> str:
    return mint(KEY, "1001", Role.AGENT, seat, expires_us, "nonce")


@pytest.mark.parametrize("seat", ["8001", None])
def test_a_token_says_what_was_minted(seat: str | None) -> None:
    claims = verify(KEY, token(seat=seat), NOW)
    assert claims == Claims(person="1001", role=Role.AGENT, seat=seat, expires_us=NOW + 1, nonce="nonce")


def test_a_token_ends_on_time() -> None:
    with pytest.raises(BadToken, match="expired"):
        verify(KEY, token(), NOW + 1)


def test_another_key_is_not_ours() -> None:
    with pytest.raises(BadToken, match="wrong signature"):
        verify("another key", token(), NOW)


@given(st.data())
def test_no_changed_letter_goes_unnoticed(data: st.DataObject) -> None:
    genuine = token()
    at = data.draw(st.integers(0, len(genuine) - 1))
    letter = data.draw(st.characters(codec="ascii").filter(lambda c: c != genuine[at]))
    with pytest.raises(BadToken):
        verify(KEY, genuine[:at] + letter + genuine[at + 1 :], NOW)


@given(st.text(max_size=2000))
def test_no_text_passes_for_a_token(text: str) -> None:
    with pytest.raises(BadToken):
        verify(KEY, text, NOW)


def test_a_body_of_another_shape_is_refused_even_when_signed() -> None:
    body = urlsafe_b64encode(b'{"person":"9001"}').rstrip(b"=").decode()
    with pytest.raises(BadToken, match="malformed"):
        verify(KEY, f"v1.{body}.{_sign(KEY, body)}", NOW)


def test_every_role_has_a_chinese_name() -> None:
    assert {role.label for role in Role} == {"话务员", "班长", "管理员", "大屏", "办件员"}
    assert all(refusal.label for refusal in LogInRefusal)
