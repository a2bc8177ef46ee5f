"""How figures are spoken: counts, days, money, and numbers digit by digit."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.catalogue import load_catalogue
from ivr.speech import (
    count,
    day,
    digit_by_digit,
    money,
    prompts_of,
    prompts_of_count,
    prompts_of_day,
    reading,
)

THERE = set(load_catalogue().names()) & set(load_catalogue().names("en"))


@pytest.mark.parametrize(
    ("number", "spoken"),
    [
        (0, "零"),
        (7, "七"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (105, "一百零五"),
        (110, "一百一十"),
        (1001, "一千零一"),
        (2300, "二千三百"),
        (10_000, "一万"),
        (10_005, "一万零五"),
        (100_000, "十万"),
        (1_330_000, "一百三十三万"),
        (200_000_030, "二亿零三十"),
    ],
)
def test_a_count_is_read_as_people_read_it(number: int, spoken: str) -> None:
    assert count(number) == spoken


@given(st.integers(0, 10**12 - 1))
def test_every_count_can_be_read_back(number: int) -> None:
    total, group, digit = 0, 0, 0
    for c in count(number):
        if c in "零一二三四五六七八九":
            digit = "零一二三四五六七八九".index(c)
        elif c in "十百千":
            group += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[c]
            digit = 0
        else:
            total += (group + digit) * {"万": 10_000, "亿": 10**8}[c]
            group = digit = 0
    assert total + group + digit == number


@pytest.mark.parametrize("number", [-1, 10**12])
def test_what_nobody_says_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="not a number"):
        count(number)


def test_a_number_that_names_something_is_read_digit_by_digit_with_yao() -> None:
    assert digit_by_digit("20261124-0001") == "二零二六幺幺二四零零零幺"
    assert prompts_of("10*") == ("digits/yao", "digits/0", "digits/star")


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("停水从8点到17点", "停水从八点到十七点"),
        ("8:30 至 2:05", "八点三十分 至 两点零五分"),
        ("2026-11-25 起", "二零二六年十一月二十五日 起"),
        ("2026年有365天", "二零二六年有三百六十五天"),
        ("请拨12319", "请拨幺二三幺九"),
        ("电话0538-6991234", "电话零五三八六九九幺二三四"),
        ("水费2.5元", "水费两元五角"),
        ("补贴300.05元", "补贴三百元零五分"),
        ("2026-13-40", "二零二六幺三四零"),
    ],
)
def test_figures_in_a_sentence_are_read_by_what_they_stand_for(written: str, spoken: str) -> None:
    assert reading(written) == spoken


def test_dates_and_money_are_read_as_people_read_them() -> None:
    assert day(date(2026, 10, 1)) == "十月一日"
    assert (money(2), money(10, 50), money(3, 5)) == ("两元", "十元五角", "三元零五分")


@given(st.dates(), st.integers(0, 99), st.text("0123456789*#-", max_size=20))
def test_there_is_a_sound_for_everything_that_is_put_together(when: date, number: int, typed: str) -> None:
    assert {*prompts_of_day(when), *prompts_of_count(number), *prompts_of(typed)} <= THERE
