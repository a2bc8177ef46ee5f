"""Owns `hotline person` and `hotline phone`: people and phones one by one, and who serves which queue."""

from __future__ import annotations

from pathlib import Path

from asterisk_conf.render import seat_password
from casework.store import posts as posts_of
from casework.store.posts import BadPost, Post
from casework.words import Part
from cli.database import ensure, reading, writing
from hotline import clock
from hotline.errors import HotlineError
from hotline.identity.people import NewPerson, Person, create_person, list_people
from hotline.identity.skills import BadSkill, set_skills
from hotline.secret import load_or_create, write_private
from hotline.settings import Settings


class NoSuchSeat(HotlineError):
    """A phone that the settings do not have."""


async def add(settings: Settings, new: NewPerson, password: str) -> Person:
    """Let a person in from now on, making the database at need; BadPerson when a value cannot be accepted."""
    await ensure(settings)
    async with writing(settings, "the person was not written") as session:
        return await create_person(session, new, password, clock.now().utc_us)


async def everybody(settings: Settings) -> list[Person]:
    """All people, by number."""
    await ensure(settings)
    async with reading(settings, "the people cannot be read") as session:
        return await list_people(session)


async def give_skills(settings: Settings, number: str, penalties: dict[str, int]) -> None:
    """Let an agent serve these queues from now on (queue -> penalty); BadSkill when that cannot be."""
    known = [queue.number for queue in settings.queues]
    for queue in penalties:
        if queue not in known:
            raise BadSkill(f"there is no queue {queue!r}; the queues are {', '.join(known)}")
    await ensure(settings)
    async with writing(settings, "the skills were not written") as session:
        await set_skills(session, number, penalties)


async def give_posts(settings: Settings, number: str, posts: list[Post]) -> None:
    """Let somebody act on cases by these posts, and no others; BadPost when one cannot be given."""
    await ensure(settings)
    async with writing(settings, "the posts were not written") as session:
        await posts_of.give_posts(session, number, posts)


def read_post(word: str) -> Post:
    """`dispatcher`, or `unit:heating` for the people of a unit; BadPost for anything else."""
    name, _, unit = word.partition(":")
    try:
        return Post(Part[name.upper()], unit)
    except KeyError:
        known = ", ".join(part.name.lower() for part in Part)
        raise BadPost(f"{name!r} is no post; the posts are {known}") from None


def write_account(settings: Settings, seat: str) -> Path:
    """Write a phone's SIP account, password and all, to a file that its owner alone may read."""
    if seat not in settings.phone_ids:
        first, last = settings.seat_ids[0], settings.seat_ids[-1]
        supervisors = " ".join(settings.supervisor_ids) or "none"
        raise NoSuchSeat(
            f"there is no phone {seat!r}; the seats are {first} to {last}, supervisors {supervisors}"
        )
    if seat in settings.softphone_ids:
        raise NoSuchSeat(f"seat {seat} talks in the page (seats.softphones): it needs no account")
    password = seat_password(load_or_create(settings.state), seat)
    switch = settings.switch
    lines = {
        "user": seat,
        "password": password,
        "server": switch.host,
        "port": switch.sip_port,
        "transport": "UDP",
        "codecs": "PCMA, PCMU",
    }
    path = settings.state / "phones" / f"{seat}.txt"
    try:
        write_private(path, "".join(f"{name} = {value}\n" for name, value in lines.items()))
    except OSError as error:
        raise HotlineError(f"cannot write {path}: {error.strerror}") from error
    return path
