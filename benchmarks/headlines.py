"""Owns which few figures of docs/benchmarks.md stand in README.md, and finds them in its tables. Measures nothing."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.markdown import table


class Headline(NamedTuple):
    """A figure to be shown.

    Attributes:
        suite: The benchmark in whose tables it stands.
        row: What the first cell of its row begins with; the first such row of the first table that has the columns.
        words: What is said of it.
        column: The column of the figure.
        beside: The column of what it is to be compared with.
        peer: Words before that; by default it is the goal and speaks for itself.
    """

    suite: str
    row: str
    words: str
    column: str = "measured"
    beside: str = "goal"
    peer: str = ""


HEADLINES = (
    Headline("reduction", "tau_airline_messages", "JSON messages, % saved", "stratakv", "zstd-3", "zstd-3 each: "),
    Headline("reduction", "numeric_columns", "columns of numbers, % saved", "stratakv", "blosc2", "blosc2: "),
    Headline("reduction", "kg_wn18rr", "a graph's edges, % saved", "stratakv", "xz whole", "xz over all: "),
    Headline("large", "mean", "versions of documents, % saved", "packs", "zstd-19 each", "zstd-19 each: "),
    Headline(
        "vectors",
        "vec_minilm384: % less in blocks at recall 0.985, model counted",
        "vectors with allowed loss, % saved at recall@10 of 0.985, the learned model counted",
    ),
    Headline(
        "overhead", "hot retrieve, in times of its floor", "a read from RAM, in times of decoding alone", beside="must"
    ),
    Headline("overhead", "hot retrieve, times faster", "a read from RAM, times faster than diskcache", beside="must"),
    Headline("overhead", "store, times faster", "a write, times faster than diskcache", beside="must"),
    Headline(
        "overhead", "stores in a row", "writes in a row, all background work included, times faster", beside="must"
    ),
    Headline(
        "peers",
        "hot: diskcache",
        "the same read in turns with ten other stores, vectors among the values, times faster",
    ),
    Headline("peers", "set: diskcache", "the same write, times faster"),
    Headline("peers", "disk: ", "bytes on disk, as a share of diskcache's"),
    Headline("peers", "acknowledged values", "acknowledged values lost by kill -9"),
    Headline(
        "durability",
        "stratakv sync, 16 threads",
        "writes that survive a power loss, 16 threads, times faster than diskcache",
    ),
    Headline("concurrency", "p99.9 in ms", "p99.9 of reads from RAM beside background work, in ms"),
    Headline("scale", "10M: RAM", "RAM at 10 million keys, MB beyond imports"),
    Headline("scale", "10M: retrieve, hot", "reads from RAM at 10 million keys, times those at the fewest"),
    Headline(
        "hitratio",
        "above the best single policy, table",
        "hit ratio of the default eviction over the best single policy, in points",
    ),
    Headline(
        "adaptive",
        "tuned, of hindsight's best static threshold: mean",
        "cost of tuned thresholds, in times of the best fixed ones that hindsight finds",
    ),
)
_HEADERS = ["what", "measured", "beside", "more"]


def headline_table(suites: dict[str, str], page: str) -> list[str]:
    """Return the table for the README.

    Args:
        suites: The tables in Markdown by benchmark; what they lack is left out.
        page: Where they stand, as a link.
    """
    rows = []
    for headline in HEADLINES:
        found = _cells(headline, suites.get(headline.suite, ""))
        if found is not None:
            link = f"[{headline.suite}]({page}#{headline.suite})"
            rows.append([headline.words, f"**{found[0]}**", f"{headline.peer}{found[1]}", link])
    return table(_HEADERS, rows)


def _cells(headline: Headline, text: str) -> tuple[str, str] | None:
    """Return the figure and what stands beside it."""
    columns: list[str] = []
    before = False
    for line in text.splitlines():
        inside = line.startswith("|")
        cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")] if inside else []
        if inside and not before:
            columns = cells
        elif inside and cells[0].startswith(headline.row) and {headline.column, headline.beside} <= set(columns):
            return cells[columns.index(headline.column)], cells[columns.index(headline.beside)]
        before = inside
    return None
