"""Owns what follows from the sizes: shares saved, their means, and the goals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.large.peers import PEERS
from benchmarks.large.sizes import WAYS
from benchmarks.traces.goals import at_least, at_most

if TYPE_CHECKING:
    from benchmarks.traces.goals import Goal

DEFAULT = "default"
OURS = ("packs", "with catalog", "all files")
_SHOWN = [f"{way}, {what}" for way in WAYS for what in OURS if what != OURS[-1] or way == DEFAULT]
COLUMNS = (*_SHOWN, *PEERS)


def shares(row: dict[str, Any], empty: dict[str, int], when: str) -> dict[str, float]:
    """Return the shares saved by our ways with all versions stored; `when` is `together` or `one_by_one`."""
    made: dict[str, float] = {}
    for way in WAYS:
        found = row["ours"][way][when]
        sizes = found if when == "together" else found[-1]
        held = (sizes["payload"], sizes["payload"] + sizes["catalog"] - empty["catalog"], sizes["files"])
        made |= {f"{way}, {what}": 1 - size / row["bytes"] for what, size in zip(OURS, held, strict=True)}
    return made


def peer_shares(row: dict[str, Any]) -> dict[str, float]:
    """Return the shares saved by the others with all versions."""
    return {name: 1 - sizes[-1] / row["bytes"] for name, sizes in row["peers"].items()}


def mean_of(each: list[dict[str, float]]) -> dict[str, float]:
    """Return the means over documents, each of which counts alike."""
    return {name: sum(one[name] for one in each) / len(each) for name in each[0]}


def summary(result: dict[str, Any]) -> dict[str, Any]:
    """Return shares of each document and their means."""
    rows, empty = result["documents"], result["empty"]
    made: dict[str, Any] = {"documents": {}}
    for row in rows:
        made["documents"][row["name"]] = {when: shares(row, empty, when) for when in ("together", "one_by_one")}
        made["documents"][row["name"]]["peers"] = peer_shares(row)
    each = list(made["documents"].values())
    made["mean"] = {name: mean_of([one[name] for one in each]) for name in ("together", "one_by_one", "peers")}
    return made


def goals(result: dict[str, Any]) -> list[Goal]:
    """Return what was wanted beside what was measured, for the parts that ran."""
    made: list[Goal] = []
    if result["summary"] is not None:
        for when, words in (("together", "settled at once"), ("one_by_one", "settled one by one")):
            mean = result["summary"]["mean"][when]
            made.append(at_least(f"% less on average, {words}", 100 * mean[f"{DEFAULT}, packs"], 93))
            made.append(at_least(f"% less with the catalog, {words}", 100 * mean[f"{DEFAULT}, with catalog"], 93))
    if result["stream"] is not None:
        made.append(at_most("MB of RAM at the most, streaming", result["stream"]["peak_mb"], 300))
    return made
