"""Callers' numbers: what they say, and that nothing a trunk can send upsets us."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hotline.numbers import NO_NUMBER, CallerNumber, describe, key_of, mask, warm_up


def seen(raw: str) -> CallerNumber:
    return describe(raw, "0538", "泰安")


@pytest.mark.parametrize(
    "raw",
    ["13805381234", "+8613805381234", "008613805381234", "8613805381234", "013805381234", "138-0538 1234"],
)
def test_a_mobile_is_one_citizen_in_whatever_form_it_comes(raw: str) -> None:
    number = seen(raw)
    assert number.e164 == number.key == "+8613805381234"
    assert number.national == "13805381234"
    assert number.masked == "138****1234"
    assert (number.place, number.carrier) == ("山东省泰安市", "中国移动")
    assert not number.is_withheld


@pytest.mark.parametrize("raw", ["8221021", "05388221021", "0538-8221021", "+865388221021", "865388221021"])
def test_a_landline_is_completed_with_the_citys_area_code(raw: str) -> None:
    number = seen(raw)
    assert number.e164 == "+865388221021"
    assert number.national == "05388221021"
    assert number.masked == "0538****21"
    assert number.place == "山东省泰安市"


def test_the_great_cities_have_short_area_codes() -> None:
    assert (seen("01065551234").masked, seen("01065551234").place) == ("010****34", "北京市")


def test_a_foreigner_is_named_by_country() -> None:
    number = seen("+442083661177")
    assert (number.place, number.national, number.masked) == ("英国", "00442083661177", "+44****77")
    assert seen("0016502530000").place == "美国"


@pytest.mark.parametrize("raw", ["110", "12345", "8001", "95588"])
def test_short_numbers_stay_whole(raw: str) -> None:
    number = seen(raw)
    assert (number.masked, number.national, number.key, number.e164) == (raw, raw, raw, None)


@pytest.mark.parametrize("raw", ["", "   ", "anonymous", "Anonymous", "unknown", "<unknown>", "\r\n"])
def test_a_withheld_number_is_nobodys_history(raw: str) -> None:
    number = seen(raw)
    assert number.is_withheld and number.key == "" and number.masked == NO_NUMBER


@pytest.mark.parametrize(
    "raw",
    [
        "1;DROP TABLE",
        "13805381234" + " " * 60 + "x",
        "1380538\x001234",
        "😀" * 9,
        "9" * 200,
        "١٢٣٤٥٦٧٨٩٠١",
        "1\r\n2",
    ],
)
def test_what_is_no_number_cannot_be_called_back(raw: str) -> None:
    number = seen(raw)
    assert number.e164 is None and len(number.raw) <= 64 and number.raw.isprintable()
    assert number.national == "" or number.national.isdigit()


@given(st.one_of(st.text(max_size=300), st.from_regex(r"\+?[0-9() .-]{0,25}", fullmatch=True)))
@example("+" * 200)
@example("86" + "0" * 12)
@example("00")
def test_anything_at_all_gives_something_safe(raw: str) -> None:
    number = seen(raw)
    assert number.raw.isprintable() and len(number.raw) <= 64
    assert number.national == "" or (number.national.isascii() and number.national.isdigit())
    assert number.masked
    if number.e164:
        assert number.e164[0] == "+" and number.e164[1:].isdigit()
    if len(number.national) >= 7:
        assert number.national not in number.masked and "****" in number.masked


@given(st.text(max_size=40))
def test_a_mask_never_shows_a_whole_number(number: str) -> None:
    shown = mask(number)
    assert shown and (shown != number or len(number) < 7)


def test_describing_is_quick_once_warm() -> None:
    warm_up()
    before = time.perf_counter()
    for last in range(200):
        seen(f"1380538{last:04}")
    assert (time.perf_counter() - before) / 200 < 0.001


@given(st.one_of(st.text(max_size=60), st.from_regex(r"\+?[0-9*#]{1,16}", fullmatch=True)))
@example("13805381234")
@example("anonymous")
def test_the_key_alone_is_the_key_of_the_whole(raw: str) -> None:
    assert key_of(raw, "0538") == seen(raw).key
