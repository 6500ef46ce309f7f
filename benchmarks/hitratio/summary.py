"""Owns the arithmetic over rows, and the goals: differences, gaps to the best, means. It replays and prints nothing.

All figures are points of percent. A gap is what the best of a family has more than the default policy: negative where
the default is better than all of them. Invariant: the best is chosen anew for each row, a best single policy once for
all rows.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Any

from benchmarks.hitratio.cells import ADAPTIVE, FAMILY, REFERENCE_NAMES
from benchmarks.traces.goals import at_least, at_most

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.traces.goals import Goal

Row = dict[str, Any]

EXACT, LIRS_BELOW, W_TINYLFU_BELOW = 0.1, 3.0, 1.5
"""How far a policy may be from the reference: most in either direction, two of them only below it."""

TABLE_MEAN, TABLE_WORST, WIDE_MEAN, WIDE_WORST = 0.3, 3.0, 0.5, 4.0
OVER_SINGLE, OVER_LIRS, BELOW_BY_BYTES = 1.0, 4.0, 1.0
HIT_RATIO, TRACE_RATIO = 0.5, 2.0


def place(row: Row) -> str:
    """Name a row's trace and capacity."""
    return f"{row['trace']} {row['capacity']:,}"


def differences(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return for each policy how far it is at most above and below the reference, and where it is furthest."""
    told = []
    published = [row for row in rows if row["part"] == "table" and row["reference"]]
    for policy, name in REFERENCE_NAMES.items():
        each = [
            (row["hit"][policy] - row["reference"][name], place(row)) for row in published if name in row["reference"]
        ]
        if each:
            furthest, where = max(each, key=lambda pair: abs(pair[0]))
            above, below = max(0.0, max(each)[0]), max(0.0, -min(each)[0])
            told.append({"policy": policy, "above": above, "below": below, "furthest": furthest, "at": where})
    return told


def of_reference(row: Row) -> dict[str, float]:
    """Return the hit ratios of the family as the reference has them."""
    return {name: row["reference"][name] for name in FAMILY if name in row["reference"]}


def of_own(row: Row) -> dict[str, float]:
    """Return the hit ratios of our own implementations of the family."""
    return {name: row["hit"][name] for name in REFERENCE_NAMES}


def gaps(rows: Sequence[Row], family: Callable[[Row], dict[str, float]]) -> dict[str, Any] | None:
    """Compare the default policy with the best of a family for each row, and with its best single member for all.

    Returns:
        None where no row has figures of the family.
    """
    compared = [(row, members) for row in rows if (members := family(row))]
    if not compared:
        return None
    each = [(max(members.values()) - row["hit"][ADAPTIVE], place(row)) for row, members in compared]
    worst, where = max(each)
    means = {name: fmean(members[name] for _, members in compared) for name in compared[0][1]}
    single = max(means, key=means.__getitem__)
    own = fmean(row["hit"][ADAPTIVE] for row, _ in compared)
    # What each member would lose against the best, were it the default.
    alone = {name: fmean(max(members.values()) - members[name] for _, members in compared) for name in means}
    return {
        "cells": len(compared),
        "mean_gap": fmean(gap for gap, _ in each),
        "worst_gap": worst,
        "worst_at": where,
        "best_single": single,
        "over_best_single": own - means[single],
        "mean_gap_of_each": alone,
    }


def joins(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return mean hit ratios over the joined traces; None where there are none."""
    if not rows:
        return None
    means = {policy: fmean(row["hit"][policy] for row in rows) for policy in rows[0]["hit"]}
    return {"cells": len(rows), "mean_hit": means, "over_lirs": means[ADAPTIVE] - means["lirs"]}


def by_bytes(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Compare object hits with GDSF's and byte hits with ARC's, the reference's where there are any, else ours.

    Returns:
        None where there are no rows.
    """
    if not rows:
        return None
    objects, of_bytes = [], []
    for row in rows:
        gdsf = row["reference"].get("GDSF", (row["hit"]["gdsf"], 0))[0]
        arc = row["reference"].get("ARC", (0, row["byte_hit"]["arc"]))[1]
        objects.append((row["hit"][f"{ADAPTIVE} (objects)"] - gdsf, place(row)))
        of_bytes.append((row["byte_hit"][f"{ADAPTIVE} (bytes)"] - arc, place(row)))
    return {
        "cells": len(rows),
        "least_over_gdsf": min(objects)[0],
        "least_over_gdsf_at": min(objects)[1],
        "mean_over_gdsf": fmean(points for points, _ in objects),
        "least_over_arc": min(of_bytes)[0],
        "least_over_arc_at": min(of_bytes)[1],
        "mean_over_arc": fmean(points for points, _ in of_bytes),
    }


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Return all comparisons; those without rows are None."""
    parts = {part: [row for row in rows if row["part"] == part] for part in ("table", "wide", "joined", "bytes")}
    return {
        "differences": differences(rows),
        "table": gaps(parts["table"], of_reference),
        "table_own": gaps(parts["table"], of_own),
        "wide": gaps(parts["wide"], of_own),
        "joined": joins(parts["joined"]),
        "joined_gaps": gaps(parts["joined"], of_own),
        "bytes": by_bytes(parts["bytes"]),
    }


def goals(told: dict[str, Any], costs: dict[str, Any] | None) -> list[Goal]:
    """Return each goal with what was measured; those of comparisons that were not made are left out."""
    made = [_near(line) for line in told["differences"]]
    if (table := told["table"]) is not None:
        made += [
            at_most("mean gap to the best of the family, table", table["mean_gap"], TABLE_MEAN),
            at_most("worst gap, table", table["worst_gap"], TABLE_WORST),
            at_least("above the best single policy, table", table["over_best_single"], OVER_SINGLE),
        ]
    if (wide := told["wide"]) is not None:
        made += [
            at_most("mean gap to the best of the family, other sizes", wide["mean_gap"], WIDE_MEAN),
            at_most("worst gap, other sizes", wide["worst_gap"], WIDE_WORST),
        ]
    if (changes := told["joined"]) is not None:
        made.append(at_least("above LIRS, joined traces", changes["over_lirs"], OVER_LIRS))
    if (sizes := told["bytes"]) is not None:
        made += [
            at_least("object hits above GDSF's, by bytes", sizes["least_over_gdsf"], -BELOW_BY_BYTES),
            at_least("byte hits above ARC's, by bytes", sizes["least_over_arc"], -BELOW_BY_BYTES),
        ]
    if costs is not None:
        each = [line["ratio"] for line in costs["traces"]]
        made += [
            at_most("a hit, in times of an LRU's with a lock", costs["hits"][ADAPTIVE]["ratio"], HIT_RATIO),
            at_most("a read that hits, in times of the LRU's", costs["reads"][ADAPTIVE]["ratio"], HIT_RATIO),
            at_most("whole traces on average, in times of the LRU's", fmean(each), TRACE_RATIO),
            at_most("the dearest whole trace, in times of the LRU's", max(each), TRACE_RATIO),
        ]
    return made


def _near(line: dict[str, Any]) -> Goal:
    bounds = {"lirs": LIRS_BELOW, "w-tinylfu": W_TINYLFU_BELOW}
    if line["policy"] in bounds:
        return at_most(f"{line['policy']} below the reference", line["below"], bounds[line["policy"]])
    return at_most(f"{line['policy']} from the reference", abs(line["furthest"]), EXACT)
