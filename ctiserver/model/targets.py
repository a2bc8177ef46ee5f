"""Owns whom a call may be taken to: what a command names, as somebody who can be rung, or a refusal."""

from __future__ import annotations

import re

import msgspec

from ctiserver.api.commands import Code, Consult, EmergencyCall, Refusal, ThreeWay, Transfer, refuse
from ctiserver.model.state import SeatPlace, State

Calling = ThreeWay | EmergencyCall | Consult | Transfer

_CLASSES = {"X": "[0-9]", "Z": "[1-9]", "N": "[2-9]"}
"""Asterisk's own letters for digits in a pattern, as operators know them."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to ring. `seat` "" is somebody outside. `then`: (number, trunk) to try next, in order."""

    number: str
    label: str
    trunk: str = ""
    seat: str = ""
    is_emergency: bool = False
    then: tuple[tuple[str, str], ...] = ()


def target_of(state: State, me: SeatPlace, asked: Calling) -> Target | Refusal:
    """Whom the command means."""
    if isinstance(asked, EmergencyCall):
        return emergency(state, asked.number)
    if sum(bool(named) for named in (asked.number, asked.seat, asked.agent)) != 1:
        return refuse(Code.ONE_TARGET)
    if asked.number:
        return outside(state, asked.number)
    return colleague(state, me, asked.seat or seat_of_agent(state, asked.agent))


def emergency(state: State, number: str) -> Target | Refusal:
    """110, 119, 120 or 122, by each route that there is."""
    if number not in state.rules.emergency:
        return refuse(Code.BAD_NUMBER)
    first, *others = state.rules.emergency_routes or ("",)
    then = tuple((number, trunk) for trunk in others)
    return Target(number=number, label=number, trunk=first, is_emergency=True, then=then)


def outside(state: State, number: str) -> Target | Refusal:
    """A unit of the directory, with its other numbers behind; or a number that agents may call."""
    rules = state.rules
    if number in rules.emergency:
        return emergency(state, number)
    if number in rules.directory:
        then = tuple((other, "") for other in rules.others.get(number, ()))
        return Target(number=number, label=rules.directory[number], then=then)
    return Target(number=number, label=number) if may_call(state, number) else refuse(Code.BAD_NUMBER)


def may_call(state: State, number: str) -> bool:
    """Whether agents may call that outside number: it is listed or a pattern fits, and it is no emergency."""
    if number in state.rules.emergency or not number.isascii():
        return False
    return number in state.rules.directory or any(
        re.fullmatch(pattern_of(allowed), number) for allowed in state.rules.outbound
    )


def pattern_of(allowed: str) -> str:
    """The regular expression of a pattern such as 1XXXXXXXXXX: X any digit, Z 1 to 9, N 2 to 9."""
    return "".join(_CLASSES.get(letter, re.escape(letter)) for letter in allowed)


def seat_of_agent(state: State, agent: str) -> str:
    """Where the agent sits, "" when nowhere."""
    return next((seat.id for seat in state.seats.values() if seat.agent == agent and agent), "")


def colleague(state: State, me: SeatPlace, seat_id: str) -> Target | Refusal:
    """Another seat, when somebody sits there who can pick up."""
    seat = state.seats.get(seat_id)
    if seat is None or seat is me or not seat.agent or seat.leg or not seat.phone_up:
        return refuse(Code.SEAT_UNAVAILABLE)
    return at_seat(seat)


def at_seat(seat: SeatPlace) -> Target:
    """Whoever sits there."""
    return Target(number=seat.id, label=f"{seat.id} {seat.agent_name}".strip(), seat=seat.id)
