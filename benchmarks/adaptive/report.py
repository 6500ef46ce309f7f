"""Owns the report for people: a table for each comparison, then what follows from it and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.adaptive.jobs import WAYS
from benchmarks.adaptive.settings import LONGEST, ONE_SIZE, RETUNES, spelled
from benchmarks.adaptive.summary import RULES
from benchmarks.keeping import source
from benchmarks.reduction.table import aligned
from benchmarks.traces.goals import goal_lines
from stratakv.policies.simulation.stakes import AT_STAKE

if TYPE_CHECKING:
    from benchmarks.adaptive.jobs import Row

_NAMES = {"tuned": "tuned", "pooled": "by size only", "break_even": "break-even", "founding": "1 h / 24 h"}
_ABOUT = f"""\
  Costs are those that thresholds change, in times of the best static size-normalised threshold of hindsight; only
  settings where keeping all and dropping all both cost {AT_STAKE:g} times that or more. Traces without a clock get one
  over the span; values without sizes {ONE_SIZE:,} bytes, or 1 to 100 KB by key (spread); at most {LONGEST:,} requests;
  retuned every 5 minutes or {RETUNES} times a span. "blocked" is the price of a second of whoever waits."""


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    rows, told = result["rows"], result["summary"]
    lines = [source(result)]
    if rows["thresholds"]:
        lines += ["", "Idle thresholds against hindsight", *_thresholds(rows["thresholds"]), "", *_ABOUT.splitlines()]
        lines += spread_lines(told["thresholds"])
    if rows["joined"]:
        lines += ["", "The second phase of joined traces, against its own hindsight", *_thresholds(rows["joined"])]
        lines += ["", *spread_lines(told["joined"])]
    if rows["ram"]:
        lines += [
            "",
            "Fixed RAM for several namespaces (and what a blocked second costs), of one global LRU's cost",
        ]
        cells = [
            [row["namespaces"], f"{row['share']:.0%}", f"{row['requests']:,}", *(f"{row[way]:.3f}" for way in WAYS)]
            for row in rows["ram"]
        ]
        lines += aligned(["namespaces", "RAM", "requests", *WAYS], cells)
        for way, costs in told["ram"]["ways"].items():
            lines.append(f"  {way}: {_told(costs)}")
    if result["day"] is not None:
        lines += ["", *day_lines(result["day"])]
    return [*lines, "", *goal_lines(result["goals"])]


def _thresholds(rows: list[Row]) -> list[str]:
    headers = ["trace", "span", "sizes", "edge", "blocked", *_NAMES.values(), "at stake", "retunes"]
    cells = [
        [
            row["trace"],
            spelled(row["span"]),
            row["sizes"],
            row["edge"],
            f"{row['blocked_second']:g}",
            *(f"{row[rule]:.3f}" for rule in RULES),
            f"{row['stake']:.2f}",
            f"{row['retunes']:,}",
        ]
        for row in rows
    ]
    return aligned(headers, cells, left=(0, 2, 3))


def spread_lines(told: dict[str, Any]) -> list[str]:
    """Return what rules cost as lines."""
    lines = [f"  {told['settings']} settings of {told['traces']} traces"]
    lines += [f"  {_NAMES[rule]}: {_told(costs)}" for rule, costs in told["rules"].items()]
    lines.append(f"  tuned at worst: {told['worst_at']}")
    return [*lines, f"  tuned of the founding hours: {_told(told['of_founding'])}"]


def _told(costs: dict[str, float]) -> str:
    return (
        f"mean {costs['mean']:.3f}, median {costs['median']:.3f}, 90th percentile {costs['ninetieth']:.3f}, "
        f"worst {costs['worst']:.3f}"
    )


def day_lines(day: dict[str, Any]) -> list[str]:
    """Return the simulated day as lines."""
    same = "the same" if day["same"] else "OTHERS"
    others = "others" if day["another_seed_differs"] else "THE SAME"
    lines = [
        f"{day['hours']:g} simulated hours of a store, telemetry every 10 s, retuned every 5 min",
        f"  {day['cpu_seconds']:.1f} s of processor time, {day['reads']:,} reads, {day['retunes']} retunes",
        f"  {day['changes']} changes kept; from the same seed {same}, from another {others}",
        "The founding targets (75% saved, 5% overhead) and what a tuner makes of the same accesses",
    ]
    cells = [
        [
            line["measured"],
            f"{line['rent_weight']:.2f}",
            f"{line['codec_factor']:.2f}",
            "-" if line["hot_idle_hours"] is None else f"{line['hot_idle_hours']:.2f}",
            line["why"],
        ]
        for line in day["targets"]
    ]
    headers = ["measured", "rent weighs", "codecs may", "hours in RAM", "why"]
    return [*lines, *(f"  {line}" for line in aligned(headers, cells, left=(0, 4)))]
