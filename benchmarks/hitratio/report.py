"""Owns the report for people: a table for each comparison, then what follows from it and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.hitratio.cells import ADAPTIVE, BELADY, FAMILY, REFERENCE_NAMES
from benchmarks.hitratio.costs import LRU
from benchmarks.keeping import source
from benchmarks.reduction.table import aligned
from benchmarks.traces.goals import goal_lines

if TYPE_CHECKING:
    from benchmarks.hitratio.summary import Row


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    rows, told = result["rows"], result["summary"]
    parts = {part: [row for row in rows if row["part"] == part] for part in ("table", "wide", "joined", "bytes")}
    lines = [source(result), "Hit ratios in percent of the reads"]
    if parts["table"]:
        lines += ["", "Ours, objects of one size", *_hits(parts["table"])]
        lines += ["", *_differences(told["differences"]), *_gaps("these sizes, reference family", told["table"])]
        lines += _gaps("these sizes, our implementations of the family", told["table_own"])
    if parts["wide"]:
        lines += ["", "Other sizes", *_hits(parts["wide"])]
        lines += ["", *_gaps("other sizes, our implementations of the family", told["wide"])]
    if parts["joined"]:
        lines += ["", "Traces one after another, keys of their own", *_hits(parts["joined"])]
        means = ", ".join(f"{name} {hit:.2f}" for name, hit in told["joined"]["mean_hit"].items())
        lines += ["", f"  mean: {means}", f"  {ADAPTIVE} over lirs: {told['joined']['over_lirs']:+.2f} points"]
        lines += _gaps("joined traces, our implementations of the family", told["joined_gaps"])
    if parts["bytes"]:
        lines += ["", "By bytes: object hits / byte hits (reference in brackets)", *_bytes(parts["bytes"])]
        lines += ["", *_by_bytes(told["bytes"])]
    if result["costs"] is not None:
        lines += ["", *costs_lines(result["costs"])]
    return [*lines, "", *goal_lines(result["goals"])]


def _hits(rows: list[Row]) -> list[str]:
    policies = list(rows[0]["hit"])
    headers = ["trace", "capacity", *policies]
    published = [name for name in FAMILY if any(name in row["reference"] for row in rows)]
    headers += ["best of the reference"] if published else []
    lines = []
    for row in rows:
        cells = [row["trace"], f"{row['capacity']:,}", *(f"{row['hit'][name]:.2f}" for name in policies)]
        if published:
            cells.append(_best(row))
        lines.append(cells)
    return aligned(headers, lines)


def _best(row: Row) -> str:
    found = [(row["reference"][name], name) for name in FAMILY if name in row["reference"]]
    return f"{max(found)[0]:.2f} {max(found)[1]}" if found else "-"


def _differences(found: list[dict[str, Any]]) -> list[str]:
    return [
        f"  {line['policy']} against the reference: at most {line['above']:.2f} above, {line['below']:.2f} below; "
        f"furthest at {line['at']}"
        for line in found
    ]


def _gaps(what: str, told: dict[str, Any] | None) -> list[str]:
    if told is None:
        return []
    each = sorted(told["mean_gap_of_each"].items(), key=lambda pair: pair[1])
    mean, worst, where = told["mean_gap"], told["worst_gap"], told["worst_at"]
    return [
        f"  {ADAPTIVE}, {what}, {told['cells']} cells:",
        f"    gap to the best of each cell {mean:+.2f} on average, {worst:+.2f} at worst ({where})",
        f"    {told['over_best_single']:+.2f} over {told['best_single']}, the best single one",
        f"    mean gaps of each: {', '.join(f'{name} {gap:.2f}' for name, gap in each)}",
    ]


def _bytes(rows: list[Row]) -> list[str]:
    policies = list(rows[0]["hit"])
    lines = []
    for row in rows:
        cells = [row["trace"], f"{row['capacity']:,}"]
        for name in policies:
            pair = f"{row['hit'][name]:.2f}/{row['byte_hit'][name]:.2f}"
            known = row["reference"].get(REFERENCE_NAMES.get(name, {"gdsf": "GDSF", BELADY: "Belady"}.get(name, "")))
            cells.append(pair if known is None else f"{pair} ({known[0]:.2f}/{known[1]:.2f})")
        lines.append(cells)
    return aligned(["trace", "bytes", *policies], lines)


def _by_bytes(told: dict[str, Any]) -> list[str]:
    return [
        f"  {ADAPTIVE} for {what} against {whom}: {told[f'mean_over_{key}']:+.2f} on average, "
        f"{told[f'least_over_{key}']:+.2f} at the least ({told[f'least_over_{key}_at']})"
        for what, whom, key in (("objects", "GDSF's object hits", "gdsf"), ("bytes", "ARC's byte hits", "arc"))
    ]


def costs_lines(costs: dict[str, Any]) -> list[str]:
    """Return times and weights as lines."""
    lines = [f"Processor time beside an {LRU}, medians of {costs['rounds']} interleaved rounds (quartiles)"]
    lines += aligned(
        ["policy", "hit ns", "ratio", "", "read ns", "ratio", "", "bytes a key", "by the policy"],
        [_cost(name, costs) for name in costs["hits"]],
        left=(0, 3, 6),
    )
    lines += ["", f"{ADAPTIVE} over the beginnings of whole traces, misses and evictions included"]
    return lines + aligned(
        ["trace", "capacity", "ns", "ratio", ""],
        [[line["trace"], f"{line['capacity']:,}", *_ratio(line)] for line in costs["traces"]],
        left=(0, 4),
    )


def _cost(name: str, costs: dict[str, Any]) -> list[str]:
    weight = costs["bytes_per_key"].get(name)
    weighed = ["", ""] if weight is None else [f"{weight['measured']:.0f}", f"{weight['by_the_policy']:.0f}"]
    return [name, *_ratio(costs["hits"][name]), *_ratio(costs["reads"][name]), *weighed]


def _ratio(line: dict[str, float]) -> list[str]:
    return [f"{line['ns']:.0f}", f"{line['ratio']:.2f}", f"({line['low']:.2f} to {line['high']:.2f})"]
