"""A signal's handler raises at one exact point: the caller gets it, and nothing is left of it in the store.

Points are where the interpreter runs handlers: as a function begins, and behind a call of one that is written in C.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import OptimizationMiddleware, StorageTier
from stratakv.clock import ManualClock
from tests.processes.children import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType


class InterruptedAt:
    """Raises KeyboardInterrupt once in this thread: as `caller` calls `name`, or when that ended and is C code."""

    def __init__(self, caller: str, name: str, *, ended: bool = False, time: int = 1) -> None:
        self._point = (caller, name)
        self._event = "c_return" if ended else "call"
        self._left = time

    def _look(self, frame: FrameType, event: str, called: Any) -> None:
        if event != self._event:
            return
        if event == "c_return":
            point = (frame.f_code.co_name, called.__name__)
        else:
            point = (frame.f_back.f_code.co_name if frame.f_back else "", frame.f_code.co_name)
        if point == self._point:
            self._left -= 1
            if not self._left:
                sys.setprofile(None)
                raise KeyboardInterrupt

    def __enter__(self) -> None:
        sys.setprofile(self._look)

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


@pytest.fixture
def memory(tmp_path: Path) -> OptimizationMiddleware:
    return OptimizationMiddleware(path=tmp_path / "store", clock=ManualClock())


@contextlib.contextmanager
def another_read_under_way(memory: OptimizationMiddleware, key: str) -> Iterator[None]:
    """Have another thread in the midst of a look-up, so that this one does not share its connection."""
    within, go_on = threading.Event(), threading.Event()

    def look(frame: FrameType, event: str, called: Any) -> None:
        if event == "c_return" and frame.f_code.co_name == "_rows" and called.__name__ == "execute":
            sys.setprofile(None)
            within.set()
            go_on.wait(60)

    def read() -> None:
        sys.setprofile(look)
        memory.retrieve(key)

    thread = threading.Thread(target=read)
    thread.start()
    assert within.wait(20)
    try:
        yield
    finally:
        go_on.set()
        thread.join()


@pytest.mark.parametrize("name", ["execute", "fetchall"])
def test_a_look_up_that_was_broken_off_shows_nothing_old_later(memory: OptimizationMiddleware, name: str) -> None:
    for key in ("a", "gone", "first", "second"):
        memory.store(key, "old", tier=StorageTier.WARM)
    memory.maintain(settle=True)
    point = InterruptedAt("_rows", name, ended=True)
    with another_read_under_way(memory, "first"), pytest.raises(KeyboardInterrupt), point:
        memory.retrieve("a")
    memory.store("a", "new", tier=StorageTier.WARM)
    memory.store("b", "new", tier=StorageTier.WARM)
    memory.delete("gone")
    memory.flush()
    memory.maintain(settle=True)  # nothing holds that up
    with another_read_under_way(memory, "second"):
        assert {key: memory.retrieve(key) for key in ("a", "b", "gone")} == {"a": "new", "b": "new", "gone": None}
        assert not memory.replace("a", "other", "old")
        assert sorted(memory) == ["a", "b", "first", "second"]
    memory.shutdown()


def test_keys_are_counted_right_behind_a_commit_that_was_interrupted(
    tmp_path: Path, memory: OptimizationMiddleware
) -> None:
    memory["first"] = 1
    memory.maintain()
    # The first transaction that ends is that of the pack's file, the second one the catalog's.
    points = [("__exit__", 2), ("update", 1)]
    for step, (name, time) in enumerate(points, 1):
        memory.store_many({f"{step} {number}": number for number in range(10)})
        with pytest.raises(KeyboardInterrupt), InterruptedAt("_transact", name, ended=True, time=time):
            memory.maintain()
        memory.maintain()
        assert len(memory) == len(list(memory)) == 1 + 10 * step
    memory.shutdown()
    with OptimizationMiddleware(path=tmp_path / "store") as opened:
        assert len(opened) == len(list(opened)) == 1 + 10 * len(points)


VALUE = [(1, (2, np.arange(50, dtype="f4"))), np.arange(500)]


@pytest.mark.parametrize(
    "point", [("of", "_hook"), ("_look", "_hook"), ("_look", "_elements"), ("_hook", "_look")], ids=" calls ".join
)
def test_an_interrupt_while_arrays_are_looked_for_comes_out_as_one(
    memory: OptimizationMiddleware, point: tuple[str, str]
) -> None:
    with pytest.raises(KeyboardInterrupt), InterruptedAt(*point):
        memory["key"] = VALUE
    memory["key"] = VALUE
    assert memory["key"][0][0] == 1
    memory.shutdown()


@pytest.mark.parametrize(
    "point",
    [("_loads", "hook"), ("_reader", "__init__"), ("hook", "hook"), ("read_array", "rebuild")],
    ids=" calls ".join,
)
def test_an_interrupt_while_a_value_is_read_comes_out_as_one(
    memory: OptimizationMiddleware, point: tuple[str, str]
) -> None:
    memory["key"] = (1, 2)
    memory["array"] = VALUE
    with pytest.raises(KeyboardInterrupt), InterruptedAt(*point):
        memory.retrieve_many(["key", "array"])
    assert memory["key"] == (1, 2)
    assert memory.get_statistics()["background"]["corruptions"] == 0
    memory.shutdown()


IMPORTED = """
import numpy as np
from stratakv.clock import ManualClock
memory = OptimizationMiddleware(path=path, clock=ManualClock())

def look(frame, event, called):
    if event == "call" and frame.f_code.co_name == "<module>" and frame.f_code.co_filename.endswith("blosc2/core.py"):
        sys.setprofile(None)
        raise KeyboardInterrupt

interrupts = 0
sys.setprofile(look)
for number in range(40):
    try:
        memory[f"{number}"] = np.arange(number, number + 4000, dtype="f4")
        memory.maintain()
    except KeyboardInterrupt:
        interrupts += 1
sys.setprofile(None)
memory.maintain(settle=True)
assert all(memory[f"{number}"][0] == number for number in range(40) if f"{number}" in memory)
memory.shutdown()
print("blosc2" in sys.modules, interrupts < 2)
"""


def test_no_import_of_a_codecs_library_is_broken_off(tmp_path: Path) -> None:
    pytest.importorskip("blosc2")
    ended = run(IMPORTED, tmp_path)
    assert ended.stdout.split() == ["True", "True"], ended.stderr[-2000:]
