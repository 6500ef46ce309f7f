"""What must hold of a store after any crash: its values, and the sums that its catalog keeps."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from stratakv.engine.backup_rows import dictionary_name
from stratakv.engine.catalog_manifests import numbers_in
from tests.crash.life import NUMBERS, Model, value_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stratakv.engine.store import Store


@cache
def _numbers() -> dict[str, int]:
    return {repr(value_of(number)): number for number in range(NUMBERS)}


def contents(store: Store) -> Model:
    """Return what a store holds as a model; a value that was never written fails."""
    found: Model = {}
    known = _numbers()
    for key in list(store.keys()):
        number = known.get(repr(store.retrieve(key)))
        assert number is not None, f"{key} has a value that nobody stored"
        found[key] = number
    assert len(store) == len(found)
    return found


def check_contents(store: Store, allowed: Iterable[Model]) -> Model:
    """Assert that a store holds one of some states; return that state."""
    found = contents(store)
    states = list(allowed)
    if found not in states:
        wanted = states[0]
        differing = {
            key: (found.get(key), wanted.get(key))
            for key in found.keys() | wanted.keys()
            if found.get(key) != wanted.get(key)
        }
        raise AssertionError(f"none of {len(states)} allowed states; (found, acknowledged): {differing}")
    return found


def check_sums(store: Store) -> None:
    """Assert that the catalog's counts equal those recomputed from its rows."""
    rows = store.parts.catalog.rows
    references = rows("SELECT b.id, b.refs, count(k.key) FROM blobs b LEFT JOIN keys k ON k.blob = b.id GROUP BY b.id")
    sizes: dict[int, int] = dict(rows("SELECT id, size FROM blobs"))
    chunks: Counter[int] = Counter()
    for _, size, stored, listed in store.parts.catalog.manifests():
        numbers = numbers_in(listed)
        assert size <= stored == sum(sizes[number] for number in numbers)  # runs of an array have heads of their own
        chunks.update(numbers)
    assert [row for row in references if row[1] != row[2] + chunks[row[0]]] == []
    assert rows("SELECT blob FROM manifests WHERE blob NOT IN (SELECT id FROM blobs)") == []
    assert rows("SELECT key FROM keys WHERE blob IS NOT NULL AND blob NOT IN (SELECT id FROM blobs)") == []
    assert sorted(rows("SELECT blob FROM dead")) == sorted((row[0],) for row in references if row[1] == 0)
    packs = rows(
        "SELECT p.id, p.live, p.live_blobs, coalesce(sum(b.size), 0), count(b.id) FROM packs p "
        "LEFT JOIN blobs b ON b.pack = p.id GROUP BY p.id"
    )
    assert [row for row in packs if row[1:3] != row[3:5]] == []
    assert rows("SELECT id FROM blobs WHERE pack NOT IN (SELECT id FROM packs)") == []
    assert store.parts.catalog.live_keys == rows("SELECT count(*) FROM keys WHERE blob IS NOT NULL")[0][0]
    assert rows("SELECT pack FROM pack_dictionaries WHERE dictionary NOT IN (SELECT id FROM dictionaries)") == []
    assert store.parts.catalog.integrity_errors() == []


def check_no_orphans(store: Store) -> None:
    """Settle, then assert that the objects of the backends are exactly those that the catalog names.

    In a remote tier there is a backup as well, of these parts and no others.
    """
    store.maintain(settle=True)
    for tier, backend in store.parts.backends.items():
        packs = store.parts.catalog.rows("SELECT name, bytes FROM packs WHERE tier = ?", (tier,))
        found = {info.name: info.size for info in backend.list("packs/" if backend.remote else "")}
        assert found == dict(packs)
        if backend.remote:
            chain = json.loads(store.parts.catalog.meta("backup"))["chain"]
            assert sorted(info.name for info in backend.list("catalog/")) == sorted(chain)
            contents = store.parts.catalog.rows("SELECT id, content FROM dictionaries")
            dictionaries = sorted(dictionary_name(*row) for row in contents)
            assert sorted(info.name for info in backend.list("dictionaries/")) == dictionaries
    assert store.parts.catalog.rows("SELECT name FROM doomed") == []
    assert store.parts.catalog.rows("SELECT id FROM blobs WHERE refs = 0") == []


def leave(store: Store) -> None:
    """Let go of a store as a crash does: nothing more is persisted. Idempotent."""
    if store._closed is not None:
        return
    parts = store.parts
    if store.mover is not None:
        store.mover.stop()
    store._closed = "the store was left as a crash leaves it"
    if parts.journal is not None:
        parts.journal.abandon()
    parts.catalog.close()
    for backend in parts.backends.values():
        # A crashing backend refuses even this; the one it wraps does not.
        innermost: Any = backend
        while hasattr(innermost, "inner"):
            innermost = innermost.inner
        innermost.close()
    parts.lock.release()
