"""Owns what a full rehearsal tries with a call, each trial one exercise."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from ctiserver.api.states import Role, SeatState
from rehearsal import tones
from rehearsal.drills import callback, last_agent, pass_on
from rehearsal.scene import SETTLE_S, TALK, WITHIN_S, Scene

PAUSE_S = 1.5
"""How long the recording is paused."""
GRADE = 4
"""What the citizen answers in the rating."""
_PAUSE_SLACK_S = 1.0
_LOOK_AGAIN_S = 0.1


async def hold(scene: Scene) -> None:
    """保持、取回."""
    await scene.ask("call.hold")
    await scene.becomes(SeatState.HELD)
    await scene.hear("held", frozenset(), has_music=True)
    await scene.ask("call.retrieve")
    await scene.becomes(SeatState.TALKING)
    await scene.hear("retrieved", TALK)


async def consult_merge(scene: Scene) -> None:
    """咨询、切换、转三方."""
    await scene.bring("call.consult")
    await scene.becomes(SeatState.CONSULTING)
    await scene.hear("consulting", {"third<seat", "seat<third"}, has_music=True)
    await scene.ask("call.retrieve")
    await scene.becomes(SeatState.TALKING)
    await scene.hear("switched", TALK)
    await scene.ask("call.hold")
    await scene.becomes(SeatState.CONSULTING)
    await scene.ask("call.merge")
    await scene.becomes(SeatState.CONFERENCE)
    await scene.all_hear("merged")


async def consult_complete(scene: Scene) -> None:
    """咨询、完成转接."""
    await scene.bring("call.consult")
    await scene.becomes(SeatState.CONSULTING)
    await scene.hear("consulting", {"third<seat", "seat<third"}, has_music=True)
    await scene.ask("call.complete")
    await scene.seat.ended()
    await scene.all_hear("completed")


async def transfer_unit(scene: Scene) -> None:
    """盲转 to a department."""
    await scene.transfer_out()
    await scene.all_hear("transferred")


async def transfer_seat(scene: Scene) -> None:
    """盲转 to a colleague's seat."""
    async with scene.crew.lent(scene.crew.colleagues) as colleague:
        await scene.ask("call.transfer", seat=colleague.phone)
        await scene.seat.ended()
        await scene.answered_by(colleague)
        scene.keep(seat=colleague.phone, thirds=(colleague.phone,))
        await scene.all_hear("transferred")
        await scene.over()
        await colleague.becomes(SeatState.NOT_READY)


async def requeue(scene: Scene) -> None:
    """转回排队: another seat answers, or the same one again."""
    before = scene.legs_of(Role.SEAT)
    await scene.ask("call.requeue")
    await scene.seat.ended()
    scene.legs["again"] = await scene.other_seat(before)
    scene.keep(seat=scene.legs["again"].number)
    await scene.all_hear("queued again")


async def mute(scene: Scene) -> None:
    """静音、取消静音."""
    await scene.ask("call.mute")
    await scene.agent.until(lambda: scene.agent.is_muted, WITHIN_S)
    await scene.hear("muted", {"seat<citizen"})
    await scene.ask("call.unmute")
    await scene.agent.until(lambda: not scene.agent.is_muted, WITHIN_S)
    await scene.hear("unmuted", TALK)


async def recording(scene: Scene) -> None:
    """暂停录音、恢复录音: the hotline's own file has the gap, and only it."""
    await scene.ask("recording.pause")
    await asyncio.sleep(PAUSE_S)
    await scene.ask("recording.resume")
    await scene.hear("recorded again", TALK)
    uid = scene.conversation.removeprefix(f"{scene.crew.cast.node}-")
    path = scene.crew.cast.recordings / f"{uid}-citizen.wav"
    for _ in range(round(WITHIN_S / _LOOK_AGAIN_S)):
        kept = await asyncio.to_thread(tones.read, path)
        if tones.heard(kept, scene.citizen.hz, start_s=max(0.0, kept.seconds - 0.5)):
            gap_s = (await asyncio.to_thread(tones.longest_gap_ms, kept, scene.citizen.hz, 0.5)) / 1000
            if abs(gap_s - PAUSE_S) <= _PAUSE_SLACK_S:
                return
        await asyncio.sleep(_LOOK_AGAIN_S)
    scene.faults.append("the recording has no gap where it was paused")


async def supervise(scene: Scene) -> None:
    """监听、密语、插入、停止."""
    async with scene.crew.lent(scene.crew.supervisors) as extra:
        listens = TALK | {"supervisor<citizen", "supervisor<seat"}
        await scene.supervises(extra, "listen")
        await scene.hear("listening", listens)
        await scene.supervises(extra, "whisper")
        await scene.hear("whispering", listens | {"seat<supervisor"})
        await scene.supervises(extra, "barge")
        await scene.all_hear("barging")
        await extra.client.ask("supervise.stop")
        await scene.legs["supervisor"].ended()
        await scene.hear("after the supervisor", TALK)


async def take_over(scene: Scene) -> None:
    """拦截: supervisor and citizen talk, the seat is out."""
    async with scene.crew.lent(scene.crew.supervisors) as extra:
        await scene.supervises(extra, "take_over")
        await scene.seat.ended()
        await scene.all_hear("taken over")
        await scene.over()


async def leave(scene: Scene) -> None:
    """The seat leaves, citizen and department talk on."""
    await scene.bring("call.three_way")
    await scene.becomes(SeatState.CONFERENCE)
    await scene.all_hear("three")
    await scene.ask("call.leave")
    await scene.seat.ended()
    await scene.all_hear("without the seat")


async def drop(scene: Scene) -> None:
    """The department is taken out, citizen and seat talk on."""
    await scene.bring("call.three_way")
    await scene.becomes(SeatState.CONFERENCE)
    await scene.all_hear("three")
    view = scene.agent.conversation(scene.conversation)
    parts = view.participants if view is not None else ()
    (third,) = (part.leg for part in parts if part.role is Role.THIRD_PARTY)
    await scene.ask("call.drop", leg=third)
    await scene.legs["third"].ended()
    await scene.becomes(SeatState.TALKING)
    await scene.hear("dropped", TALK)


async def rating(scene: Scene) -> None:
    """转评价: the seat is out, and the citizen answers by a key."""
    await scene.ask("call.rate")
    await scene.seat.ended()
    await asyncio.sleep(SETTLE_S)
    await scene.citizen.press(str(GRADE))
    await scene.citizen.ended(WITHIN_S)
    scene.keep(rating=GRADE)


EXERCISES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        hold,
        consult_merge,
        consult_complete,
        transfer_unit,
        transfer_seat,
        requeue,
        mute,
        recording,
        supervise,
        take_over,
        leave,
        drop,
        rating,
        pass_on,
        last_agent,
        callback,
    )
}
"""In the order in which a rehearsal takes its turns."""
TWO_TALK_ON = frozenset({"hold", "mute", "recording", "supervise", "drop"})
"""After these, citizen and seat are alone with each other as before."""
DRILLS = frozenset({"pass_on", "last_agent", "callback"})
"""These need a queue of their own."""
NEEDS_IVR = frozenset({"rating"})
"""With the IVR dead, the dialplan thanks and hangs up."""
