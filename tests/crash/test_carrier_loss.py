"""A content whose carrier is overwritten, deleted, checkpointed and collected in every order is kept."""

from __future__ import annotations

import itertools
import os
import random
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv.clock import ManualClock
from tests.crash.life import settings
from tests.crash.soundness import check_no_orphans, check_sums, leave
from tests.crash.unsynced import open_unsynced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from stratakv.engine.store import Store

CALLS = ("C=x", "A=x", "B=x", "A=y", "del C")
DEAD_BEFORE = ("C=x", "del C", "A=x", "B=x", "A=y")
"""Here the content is in its grace period when the duplicates come."""
UPKEEP = ("-", "checkpoint", "collect", "settle")
SHARED = "x" * 300


def shared(name: str) -> str:
    """Return the content that the three keys of a case share; no two cases share one."""
    return SHARED + name


def call(store: Store, name: str, what: str) -> None:
    key, _, value = what.partition("=")
    if value == "x":
        store.put(f"{name}:{key}", shared(name))
    elif value:
        store.put(f"{name}:{key}", f"another {name}")
    else:
        store.delete(f"{name}:{what[-1]}")


def keep_up(store: Store, what: str) -> None:
    assert store.mover is not None
    if what == "checkpoint":
        store.mover.checkpoint()
    elif what == "collect":
        store.mover.collection.run(lambda: None, settle=True)
    elif what == "settle":
        store.maintain(settle=True)


def check_case(store: Store, name: str) -> None:
    assert store.retrieve(f"{name}:B") == shared(name)
    assert store.retrieve(f"{name}:A") == f"another {name}"
    assert store.retrieve(f"{name}:C") is None


def reopened(store: Store, path: Path, clock: ManualClock) -> Store:
    leave(store)
    return open_unsynced(settings(path, warm="directory"), clock)


@pytest.mark.parametrize("calls", [CALLS, DEAD_BEFORE], ids=["dies-last", "dead-before"])
@pytest.mark.parametrize("upkeep", list(itertools.product(UPKEEP[:3], repeat=2)), ids="+".join)
def test_a_duplicate_outlives_its_carriers_in_every_order_of_upkeep(
    tmp_path: Path, upkeep: Sequence[str], calls: Sequence[str]
) -> None:
    """The first two gaps are fixed, the others take every kind of upkeep: 27 cases, half of them reopened."""
    path = tmp_path / "store"
    clock = ManualClock()
    store = open_unsynced(settings(path, warm="directory"), clock)
    try:
        for number, rest in enumerate(itertools.product(UPKEEP[:3], repeat=3)):
            name = "-".join(rest)
            for what, then in zip(calls, (*upkeep, *rest), strict=True):
                call(store, name, what)
                keep_up(store, then)
                clock.advance(1)
            if number % 2:
                store = reopened(store, path, clock)
            check_case(store, name)
        store = reopened(store, path, clock)
        for rest in itertools.product(UPKEEP[:3], repeat=3):
            check_case(store, "-".join(rest))
        check_sums(store)
        check_no_orphans(store)
    finally:
        leave(store)


def orders(number: int, seed: int) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield calls in an order in which B stays x, and what happens behind each of them."""
    chance = random.Random(seed)
    for _ in range(number):
        calls = list(CALLS)
        while True:
            chance.shuffle(calls)
            if calls.index("A=x") < calls.index("A=y") and calls.index("C=x") < calls.index("del C"):
                break
        yield tuple(calls), tuple(chance.choices(UPKEEP, k=len(calls)))


def check_killed_everywhere(folder: Path, calls: Sequence[str], upkeep: Sequence[str], warm: str) -> int:
    """Copy the directory, as a kill would leave it, at every step of the background; return how many were checked."""
    folder.mkdir()
    clock = ManualClock()
    store = open_unsynced(settings(folder / "store", warm=warm), clock)
    wanted: dict[str, str] = {}
    images: list[tuple[Path, dict[str, str]]] = []

    def kill_here(_point: str = "") -> None:
        image = folder / f"image-{len(images)}"
        shutil.copytree(folder / "store", image)
        images.append((image, dict(wanted)))

    store.parts.at_point = kill_here
    try:
        for what, then in zip(calls, upkeep, strict=True):
            call(store, "n", what)
            key, _, value = what.partition("=")
            if value:
                wanted[f"n:{key}"] = shared("n") if value == "x" else "another n"
            else:
                del wanted["n:C"]
            kill_here()
            keep_up(store, then)
            clock.advance(1)
    finally:
        leave(store)
    for image, expected in images:
        store = open_unsynced(settings(image, warm=warm), clock)
        try:
            assert store.get_many(["n:A", "n:B", "n:C"]) == expected
            check_sums(store)
            check_no_orphans(store)
            assert store.get_many(["n:A", "n:B", "n:C"]) == expected
        finally:
            leave(store)
        shutil.rmtree(image)
    return len(images)


def test_a_duplicate_outlives_a_kill_at_every_step_of_the_known_orders(tmp_path: Path) -> None:
    for number, upkeep in enumerate(
        [
            ("checkpoint", "-", "-", "-", "settle"),
            ("checkpoint", "checkpoint", "-", "collect", "settle"),
            ("settle", "-", "checkpoint", "settle", "settle"),
        ]
    ):
        calls = DEAD_BEFORE if number == 2 else CALLS
        assert check_killed_everywhere(tmp_path / str(number), calls, upkeep, "directory") > len(CALLS)


def test_a_duplicate_outlives_a_kill_at_every_step_of_some_orders(tmp_path: Path) -> None:
    for number, (calls, upkeep) in enumerate(orders(3, seed=1)):
        check_killed_everywhere(tmp_path / str(number), calls, upkeep, "directory")


@pytest.mark.stress
def test_a_duplicate_outlives_a_kill_at_every_step_of_many_orders(tmp_path: Path) -> None:
    total = int(os.environ.get("STRATAKV_STRESS_ROUNDS", "200"))
    for number, (calls, upkeep) in enumerate(orders(total, seed=2)):
        check_killed_everywhere(tmp_path / str(number), calls, upkeep, ("disk", "directory")[number % 2])
