"""Owns how figures are spoken in Mandarin (数字读法): counts, dates, money, digit by digit. Pure."""

from __future__ import annotations

import re
from datetime import date

_DIGITS = "零一二三四五六七八九"
_UNITS = ("", "十", "百", "千")
_MYRIADS = ("", "万", "亿")
_MOST = 10**12 - 1
YAO = "幺"
"""How 1 is read where digits stand one by one: it cannot be taken for 七."""

_MONEY = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?元")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?![0-9-])")
_YEAR = re.compile(r"([0-9]{4})年")
_CLOCK = re.compile(r"\b([01]?[0-9]|2[0-3]):([0-5][0-9])\b")
_FIGURES = re.compile(r"[0-9]+(?:-[0-9]+)*")
_LONGEST_COUNT = 4
"""Digits: what is longer, begins with 0 or has hyphens in it names something and counts nothing."""


def count(number: int) -> str:
    """A count as it is spoken: 105 一百零五, 12 十二; ValueError below 0 and from a million millions on."""
    if not 0 <= number <= _MOST:
        raise ValueError("not a number that is spoken")
    if number == 0:
        return _DIGITS[0]
    groups: list[str] = []
    for myriad in _MYRIADS:
        number, rest = divmod(number, 10_000)
        if rest:
            is_gap = number > 0 and rest < 1000
            groups.append(("零" if is_gap else "") + _below_myriad(rest) + myriad)
    spoken = "".join(reversed(groups))
    return spoken[1:] if spoken.startswith("一十") else spoken


def _below_myriad(number: int) -> str:
    spoken, is_gap = "", False
    for power in (3, 2, 1, 0):
        digit = number // 10**power % 10
        if digit:
            spoken += ("零" if is_gap and spoken else "") + _DIGITS[digit] + _UNITS[power]
        is_gap = not digit
    return spoken


def digit_by_digit(text: str) -> str:
    """A number that names something: 12345 幺二三四五. What is no digit is left out."""
    return "".join(YAO if c == "1" else _DIGITS[int(c)] for c in text if c in "0123456789")


def day(when: date) -> str:
    """十一月二十五日."""
    return f"{count(when.month)}月{count(when.day)}日"


def money(yuan: int, fen: int = 0) -> str:
    """三百元五角, 两元零五分."""
    spoken = ("两" if yuan == 2 else count(yuan)) + "元"
    jiao, rest = divmod(fen, 10)
    spoken += f"{count(jiao)}角" if jiao else "零" if rest else ""
    return spoken + (f"{count(rest)}分" if rest else "")


def reading(text: str) -> str:
    """A written text with its figures as a speaker reads them, for a voice that would read them otherwise."""
    text = _MONEY.sub(lambda found: money(int(found[1]), int((found[2] or "0").ljust(2, "0"))), text)
    text = _DATE.sub(_read_date, text)
    text = _YEAR.sub(lambda found: "".join(_DIGITS[int(c)] for c in found[1]) + "年", text)
    text = _CLOCK.sub(lambda found: _read_clock(int(found[1]), int(found[2])), text)
    return _FIGURES.sub(lambda found: _read_figures(found[0]), text)


def _read_date(found: re.Match[str]) -> str:
    try:
        when = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return found[0]
    return "".join(_DIGITS[int(c)] for c in found[1]) + "年" + day(when)


def _read_clock(hour: int, minute: int) -> str:
    spoken = ("两" if hour == 2 else count(hour)) + "点"
    if not minute:
        return spoken
    return spoken + ("零" if minute < 10 else "") + count(minute) + "分"


def _read_figures(figures: str) -> str:
    is_name = len(figures) > _LONGEST_COUNT or "-" in figures or (figures[0] == "0" and len(figures) > 1)
    return digit_by_digit(figures) if is_name else count(int(figures))


def prompts_of(figures: str) -> tuple[str, ...]:
    """The sound files of a number that is read digit by digit."""
    names = {"1": "digits/yao", "*": "digits/star", "#": "digits/pound"}
    return tuple(names.get(c, f"digits/{c}") for c in figures if c in "0123456789*#")


def prompts_of_count(number: int) -> tuple[str, ...]:
    """The sound files of a count below a hundred: tens are one file each."""
    if not 0 <= number < 100:
        raise ValueError("a count that needs more words than tens and ones")
    if number < 10:
        return (f"digits/{number}",)
    tens, ones = divmod(number, 10)
    return (f"digits/{tens * 10}", *((f"digits/{ones}",) if ones else ()))


def prompts_of_day(when: date) -> tuple[str, ...]:
    """The sound files of a day without its year."""
    return (*prompts_of_count(when.month), "say/month", *prompts_of_count(when.day), "say/day")
