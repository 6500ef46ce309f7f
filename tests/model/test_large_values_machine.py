"""A state machine of large values alone: versions, streams, ranges and open files through upkeep, restarts and crashes.

Each is made of chunks that others are made of too, or it itself again; a range is what a slice is; an open file shows
its value as it was opened, whatever becomes of the key; references are those recomputed from keys and manifests.
"""

from __future__ import annotations

import io
import os
import random
import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from stratakv import OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from stratakv.engine.records import IN_COLD, IN_WARM
from stratakv.errors import ClosedError, ConfigurationError
from tests.engine.value_strategies import same
from tests.large.documents import Pipe
from tests.large.stores import check_references, rows
from tests.model.machine_settings import VARIANTS, configuration
from tests.model.places import fresh_directory
from tests.model.test_store_machine import QUICK

if TYPE_CHECKING:
    from io import BufferedReader

    from stratakv.engine.store import Store

PAGES = [random.Random(number).randbytes(1500) for number in range(3)]
TABLE = np.random.default_rng(1).integers(0, 100, (500, 40))
"""160 KB: cut into runs of rows."""
MOST_FILES = 4

KEYS = st.sampled_from(["a", "b", "c"])
EDITS = st.integers(0, 14)


def bytes_of(pages: list[int], edit: int) -> bytes:
    """Return a document of some pages, a page perhaps twice, with an edit in its first."""
    whole = b"".join(PAGES[page] for page in pages)
    return whole[: 100 * edit] + b"edit %d" % edit + whole[100 * edit :]


BYTES = st.builds(bytes_of, st.lists(st.integers(0, 2), min_size=1, max_size=4), EDITS)
ARRAYS = st.integers(0, 3).map(lambda cut: TABLE[: 500 - 10 * cut].copy())
OTHERS = BYTES.map(lambda content: {"text": content.decode("latin-1"), "again": [content, None]})
VALUES = st.one_of(BYTES, BYTES, BYTES, BYTES.map(bytearray), OTHERS, ARRAYS, st.sampled_from([b"", b"short", 7]))
BOUNDS = st.integers(0, 7000)


class Opened(NamedTuple):
    """A file and what it must show."""

    file: BufferedReader
    content: bytes


