"""Owns the report for people: a table for each table of vectors, what decoding takes, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.keeping import source
from benchmarks.reduction.table import aligned, percent
from benchmarks.traces.goals import goal_lines
from benchmarks.vectors.summary import less

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = ("kept as", "bound", "% less", "with model", "alone", "model KB", "recall@10", "mean cosine", "least cosine")

LEGEND = """\
  % less      than float32: encoded bytes in blocks of 256 KB; with model: the learned model counted too
  alone       the same with every vector encoded by itself, as in RAM; in stores the payloads of their hot tables
  rotated     by a model learned from every other row; past the bound: a store keeps such vectors in other ways
  store       packs of a store, settled, that began with nothing; its models, and with catalog below all of its rows
  others      steps of a vector's greatest magnitude, signs, float16; zstd-19 over blocks where that is smaller
  recall@10   which share of the exact ten nearest is found among what is kept, by the questions in full precision"""


def report(result: dict[str, Any]) -> list[str]:
    """Return the whole report as lines."""
    lines = [source(result)]
    for table in result["tables"]:
        lines += ["", heading(table), *aligned(HEADERS, list(cells(table)))]
        lines += [f"  {line}" for line in remarks(table)]
    lines += ["", *LEGEND.splitlines()]
    lines += [f"left out: {line}" for line in result["left_out"]]
    return [*lines, "", *goal_lines(result["goals"])]


def heading(table: dict[str, Any]) -> str:
    """Say what a table is."""
    return (
        f"{table['name']}: {table['vectors']:,} vectors of {table['dimension']} float32, {table['questions']} questions"
    )


def cells(table: dict[str, Any]) -> Iterator[list[str]]:
    """Yield a line for each way of keeping the vectors."""
    for row in table["rows"]:
        model = row.get("model")
        single = 1 - row["in_ram_share"] if "in_ram_share" in row else less(table, row["single"])
        yield [
            row["way"],
            f"{row['bound']:g}" if "bound" in row else "",
            percent(less(table, row["bytes"])),
            "" if model is None else percent(less(table, row["bytes"] + model)),
            percent(single),
            "" if model is None else f"{model / 1024:.0f}",
            f"{row['recall']:.4f}",
            f"{row['mean_cosine']:.5f}" if "mean_cosine" in row else "",
            f"{row['least_cosine']:.5f}" if "least_cosine" in row else "",
        ]


def remarks(table: dict[str, Any]) -> Iterator[str]:
    """Yield what the columns do not tell."""
    rotated = [row for row in table["rows"] if row["way"] == "rotated"]
    if rotated:
        each = ", ".join(f"{row['bound']:g} {percent(1 - row['unseen_share'])}" for row in rotated)
        yield f"% less on the half that no model was learned from: {each}"
        past = ", ".join(f"{row['bound']:g} {row['past_bound']}" for row in rotated)
        yield f"vectors past the bound: {past}"
        if any(row["unnamed"] for row in rotated):
            unnamed = ", ".join(f"{row['bound']:g} {row['unnamed']}" for row in rotated)
            yield f"vectors that the model could not name again, counted as they are: {unnamed}"
    for row in table["rows"]:
        if "catalog" in row:
            whole = less(table, row["bytes"] + row["model"] + row["catalog"])
            yield f"{row['way']} {row['bound']:g}: with all of the catalog {percent(whole)}"
    if table["times"] is not None:
        yield from _times(table["times"])


def _times(times: dict[str, Any]) -> Iterator[str]:
    for name, words in (("single", "one vector"), ("block", "a vector in a block")):
        ratio, us = times[f"{name} / int8"], times["us"]
        yield (
            f"decoding {words}: {us[name]:.1f} us, {ratio['median']:.1f} times int8 by numpy "
            f"({ratio['low']:.1f} to {ratio['high']:.1f}); threads of BLAS: {times['threads']}"
        )
