"""Owns `hotline token`: which other systems may come in, by which tokens, and what these open."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from casework.rights import Right
from casework.store import systems
from casework.store.systems import USUAL_PER_MINUTE, NewToken, Token, rights_of
from cli.database import ensure, reading, writing
from cli.people import read_post
from cli.terminal import SettingsFile, say, settings_from
from hotline import clock
from hotline.local_time import date_time
from hotline.settings import Settings

token = typer.Typer(help="Other systems: by which tokens they may come in.", no_args_is_help=True)


async def create(settings: Settings, new: NewToken) -> str:
    """Make a token and give it, this once; BadToken or BadPost when it cannot be."""
    await ensure(settings)
    async with writing(settings, "the token was not made") as session:
        return await systems.create_token(session, new, clock.now().utc_us)


async def revoke(settings: Settings, id_: str) -> Token:
    """Let a token open nothing from now on; BadToken when there is none of that id in use."""
    await ensure(settings)
    async with writing(settings, "the token was not revoked") as session:
        return await systems.revoke_token(session, id_, clock.now().utc_us)


async def everything(settings: Settings) -> list[Token]:
    """Every token there ever was."""
    await ensure(settings)
    async with reading(settings, "the tokens cannot be read") as session:
        return await systems.all_tokens(session)


def line(one: Token) -> str:
    """One token on one line, in Shanghai's time; never the token itself."""
    used = f"used {date_time(one.used_us)}" if one.used_us else "never used"
    state = f"revoked {date_time(one.revoked_us)}" if one.revoked_us else used
    posts = " ".join(f"{post.part.name.lower()}:{post.unit}".rstrip(":") for post in one.posts) or "no post"
    opens = " ".join(one.rights)
    return f"{one.id}   {one.system:<16}   {state}   {opens}   {posts}   {one.per_minute} a minute"


@token.command("create")
def token_create(
    system: Annotated[str, typer.Argument(help="the system's name: 3 to 16 of a-z, 0-9 and -")],
    right: Annotated[list[str], typer.Option("--right", help=f"one of {', '.join(Right)}; may be repeated")],
    post: Annotated[
        list[str] | None,
        typer.Option("--post", help="dispatcher, reviewer, visitor, supervisor, agent, or unit:ID"),
    ] = None,
    per_minute: Annotated[int, typer.Option(help="requests a minute")] = USUAL_PER_MINUTE,
    settings: SettingsFile = None,
) -> None:
    """Make a token for another system; it is shown this once."""
    new = NewToken(
        system=system,
        rights=rights_of(right),
        posts=tuple(read_post(word) for word in post or ()),
        per_minute=per_minute,
    )
    word = asyncio.run(create(settings_from(settings)[0], new))
    say(word)
    say("this is shown once; only its hash is kept")


@token.command("list")
def token_list(settings: SettingsFile = None) -> None:
    """Every token: id, system, last use, rights, posts; never the token itself."""
    for known in asyncio.run(everything(settings_from(settings)[0])):
        say(line(known))


@token.command("revoke")
def token_revoke(
    id: Annotated[str, typer.Argument(help="the token's id, as listed")], settings: SettingsFile = None
) -> None:
    """Let a token open nothing from now on."""
    gone = asyncio.run(revoke(settings_from(settings)[0], id))
    say(f"the token {gone.id} of {gone.system} opens nothing any more")
