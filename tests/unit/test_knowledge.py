"""The knowledge base: whose words they are, who lets them out, how long they are true, what nobody found."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from casework import city
from casework.faq import MOST, seed_knowledge
from casework.grams import covered
from casework.knowledge import (
    Act,
    Entry,
    Hindrance,
    Stage,
    Version,
    Words,
    after,
    done,
    first,
    is_insider,
    is_valid,
    possible,
    ranked,
    rewritten,
)
from casework.knowledge_service import act_on, rewrite, write_new
from casework.moves import Actor
from casework.store import knowledge as store
from casework.words import Part
from hotline import audit
from hotline.db.engine import Database
from hotline.local_time import DAY_US

UNIT = "市人力资源和社会保障局"
WRITER, OTHER = Actor("8501", Part.UNIT, UNIT), Actor("8502", Part.UNIT, "热力公司")
REVIEWER, SUPERVISOR, AGENT = (
    Actor("8201", Part.REVIEWER),
    Actor("8401", Part.SUPERVISOR),
    Actor("1001", Part.AGENT),
)
ACTORS = (WRITER, OTHER, REVIEWER, SUPERVISOR, AGENT, Actor("8101", Part.DISPATCHER))
NOW = 1_700_000_000_000_000
WORDS = Words(question="养老金资格认证怎么办理？", answer="手机或社区均可办理。", topic="养老金资格认证")


def version(result: Version | Hindrance) -> Version:
    assert isinstance(result, Version), result
    return result


def drafted(words: Words = WORDS) -> Entry:
    return Entry(version(first("n1-A", words, WRITER, NOW)))


def stepped(entry: Entry, act: Act, actor: Actor, reason: str = "", now_us: int = NOW) -> Entry:
    return after(entry, version(done(entry, act, reason, actor, now_us)))


def published(words: Words = WORDS) -> Entry:
    return stepped(stepped(drafted(words), Act.SUBMIT, WRITER), Act.PUBLISH, REVIEWER)


def test_what_a_unit_writes_is_told_to_citizens_only_after_somebody_else_has_read_it() -> None:
    entry = drafted()
    assert entry.live is None and possible(entry, REVIEWER) == [Act.WITHDRAW]
    entry = stepped(entry, Act.SUBMIT, WRITER)
    assert entry.live is None and Act.PUBLISH not in possible(entry, WRITER)
    both = Actor(WRITER.number, Part.REVIEWER)
    assert done(entry, Act.PUBLISH, "", both, NOW) is Hindrance.OWN_WORDS
    entry = stepped(entry, Act.PUBLISH, REVIEWER)
    assert entry.live == entry.last and entry.last.seq == 3 and entry.last.writer == WRITER.number


def test_a_new_draft_leaves_what_is_published_in_force_until_it_is_published_itself() -> None:
    entry = published()
    told = entry.live
    newer = msgspec.structs.replace(WORDS, answer="全部网上办理。")
    entry = after(entry, version(rewritten(entry, newer, WRITER, NOW)))
    assert entry.last.stage is Stage.DRAFT and entry.live == told
    entry = stepped(stepped(entry, Act.SUBMIT, WRITER), Act.SEND_BACK, REVIEWER, "请写明网址")
    assert entry.last.stage is Stage.DRAFT and entry.live == told
    entry = stepped(stepped(entry, Act.SUBMIT, WRITER), Act.PUBLISH, REVIEWER)
    assert entry.live is not None and entry.live.words == newer


def test_only_its_own_unit_writes_an_entry_and_agents_write_none() -> None:
    assert first("n1-A", WORDS, AGENT, NOW) is Hindrance.NOT_YOURS
    entry = drafted()
    for stranger in (OTHER, AGENT, REVIEWER, SUPERVISOR):
        assert rewritten(entry, WORDS, stranger, NOW) is Hindrance.NOT_YOURS
        assert done(entry, Act.SUBMIT, "", stranger, NOW) is Hindrance.NOT_YOURS
    assert [is_insider(entry, one) for one in (WRITER, REVIEWER, SUPERVISOR, OTHER, AGENT)] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_taking_off_and_sending_back_need_a_reason_and_what_is_taken_off_is_told_no_more() -> None:
    waiting = stepped(drafted(), Act.SUBMIT, WRITER)
    assert done(waiting, Act.SEND_BACK, " ", REVIEWER, NOW) is Hindrance.NO_REASON
    assert done(published(), Act.WITHDRAW, "", SUPERVISOR, NOW) is Hindrance.NO_REASON
    assert done(published(), Act.WITHDRAW, "x" * 501, SUPERVISOR, NOW) is Hindrance.TOO_LONG
    entry = stepped(published(), Act.WITHDRAW, SUPERVISOR, "政策已变")
    assert entry.live is None and possible(entry, WRITER) == [Act.WRITE]


def test_words_that_say_nothing_too_much_or_end_before_they_begin_are_refused() -> None:
    for change, why in (
        ({"question": " "}, Hindrance.NO_QUESTION),
        ({"answer": "\n"}, Hindrance.NO_ANSWER),
        ({"question": "问" * 121}, Hindrance.TOO_LONG),
        ({"answer": "答" * 20_001}, Hindrance.TOO_LONG),
        ({"topic": "事" * 61}, Hindrance.TOO_LONG),
        ({"since_us": NOW, "until_us": NOW}, Hindrance.BACKWARDS),
    ):
        assert first("n1-A", msgspec.structs.replace(WORDS, **change), WRITER, NOW) is why


@given(since=st.integers(0, 9), until=st.integers(0, 9), now=st.integers(0, 9))
@pytest.mark.slow
def test_an_entry_is_valid_from_its_first_instant_up_to_its_end_and_never_after(
    since: int, until: int, now: int
) -> None:
    one = msgspec.structs.replace(
        published().last, words=msgspec.structs.replace(WORDS, since_us=since, until_us=until)
    )
    assert is_valid(one, now) is (since <= now and (until == 0 or now < until))


def test_what_has_expired_can_be_published_no_more() -> None:
    waiting = stepped(drafted(msgspec.structs.replace(WORDS, until_us=NOW + 1)), Act.SUBMIT, WRITER)
    assert done(waiting, Act.PUBLISH, "", REVIEWER, NOW + 1) is Hindrance.EXPIRED


@given(acts=st.lists(st.tuples(st.sampled_from(Act), st.sampled_from(ACTORS)), max_size=12))
def test_no_sequence_of_deeds_puts_words_in_force_that_nobody_but_their_writer_read(
    acts: list[tuple[Act, Actor]],
) -> None:
    entry = drafted()
    for act, actor in acts:
        made = rewritten(entry, WORDS, actor, NOW) if act is Act.WRITE else done(entry, act, "因", actor, NOW)
        if isinstance(made, Version):
            assert made.seq == entry.last.seq + 1
            entry = after(entry, made)
        live = entry.live
        assert live is None or (live.act is Act.PUBLISH and live.actor != live.writer)


def test_the_entry_whose_question_holds_most_of_what_was_asked_comes_first_and_strangers_not_at_all() -> None:
    others = {"b": "养老金什么时候发放？", "c": "路灯不亮怎么反映？", "d": "公积金怎么提取？"}
    entries = [published().last] + [
        msgspec.structs.replace(published().last, entry=id_, words=Words(question=question, answer="答"))
        for id_, question in others.items()
    ]
    assert [one.entry for one in ranked(entries, "养老金怎么认证")] == ["n1-A", "b"]
    assert [one.entry for one in ranked(entries, "养老金")] == ["b", "n1-A"]
    assert ranked(entries, "暖气不热") == ranked(entries, "，。") == []
    assert ranked(entries, "暖气多久能得到答复") == ranked(entries, "暖气怎么办理") == []
    assert covered("室温14度", "14") == 1 and covered("室温14度", "") == 0


@pytest.fixture
async def base(database: Database) -> AsyncIterator[Database]:
    """One entry in force, of the deeds that put it there."""
    made = version(await write_new(database, WORDS, WRITER, "office", node="n1", now_us=NOW))
    version(await act_on(database, made.entry, 1, Act.SUBMIT, "", WRITER, "office", NOW))
    version(await act_on(database, made.entry, 2, Act.PUBLISH, "", REVIEWER, "office", NOW))
    yield database


async def questions(database: Database, asked: str, now_us: int = NOW) -> list[str]:
    async with database.read() as session:
        return [one.words.question for one in await store.found(session, asked, now_us, 5)]


async def the_entry(database: Database) -> Entry:
    async with database.read() as session:
        (entry,) = await store.at_stage(session, Stage, None, 9)
    return entry


async def test_an_entry_is_found_by_its_words_while_it_is_in_force_and_in_its_time(base: Database) -> None:
    assert await questions(base, "养老金认证") == [WORDS.question]
    for nothing in ("", "，。", "暖气", '" OR', "':* |", "\0", "x" * 500):
        assert await questions(base, nothing) == []
    entry = await the_entry(base)
    id_ = entry.last.entry
    newer = msgspec.structs.replace(WORDS, question="退休人员怎么认证？", topic="", until_us=NOW + DAY_US)
    version(await rewrite(base, id_, 3, newer, WRITER, "office", NOW))
    assert await questions(base, "养老金认证") == [WORDS.question]
    version(await act_on(base, id_, 4, Act.SUBMIT, "", WRITER, "office", NOW))
    version(await act_on(base, id_, 5, Act.PUBLISH, "", REVIEWER, "office", NOW))
    assert await questions(base, "退休人员认证") == [newer.question]
    assert await questions(base, "退休人员认证", NOW + DAY_US) == []
    async with base.read() as session:
        assert [one.last.entry for one in await store.ending(session, NOW + DAY_US, [UNIT], 9)] == [id_]
        assert await store.ending(session, NOW + DAY_US, [OTHER.unit], 9) == []
    version(await act_on(base, id_, 6, Act.WITHDRAW, "停办", WRITER, "office", NOW))
    assert await questions(base, "退休人员认证") == []
    async with base.read() as session:
        kept = await store.versions_of(session, id_)
        deeds = await audit.newest(session, 9)
    assert [one.seq for one in kept] == [1, 2, 3, 4, 5, 6, 7] and kept[2].words == WORDS
    assert (deeds[0].what, deeds[0].person, deeds[0].why) == ("knowledge.withdraw", WRITER.number, "停办")


async def test_of_two_who_change_an_entry_at_once_the_second_is_told(base: Database) -> None:
    id_ = (await the_entry(base)).last.entry
    version(await rewrite(base, id_, 3, WORDS, WRITER, "office", NOW))
    assert await rewrite(base, id_, 3, WORDS, WRITER, "office", NOW) is Hindrance.CHANGED
    assert await act_on(base, id_, 3, Act.WITHDRAW, "x", WRITER, "office", NOW) is Hindrance.CHANGED
    assert await act_on(base, "n1-0", 1, Act.WITHDRAW, "x", WRITER, "office", NOW) is Hindrance.CHANGED


async def test_the_database_refuses_to_change_or_delete_a_version(base: Database) -> None:
    for statement in (
        "UPDATE knowledge_versions SET answer = 'x'",
        "DELETE FROM knowledge_versions",
    ):
        with pytest.raises(DBAPIError, match="append-only"):
            async with base.begin() as session:
                await session.execute(text(statement))


async def test_what_is_sought_in_vain_is_counted_once_a_day_for_each_person_until_an_entry_answers_it(
    base: Database,
) -> None:
    async with base.begin() as session:
        for words, person, now_us in (
            ("电动车上牌", "1001", NOW),
            (" 电动车上牌 ", "1001", NOW),
            ("电动车上牌", "1002", NOW),
            ("电动车上牌", "1001", NOW + DAY_US),
            ("养猫", "1001", NOW),
        ):
            assert await store.miss(session, words, person, now_us)
        for words in ("", " \0", "13805386987", "张先生 138 0538 6987"):
            assert not await store.miss(session, words, "1001", NOW), "no citizen's number is kept"
        found = await store.missed(session, 9)
    assert [(one.words, one.count) for one in found] == [("电动车上牌", 3), ("养猫", 1)]
    words = Words(question="电动车怎么上牌？", answer="到交警支队。")
    made = version(await write_new(base, words, WRITER, "office", node="n1", now_us=NOW))
    version(await act_on(base, made.entry, 1, Act.SUBMIT, "", WRITER, "office", NOW))
    version(await act_on(base, made.entry, 2, Act.PUBLISH, "", REVIEWER, "office", NOW))
    async with base.read() as session:
        assert [one.words for one in await store.missed(session, 9)] == ["养猫"]


@pytest.mark.slow
async def test_the_made_up_city_has_500_entries_and_each_matter_is_found(
    new_database: Callable[[str], str],
) -> None:
    units, database = city.city_units(), await Database.open(new_database("sqlite"))
    async with database.begin() as session:
        assert await seed_knowledge(session, units, "n1", NOW) == MOST
        assert await seed_knowledge(session, units, "n1", NOW) == 0
    for matter in city.matters(units)[::20]:
        told = await questions(database, f"{matter.name}归哪个部门负责")
        assert any(matter.name in question for question in told), matter.name
    assert all(
        "供" in question or "室温" in question for question in await questions(database, "供暖多久答复")
    )
    await database.close()
