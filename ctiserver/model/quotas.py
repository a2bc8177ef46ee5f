"""Owns the quotas of outbound calls (外呼限额): how many an agent may make in a day, and how many one number
may get from the whole hotline.

A day is Shanghai's. Each call that was accepted counts once, whatever came of it. Units of the directory are
no citizens: calls to them are neither counted nor refused.
"""

from __future__ import annotations

from ctiserver.api.commands import Code, Refusal, refuse
from ctiserver.api.history import CallStarted
from ctiserver.model.state import Dialled, State
from hotline.local_time import day_start_us, local_day
from hotline.numbers import complete


def note(memory: dict[str, Dialled], event: CallStarted) -> None:
    """An agent called somebody; what lies before that day is forgotten. What the hotline promised is no
    agent's choice, and is not counted.
    """
    if not event.is_outbound or event.is_promised:
        return
    today_us = day_start_us(local_day(event.at_us))
    while memory and memory[first := next(iter(memory))].at_us < today_us:
        del memory[first]
    memory[event.conversation] = Dialled(at_us=event.at_us, agent=event.agent, number=event.number)


def refusal(state: State, agent: str, number: str) -> Refusal | None:
    """Why the agent may not call that number any more today; None when they may."""
    rules = state.rules
    if number in rules.directory or not (rules.calls_per_agent or rules.calls_per_number):
        return None
    today_us = day_start_us(local_day(state.now.utc_us))
    today = [d for d in state.dialled.values() if d.at_us >= today_us and d.number not in rules.directory]
    if rules.calls_per_agent and sum(d.agent == agent for d in today) >= rules.calls_per_agent:
        return refuse(Code.OUTBOUND_QUOTA)
    line = complete(number, rules.area_code)
    if rules.calls_per_number:
        calls = sum(complete(d.number, rules.area_code) == line for d in today)
        return refuse(Code.NUMBER_QUOTA) if calls >= rules.calls_per_number else None
    return None
