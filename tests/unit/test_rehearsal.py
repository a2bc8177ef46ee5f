"""A rehearsal's verdict: what counts as right, what a kill excuses, and what an ear finds wrong."""

from __future__ import annotations

import random
import time
from array import array
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from cli.rehearse import CannotRehearse, Process, Scenario, ivr_stage_rules, rehearse
from hotline.ivr_settings import IvrSettings, ModeSettings
from hotline.settings import LineSettings, Settings, SkillSettings, SupervisorSettings, check
from ivr.prompts import render_all
from rehearsal import tones
from rehearsal.hearing import ALIKE, course, likeness
from rehearsal.legs import Kind, Leg
from rehearsal.report import Report, Spread, Tried
from rehearsal.scene import Claim
from rehearsal.tones import RATE, Recording
from tests.unit.test_tones import mix, write

RIGHT = Report(
    offered=10, answered=10, abandoned=0, pops=10, pops_before_answer=10, three_way_ok=1, three_way_asked=1,
    emergency_ok=0, emergency_asked=0, audio_ok=10, audio_checked=10, records=10, lost=0, pop_ms=Spread(),
    three_way_invite_ms=Spread(),
)  # fmt: skip
ANSWERED_AT = 1_000_000_000.0
CITIZEN_HZ, SEAT_HZ = 400, 1000


def test_a_default_rehearsals_json_says_nothing_of_exercises_and_kills() -> None:
    assert set(msgspec.to_builtins(RIGHT)) == {
        "offered", "answered", "abandoned", "pops", "pops_before_answer", "three_way_ok", "three_way_asked",
        "emergency_ok", "emergency_asked", "audio_ok", "audio_checked", "records", "lost", "pop_ms",
        "three_way_invite_ms",
    }  # fmt: skip
    assert RIGHT.is_right


def test_one_exercise_gone_wrong_makes_a_rehearsal_wrong_and_stands_in_its_table() -> None:
    wrong = msgspec.structs.replace(RIGHT, exercises={"hold": Tried(2, 2), "take_over": Tried(3, 2)})
    assert not wrong.is_right
    assert ("take over right / asked", "2 / 3") in wrong.rows()


@pytest.mark.parametrize(("killed", "is_excused"), [("cti", True), ("ivr", False), ("desk", False)])
def test_only_the_cti_servers_death_excuses_a_pop_that_never_came(killed: str, is_excused: bool) -> None:
    report = msgspec.structs.replace(RIGHT, pops=8, pops_before_answer=8, killed=(killed,))
    assert report.is_right is is_excused
    assert not msgspec.structs.replace(report, records=9, lost=1).is_right, "no kill excuses a lost call"


def leg(path: Path, hz: int, hears: tuple[int, ...]) -> Leg:
    """Somebody who plays `hz` and heard these tones for two seconds."""
    heard = mix(*((float(other), 7000.0) for other in hears), seconds=2.0)
    one = Leg(path.stem, Kind.SEAT, "8001", hz, write(path, heard))
    one.answered_at = ANSWERED_AT
    one.end(16)
    return one


@pytest.mark.parametrize(
    ("hears", "fault"),
    [
        ((SEAT_HZ,), ""),
        ((), "held: citizen does not hear seat"),
    ],
)
async def test_a_claim_names_who_did_not_hear_whom(
    tmp_path: Path, hears: tuple[int, ...], fault: str
) -> None:
    legs = {
        "citizen": leg(tmp_path / "citizen.wav", CITIZEN_HZ, hears),
        "seat": leg(tmp_path / "seat.wav", SEAT_HZ, ()),
    }
    claim = Claim(
        what="held",
        legs=legs,
        pairs=frozenset({"citizen<seat"}),
        begin=ANSWERED_AT + 0.2,
        end=ANSWERED_AT + 1.8,
    )
    assert await claim.fault() == fault


async def test_a_claim_of_music_finds_a_citizen_in_silence_and_who_hears_too_much(tmp_path: Path) -> None:
    legs = {
        "citizen": leg(tmp_path / "citizen.wav", CITIZEN_HZ, ()),
        "seat": leg(tmp_path / "seat.wav", SEAT_HZ, (CITIZEN_HZ,)),
    }
    nobody = Claim(
        what="held", legs=legs, pairs=frozenset(), begin=ANSWERED_AT, end=ANSWERED_AT + 1.8, has_music=True
    )
    assert await nobody.fault() == "held: seat hears citizen"
    music = msgspec.structs.replace(nobody, pairs=frozenset({"seat<citizen"}))
    assert (await music.fault()).startswith("held: the citizen hears nothing for")


