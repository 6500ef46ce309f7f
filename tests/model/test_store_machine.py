"""A state machine: any sequence of calls, pauses, restarts and crashes leaves the store equal to a dict."""

from __future__ import annotations

import io
import os
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from stratakv import OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from stratakv.engine.records import IN_COLD, IN_HOT, IN_WARM, TIER_NUMBERS
from stratakv.errors import CapacityError, ConfigurationError
from tests.engine.value_strategies import same, values
from tests.large.documents import Pipe
from tests.model.machine_settings import VARIANTS, configuration
from tests.model.places import fresh_directory
from tests.model.recounted import check_counts
from tests.model.reference import Reference

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.store import Store

KEYS = st.sampled_from(["a", "a:1", "a:2", "b", "m:\u00fc", "\ud800x"])
PREFIXES = st.sampled_from(["a", "a:", "b", "m:", "\ud800", "z"])
TIERS = st.sampled_from(StorageTier)
TTLS = st.sampled_from([None, None, 10, 3600, 100_000])
NAMESPACES = st.sampled_from([None, None, "own", "short", "old"])
PAUSES = st.sampled_from([1, 9, 10, 11, 500, 3600, 7200, 86_400, 6 * 86_400])

PAGES = (random.Random(1).randbytes(1300), random.Random(2).randbytes(700) * 4)

TABLE_SLACK_BYTES = 1024
"""By how much the hot tier's tables may grow between two of their measurements."""


