"""The hot table with divisions: namespaces keep to their shares, nothing is lost, hits go to the right policy."""

from __future__ import annotations

import random
import threading

import pytest

from stratakv.engine.codecs.base import Encoded
from stratakv.engine.hot import SLICE, HotTable
from stratakv.policies.eviction import LfuPolicy, LruPolicy

KB = 1024


def put(table: HotTable, key: str, namespace: int, size: int = KB, *, pinned: bool = False) -> bool:
    digest = key.encode().ljust(32, b"\0")
    with table.lock:
        table.enter(key, digest, Encoded(0, 0, size, b"x" * size), 1, 0, namespace, 0.0, None, pinned)
    return key in table.entries


def of(table: HotTable, namespace: int) -> list[str]:
    return [key for key, entry in table.entries.items() if entry.namespace == namespace]


def sums_are_true(table: HotTable) -> None:
    """Every entry that is not pinned is tracked by its own division alone, and the sums are those of the entries."""
    divisions = [table.divisions.common, *table.divisions.own.values()]
    for division in divisions:
        division.tell()
    for key, entry in table.entries.items():
        tracking = [division for division in divisions if key in division.policy]
        assert tracking == ([] if entry.pinned else [entry.division])
    for division in divisions:
        mine = [(k, e) for k, e in table.entries.items() if e.division is division and not e.pinned]
        assert division.held == sum(entry.bytes_as(key) for key, entry in mine)
        assert len(division.policy) == len(mine)


def test_a_namespace_over_its_share_gives_way_to_one_below_it() -> None:
    table = HotTable(200 * KB, LruPolicy)
    table.set_budget(200 * KB, {1: 120 * KB, 2: 60 * KB}, lambda: None)
    for number in range(60):
        put(table, f"b{number}", 2)
    for number in range(90):
        put(table, f"a{number}", 1)
    assert len(of(table, 1)) > 1.5 * len(of(table, 2)) > 30
    sums_are_true(table)


def test_room_that_others_leave_may_be_used() -> None:
    table = HotTable(200 * KB, LruPolicy)
    table.set_budget(200 * KB, {1: 100 * KB, 2: 100 * KB}, lambda: None)
    for number in range(100):
        put(table, f"a{number}", 1)
    assert table.divisions.own[1].held > 1.1 * table.divisions.own[1].share


def test_entries_are_handed_over_when_ram_is_divided_and_used_ones_stay() -> None:
    table = HotTable(400 * KB, LfuPolicy)
    for number in range(100):
        put(table, f"a{number}", number % 2)
    table.entries["a0"].uses = 2
    paused = []
    table.set_budget(400 * KB, {0: 200 * KB, 1: 100 * KB}, lambda: paused.append(1))
    assert len(table.entries) == 100
    assert paused
    sums_are_true(table)
    table.set_budget(60 * KB, {0: 30 * KB, 1: 30 * KB}, lambda: None)
    assert table.usage <= 60 * KB
    assert "a0" in table.entries
    sums_are_true(table)


def test_undivided_again_all_share_one_policy() -> None:
    table = HotTable(400 * KB, LruPolicy)
    table.set_budget(400 * KB, {1: 100 * KB}, lambda: None)
    for number in range(50):
        put(table, f"a{number}", number % 3)
    table.set_budget(400 * KB, {}, lambda: None)
    sums_are_true(table)
    for number in range(500):
        put(table, f"c{number}", 3)
    sums_are_true(table)
    assert table.usage <= 400 * KB


def test_a_pinned_entry_is_in_no_policy_whatever_is_divided() -> None:
    table = HotTable(100 * KB, LruPolicy)
    put(table, "pin", 1, pinned=True)
    table.set_budget(100 * KB, {1: 50 * KB}, lambda: None)
    for number in range(300):
        put(table, f"a{number}", 1)
    assert "pin" in table.entries
    sums_are_true(table)
    table.unpin("pin")
    sums_are_true(table)


@pytest.mark.parametrize("seed", range(4))
def test_any_program_keeps_the_sums_true(seed: int) -> None:
    chance = random.Random(seed)
    table = HotTable(80 * KB, LruPolicy)
    for step in range(3000):
        key, namespace = f"k{chance.randrange(120)}", chance.randrange(4)
        action = chance.random()
        if action < 0.6:
            put(table, key, namespace, chance.choice((100, KB, 3 * KB)), pinned=chance.random() < 0.02)
        elif action < 0.75:
            table.remove(key)
        elif action < 0.8:
            table.unpin(key)
        elif action < 0.82:
            shares = {n: chance.randrange(50 * KB) for n in range(4) if chance.random() < 0.5}
            table.set_budget(chance.randrange(20, 120) * KB, shares, lambda: None)
        elif key in table.entries:
            table.entries[key].division.hit(key)
        if step % 100 == 0:
            sums_are_true(table)
    sums_are_true(table)
    for key in list(table.entries):
        table.remove(key)
    assert all(division.held == 0 for division in [table.divisions.common, *table.divisions.own.values()])


def test_hits_beside_a_division_lose_no_entry() -> None:
    table = HotTable(400 * KB, LruPolicy)
    for number in range(200):
        put(table, f"a{number}", number % 4)
    stop, failures = threading.Event(), []

    def hit() -> None:
        try:
            while not stop.is_set():
                for key, entry in list(table.entries.items()):
                    entry.division.hit(key)
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=hit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for turn in range(60):
        table.set_budget(400 * KB, {n: 60 * KB for n in range(4) if (turn >> n) & 1}, lambda: None)
        put(table, f"b{turn}", turn % 4)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    sums_are_true(table)


def test_a_writer_beside_a_shrinking_table_does_not_evict_for_all() -> None:
    table = HotTable(4000 * KB, LruPolicy)
    for number in range(2500):
        put(table, f"a{number}", 0)
    evicted_by_writers: list[int] = []

    def write() -> None:
        before = table.evictions
        put(table, f"b{len(evicted_by_writers)}", 0)
        evicted_by_writers.append(table.evictions - before)

    table.set_budget(400 * KB, {}, write)
    assert table.usage <= 400 * KB
    assert len(evicted_by_writers) > 5
    assert max(evicted_by_writers) <= SLICE


def test_a_table_that_shrank_is_full_not_empty() -> None:
    table = HotTable(20_000 * KB, LruPolicy)
    for number in range(20_000):
        put(table, f"a{number}", 0, 100)
    table.set_budget(1000 * KB, {}, lambda: None)
    assert 500 * KB < table.usage <= 1000 * KB
