"""Owns the report for people: sizes, reductions, times, the founding table, and what the words mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import source
from benchmarks.reduction.peers import PEERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Row = dict[str, Any]
_MEGABYTE = 1 << 20

LEGEND_SIZES = """\
  live     Python objects that a plain dict with these values holds, keys included, shared objects counted once
  plain    the same values serialised
  RAM      before settling: the hot table with all its objects, measured (by the store's own count: stat)
  packs    files that hold the values, settled; all of them lie in the cold tier then
  dict     trained dictionaries; they lie in the catalog's file
  catalog  the catalog's file, dictionaries included
  journal, warm, other   what else is on disk: journal, the warm tier's own database, filter, reserve, small files
  B/key    the catalog for each key beyond the key itself; few keys share a fixed price of about 0.2 MB"""
LEGEND_REDUCTION = """\
  All in percent less; negative: more.
  in RAM   payloads in RAM against their plain bytes, before settling, dictionaries aside
  payload  packs, their headers and indexes, and dictionaries, against plain, settled: what stratakv saves
  zlib-6 … blosc2   each value compressed alone; xz whole: all values as one file, so none can be read alone
  total    all RAM and disk of the settled store, catalog and fixed costs included, against live"""
TIMES = ("store", "encode", "hot", "decode", "deserialise", "cold")
LEGEND_TIMES = """\
  us       microseconds, the median of single calls: store, of which encode; retrieve from RAM (hot), of which decode
           and deserialise; retrieve from the settled store (cold)
  recall   which share of the true ten nearest is found among the vectors that came back
  error    the worst error of a number, as a share of the largest number in its vector
  cosine   the least cosine of a vector with what came back for it
  edges    which share of the edges is kept
  changed  values that lost something; the others would have been past the bound and were kept exactly
  Every value came back equal and of the same type from RAM, from cold and after reopening; with loss: within its
  bound, and then always the same."""


def aligned(headers: Sequence[str], lines: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Return lines of text in columns, those whose numbers are in `left` to the left, all others to the right."""
    table = [list(headers), *map(list, lines)]
    widths = [max(len(line[column]) for line in table) for column in range(len(headers))]
    made = []
    for line in table:
        cells = enumerate(zip(line, widths, strict=True))
        padded = (text.ljust(width) if column in left else text.rjust(width) for column, (text, width) in cells)
        made.append("  ".join(padded).rstrip())
    return made


def title(row: Row) -> str:
    """Return a corpus's name with the loss that it was allowed."""
    return f"{row['corpus']} {row['loss']}" if row["loss"] else str(row["corpus"])


def percent(share: float | None) -> str:
    """Say a share as percent with one digit."""
    return "-" if share is None else f"{100 * share:.1f}"


def _megabytes(count: float) -> str:
    return f"{count / _MEGABYTE:,.2f}"


def _fixed(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _sizes(row: Row) -> list[str]:
    disk, ram = row["disk"], row["ram"]
    packs = disk["cold_packs"] + disk["warm_packs"]
    numbers = [row["live_bytes"], row["plaintext_bytes"], ram["hot_bytes"], ram["hot_bytes_by_statistics"], packs]
    numbers += [disk["dictionaries"], disk["catalog"], disk["journal"], disk["warm"] - disk["warm_packs"]]
    numbers += [disk["other"] + disk["cold"] - disk["cold_packs"]]
    return [title(row), f"{row['records']:,}", *map(_megabytes, numbers), f"{row['catalog_bytes_per_key']:,.0f}"]


def _reductions(row: Row) -> list[str]:
    peers = [percent(row["peers"].get(name)) for name in PEERS] if row["loss"] is None else [""] * len(PEERS)
    ours = [percent(row["ram_reduction"]), percent(row["payload_reduction"])]
    return [title(row), *ours, *peers, percent(row["total_reduction"])]


def _times(row: Row) -> list[str]:
    took, accuracy = row["microseconds"], row["accuracy"] or {}
    return [
        title(row),
        *(_fixed(took[name], 1) for name in TIMES),
        _fixed(accuracy.get("recall_at_10"), 4),
        _fixed(accuracy.get("worst_relative_error"), 4),
        _fixed(accuracy.get("least_cosine"), 4),
        _fixed(accuracy.get("edges_kept"), 3),
        "-" if row["loss"] is None else f"{row['changed']:,}",
    ]


_SIZE_HEADERS = ("corpus", "records", "live", "plain", "RAM", "stat", "packs", "dict", "catalog", "journal", "warm")
_SECTIONS: tuple[tuple[str, tuple[str, ...], Callable[[Row], list[str]], str], ...] = (
    ("Sizes in MB (1 MB = 1,048,576 bytes)", (*_SIZE_HEADERS, "other", "B/key"), _sizes, LEGEND_SIZES),
    ("Reduction in percent", ("corpus", "in RAM", "payload", *PEERS, "total"), _reductions, LEGEND_REDUCTION),
    (
        "Times and accuracy",
        ("corpus", *(f"{name} us" for name in TIMES), "recall", "error", "cosine", "edges", "changed"),
        _times,
        LEGEND_TIMES,
    ),
)


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    rows = result["corpora"]
    lines = [source(result)]
    if result["quick"]:
        lines.append("so little of each corpus that a store's fixed costs decide the total")
    for heading, headers, cells, legend in _SECTIONS:
        lines += ["", heading, *aligned(headers, [cells(row) for row in rows]), "", *legend.splitlines()]
    lines += founding_lines(result["founding"])
    lines += ["", *(f"left out: {line}" for line in result["left_out"])] if result["left_out"] else []
    return lines


def founding_lines(lines: list[Row]) -> list[str]:
    """Return the founding table as lines; nothing where no corpus stands for a kind."""
    if not lines:
        return []
    headers = ("kind", "target", "payload", "", "total", "measured on")
    cells = [
        [
            line["kind"],
            f"{line['target_percent']}%",
            f"{line['payload_percent']:.1f}%",
            "met" if line["met"] else "missed",
            f"{line['total_percent']:.1f}%",
            described(line),
        ]
        for line in lines
    ]
    return [
        "",
        "The founding targets: payload less than serialised; total as above, by bytes",
        *aligned(headers, cells, left=(0, 3, 5)),
    ]


def described(line: Row) -> str:
    """Say what a line of the founding table was measured on."""
    if line["kind"] == "total":
        return "all of these together, by bytes"
    names = " + ".join(line["corpora"])
    if line["loss"] is None:
        return f"{names}, without loss" if line["kind"] == "vectors" else names
    taken = (
        "" if line["changed"] == line["records"] else f", taken by {line['changed']:,} of {line['records']:,} values"
    )
    return f"{names}, {line['loss']} loss allowed{taken}"
