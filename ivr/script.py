"""Owns what a caller is to hear and where they go (话术), from settings and standing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import msgspec

from hotline.ivr_settings import DIALECT, KeySettings
from hotline.office_hours import read, standing
from hotline.settings import Settings
from hotline.standing import Standing
from ivr.catalogue import MANDARIN

GREETING = "hotline/greeting"
MENU = "hotline/menu"
ENGLISH = "en"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one caller is to hear before the queue."""

    greeting: str
    queue: str
    """The queue that they go to when they choose nothing: its number."""
    keys: tuple[KeySettings, ...] = ()
    announcements: tuple[str, ...] = ()
    is_open: bool = True
    is_blocked: bool = False
    is_emergency_mode: bool = False
    offer_from_s: int = 0
    """From which expected wait on something else is offered, seconds; 0: never."""
    callback_key: str = ""


def plan_for(
    settings: Settings,
    now_standing: Standing,
    *,
    dialled: str,
    caller: str,
    now_us: int,
    is_workday: Callable[[date], bool],
    district: str = "",
) -> Plan:
    """What the caller who dialled that number hears. `caller`: the number's key, "" when withheld;
    `district`: where they live, "" when nobody knows.
    """
    queue = queue_of(settings, dialled)
    if caller and now_standing.is_blocked(caller, now_us):
        return Plan(greeting=GREETING, queue=queue, is_blocked=True)
    mode = next((mode for mode in settings.ivr.modes if mode.id == now_standing.mode), None)
    if mode is not None:
        queue = mode.queue or queue
        told = now_standing.announcements(queue, now_us, district)
        greeting = mode_prompt(mode.id)
        return Plan(
            greeting=greeting,
            queue=queue,
            announcements=told,
            is_emergency_mode=True,
            offer_from_s=settings.ivr.offer_from_s,
            callback_key=settings.callback_key,
        )
    is_open = standing(read(settings.ivr.hours), now_us, is_workday).is_open
    return Plan(
        greeting=_greeting(settings, dialled),
        queue=queue,
        keys=settings.ivr.keys,
        announcements=now_standing.announcements(queue, now_us, district),
        is_open=is_open,
        offer_from_s=settings.ivr.offer_from_s,
        callback_key=settings.callback_key,
    )


def queue_of(settings: Settings, dialled: str) -> str:
    """The number of the queue that a dialled number leads to, as in the dialplan's `[dialled]`."""
    digits = "".join(c for c in dialled if c in "0123456789")
    if any(queue.number == digits for queue in settings.queues):
        return digits
    return next((line.queue for line in settings.lines if line.number == digits), settings.queue.number)


def texts_of(settings: Settings, language: str) -> Mapping[str, str]:
    """The sentences of a site's own, by prompt, in that language: its menu, its lines, its modes."""
    is_mandarin = language == MANDARIN
    texts: dict[str, str] = {}
    if menu := _menu_zh(settings) if is_mandarin else _menu_en(settings):
        texts[MENU] = menu
    for line in settings.lines:
        if line.greeting and is_mandarin:
            texts[line_prompt(line.number)] = line.greeting
    for mode in settings.ivr.modes:
        texts[mode_prompt(mode.id)] = mode.greeting if is_mandarin else mode.greeting_en or mode.greeting
    return texts


def offered(keys: tuple[KeySettings, ...], language: str) -> tuple[KeySettings, ...]:
    """The keys of the menu in that language; nobody is asked to choose the language that they hear."""
    return tuple(key for key in keys if key.language != language and (language != ENGLISH or key.text_en))


def line_prompt(number: str) -> str:
    """The greeting of a merged line."""
    return f"hotline/line-{number}"


def mode_prompt(mode: str) -> str:
    """The greeting of an emergency mode."""
    return f"hotline/mode-{mode}"


def _greeting(settings: Settings, dialled: str) -> str:
    digits = "".join(c for c in dialled if c in "0123456789")
    has_own = any(line.number == digits and line.greeting for line in settings.lines)
    return line_prompt(digits) if has_own else GREETING


def _menu_zh(settings: Settings) -> str:
    keys = offered(settings.ivr.keys, MANDARIN)
    named = {"*": "星号键", "#": "井号键"}
    spoken = [key.text if key.language else f"{key.text}请按{named.get(key.key, key.key)}" for key in keys]
    return "，".join([*spoken, "人工服务请按0，或稍候。"]) if spoken else ""


def _menu_en(settings: Settings) -> str:
    keys = offered(settings.ivr.keys, ENGLISH)
    named = {"*": "star", "#": "hash"}
    spoken = [f"For {key.text_en}, press {named.get(key.key, key.key)}." for key in keys]
    return " ".join([*spoken, "For a person, press 0, or hold."]) if spoken else ""


def all_texts(settings: Settings) -> dict[str, Mapping[str, str]]:
    """`texts_of` in each of the hotline's languages that an engine speaks."""
    spoken = (language for language in settings.ivr.languages if language != DIALECT)
    return {language: texts_of(settings, language) for language in spoken}
