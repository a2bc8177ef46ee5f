"""Owns how a caller's way through the IVR is written down (`HOTLINE_IVR_PATH`) and told to agents. Pure.

Steps joined by dots: a letter for what was played or done, the keys that answered, and after @ the seconds it
took: `g@5.r@2.m3@4.s20261124-0001@11.t0@12.q`. docs/design.md has the letters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

PATH_VARIABLE = "HOTLINE_IVR_PATH"
"""Channel variable that says which way through the IVR a call took; set at the beginning of each step."""
LONGEST = 1000
"""Characters of a way that are kept: what is longer came from somebody who plays with the keys."""
_STEP = re.compile(r"([a-z])([0-9*#-]{0,24})(?:@([0-9]{1,6}))?")
_LAST = "qevk"
"""Letters that lead out of the IVR: to the queue, as an emergency, to leave a message, to be called back."""
_WORDS = {
    "b": "来电在骚扰名单",
    "f": "座席全忙",
    "h": "非工作时间",
    "w": "应急模式",
    "l": "改用其他语言",
    "n": "查询案件未找到",
    "o": "案件暂时查不到",
    "u": "已催办",
    "v": "留言",
    "k": "要求回呼",
}
_ASKS = "mthf"
"""Letters of questions to which 0 asks for a person."""
_LOOP = 3
LETTERS = {
    "g": "greeting", "r": "recording notice", "a": "announcement", "w": "emergency mode", "h": "out of hours",
    "b": "nuisance caller", "m": "main menu", "l": "another language",
    "c": "case number, or number to call back", "d": "last digits of the phone", "s": "case told",
    "n": "case not found", "o": "database away", "t": "question after that", "u": "urged",
    "f": "long wait, something else offered", "q": "to the queue", "v": "to a message", "k": "to a callback",
    "e": "emergency number typed", "x": "another number to call back",
}  # fmt: skip
"""What each letter stands for."""
LETTERS_ZH = {
    "g": "问候语", "r": "录音告知", "a": "公告", "w": "应急模式", "h": "非工作时间", "b": "骚扰号码",
    "m": "主菜单", "l": "改用其他语言", "c": "输入工单编号或确认回呼号码", "d": "输入电话后四位",
    "s": "播报工单", "n": "没有找到工单", "o": "数据库不可用", "t": "之后的选择", "u": "催办",
    "f": "座席全忙，另作选择", "q": "去排队", "v": "去留言", "k": "去回呼", "e": "输入紧急号码",
    "x": "输入其他回呼号码",
}  # fmt: skip
"""The same on pages."""
_MENUS = "mtf"
"""Letters of questions that a key answers: the main menu, and what to do about a case."""


class Step(msgspec.Struct, frozen=True):
    """One step: its letter, the keys that answered it, and how long it took; `seconds` None when it was the
    last and did not end.
    """

    code: str
    key: str = ""
    seconds: int | None = None


def write(steps: tuple[Step, ...]) -> str:
    """The way as a channel variable holds it."""
    return ".".join(s.code + s.key + ("" if s.seconds is None else f"@{s.seconds}") for s in steps)


def read(path: str) -> tuple[Step, ...]:
    """The steps of a way; what is no step is passed over, for the path comes over the network."""
    found = (_STEP.fullmatch(part) for part in path[:LONGEST].split("."))
    return tuple(Step(f[1], f[2], int(f[3]) if f[3] else None) for f in found if f is not None)


def is_finished(path: str) -> bool:
    """Whether the IVR led the caller on by itself."""
    steps = read(path)
    return bool(steps) and steps[-1].code in _LAST


def failure(status: str, path: str) -> str:
    """Why the IVR did not lead the caller on: `unreachable`, `late`, `broken`; "" when it did, or when the
    caller hung up. `status` is AGISTATUS, or TIMEOUT and GONE as the dialplan has them.
    """
    if status == "GONE" or is_finished(path):
        return ""
    return {"FAILURE": "unreachable", "NOTFOUND": "unreachable", "TIMEOUT": "late"}.get(status, "broken")


def words(path: str) -> str:
    """The way as agents read it: 查询案件 20261124-0001，12 秒后按 0; "" when it says nothing to them."""
    return "，".join(word for step in read(path) if (word := _word(step)))


def seconds(path: str) -> int:
    """How long the caller was in the IVR, as far as it is known."""
    return sum(step.seconds or 0 for step in read(path))


def _word(step: Step) -> str:
    if step.code == "s":
        return f"查询案件 {step.key}"
    if step.code == "e":
        return f"输入 {step.key}"
    if step.code in _MENUS and step.key:
        return f"{step.seconds} 秒后按 {step.key}" if step.seconds else f"按 {step.key}"
    return _WORDS.get(step.code, "")


class Figures(msgspec.Struct, kw_only=True):
    """What callers did in the IVR, counted from their ways; each dict by the step's letter."""

    calls: int = 0
    reached: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls that came to that step."""
    pressed_0: dict[str, int] = msgspec.field(default_factory=dict)
    """Times that a person was asked for there."""
    hung_up: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls that ended there."""
    looped: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls that came there three times or more."""
    failed: dict[str, int] = msgspec.field(default_factory=dict)
    """Calls that the IVR failed, by `failure`."""


def count(ways: Iterable[tuple[str, str]]) -> Figures:
    """Count ways; each is a path and its failure."""
    found = Figures()
    for path, why in ways:
        steps = read(path)
        found.calls += 1
        times = Counter(step.code for step in steps)
        _add(found.reached, times)
        _add(found.pressed_0, [step.code for step in steps if step.code in _ASKS and step.key == "0"])
        _add(found.looped, [code for code, often in times.items() if often >= _LOOP])
        if why:
            _add(found.failed, [why])
        elif steps and not is_finished(path):
            _add(found.hung_up, [steps[-1].code])
    return found


def _add(counts: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        counts[name] = counts.get(name, 0) + 1
