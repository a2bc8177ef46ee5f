"""Owns `make bench` and `python -m bench [NAME…]`: measures, compares with the bars, exits 1 if one is
missed. What takes half an hour (`LONG`) is measured only by name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import casework, cost, fanout, intake, ivr, memory, pop, three_way

Figures = dict[str, float]
Verdicts = list[tuple[str, float, str, bool]]
"""What, how much, its bar in words, whether it holds."""

OUT = Path("build/bench.json")


def of_intake(found: Figures) -> Verdicts:
    """AMI in, against panoramisk's mere parsing."""
    ratio = found["ratio"]
    return [("AMI intake with the model ÷ panoramisk's parsing", ratio, "≥ 3", ratio >= intake.BAR)]


def of_memory(found: Figures) -> Verdicts:
    """What many calls leave behind."""
    ratio = found["ratio"]
    return [("memory after 10,000 calls ÷ after 500", ratio, "≤ 1.05", ratio <= memory.BAR)]


def of_fanout(found: Figures) -> Verdicts:
    """Pushes to many."""
    ratio = found["ratio"]
    return [("push to 500 clients, p99 ÷ bare broadcast", ratio, "≤ 1.3", ratio <= 1.3)]


def of_pop(found: Figures) -> Verdicts:
    """Ring to screen with 57 seats that are never idle."""
    p50, p99 = found["p50_ms"], found["p99_ms"]
    return [
        ("calls without a pop", max(0, found["calls"] - found["pops"]), "0", found["pops"] >= found["calls"]),
        ("ring in AMI's socket → pop on the seat's, p50 ms", p50, "≤ 5", p50 <= pop.P50_BAR_MS),
        ("ring in AMI's socket → pop on the seat's, p99 ms", p99, "≤ 25", p99 <= pop.P99_BAR_MS),
    ]


def of_cost(found: Figures) -> Verdicts:
    """Real calls with sound, a minute each."""
    ratio = found["ratio"]
    return [
        ("calls lost", found["calls"] - found["records"], "0", found["calls"] == found["records"]),
        ("CTI's CPU ÷ Asterisk's, per call", ratio, "≤ 0.15", ratio <= cost.BAR),
    ]


def of_three_way(found: Figures) -> Verdicts:
    """From a click to a third phone, and what the two hear of it."""
    delay, bar = found["invite_p99_ms"], three_way.INVITE_BAR_MS
    verdicts = [("three-way click → INVITE, p99 ms", delay, "≤ 30", delay <= bar)]
    for who in ("citizen", "seat"):
        silence = found[f"{who}_silence_ms"]
        what = f"longest silence at the {who} as two become a room, ms"
        verdicts.append((what, silence, "≤ 40", silence <= three_way.SILENCE_BAR_MS))
    return verdicts


def of_ivr(found: Figures) -> Verdicts:
    """A hundred callers who hear prompts at once."""
    gap, ratio = found["gap_ms"], found["ratio"]
    return [
        ("longest gap of 100 callers in the IVR, ms", gap, "≤ 200", gap <= ivr.GAP_BAR_MS),
        ("CPU per caller in the IVR ÷ at Background()", ratio, "≤ 1.5", ratio <= ivr.RATIO_BAR),
    ]


def of_casework(found: Figures) -> Verdicts:
    """A year of a city, on both databases."""
    verdicts: Verdicts = []
    for kind in (kind for kind in casework.KINDS if f"{kind}_intake" in found):
        for page in casework.PAGES:
            delay = found[f"{kind}_{page}_p99_ms"]
            is_held = delay <= casework.PAGE_BAR_MS
            verdicts.append(
                (f"{kind}: {page} page at {found['cases']:.0f} cases, p99 ms", delay, "≤ 50", is_held)
            )
        taken, scores = found[f"{kind}_intake"], found[f"{kind}_scores_s"]
        is_taken = taken >= casework.INTAKE_BAR
        verdicts.append((f"{kind}: cases taken in a second meanwhile", taken, "≥ 200", is_taken))
        verdicts.append((f"{kind}: a month's scores, s", scores, "≤ 2", scores <= casework.SCORES_BAR_S))
    return verdicts


ALL: dict[str, tuple[Callable[[], Figures], Callable[[Figures], Verdicts]]] = {
    "intake": (intake.measure, of_intake),
    "fanout": (fanout.measure, of_fanout),
    "memory": (memory.measure, of_memory),
    "pop": (pop.measure, of_pop),
    "three_way": (three_way.measure, of_three_way),
    "ivr": (ivr.measure, of_ivr),
    "cost": (cost.measure, of_cost),
    "casework": (casework.measure, of_casework),
}
LONG = frozenset({"casework"})


def main(names: list[str]) -> int:
    """Measure those named, or all."""
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"bench: there is no {unknown[0]}; choose of {', '.join(ALL)}", file=sys.stderr)
        return 2
    console, table = Console(), Table("what", "measured", "bar", "", title="bench")
    found: dict[str, Figures] = {}
    holds = True
    for name in names or [name for name in ALL if name not in LONG]:
        console.print(f"measuring {name} …")
        measure, verdicts = ALL[name]
        found[name] = measure()
        for what, figure, bar, is_held in verdicts(found[name]):
            table.add_row(what, f"{figure:.2f}", bar, "ok" if is_held else "MISSED")
            holds = holds and is_held
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n")
    console.print(table)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
