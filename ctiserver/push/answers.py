"""Owns the answers given of late, so that a command sent twice under one key is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from ctiserver.api.commands import Code, Refusal, Request, refuse

REMEMBER_US = 60_000_000
MOST = 20_000

Result = dict[str, str] | Refusal


class _Given(msgspec.Struct, frozen=True):
    question: bytes
    result: asyncio.Future[Result]
    until_us: int


class AnswerLost(Exception):
    """The command that this one repeats broke down before it was answered."""


class Answers:
    """By person and key. A second asker waits for the first one's answer and gets the same."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], _Given] = {}

    async def once(
        self, person: str, request: Request, ask: Callable[[], Awaitable[Result]], now_us: int
    ) -> Result:
        """The answer to the request: from `ask`, or the one remembered for 60 s under the request's key."""
        if not request.key:
            return await ask()
        self._forget(now_us)
        name = (person, request.key)
        question = request.op.encode() + b" " + bytes(request.args)
        given = self._given.get(name)
        if given is not None:
            is_same = given.question == question
            return await asyncio.shield(given.result) if is_same else refuse(Code.BAD_MESSAGE)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._given[name] = _Given(question, result, now_us + REMEMBER_US)
        try:
            answer = await ask()
        except BaseException:
            # Nobody knows what was done: who waits for the answer loses the connection, as its asker does.
            self._given.pop(name, None)
            result.set_exception(AnswerLost())
            result.exception()  # if nobody waits, nobody is to be told
            raise
        result.set_result(answer)
        return answer

    def _forget(self, now_us: int) -> None:
        while self._given:
            name, given = next(iter(self._given.items()))
            if given.until_us > now_us and len(self._given) < MOST:
                return
            del self._given[name]
