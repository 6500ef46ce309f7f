"""Owns the result as a table in Markdown, for the README."""

from __future__ import annotations

from typing import Any

from benchmarks.keeping import libraries
from benchmarks.markdown import table
from benchmarks.reduction.table import described, percent, title

_PEERS = ("zlib-6", "zstd-3", "blosc2", "xz whole")
_MEGABYTE = 1 << 20


def markdown(result: dict[str, Any]) -> str:
    """Return the reductions, the founding table, and where they come from."""
    return "\n".join([*_reductions(result["corpora"]), "", *_founding(result["founding"]), f"{libraries(result)}."])


def _reductions(rows: list[dict[str, Any]]) -> list[str]:
    headers = ["% less", "values", "MB", "stratakv", *_PEERS, "RAM + disk / objects", "recall@10"]
    lines = []
    for row in rows:
        peers = [percent(row["peers"].get(name)) if row["loss"] is None else "" for name in _PEERS]
        recall = (row["accuracy"] or {}).get("recall_at_10")
        lines.append(
            [
                title(row),
                f"{row['records']:,}",
                f"{row['plaintext_bytes'] / _MEGABYTE:.1f}",
                f"**{percent(row['payload_reduction'])}**",
                *peers,
                percent(row["total_reduction"]),
                "" if recall is None else f"{recall:.3f}",
            ]
        )
    return table(headers, lines)


def _founding(lines: list[dict[str, Any]]) -> list[str]:
    if not lines:
        return []
    cells = [
        [
            line["kind"],
            f"{line['target_percent']}%",
            f"{line['payload_percent']:.1f}%",
            "met" if line["met"] else "missed",
            described(line),
        ]
        for line in lines
    ]
    return [*table(["kind", "target", "measured", "", "on"], cells), ""]
