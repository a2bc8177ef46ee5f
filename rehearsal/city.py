"""Owns the city around the hotline: a second Asterisk with seats' phones, departments, 110 and citizens."""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets as chance
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import msgspec

from asterisk_conf.install import Program
from asterisk_conf.node import Node, Ports
from hotline.errors import AmiRefused
from hotline.secret import Secrets
from hotline.settings import Settings
from rehearsal import tones
from rehearsal.config import ANSWER_AFTER_S, CityPlan, heard_dir, render_city
from rehearsal.legs import CallEnded, Kind, Leg, State
from rehearsal.raw_sip import RawCall, nasty_call
from rehearsal.switchboard import Event, Switchboard

_DIALLED = re.compile(r"[0-9]{1,24}")
_CALLER = re.compile(r"\+?[0-9*#]{1,32}")
_NAME = re.compile(r"[^\x00-\x1f\x7f\"'<>\\,]{0,80}")
_LOOK_AGAIN_S = 0.1


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """What a called number does. Times in seconds."""

    what: Literal["answer", "busy", "reject", "unavailable", "no_answer"]
    ring_s: float = 0.0
    """How long it rings before it is answered."""
    slow_s: float = 0.0
    """How long nothing at all comes back, not even ringing (180)."""
    talk_s: float = 0.0
    """How long after the answer it hangs up; 0 is never."""

    def text(self) -> str:
        """As the city's dialplan reads it."""
        return f"{self.what},{self.ring_s:g},{self.slow_s:g},{self.talk_s:g}"


def answer(
    after_s: float = ANSWER_AFTER_S, *, slow_s: float = 0.0, hang_up_after_s: float = 0.0
) -> Behaviour:
    """Ring, answer, and talk until `hang_up_after_s` (0: for ever)."""
    return Behaviour(what="answer", ring_s=after_s, slow_s=slow_s, talk_s=hang_up_after_s)


def busy(*, slow_s: float = 0.0) -> Behaviour:
    """486 Busy Here."""
    return Behaviour(what="busy", slow_s=slow_s)


def reject(*, slow_s: float = 0.0) -> Behaviour:
    """403 Forbidden, cause 21: the party refuses the call."""
    return Behaviour(what="reject", slow_s=slow_s)


def unavailable(*, slow_s: float = 0.0) -> Behaviour:
    """503 Service Unavailable, cause 34: no line is free."""
    return Behaviour(what="unavailable", slow_s=slow_s)


def no_answer(*, slow_s: float = 0.0) -> Behaviour:
    """Ring until the caller gives up."""
    return Behaviour(what="no_answer", slow_s=slow_s)


class CitizenCall(Leg):
    """A citizen's call to the hotline, seen from the citizen's own phone."""

    def __init__(self, city: City, leg_id: str, number: str, hz: int, heard_path: Path) -> None:
        super().__init__(leg_id, Kind.CITIZEN, number, hz, heard_path)
        self.has_tones = False
        """Whether the phone's keys are tones in the sound, not events (RFC 4733)."""
        self._city = city

    async def hang_up(self) -> None:
        """The citizen hangs up."""
        await self._city.hang_up(self)

    async def press(self, digits: str) -> None:
        """Press keys on the citizen's phone (DTMF)."""
        await self._city.press(self, digits)


