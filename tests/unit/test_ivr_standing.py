"""How the hotline stands towards its callers: kept with its audit trail, and what becomes of it in a plan."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from hotline import audit, standing
from hotline.audit import Deed
from hotline.db.engine import Database
from hotline.errors import BadSettings
from hotline.ivr_settings import IvrSettings, KeySettings, ModeSettings
from hotline.settings import CallbackSettings, LineSettings, Settings, SkillSettings, check
from hotline.standing import Announcement, Standing
from ivr.script import MENU, Plan, plan_for, texts_of

DEED = Deed(person="9001", role="supervisor", what="ivr.test", whom="all")
ME = "+8613805380001"
CASE = KeySettings(key="2", does="case", text="查询诉求进度", text_en="your case")
FIRM = KeySettings(key="3", does="queue", queue="12346", text="企业服务")
ENGLISH = KeySettings(key="9", does="language", language="en", text="For English, press 9")
SITE = Settings(
    skills=(SkillSettings(id="enterprise", name="企业专席", number="12346"),),
    lines=(LineSettings(number="12319", queue="12346", label="城建", greeting="这里是城建热线。"),),
    ivr=IvrSettings(
        languages=("zh", "en"),
        keys=(CASE, FIRM, ENGLISH),
        modes=(ModeSettings(id="storm", greeting="险情请拨119。", queue="12346"),),
    ),
)


def news(id_: str, queue: str = "", from_us: int = 0, until_us: int = 100) -> Announcement:
    return Announcement(id=id_, text=f"停水 {id_}", queue=queue, from_us=from_us, until_us=until_us)


def planned(now: Standing | None = None, site: Settings = SITE, dialled: str = "12345", us: int = 50) -> Plan:
    return plan_for(
        site,
        now or Standing(),
        dialled=dialled,
        caller=ME,
        now_us=us,
        is_workday=lambda day: day != date(1970, 1, 1),
    )


async def test_what_supervisors_switch_is_known_to_the_next_call_and_written_down(database: Database) -> None:
    async with database.begin() as session:
        await standing.switch_mode(session, "storm", DEED, 10)
        await standing.announce(session, news("a"), DEED, 11)
        await standing.announce(session, news("b", from_us=60), DEED, 12)
        await standing.restrict(session, ME, 90, DEED, 13)
    async with database.read() as session:
        now = await standing.look(session, 50)
        assert len(await audit.newest(session, 10)) == 4
    assert (now.mode, [each.id for each in now.news], now.restricted) == ("storm", ["a", "b"], {ME: 90})
    assert now.announcements("12345", 50) == (news("a").prompt,)
    assert (now.is_blocked(ME, 50), now.is_blocked(ME, 90)) == (True, False)


async def test_what_is_over_or_withdrawn_is_known_no_longer(database: Database) -> None:
    async with database.begin() as session:
        await standing.announce(session, news("a"), DEED, 1)
        await standing.announce(session, news("b"), DEED, 2)
        await standing.restrict(session, ME, 90, DEED, 3)
        assert await standing.withdraw(session, "a", DEED, 20)
        assert await standing.pardon(session, ME, DEED, 21)
        assert not await standing.withdraw(session, "c", DEED, 22)
        assert not await standing.pardon(session, ME, DEED, 23)
    async with database.read() as session:
        assert [each.id for each in (await standing.look(session, 50)).news] == ["b"]
        assert await standing.look(session, 200) == Standing()


def test_callers_of_a_merged_line_are_greeted_as_such_and_others_as_the_hotlines() -> None:
    assert planned(dialled="12319") == Plan(
        greeting="hotline/line-12319", queue="12346", keys=SITE.ivr.keys, callback_key="2"
    )
    assert planned().greeting == "hotline/greeting"
    assert planned(dialled="+12346").queue == "12346"
    assert planned(dialled="999").queue == "12345"


def test_a_mode_changes_greeting_and_queue_and_leaves_out_the_menu() -> None:
    plan = planned(Standing(mode="storm", news=(news("a"), news("b", "12345"))))
    assert (plan.greeting, plan.queue, plan.keys) == ("hotline/mode-storm", "12346", ())
    assert plan.announcements == (news("a").prompt,)
    assert planned(Standing(mode="unknown")).greeting == "hotline/greeting"


def test_a_nuisance_caller_is_told_so_until_the_time_is_over() -> None:
    assert planned(Standing(restricted={ME: 60})).is_blocked
    assert not planned(Standing(restricted={ME: 50})).is_blocked


def test_an_announcement_for_a_district_spares_those_who_are_known_to_live_elsewhere() -> None:
    here, everywhere = msgspec.structs.replace(news("a"), district="泰山区"), news("b")
    now = Standing(news=(here, everywhere))
    assert now.announcements("12345", 50, "泰山区") == (here.prompt, everywhere.prompt)
    assert now.announcements("12345", 50, "岱岳区") == (everywhere.prompt,)
    assert now.announcements("12345", 50) == (here.prompt, everywhere.prompt), "nobody knows where they live"
    spoken = msgspec.structs.replace(here, recording="ab" * 32)
    assert spoken.prompt == "hotline/news-abababababababab"


def test_opening_hours_follow_the_calendar_of_holidays() -> None:
    hours = msgspec.structs.replace(SITE, ivr=IvrSettings(hours="workdays 08:00-18:00"))
    hour_us = 3_600_000_000
    assert not planned(site=hours, us=2 * hour_us).is_open, "ten o'clock on a holiday"
    assert planned(site=hours, us=26 * hour_us).is_open
    assert not planned(site=hours, us=36 * hour_us).is_open


def test_the_menu_says_itself_from_its_keys_in_each_language() -> None:
    assert texts_of(SITE, "zh")[MENU] == (
        "查询诉求进度请按2，企业服务请按3，For English, press 9，人工服务请按0，或稍候。"
    )
    assert texts_of(SITE, "en")[MENU] == "For your case, press 2. For a person, press 0, or hold."
    assert MENU not in texts_of(Settings(), "zh")


@pytest.mark.parametrize(
    ("ivr", "complaint"),
    [
        (IvrSettings(keys=(msgspec.structs.replace(FIRM, key="0"),)), r"key '0' must be one of 1 to 9"),
        (IvrSettings(keys=(msgspec.structs.replace(FIRM, key="12"),)), r"key '12' must be one of"),
        (IvrSettings(keys=(FIRM, msgspec.structs.replace(CASE, key="3"))), r"one key does two things"),
        (IvrSettings(keys=(msgspec.structs.replace(CASE, key="1"),)), r"begins an emergency number"),
        (IvrSettings(keys=(msgspec.structs.replace(FIRM, queue="999"),)), r"`queue` is a queue's number"),
        (IvrSettings(keys=(msgspec.structs.replace(CASE, queue="12346"),)), r"`queue` is a queue's number"),
        (IvrSettings(keys=(ENGLISH,)), r"`language` is one of"),
        (IvrSettings(keys=(msgspec.structs.replace(CASE, does="fly"),)), r"none of queue, case"),
        (IvrSettings(keys=(msgspec.structs.replace(CASE, text=""),)), r"must be 1 to 60 printable"),
        (IvrSettings(keys=tuple(msgspec.structs.replace(FIRM, key=k) for k in "1234567")), r"at most 6"),
        (IvrSettings(hours="always open"), r"^ivr\.hours: "),
        (IvrSettings(wait_s=0), r"^ivr\.wait_s"),
        (IvrSettings(offer_from_s=5), r"^ivr\.offer_from_s"),
        (IvrSettings(remark_s=5), r"^ivr\.remark_s"),
        (IvrSettings(message_s=5), r"^ivr\.message_s"),
        (IvrSettings(modes=(ModeSettings(id="normal", greeting="x"),)), r"^ivr\.modes: id"),
        (IvrSettings(modes=(ModeSettings(id="a", greeting="x", queue="9"),)), r"no queue's number"),
        (IvrSettings(languages=("en",)), r"begins with"),
        (IvrSettings(languages=("zh", "fr")), r"'fr' is none of"),
        (IvrSettings(voice=("piper",)), r"\{out\}"),
        (IvrSettings(studio="studio"), r"absolute path"),
    ],
)
def test_settings_that_callers_could_not_be_offered_are_refused_in_one_sentence(
    ivr: IvrSettings, complaint: str
) -> None:
    with pytest.raises(BadSettings, match=complaint):
        check(msgspec.structs.replace(SITE, ivr=ivr))


def test_callbacks_that_are_off_cannot_be_offered() -> None:
    key = KeySettings(key="5", does="callback", text="回呼")
    site = msgspec.structs.replace(SITE, ivr=IvrSettings(keys=(key,)), callback=CallbackSettings(key=""))
    with pytest.raises(BadSettings, match="callbacks are off"):
        check(site)