class StoreMachine(RuleBasedStateMachine):
    """The store beside its reference."""

    contents = Bundle("contents")
    variants = VARIANTS

    def __init__(self) -> None:
        super().__init__()
        self.root = fresh_directory()
        self.lives = 0
        self.clock = ManualClock()
        self.model = Reference(int(self.clock.now() * 1000))
        self.memory: OptimizationMiddleware

    @property
    def path(self) -> Path:
        return self.root / str(self.lives)

    @property
    def store(self) -> Store:
        mode = self.memory._mode
        assert mode is not None
        assert mode.store is not None
        return mode.store

    def open(self) -> None:
        self.memory = OptimizationMiddleware(
            config=configuration(self.variants[self.variant], self.path), clock=self.clock
        )

    @initialize(variant=st.sampled_from(sorted(VARIANTS)))
    def begin(self, variant: str) -> None:
        self.variant = variant
        self.open()

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.memory.shutdown()
        shutil.rmtree(self.root)

    @rule(target=contents, value=values(max_leaves=6))
    def invent(self, value: Any) -> Any:
        return value

    @rule(target=contents, page=st.sampled_from(PAGES), at=st.integers(0, 12), kind=st.sampled_from(range(3)))
    def invent_version(self, page: bytes, at: int, kind: int) -> Any:
        document = page[: at * 100] + b"edit %d" % at + page[at * 100 :]
        return (document, document.decode("latin-1"), [document, 1, document])[kind]

    # -- writes ----------------------------------------------------------------------------------------------

    @rule(key=KEYS, value=contents, ttl=TTLS, tier=TIERS, known=st.booleans())
    def stream(self, key: str, value: Any, ttl: int | None, tier: StorageTier, known: bool) -> None:
        content = value if type(value) is bytes else PAGES[0]
        file = io.BytesIO(content) if known else Pipe(content)
        entry = self.model.live().get(key)
        if entry is not None and entry.pin is StorageTier.HOT:
            with pytest.raises(ConfigurationError):
                self.memory.store_stream(key, file, ttl=ttl, tier=tier)
            return
        assert self.memory.store_stream(key, file, ttl=ttl, tier=tier)
        self.model.put(key, content, ttl=ttl)

    @rule(key=KEYS, value=contents, tier=TIERS, pin=st.booleans(), ttl=TTLS, namespace=NAMESPACES)
    def store_one(
        self, key: str, value: Any, tier: StorageTier, pin: bool, ttl: int | None, namespace: str | None
    ) -> None:
        try:
            assert self.memory.store(key, value, tier, pin=pin, ttl=ttl, namespace=namespace)
        except CapacityError:
            self.refused_pin(key, tier if pin else None)
        else:
            self.model.put(key, value, ttl=ttl, namespace=namespace, pin=tier if pin else None)

    def refused_pin(self, key: str, wanted: StorageTier | None) -> None:
        """A refusal is right only where RAM is small and the key is, or was to be, pinned to it."""
        entry = self.model.live().get(key)
        assert "hot_capacity_mb" in self.variants[self.variant].get("tiered_storage", {})
        assert (wanted or (entry.pin if entry is not None else None)) is StorageTier.HOT

    def refused_batch(self) -> None:
        assert any(entry.pin is StorageTier.HOT for entry in self.model.live().values())

    @rule(items=st.dictionaries(KEYS, contents, max_size=4), ttl=TTLS, namespace=NAMESPACES)
    def store_many(self, items: dict[str, Any], ttl: int | None, namespace: str | None) -> None:
        try:
            assert self.memory.store_many(items, ttl=ttl, namespace=namespace)
        except CapacityError:
            self.refused_batch()
        else:
            for key, value in items.items():
                self.model.put(key, value, ttl=ttl, namespace=namespace)

    @rule(key=KEYS, value=contents)
    def set_item(self, key: str, value: Any) -> None:
        try:
            self.memory[key] = value
        except CapacityError:
            self.refused_pin(key, None)
        else:
            self.model.put(key, value)

    @rule(key=KEYS, value=contents, ttl=TTLS, namespace=NAMESPACES)
    def add(self, key: str, value: Any, ttl: int | None, namespace: str | None) -> None:
        absent = key not in self.model.live()
        try:
            assert self.memory.add(key, value, ttl, namespace=namespace) is absent
        except CapacityError:
            self.refused_pin(key, None)
        else:
            if absent:
                self.model.put(key, value, ttl=ttl, namespace=namespace)

    @rule(key=KEYS, value=contents, guess=contents, right=st.booleans())
    def replace(self, key: str, value: Any, guess: Any, right: bool) -> None:
        entry = self.model.live().get(key)
        if right and entry is not None:
            guess = entry.value
        expected = entry is not None and same(entry.value, guess)
        try:
            assert self.memory.replace(key, value, guess) is expected
        except CapacityError:
            self.refused_pin(key, None)
        else:
            if expected:
                self.model.put(key, value)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        assert self.memory.delete(key) is self.model.delete(key)

    @rule(keys=st.lists(KEYS, max_size=4))
    def delete_many(self, keys: list[str]) -> None:
        assert self.memory.delete_many(keys) == sum(self.model.delete(key) for key in set(keys))

    @rule(key=KEYS)
    def pop(self, key: str) -> None:
        entry = self.model.live().get(key)
        assert same(self.memory.pop(key, None), entry.value if entry is not None else None)
        self.model.delete(key)

    # -- places ----------------------------------------------------------------------------------------------

    @rule(key=KEYS, tier=TIERS)
    def migrate(self, key: str, tier: StorageTier) -> None:
        try:
            assert self.memory.tiered_storage.migrate_tier(key, tier) is (key in self.model.live())
        except CapacityError:
            self.refused_pin(key, None)

    @rule(key=KEYS)
    def unpin(self, key: str) -> None:
        entry = self.model.live().get(key)
        assert self.memory.tiered_storage.unpin(key) is (entry is not None)
        if entry is not None:
            entry.pin = None

    # -- reads -----------------------------------------------------------------------------------------------

    @rule(key=KEYS)
    def retrieve(self, key: str) -> None:
        miss = object()
        found = self.memory.retrieve(key, miss)
        entry = self.model.live().get(key)
        assert (found is miss) == (entry is None)
        assert entry is None or same(found, entry.value)

    @rule(keys=st.lists(KEYS, max_size=6))
    def retrieve_many(self, keys: list[str]) -> None:
        found = self.memory.retrieve_many(keys)
        wanted = {key: entry.value for key, entry in self.model.live().items() if key in keys}
        assert found.keys() == wanted.keys()
        assert all(same(found[key], value) for key, value in wanted.items())

    @rule()
    def everything(self) -> None:
        live = self.model.live()
        found = dict(self.memory.items())
        assert found.keys() == live.keys()
        assert all(same(found[key], entry.value) for key, entry in live.items())

    @rule(prefix=PREFIXES)
    def keys(self, prefix: str) -> None:
        assert sorted(self.memory.keys(prefix)) == sorted(key for key in self.model.live() if key.startswith(prefix))

    # -- time and upkeep -------------------------------------------------------------------------------------

    @rule(seconds=PAUSES)
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.model.now_ms = int(self.clock.now() * 1000)

    @rule()
    def maintain(self) -> None:
        self.memory.maintain()
        self.model.prune()

    @rule()
    def settle(self) -> None:
        self.memory.maintain(settle=True)
        self.model.prune()
        self.check_places()
        self.check_nothing_is_left_over()

    def check_places(self) -> None:
        """Unpinned values lie in cold, a shared blob where the hottest of its keys is pinned."""
        pins: dict[bytes, set[StorageTier | None]] = {}
        states = {key: self.store.state(key) for key in self.model.live()}
        for key, entry in self.model.live().items():
            state = states[key]
            assert state is not None
            pins.setdefault(state.digest or b"", set()).add(entry.pin)
        for state in states.values():
            assert state is not None
            of_blob = pins[state.digest or b""]
            if StorageTier.WARM in of_blob:
                assert state.tier == IN_WARM
            elif StorageTier.HOT not in of_blob:
                assert state.tier == IN_COLD
        assert all(entry.pinned for entry in self.store.parts.hot.entries.values())

    def check_nothing_is_left_over(self) -> None:
        parts = self.store.parts
        assert parts.catalog.rows("SELECT id FROM blobs WHERE refs = 0") == []
        for tier in (IN_WARM, IN_COLD):
            named = {row[0] for row in parts.catalog.rows("SELECT name FROM packs WHERE tier = ?", (tier,))}
            assert {found.name for found in parts.backends[tier].list("packs/")} == named
        deduplication = self.memory.get_statistics()["deduplication"]
        assert deduplication["total_references"] == len(self.model.live())

    @rule(key=KEYS, start=st.integers(0, 4000), length=st.integers(0, 3000))
    def retrieve_range(self, key: str, start: int, length: int) -> None:
        entry = self.model.live().get(key)
        if entry is None:
            assert self.memory.retrieve_range(key, start, start + length) is None
        elif type(entry.value) in (bytes, bytearray):
            assert self.memory.retrieve_range(key, start, start + length) == entry.value[start : start + length]
            with self.memory.open(key) as file:
                file.seek(start)
                assert file.read(length) == entry.value[start : start + length]

    @rule()
    def flush(self) -> None:
        self.memory.flush()

    @rule()
    def close_and_reopen(self) -> None:
        self.memory.shutdown()
        self.open()

    @rule()
    def crash_and_reopen(self) -> None:
        """What a killed process leaves is what the directory holds while it runs."""
        if self.store.parts.config.storage.durability == "none":
            self.memory.flush()
        shutil.copytree(self.path, self.root / str(self.lives + 1))
        self.memory.shutdown()
        shutil.rmtree(self.path)
        self.lives += 1
        self.open()

    # -- what always holds -----------------------------------------------------------------------------------

    @invariant()
    def keys_agree(self) -> None:
        if not hasattr(self, "memory"):
            return
        live = self.model.live()
        assert len(self.memory) == len(live)
        assert sorted(self.memory) == sorted(live)
        assert all((key in self.memory) is (key in live) for key in ("a", "b", "\ud800x"))

    @invariant()
    def pins_agree(self) -> None:
        if hasattr(self, "memory"):
            pins = {key: TIER_NUMBERS[entry.pin] for key, entry in self.model.live().items() if entry.pin is not None}
            found = {key: state.pin for key in self.model.live() if (state := self.store.state(key)) and state.pin}
            assert found == pins
            hot = self.store.parts.hot
            unpinned = sum(not entry.pinned for entry in hot.entries.values())
            assert hot.usage <= hot.capacity + TABLE_SLACK_BYTES or unpinned <= 1
            assert all(pins.get(key) == IN_HOT for key, entry in hot.entries.items() if entry.pinned and key in pins)

    @invariant()
    def counts_equal_recomputed_ones(self) -> None:
        if not hasattr(self, "memory"):
            return
        check_counts(self.store.parts.catalog)


QUICK = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, print_blob=False,
    suppress_health_check=list(HealthCheck), phases=(Phase.generate,), report_multiple_bugs=False,
)  # fmt: skip


def test_store_equals_a_dict_through_restarts_and_crashes() -> None:
    run_state_machine_as_test(StoreMachine, settings=QUICK)


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_store_equals_a_dict_through_many_more() -> None:
    rounds = 10 * int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    many = settings(QUICK, max_examples=rounds, stateful_step_count=80, derandomize=False, database=None)
    run_state_machine_as_test(StoreMachine, settings=many)