class City:
    """One simulated city for one hotline. Several can stand side by side on ports of their own."""

    def __init__(
        self, home: Path, program: Program, hotline: Settings, secrets: Secrets, plan: CityPlan
    ) -> None:
        self.node = Node(home, program)
        self.plan = plan
        self._hotline = hotline
        self._secrets = secrets
        self._switchboard = Switchboard(self._on_event, self._on_lost)
        self._legs: dict[str, Leg] = {}
        self._expected: dict[str, list[asyncio.Future[Leg]]] = {}
        self._serial = 0
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Start the city's Asterisk; its phones register by themselves, also after the hotline returns."""
        word, plan = chance.token_hex(16), self.plan
        files = render_city(self.node.paths, self._hotline, self._secrets, plan, word)
        await self.node.start(files, Ports(host=plan.host, sip=plan.sip_port, ami=plan.ami_port))
        await self._switchboard.connect(plan.host, plan.ami_port, "city", word)

    async def stop(self) -> None:
        """End every call and the city's Asterisk."""
        self._switchboard.close()
        await self.node.stop()
        self._on_lost()

    async def wait_registered(self, seats: tuple[str, ...] | None = None, within_s: float = 10.0) -> None:
        """Return when the phones of these seats (None: all) are registered; TimeoutError names the others."""
        wanted = set(self._hotline.desk_phone_ids if seats is None else seats)
        deadline = time.monotonic() + within_s
        while missing := wanted - await self._registered_seats():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not registered within {within_s:g} s: {' '.join(sorted(missing))}")
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def register(self, seat: str | None = None) -> None:
        """Have this seat's phone (None: all) register now, say with a hotline that has forgotten it."""
        await self._switchboard.act("PJSIPRegister", Registration=self._registration(seat))

    async def unregister(self, seat: str | None = None) -> None:
        """Sign this seat's phone (None: all) off the hotline; it stays away until `register`."""
        await self._switchboard.act("PJSIPUnregister", Registration=self._registration(seat))

    async def behave(self, number: str, behaviour: Behaviour) -> None:
        """From its next call on, the phone of this number (a seat's, a department's, 110) does that."""
        if not _DIALLED.fullmatch(number):
            raise ValueError(f"{number!r} is not a number")
        await self._switchboard.act("Setvar", Variable=f"DO_{number}", Value=behaviour.text())

    async def call(
        self,
        number: str,
        *,
        name: str = "",
        dial: str | None = None,
        n: int,
        withheld: bool = False,
        has_tones: bool = False,
        ring_s: float = 60.0,
    ) -> CitizenCall:
        """The n-th citizen calls (by default the hotline); n chooses the tone. `has_tones`: their keys are
        tones in the sound, not events (RFC 4733). Odder callers: `raw_call`.
        """
        dial = self._hotline.queue.number if dial is None else dial
        if not (_CALLER.fullmatch(number) and _NAME.fullmatch(name) and _DIALLED.fullmatch(dial)):
            raise ValueError("no phone could send that; raw_call can")
        self._serial += 1
        leg_id, hz = f"citizen-{n}-{self._serial}", tones.citizen_hz(n)
        call = CitizenCall(self, leg_id, number, hz, heard_dir(self.node.paths) / f"{leg_id}.wav")
        call.has_tones = has_tones
        self._legs[leg_id] = call
        await self._switchboard.act(
            "Originate",
            Channel=f"PJSIP/{dial}@{'withheld' if withheld else 'inband' if has_tones else 'hotline'}",
            ActionID=leg_id,
            ChannelId=leg_id,
            CallerID="<anonymous>" if withheld else f'"{name}" <{number}>',
            Context="talk",
            Exten=str(hz),
            Priority="1",
            Timeout=str(round(ring_s * 1000)),
            Async="true",
        )
        return call

    async def raw_call(
        self, from_header: bytes, *, dial: str | None = None, with_sound: bool = False
    ) -> RawCall:
        """A caller at the city's address whose From header is any bytes; keeps nothing of what it hears."""
        switch = self._hotline.switch
        number = self._hotline.queue.number if dial is None else dial
        return await nasty_call(
            (switch.host, switch.sip_port), from_header, number, source=self.plan.host, with_sound=with_sound
        )

    def parties(self) -> list[Leg]:
        """The legs that live now, oldest first."""
        return [leg for leg in self._legs.values() if leg.channel and leg.state is not State.OVER]

    def history(self) -> list[Leg]:
        """Every leg since the start, oldest first."""
        return list(self._legs.values())

    async def leg(self, number: str, within_s: float = 10.0) -> Leg:
        """The newest living leg of that number (a phone that rings or talks), as soon as there is one."""
        async with asyncio.timeout(within_s):
            while True:
                found = [leg for leg in self.parties() if leg.number == number]
                if found:
                    return found[-1]
                self._news.clear()
                await self._news.wait()

    def next_leg(self, number: str) -> asyncio.Future[Leg]:
        """The next leg of that number from this moment on; ask before you cause the call, then await."""
        coming: asyncio.Future[Leg] = asyncio.get_running_loop().create_future()
        self._expected.setdefault(number, []).append(coming)
        return coming

    async def hang_up(self, party: Leg | str) -> None:
        """Hang up a leg at the city's side, unless it is over; a number means its newest living leg."""
        leg = await self.leg(party) if isinstance(party, str) else party
        try:
            await leg.present()
        except CallEnded:
            return
        if leg.state is State.OVER:
            return
        with contextlib.suppress(AmiRefused):  # it ended this very moment
            await self._switchboard.act("Hangup", Channel=leg.channel, Cause="16")

    async def hang_up_all(self) -> None:
        """Everybody hangs up; returns when nobody talks or rings any more."""
        while parties := self.parties():
            for leg in parties:
                await self.hang_up(leg)
            for leg in parties:
                await leg.ended()

    async def press(self, leg: Leg, digits: str) -> None:
        """Press keys (DTMF) on the phone of an answered leg."""
        for digit in digits:
            if digit not in "0123456789*#":
                raise ValueError(f"{digit!r} is no key of a phone")
            if isinstance(leg, CitizenCall) and leg.has_tones:
                await self._redirect(leg, "key", digit)
            else:
                await self._switchboard.act("PlayDTMF", Channel=leg.channel, Digit=digit, Duration="120")
            await asyncio.sleep(0.2)

    @asynccontextmanager
    async def held(self, leg: Leg) -> AsyncIterator[None]:
        """The phone itself holds the call (话机保持), by re-INVITE, and fetches it back at the end."""
        await self._redirect(leg, "hold")
        since = time.time()
        yield
        if leg.state is not State.OVER:
            await self._redirect(leg, "talk-on")
        leg.held(since)

    async def _redirect(self, leg: Leg, context: str, exten: str = "") -> None:
        place = {"Context": context, "Exten": exten or str(leg.hz), "Priority": "1"}
        await self._switchboard.act("Redirect", Channel=leg.channel, **place)

    async def _registered_seats(self) -> set[str]:
        listed = await self._switchboard.list("PJSIPShowRegistrationsOutbound")
        return {item["ObjectName"] for item in listed if item.get("Status") == "Registered"}

    def _registration(self, seat: str | None) -> str:
        if seat is not None and seat not in self._hotline.phone_ids:
            raise ValueError(f"{seat!r} is no phone of ours")
        return seat or "*all"

    def _on_lost(self) -> None:
        """Without its Asterisk nobody in the city talks any more."""
        for leg in self._legs.values():
            leg.end(0)
        self._news.set()

    def _on_event(self, event: Event) -> None:
        name, leg_id = event["Event"], event.get("Uniqueid", "")
        if name == "Newchannel" and leg_id not in self._legs:
            leg = self._legs[leg_id] = self._called(leg_id, event["Exten"])
            for coming in self._expected.pop(leg.number, ()):
                if not coming.done():
                    coming.set_result(leg)
        elif name == "OriginateResponse":
            leg_id = event.get("ActionID", "")
        if leg_id in self._legs:
            self._legs[leg_id].on_event(event)
        self._news.set()

    def _called(self, leg_id: str, number: str) -> Leg:
        """The leg of somebody whom the hotline calls."""
        seats, supervisors = self._hotline.seat_ids, self._hotline.supervisor_ids
        path = heard_dir(self.node.paths) / f"{leg_id}.wav"
        if number in seats:
            return Leg(leg_id, Kind.SEAT, number, tones.seat_hz(seats.index(number)), path)
        if number in supervisors:
            return Leg(leg_id, Kind.SUPERVISOR, number, tones.supervisor_hz(supervisors.index(number)), path)
        return Leg(leg_id, Kind.OUTSIDE, number, tones.outside_hz(number), path)
