"""Owns the rendering of pages: templates with escaping always on, the words that pages and scripts share."""

from __future__ import annotations

import functools
from pathlib import Path

import jinja2
import msgspec
from aiohttp import web

from agent_desk.sessions import Session
from ctiserver.api.commands import REFUSAL_ZH
from ctiserver.api.states import (
    ATTEMPT_STATE_ZH,
    CALLBACK_STATE_ZH,
    OVERSIGHT_ZH,
    SEAT_STATE_ZH,
    LegState,
    Outcome,
)
from hotline.settings import WORST_PENALTY, Settings

HERE = Path(__file__).parent

LEG_STATE_ZH = {
    LegState.RINGING: "振铃",
    LegState.TALKING: "通话",
    LegState.HELD: "保持",
    LegState.WAITING: "等待",
}
OUTCOME_ZH = {
    Outcome.ANSWERED: "已接听",
    Outcome.ABANDONED_IVR: "语音中放弃",
    Outcome.ABANDONED_QUEUE: "排队中放弃",
    Outcome.ABANDONED_RINGING: "振铃中放弃",
    Outcome.SHORT_ABANDON: "短时放弃",
    Outcome.NOT_REACHED: "外呼未接通",
    Outcome.OVERFLOW: "坐席全忙",
    Outcome.CLOSED: "非工作时间",
    Outcome.SWITCH_LOST: "交换机中断",
    Outcome.CALLBACK: "转保位回呼",
    Outcome.MESSAGE: "留言",
}
RATING_ZH = ("未评价", "非常满意", "满意", "基本满意", "不满意", "非常不满意")
"""评价 by the key that the citizen pressed, as the recorded question offers them; 0: none was."""


@functools.cache
def environment() -> jinja2.Environment:
    """The templates, compiled once. A name that a page does not know is an error, not an empty word."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(name: str, **values: object) -> str:
    """One page."""
    return environment().get_template(name).render(**values)


def html(text: str, status: int = 200) -> web.Response:
    """The answer that a page is."""
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def error_page(status: int, message: str) -> web.Response:
    """An answer that says what went wrong and where to go on."""
    return html(render("error.html", status=status, message=message), status)


def live_config(settings: Settings, session: Session, word: str) -> str:
    """What a page's script needs, as JSON for one attribute: words come from `ctiserver.api`, never twice."""
    queue = settings.queue
    return msgspec.json.encode(
        {
            "push_url": settings.page_push_url,
            "form_word": word,
            "again": f"/screen/{session.screen}" if session.screen else "/login",
            "seat": session.seat,
            "seats": settings.seat_ids,
            "person": session.person.number,
            "service_level_s": queue.service_level_s,
            "wrapup_s": queue.wrapup_s,
            "reasons": settings.not_ready_reasons,
            "rest_reasons": settings.rest.reasons,
            "rest_most": settings.rest.most,
            "queues": [{"number": one.number, "name": one.name} for one in settings.queues],
            "worst_penalty": WORST_PENALTY,
            "emergency_numbers": settings.emergency_numbers,
            "has_phone": session.seat in settings.softphone_ids,
            "words": {
                "seat": SEAT_STATE_ZH,
                "attempt": ATTEMPT_STATE_ZH,
                "leg": LEG_STATE_ZH,
                "outcome": OUTCOME_ZH,
                "refusal": REFUSAL_ZH,
                "oversight": OVERSIGHT_ZH,
                "callback": CALLBACK_STATE_ZH,
            },
        }
    ).decode()
