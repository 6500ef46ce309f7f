"""Owns a corpus's row of the report: what was seen on its way through a store, as sizes, reductions and accuracy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.reduction.loss import recall, vector_error
from benchmarks.reduction.run import travel
from benchmarks.reduction.sizes import deep_bytes
from stratakv.engine.serialization import Serializer

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.reduction.corpora import Corpus
    from benchmarks.reduction.loss import Loss
    from benchmarks.reduction.run import Way


@dataclass(slots=True)
class Prepared:
    """What is known of a corpus before any store sees it.

    Attributes:
        plaintexts: The serialised values, in the corpus's order.
        live_bytes: What a plain dict with all of it holds.
        peers: Bytes that others need for the same plaintexts.
    """

    corpus: Corpus
    plaintexts: list[bytes]
    live_bytes: int
    peers: dict[str, int | None] = field(default_factory=dict)


def prepare(corpus: Corpus) -> Prepared:
    """Serialise and measure a corpus; `peers` is left to the caller."""
    serializer = Serializer()
    plaintexts = [serializer.dumps(value) for value in corpus.items.values()]
    return Prepared(corpus, plaintexts, deep_bytes([corpus.items]))


def measure(
    prepared: Prepared, level: str, loss: Loss | None, progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Take the corpus through a store and return its row.

    Raises:
        UnsettledError: Values stay in the warm tier, however often the store is asked to settle.
    """
    return _row(prepared, loss, travel(prepared.corpus, level, loss, progress))


def _less(held: float | None, plain: int) -> float | None:
    return None if held is None or not plain else 1 - held / plain


def _row(prepared: Prepared, loss: Loss | None, way: Way) -> dict[str, Any]:
    corpus = prepared.corpus
    plain = sum(map(len, prepared.plaintexts))
    assert way.files is not None
    payload = way.files.cold_packs + way.files.warm_packs + way.dictionaries
    return {
        "corpus": corpus.name,
        "kind": corpus.kind,
        "loss": None if loss is None else loss.name,
        "records": len(corpus.items),
        "live_bytes": prepared.live_bytes,
        "plaintext_bytes": plain,
        "payload_bytes": payload,
        "payload_reduction": _less(payload, plain),
        "peers": {name: _less(size, plain) for name, size in prepared.peers.items()},
        **_ram(prepared, way),
        **_disk(prepared, way),
        "microseconds": way.microseconds,
        "accuracy": _accuracy(corpus, way),
        "changed": way.changed,
        "exact": None if loss is not None else not way.differences,
        "differences": len(way.differences),
        "first_differences": way.differences[:5],
        "settle_rounds": way.rounds,
    }


def _ram(prepared: Prepared, way: Way) -> dict[str, Any]:
    assert way.hot is not None
    sizes = dict(zip(prepared.corpus.items, map(len, prepared.plaintexts), strict=True))
    plain = sum(sizes[key] for key in way.hot.keys)
    storage = way.loaded["storage"]
    return {
        "ram": {
            "hot_bytes": way.hot.deep_bytes,
            "hot_bytes_by_statistics": storage["hot_bytes"],
            "ram_bytes_by_statistics": storage["ram_bytes"] + storage["catalog_cache_bytes"],
            "payload_bytes": way.hot.payload_bytes,
            "plaintext_bytes": plain,
            "records": len(way.hot.keys),
        },
        "ram_reduction": _less(way.hot.payload_bytes, plain),
    }


def _disk(prepared: Prepared, way: Way) -> dict[str, Any]:
    assert way.files is not None
    assert way.open_files is not None
    assert way.settled_hot is not None
    storage = way.settled["storage"]
    keys = sum(len(key.encode()) for key in prepared.corpus.items)
    catalog = way.files.catalog - way.dictionaries - keys
    ram = way.settled_hot.deep_bytes + storage["other_ram_bytes"] + storage["catalog_cache_bytes"]
    total = ram + way.open_files.total
    return {
        "disk": way.files._asdict() | {"dictionaries": way.dictionaries},
        "catalog_bytes_per_key": catalog / max(1, len(prepared.corpus.items)),
        "settled": {
            "ram_bytes": ram,
            "hot_bytes": way.settled_hot.deep_bytes,
            "hot_records": len(way.settled_hot.keys),
            "other_ram_bytes_by_statistics": storage["other_ram_bytes"],
            "catalog_cache_bytes_by_statistics": storage["catalog_cache_bytes"],
            "hot_bytes_by_statistics": storage["hot_bytes"],
            "disk": way.open_files._asdict(),
            "disk_bytes_by_statistics": storage["disk_bytes"],
        },
        "total_bytes": total,
        "total_reduction": _less(total, prepared.live_bytes),
    }


def _accuracy(corpus: Corpus, way: Way) -> dict[str, float] | None:
    """Compare the values as they were read from the reopened store with the original ones."""
    if corpus.kind == "graph":
        edges = sum(map(len, corpus.items.values()))
        return {"edges_kept": sum(len(value or ()) for value in way.retrieved.values()) / max(1, edges)}
    if corpus.kind != "vectors" or any(not isinstance(value, np.ndarray) for value in way.retrieved.values()):
        return None
    before, after = list(corpus.items.values()), list(way.retrieved.values())
    if any(one.shape != other.shape for one, other in zip(before, after, strict=True)):
        return None
    errors = [vector_error(one, other) for one, other in zip(before, after, strict=True)]
    found = {"worst_relative_error": max(error for error, _ in errors), "least_cosine": min(c for _, c in errors)}
    if corpus.neighbours is not None:
        base = after[0] if after[0].ndim == 2 else np.stack(after)
        found["recall_at_10"] = recall(base, corpus.neighbours)
    return found
