"""What was meant by pinyin and by slips: read by the words of the house."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework import city
from casework.spelling import MOST, Vocabulary, words_of

UNITS = city.city_units()
WORDS = Vocabulary(words_of(city.matters(UNITS), UNITS))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ldwx", "路灯维修"),
        ("LDWX", "路灯维修"),
        ("ludeng", "路灯"),
        ("sczj", "市财政局"),
        ("路登", "路灯"),
        ("小区路登", "小区路灯"),
        ("公积金题取", "公积金提取"),
        ("公积金提去", "公积金提取"),
        ("泰山区 路登维修", "泰山区 路灯维修"),
        ("医宝报销", "医保报销"),
    ],
)
def test_a_slip_is_read_as_the_word_of_the_house_that_it_sounds_or_looks_like(typed: str, meant: str) -> None:
    assert meant in WORDS.meant(typed)


@pytest.mark.parametrize("typed", ["路灯", "路灯维修", "qqq", "a", "", "20261124-0001", "灯"])
def test_what_is_a_word_already_or_nothing_like_one_is_left_alone(typed: str) -> None:
    assert WORDS.meant(typed) == []


@given(st.text(max_size=12))
def test_whatever_is_typed_there_are_few_readings_and_none_is_what_was_typed(typed: str) -> None:
    readings = WORDS.meant(typed)
    assert len(readings) <= MOST and typed not in readings and len(set(readings)) == len(readings)