async def test_what_a_phone_heard_after_its_own_hold_is_found_where_it_is_kept(tmp_path: Path) -> None:
    seat = leg(tmp_path / "seat.wav", SEAT_HZ, (CITIZEN_HZ,))
    seat.answered_at = time.time() - 4.0
    seat.held(seat.answered_at + 1.0)  # until now: three of four seconds are not in the file
    assert await seat.heard(CITIZEN_HZ, seat.answered_at + 4.1, seat.answered_at + 4.7)


async def test_a_full_rehearsal_without_a_supervisors_phone_is_refused_by_name(tmp_path: Path) -> None:
    site = Settings(state_dir=str(tmp_path), supervisors=SupervisorSettings(count=0))
    with pytest.raises(CannotRehearse, match=r"supervisors\.count"):
        await rehearse(site, calls=1, rate=1.0, seats=1, say=lambda _: None, scenario=Scenario.FULL)


async def test_nobody_is_killed_in_a_rehearsal_of_the_ivr(tmp_path: Path) -> None:
    site = Settings(state_dir=str(tmp_path))
    with pytest.raises(CannotRehearse, match="--kill"):
        await rehearse(site, calls=1, rate=1.0, seats=1, say=str, scenario=Scenario.IVR, kill=(Process.IVR,))


def test_the_ivrs_stage_keeps_a_sites_queues_lines_and_modes_and_passes_every_check() -> None:
    queue, line = (
        SkillSettings(id="taiwan", name="台胞", number="19901"),
        LineSettings(number="19902", queue="19901", label="城建"),
    )
    mode = ModeSettings(id="storm", greeting="强降雨。")
    site = Settings(skills=(queue,), lines=(line,), ivr=IvrSettings(modes=(mode,), offer_from_s=60))
    staged = ivr_stage_rules(site)
    check(staged)
    assert (staged.skills[0], staged.lines[0], staged.ivr.modes[0]) == (queue, line, mode)
    assert staged.ivr.offer_from_s == 0, "nobody answers on the stage"
    numbers = [each.number for each in (*staged.skills, *staged.lines)]
    assert len(set(numbers)) == len(numbers)


SENTENCES = (
    "greeting",
    "recording",
    "menu",
    "case-number",
    "case-none",
    "case-working",
    "case-closed",
    "rated",
)
DAMAGES = ("none", "gaps of 60 ms", "5 % of packets lost", "5 % of packets silent", "40 ms come between")


@pytest.fixture(scope="module")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """Sentences as callers hear them, by the real voice."""
    out = tmp_path_factory.mktemp("zh")
    render_all(out, city="泰安", more={"hotline/menu": "查询诉求进度请按2，企业服务请按3，人工服务请按0。"})
    return {name: tones.read(out / f"hotline/{name}.wav") for name in SENTENCES}


def damaged(sound: Recording, how: str, chance: random.Random) -> array[int]:
    """What arrives of it on a bad line."""
    packets = [sound.samples[at : at + 160] for at in range(0, len(sound.samples), 160)]
    first, none = chance.randrange(10, 40), array("h", bytes(320))
    for n in range(len(packets)):
        if how == "gaps of 60 ms" and (n - first) % 50 < 3:
            packets[n] = none
        elif how == "40 ms come between" and (n - first) % 75 == 0:
            packets[n] = packets[n] + none + none
        elif how.startswith("5 %") and chance.random() < 0.05:
            packets[n] = array("h") if how.endswith("lost") else none
    return sum(packets, array("h"))


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGES)
def test_a_prompt_is_told_from_every_other_by_its_course_however_bad_the_line(
    spoken: dict[str, Recording], how: str
) -> None:
    chance = random.Random(how)
    courses = {name: course(sound) for name, sound in spoken.items()}
    for before, name in pairwise((SENTENCES[-1], *SENTENCES)):
        first, second = (damaged(spoken[each], how, chance) for each in (before, name))
        heard = course(Recording(array("h", bytes(8000)) + first + second))
        like, at = likeness(heard, courses[name])
        assert like > ALIKE, name
        assert at == pytest.approx(0.5 + len(first) / RATE, abs=0.25), name
        assert likeness(heard, courses[before])[0] > ALIKE
        likest = max(likeness(heard, courses[other])[0] for other in SENTENCES if other not in (before, name))
        assert likest < ALIKE, name


def test_what_was_cut_short_or_is_silence_is_like_no_prompt() -> None:
    prompt = [(n * n % 23, n % 17) for n in range(600)]
    pause = [(0, 0)] * 250
    assert likeness([*pause, *prompt, *pause], prompt) == (1.0, 2.5)
    assert likeness([(0, 0)] * 1100, prompt)[0] < ALIKE / 2
    assert likeness([*prompt[:200], *pause, *pause], prompt)[0] < ALIKE, "what was cut short was not heard"
    assert likeness(prompt[:100], prompt)[0] < ALIKE, "too short for it"
    assert likeness([], prompt) == (0.0, 0.0)
