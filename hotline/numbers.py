"""Owns what a caller's number says: canonical form, mask, home place (归属地), carrier. Never raises."""

from __future__ import annotations

import re

import msgspec
import phonenumbers
from phonenumbers import carrier

from hotline import _places

_NATIONAL = 86
_RAW_LIMIT = 64
_DIGITS = re.compile(r"\+?[0-9]{1,20}")
_WITHHELD = {"anonymous", "unknown", "restricted", "private", "unavailable", "asterisk", "<unknown>", "s"}
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SHORT = 7
"""Fewer digits than this is a service number or an extension, which hides nobody."""
NO_NUMBER = "未显示号码"


class CallerNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A number as it came, and what is known about it. `raw` is cut to 64 printable characters."""

    raw: str
    e164: str | None
    """+8613800005678; None for short numbers, extensions and what is no number."""
    national: str
    """What we would dial to call back: 13800005678, 05388220000, 110; empty when that is impossible."""
    masked: str
    place: str
    """山东省泰安市, or a country's name; empty when unknown."""
    carrier: str
    """中国移动 and so on, for mobiles; empty when unknown."""
    is_withheld: bool

    @property
    def key(self) -> str:
        """Under which the citizen's history is kept; empty for a caller who hides the number."""
        return self.e164 or self.national


def describe(raw: str, area_code: str, city: str) -> CallerNumber:
    """What `raw` says to a hotline in `city` with `area_code` (0538). Under 1 ms once `warm_up` has run."""
    clean, squeezed = _squeezed(raw)
    if not squeezed or squeezed.lower() in _WITHHELD:
        return _plain(clean, "", NO_NUMBER, is_withheld=True)
    if not _is_number(raw, clean, squeezed):
        return _plain(clean, "", "****", is_withheld=False)
    dialled = complete(squeezed, area_code)
    parsed = _parse(dialled)
    if parsed is None:
        national = squeezed.lstrip("+")
        return _plain(clean, national, mask(national), is_withheld=False)
    return _described(clean, parsed, area_code, city)


def key_of(raw: str, area_code: str) -> str:
    """`CallerNumber.key` alone: at once, without the tables of places and carriers."""
    clean, squeezed = _squeezed(raw)
    if squeezed.lower() in _WITHHELD or not _is_number(raw, clean, squeezed):
        return ""
    parsed = _parse(complete(squeezed, area_code))
    return squeezed.lstrip("+") if parsed is None else _e164(parsed)


def mask(number: str) -> str:
    """Hide the middle: 138****5678, 0538****21. A short number stays whole, for it is nobody's own."""
    digits = number.removeprefix("+86")
    if digits.startswith("+") and digits[1:].isdigit():
        return f"{digits[:3]}****{digits[-2:]}"
    if not (digits.isascii() and digits.isdigit()):
        return "****" if digits else NO_NUMBER
    if len(digits) < _SHORT:
        return digits
    if _MOBILE.fullmatch(digits):
        return f"{digits[:3]}****{digits[-4:]}"
    if len(digits) < 10:
        return f"****{digits[-2:]}"
    if digits[0] == "0":
        return f"{digits[: _area_length(digits)]}****{digits[-2:]}"
    return f"{digits[:2]}****{digits[-2:]}"


def warm_up() -> None:
    """Load the tables of places and carriers (some 0.3 s), so that no call waits for them."""
    describe("13800005678", "0538", "泰安")
    describe("+442083661177", "0538", "泰安")


def _squeezed(raw: str) -> tuple[str, str]:
    """The number as it came, without what cannot be shown, and the same without what people put between."""
    clean = "".join(c for c in raw.strip()[: _RAW_LIMIT * 2] if c.isprintable())[:_RAW_LIMIT].strip()
    return clean, re.sub(r"[\s().-]", "", clean)


def _is_number(raw: str, clean: str, squeezed: str) -> bool:
    return clean == raw.strip() and _DIGITS.fullmatch(squeezed) is not None


def _e164(parsed: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _plain(clean: str, national: str, masked: str, *, is_withheld: bool) -> CallerNumber:
    """A number of which no more is known than what came."""
    return CallerNumber(
        raw=clean, e164=None, national=national, masked=masked, place="", carrier="", is_withheld=is_withheld
    )


def complete(digits: str, area_code: str) -> str:
    """One form for a line, however it was dialled: 013800005678 is 13800005678, 6991001 is 05386991001."""
    if digits.startswith("00"):
        return "+" + digits[2:]
    if digits.startswith("0") and _MOBILE.fullmatch(digits[1:]):
        return digits[1:]
    if digits.startswith("86") and len(digits) >= 12 and digits[2] != "0":
        return "+" + digits
    if len(digits) in (7, 8) and digits[0] not in "01":
        return area_code + digits
    return digits


def _parse(number: str) -> phonenumbers.PhoneNumber | None:
    try:
        parsed = phonenumbers.parse(number, "CN")
    except phonenumbers.NumberParseException:
        return None
    return parsed if phonenumbers.is_valid_number(parsed) else None


def _described(clean: str, parsed: phonenumbers.PhoneNumber, area_code: str, city: str) -> CallerNumber:
    e164 = _e164(parsed)
    significant = phonenumbers.national_significant_number(parsed)
    if parsed.country_code != _NATIONAL:
        region = phonenumbers.region_code_for_number(parsed) or ""
        return CallerNumber(
            raw=clean,
            e164=e164,
            national="00" + e164[1:],
            masked=mask(e164),
            place=_places.country(region),
            carrier="",
            is_withheld=False,
        )
    is_mobile = _MOBILE.fullmatch(significant) is not None
    national = significant if is_mobile or not _is_landline(parsed) else "0" + significant
    place = _places.place_in_china(significant)
    if not place and national.startswith(area_code):
        place = city
    return CallerNumber(
        raw=clean,
        e164=e164,
        national=national,
        masked=mask(national),
        place=place,
        carrier=carrier.name_for_number(parsed, "zh") if is_mobile else "",
        is_withheld=False,
    )


def _is_landline(parsed: phonenumbers.PhoneNumber) -> bool:
    return phonenumbers.number_type(parsed) in {
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    }


def _area_length(digits: str) -> int:
    """Three digits for the ten great cities (010, 02x), four elsewhere."""
    return 3 if digits[1] in "12" else 4
