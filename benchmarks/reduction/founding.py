"""Owns the founding table: what each kind of memory was to lose, and which corpora stand for it.

Judged is the settled payload against the serialised values. The vectors stand there with int4 loss allowed.
"""

from __future__ import annotations

from typing import Any

from benchmarks.reduction.corpora import ROWS
from stratakv.cli.demonstration.workload import TARGETS, TOTAL_TARGET

VECTORS = "vec_minilm384"
VECTOR_LOSS = "int4"


def founding(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a line for each kind that was measured, and one for all of them together by bytes."""
    chosen = {kind: _chosen(kind, rows) for kind in TARGETS}
    lines = [_line(kind, TARGETS[kind], found) for kind, found in chosen.items() if found]
    if len(lines) > 1:
        lines.append(_line("total", TOTAL_TARGET, [row for found in chosen.values() for row in found]))
    return lines


def _chosen(kind: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    lossless = [row for row in rows if row["loss"] is None]
    if kind == "vectors":
        return _vectors(rows)
    if kind == "semantic":
        return [row for row in lossless if row["corpus"].startswith("kg_") or row["corpus"] == kind]
    names = {"episodic": {"tau_airline_messages", kind}, "session": {"tau_db", kind}}[kind]
    return [row for row in lossless if row["corpus"] in names]


def _vectors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows stored one by one rather than the whole table, with loss rather than without."""
    for name in (VECTORS + ROWS, VECTORS, "vectors"):
        for loss in (VECTOR_LOSS, None):
            found = [row for row in rows if (row["corpus"], row["loss"]) == (name, loss)]
            if found:
                return found
    return []


def _line(kind: str, target: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    summed = ("plaintext_bytes", "payload_bytes", "live_bytes", "total_bytes", "records", "changed")
    plain, payload, live, total, records, changed = (sum(row[name] for row in rows) for name in summed)
    percent = 100 * (1 - payload / plain) if plain else 0.0
    return {
        "kind": kind,
        "corpora": [row["corpus"] for row in rows],
        "loss": next((row["loss"] for row in rows if row["loss"] is not None), None),
        "records": records,
        "changed": changed,
        "target_percent": target,
        "payload_percent": percent,
        "met": percent >= target,
        "total_percent": 100 * (1 - total / live) if live else 0.0,
    }
