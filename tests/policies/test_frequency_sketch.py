"""The sketch counts, saturates, forgets and stays small, and tells the same in every process."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.policies.frequency_sketch import MOST, FrequencySketch


def _counted(entries: int, hashes: list[int]) -> FrequencySketch:
    sketch = FrequencySketch(entries)
    for key_hash in hashes:
        sketch.add(key_hash)
    return sketch


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(0, 20), max_size=150))
def test_an_estimate_is_never_below_the_count(hashes: list[int]) -> None:
    sketch = _counted(16, hashes)
    assert all(sketch.estimate(key_hash) >= min(hashes.count(key_hash), MOST) for key_hash in hashes)


def test_a_few_keys_are_counted_exactly() -> None:
    sketch = _counted(100, [1, 2, 2, 3, 3, 3])
    assert [sketch.estimate(key_hash) for key_hash in (0, 1, 2, 3)] == [0, 1, 2, 3]


def test_counters_stop_at_fifteen() -> None:
    sketch = _counted(100, [7] * 40)
    assert sketch.estimate(7) == MOST == 15


@pytest.mark.parametrize("uses", [1, 2, 14, 15, 16, 1000])
def test_several_uses_at_once_count_like_single_ones(uses: int) -> None:
    sketch = FrequencySketch(1000)
    sketch.add(5)
    sketch.add(5, uses)
    assert sketch.estimate(5) == min(uses + 1, MOST)


@given(st.lists(st.integers(0, 30) | st.integers(-(1 << 63), (1 << 63) - 1), max_size=400))
def test_counting_and_asking_in_one_step_tells_the_same(hashes: list[int]) -> None:
    one, other = FrequencySketch(4), FrequencySketch(4)  # small: ages several times
    for key_hash in hashes:
        one.add(key_hash)
        assert other.count(key_hash) == one.estimate(key_hash)
    assert [one.estimate(key_hash) for key_hash in range(40)] == [other.estimate(key_hash) for key_hash in range(40)]


def test_ageing_halves_every_count() -> None:
    sketch = _counted(100, [1] * 9 + [2] * 4 + [3])
    sketch.age()
    assert [sketch.estimate(key_hash) for key_hash in (1, 2, 3)] == [4, 2, 0]


def test_counts_are_halved_after_ten_uses_an_entry_and_then_after_each_five() -> None:
    sketch = FrequencySketch(10)
    sketch.add(1, 12)
    for use in range(87):
        sketch.add(1_000_000 + use % 2)
    assert sketch.estimate(1) == 12
    sketch.add(2_000_000)
    assert sketch.estimate(1) == 6
    sketch.add(2_000_000, 49)
    assert sketch.estimate(1) == 6
    sketch.add(2_000_000)
    assert sketch.estimate(1) == 3


def test_sample_size_may_follow_the_cache() -> None:
    sketch = FrequencySketch(10)
    sketch.sample_size = 8
    sketch.add(1, 7)
    assert sketch.estimate(1) == 7
    sketch.add(1)
    assert sketch.estimate(1) == 4


def test_a_doubled_sketch_estimates_the_same_and_counts_on() -> None:
    keys = range(0, 5_000_000, 50_021)
    sketch = _counted(64, [key for key in keys for _ in range(key % 6)])
    wider = sketch.doubled()
    assert wider.entries == 128
    assert wider.overhead_bytes() > 1.7 * sketch.overhead_bytes()
    assert [wider.estimate(key) for key in keys] == [sketch.estimate(key) for key in keys]
    before = [sketch.estimate(key) for key in keys]
    wider.add(0, 15)
    assert wider.estimate(0) == 15
    assert [sketch.estimate(key) for key in keys] == before


def test_keys_that_were_never_used_are_mostly_known_as_such() -> None:
    # Four times as many keys as there are entries, each used once.
    sketch = _counted(1000, list(range(4000)))
    strangers = [sketch.estimate(key) for key in range(1_000_000, 1_004_000)]
    # One row alone would take two thirds of them for used.
    assert sum(estimate > 0 for estimate in strangers) < 0.35 * len(strangers)
    assert max(strangers) <= 3


def test_strides_of_integers_share_no_more_counters_than_others() -> None:
    for stride in (2, 8, 1024, 4096, 1 << 20, 1 << 32):
        sketch = _counted(1000, [stride * number for number in range(2000)])
        strangers = [sketch.estimate(stride * number) for number in range(10_000, 12_000)]
        assert sum(estimate > 0 for estimate in strangers) < 0.1 * len(strangers), f"stride {stride}"


def test_estimates_are_the_same_in_every_process() -> None:
    sketch = _counted(50, [number * number for number in range(400)])
    seen = [sketch.estimate(number * number) for number in range(0, 400, 16)]
    assert seen == [1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 1]


def test_size_is_fixed_and_true() -> None:
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    sketch = FrequencySketch(20_000)
    allocated = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    size = sketch.overhead_bytes()
    assert size == pytest.approx(allocated, rel=0.02)
    assert size < 17 * 20_000
    for number in range(30_000):
        sketch.add(number)
    sketch.age()
    assert sketch.overhead_bytes() == size


@pytest.mark.parametrize("entries", [0, -3])
def test_a_sketch_for_nothing_is_an_error(entries: int) -> None:
    with pytest.raises(ValueError, match="entries must be positive"):
        FrequencySketch(entries)
