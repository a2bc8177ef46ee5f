"""Owns the exercises that need a queue of their own, in which nobody else serves or waits."""

from __future__ import annotations

import msgspec

from ctiserver.api.states import Phase, SeatState
from rehearsal.crew import Drill
from rehearsal.scene import WITHIN_S, Recorded, Scene

_PRESS_AGAIN_S = 1.5
"""Asterisk hears no key while it speaks the number of the place in line: people press again."""
_PRESSES = 15


async def pass_on(scene: Scene) -> None:
    """转其他队列: answered there by who serves it."""
    async with scene.crew.drilled() as drill:
        await _passed_on(scene, drill)


async def last_agent(scene: Scene) -> None:
    """上次坐席优先: who calls again reaches whom they spoke with, though another has been idle for longer."""
    async with scene.crew.drilled() as drill:
        await _passed_on(scene, drill)
        for colleague in (drill.other, drill.one):
            await colleague.ready()
            await colleague.becomes(SeatState.READY)
        await scene.call_again(drill.queue)
        await scene.answered_by(drill.one)
        await scene.all_hear("called again")
        await scene.over()
        scene.kept_more.append(msgspec.structs.replace(_kept(scene, drill), thirds=(drill.one.phone,)))


async def callback(scene: Scene) -> None:
    """保位回呼: asked for by key, the agent is rung first, then the citizen."""
    number = scene.citizen.number
    async with scene.crew.drilled() as drill:
        await scene.over()
        again = await scene.call_again(drill.queue)
        wall = scene.crew.wall

        def waits(phase: Phase) -> bool:
            return any(c.number == number and c.phase is phase for c in wall.seen.conversations.values())

        def is_promised() -> bool:
            return number in {promise.number for promise in wall.seen.callbacks.values()}

        await wall.until(lambda _seen: waits(Phase.QUEUED), WITHIN_S)
        for _ in range(_PRESSES):
            await again.press(scene.crew.cast.callback_key)
            if await scene.crew.sees(is_promised, _PRESS_AGAIN_S):
                break
        await scene.over()
        coming = scene.city.next_leg(number)
        await drill.one.ready()
        await scene.answered_by(drill.one)
        scene.legs["citizen"] = await coming
        await scene.legs["citizen"].answered()
        await scene.all_hear("called back")
        await scene.over()
        scene.kept_more += [
            Recorded(number=number, outcome="callback"),
            _kept(scene, drill, is_outbound=True),
        ]


async def _passed_on(scene: Scene, drill: Drill) -> None:
    await scene.ask("call.transfer", queue=drill.queue)
    await scene.seat.ended()
    await drill.one.ready()
    await scene.answered_by(drill.one)
    scene.keep(seat=drill.one.phone)
    await scene.all_hear("passed on")
    await scene.over()
    await drill.one.becomes(SeatState.NOT_READY)


def _kept(scene: Scene, drill: Drill, *, is_outbound: bool = False) -> Recorded:
    """The record of a further call that the drill's first colleague answered."""
    number = scene.citizen.number
    return Recorded(number=number, outcome="answered", seat=drill.one.phone, is_outbound=is_outbound)