class LargeValuesMachine(RuleBasedStateMachine):
    """The store beside a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.root = fresh_directory()
        self.lives = 0
        self.clock = ManualClock()
        self.model: dict[str, Any] = {}
        self.pins: dict[str, StorageTier] = {}
        self.files: list[Opened] = []

    @initialize(variant=st.sampled_from(sorted(VARIANTS)), contents=st.lists(BYTES, min_size=3, max_size=3))
    def begin(self, variant: str, contents: list[bytes]) -> None:
        self.variant = variant
        self.open()
        self.store_many(dict(zip("abc", contents, strict=True)))

    def open(self) -> None:
        path = self.root / str(self.lives)
        self.memory = OptimizationMiddleware(config=configuration(VARIANTS[self.variant], path), clock=self.clock)

    @property
    def store(self) -> Store:
        return self.memory.dedup_engine._store

    def teardown(self) -> None:
        self.close_files()
        if hasattr(self, "memory"):
            self.memory.shutdown()
        shutil.rmtree(self.root)

    # -- writes ----------------------------------------------------------------------------------------------

    @rule(key=KEYS, value=VALUES, namespace=st.sampled_from([None, None, None, "own"]))
    def store_one(self, key: str, value: Any, namespace: str | None) -> None:
        self.memory.store(key, value, StorageTier.WARM, namespace=namespace)
        self.model[key] = value

    @rule(key=KEYS, content=BYTES, known=st.booleans(), tier=st.sampled_from([StorageTier.WARM, StorageTier.COLD]))
    def stream(self, key: str, content: bytes, known: bool, tier: StorageTier) -> None:
        self.memory.store_stream(key, io.BytesIO(content) if known else Pipe(content), tier=tier)
        self.model[key] = content

    @rule(items=st.dictionaries(KEYS, VALUES, min_size=2, max_size=3))
    def store_many(self, items: dict[str, Any]) -> None:
        self.memory.store_many(items)
        self.model.update(items)

    @rule(key=KEYS, value=VALUES, right=st.booleans())
    def replace(self, key: str, value: Any, right: bool) -> None:
        expected = self.model.get(key, b"") if right else b"never stored"
        replaced = right and key in self.model
        assert self.memory.replace(key, value, expected) is replaced
        if replaced:
            self.model[key] = value

    @rule(key=KEYS, wanted=st.booleans())
    def delete(self, key: str, wanted: bool) -> None:
        """Half as often as the others: there shall be something to read."""
        if not wanted:
            return
        assert self.memory.delete(key) is (key in self.model)
        self.model.pop(key, None)
        self.pins.pop(key, None)

    # -- places ----------------------------------------------------------------------------------------------

    @rule(key=KEYS, tier=st.sampled_from(StorageTier))
    def migrate(self, key: str, tier: StorageTier) -> None:
        assert self.memory.tiered_storage.migrate_tier(key, tier) is (key in self.model)

    @rule(key=KEYS, tier=st.sampled_from([StorageTier.WARM, StorageTier.COLD]))
    def pin(self, key: str, tier: StorageTier) -> None:
        if self.store.move(key, tier, pin=True):
            self.pins[key] = tier

    @rule(key=KEYS)
    def unpin(self, key: str) -> None:
        assert self.memory.tiered_storage.unpin(key) is (key in self.model)
        self.pins.pop(key, None)

    def check_places(self) -> None:
        """The chunks of what is pinned to warm lie there; of those that nothing there names all are in cold."""
        catalog = self.store.parts.catalog
        warm: set[bytes] = set()
        cold: set[bytes] = set()
        for key in self.model:
            state = self.store.state(key)
            assert state is not None
            assert state.digest is not None
            held = {state.digest, *catalog.chunks_of(state.digest)}
            (warm if self.pins.get(key) is StorageTier.WARM else cold).update(held)
        places = {digest: found.tier for digest, found in catalog.find_blobs(warm | cold).items()}
        assert places == dict.fromkeys(cold, IN_COLD) | dict.fromkeys(warm, IN_WARM)

    # -- reads -----------------------------------------------------------------------------------------------

    @rule(key=KEYS)
    def retrieve(self, key: str) -> None:
        assert same(self.memory.retrieve(key), self.model.get(key))

    @rule()
    def everything(self) -> None:
        found = self.memory.retrieve_many(["a", "b", "c"])
        assert found.keys() == self.model.keys()
        assert all(same(found[key], value) for key, value in self.model.items())

    @rule(key=KEYS, start=BOUNDS, length=BOUNDS)
    def retrieve_range(self, key: str, start: int, length: int) -> None:
        value = self.model.get(key)
        if isinstance(value, np.ndarray):
            start, length = start // 12, length // 12  # it has fewer rows than the others bytes
        if value is None or isinstance(value, bytes | bytearray | np.ndarray):
            wanted = None if value is None else value[start : start + length]
            assert same(self.memory.retrieve_range(key, start, start + length), wanted)
        else:
            with pytest.raises(ConfigurationError):
                self.memory.retrieve_range(key, start, start + length)

    @rule(key=KEYS)
    def open_file(self, key: str) -> None:
        value = self.model.get(key)
        if isinstance(value, bytes | bytearray):
            if len(self.files) == MOST_FILES:
                self.files.pop(0).file.close()
            self.files.append(Opened(self.memory.open(key), bytes(value)))
        else:
            with pytest.raises(KeyError if value is None else ConfigurationError):
                self.memory.open(key)

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, MOST_FILES - 1), start=BOUNDS, length=BOUNDS)
    def read_file(self, number: int, start: int, length: int) -> None:
        file, content = self.files[number % len(self.files)]
        file.seek(start)
        assert file.read(length) == content[start : start + length]

    @precondition(lambda self: self.files)
    @rule(others=st.dictionaries(KEYS, VALUES, max_size=1))
    def delete_all_under_readers(self, others: dict[str, Any]) -> None:
        self.memory.delete_many(list(self.model))
        self.pins.clear()
        self.memory.store_many(others)
        self.model = others
        self.settle()

    @precondition(lambda self: self.files)
    @rule(number=st.integers(0, MOST_FILES - 1))
    def close_file(self, number: int) -> None:
        self.files.pop(number % len(self.files)).file.close()

    def close_files(self) -> None:
        while self.files:
            self.files.pop().file.close()

    def check_files_say_that_the_store_is_closed(self) -> None:
        """Nothing is read from a store that was closed; what a file had read ahead may still be given out."""
        while self.files:
            file, content = self.files.pop()
            try:
                file.seek(0)
                assert file.read() == content
            except ClosedError:
                pass
            file.close()

    # -- upkeep ----------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([1, 3600, 86_400]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def maintain(self) -> None:
        self.memory.maintain()
        self.store.parts.hot.clear()  # so that reads go below RAM

    @rule()
    def settle(self) -> None:
        """With files open what nobody else names is kept for them; without any it is gone."""
        self.memory.maintain(settle=True)
        self.memory.maintain(settle=True)
        self.check_places()
        if not self.files:
            assert rows(self.memory, "SELECT id FROM blobs WHERE refs = 0") == []
        for file, content in self.files:
            file.seek(0)
            assert file.read() == content

    @rule()
    def close_and_reopen(self) -> None:
        self.memory.shutdown()
        self.check_files_say_that_the_store_is_closed()
        self.open()

    @rule()
    def crash_and_reopen(self) -> None:
        """What a killed process leaves is what the directory holds while it runs."""
        self.memory.flush()
        shutil.copytree(self.root / str(self.lives), self.root / str(self.lives + 1))
        self.memory.shutdown()
        self.close_files()
        shutil.rmtree(self.root / str(self.lives))
        self.lives += 1
        self.open()

    # -- what always holds -----------------------------------------------------------------------------------

    @invariant()
    def references_are_counted(self) -> None:
        if hasattr(self, "memory"):
            check_references(self.memory)
            assert sorted(self.memory) == sorted(self.model)

    @invariant()
    def only_open_files_hold_anything(self) -> None:
        if hasattr(self, "memory") and not self.files:
            assert not self.store.parts.dirty._leases


def test_large_values_equal_a_dict() -> None:
    run_state_machine_as_test(LargeValuesMachine, settings=settings(QUICK, max_examples=15))


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_large_values_equal_a_dict_through_many_more() -> None:
    rounds = 10 * int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    many = settings(QUICK, max_examples=rounds, stateful_step_count=80, derandomize=False, database=None)
    run_state_machine_as_test(LargeValuesMachine, settings=many)
