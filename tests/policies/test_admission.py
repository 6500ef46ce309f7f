"""Admission: one estimate of use decides what comes up and what may go down."""

from __future__ import annotations

from stratakv.policies.admission import Accesses, Admission

HOUR = 3600.0


def admission() -> Admission:
    return Admission(Accesses(to_warm=2, to_hot=5), now=0.0, fades_every=HOUR)


def test_reads_below_ram_add_up() -> None:
    made = admission()
    assert [made.read_below(7) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert made.uses(7) == 5
    assert made.uses(8) == 0


def test_what_was_used_in_ram_comes_back_at_its_first_read() -> None:
    made = admission()
    made.left_ram(7, uses=6, idle=60.0)
    assert made.read_below(7) >= made.accesses.to_hot


def test_what_a_scan_read_once_does_not() -> None:
    made = admission()
    made.left_ram(7, uses=0, idle=60.0)
    assert made.read_below(7) == 1


def test_uses_of_long_ago_do_not_bring_back_what_was_idle_since() -> None:
    made = admission()
    made.left_ram(7, uses=6, idle=25 * HOUR)
    assert made.read_below(7) == 1


def test_what_would_come_back_at_once_is_in_use() -> None:
    made = admission()
    made.read_below(7)
    assert not made.is_used(7, HOUR)
    made.read_below(7)
    assert made.is_used(7, HOUR)
    made.fade(HOUR)
    assert not made.is_used(7, HOUR)


def test_nothing_is_in_use_where_idle_times_are_shorter_than_memory() -> None:
    made = admission()
    for _ in range(9):
        made.read_below(7)
    assert not made.is_used(7, 0.9 * HOUR)


def test_estimates_halve_with_time_however_late_it_is_told() -> None:
    made = admission()
    for _ in range(8):
        made.read_below(7)
    made.fade(0.9 * HOUR)
    assert made.uses(7) == 8
    made.fade(2.5 * HOUR)
    assert made.uses(7) == 2
    made.fade(3.0 * HOUR)
    assert made.uses(7) == 1
    made.fade(10_000 * HOUR)
    assert made.uses(7) == 0


def test_its_memory_does_not_grow() -> None:
    made = admission()
    before = made.overhead_bytes()
    for content in range(20_000):
        made.read_below(content)
    assert made.overhead_bytes() == before


def test_a_small_store_pays_for_a_small_sketch_and_a_large_one_forgets_nothing_as_it_grows() -> None:
    made = Admission(Accesses(to_warm=2, to_hot=5), now=0.0, fades_every=HOUR)
    assert made.overhead_bytes() < 10_000
    for _ in range(4):
        made.read_below(7)
    made.fit(4_000)
    assert made.overhead_bytes() < 40_000
    made.fit(10**9)
    assert 120_000 < made.overhead_bytes() < 140_000
    made.fit(10)
    assert made.uses(7) == 4
    assert made.read_below(7) == 5
    assert made.uses(8) == 0
