"""Regrets: which moves count as wrong, and that many moves are estimated in bounded memory."""

from __future__ import annotations

import random

from stratakv.policies.regrets import LIMIT, Regrets


def test_a_read_before_the_break_even_time_is_a_regret_and_one_after_it_is_not() -> None:
    regrets = Regrets()
    regrets.moved_down(1, until=100.0)
    regrets.moved_down(2, until=100.0)
    regrets.read_below(1, now=99.0)
    regrets.read_below(2, now=101.0)
    regrets.read_below(3, now=50.0)
    assert regrets.down == (2, 1)
    assert regrets.down.share == 0.5


def test_one_move_is_regretted_once() -> None:
    regrets = Regrets()
    regrets.moved_down(1, until=100.0)
    for now in (10.0, 20.0, 30.0):
        regrets.read_below(1, now)
    assert regrets.down == (1, 1)


def test_what_comes_up_and_goes_down_unread_is_a_regret() -> None:
    regrets = Regrets()
    for content in (1, 2):
        regrets.moved_up(content, now=0.0)
    regrets.read_above(2)
    for content in (1, 2):
        regrets.moved_down(content, until=50.0)
    assert regrets.up == (2, 1)
    assert regrets.down.moves == 2


def test_many_moves_are_estimated_from_a_bounded_sample() -> None:
    chance = random.Random(1)
    regrets = Regrets()
    contents = [chance.getrandbits(64) for _ in range(50_000)]
    for content in contents:
        regrets.moved_down(content, until=100.0)
    kept = regrets.overhead_bytes()
    for content in contents[-10_000:]:
        regrets.read_below(content, now=1.0)
    assert 0.8 * 50_000 < regrets.down.moves < 1.2 * 50_000
    assert 0.6 * 10_000 < regrets.down.regretted < 1.4 * 10_000
    assert kept < 200 * LIMIT


def test_no_moves_have_no_share() -> None:
    assert Regrets().up.share == 0.0
