"""A signal handler raises KeyboardInterrupt amid a call: the call may be undecided, the store is not.

The program below is run by a fresh interpreter, because the handler and its timer belong to a whole process. It reports
every broken promise as a line; what was acknowledged must be there, an interrupted batch must be there whole or not.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.model.places import fresh_directory
from tests.processes.children import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INTERRUPTED = """
import logging, random, signal
logging.disable(logging.CRITICAL)
durability, seed, steps, sizes = sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), [int(n) for n in sys.argv[5].split()]
chance = random.Random(seed)
GONE = object()
allowed, batches, interrupts, acknowledged = {}, [], 0, 0

def raise_interrupt(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGALRM, raise_interrupt)

def opened():
    return OptimizationMiddleware(config=OptimizationConfig(
        enabled=True, storage={"path": path, "durability": durability, "dirty_limit_mb": 4}
    ))

def interrupted(call):
    global interrupts, acknowledged
    done = False
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.choice([1e-5, 2e-5, 4e-5, 1e-4, 3e-4, 1e-3, 2e-3]))
            call()
            done = True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        (lambda: None)()  # one that came just before is raised at the next call, and not outside
    except KeyboardInterrupt:
        interrupts += 1
    acknowledged += done
    return done

def check(moment):
    for key, values in allowed.items():
        found = memory.retrieve(key, GONE)
        if not any(found is value if value is GONE else found == value for value in values):
            print(moment, key, "is", repr(found)[:40], "not one of", len(values))
    for batch in batches:
        there = memory.retrieve_many(list(batch))
        if there and there != batch:
            print(moment, "batch of", len(batch), "has", len(there))

memory = opened()
for step in range(steps):
    kind, key = chance.random(), f"key {chance.randrange(20)}"
    try:
        if kind < 0.7:
            value = (step, chance.randbytes(chance.choice(sizes)))
            done = interrupted(lambda: memory.store(key, value))
        elif kind < 0.83:
            value = GONE
            done = interrupted(lambda: memory.delete(key))
        elif kind < 0.97:
            batch = {f"batch {step}:{n}": (step, n, chance.randbytes(sizes[0])) for n in range(8)}
            if interrupted(lambda: memory.store_many(batch)):
                allowed.update((name, [item]) for name, item in batch.items())
            else:
                batches.append(batch)
            continue
        else:
            interrupted(memory.maintain)
            continue
        allowed[key] = [value] if done else [*allowed.get(key, [GONE]), value]
    except Exception as failure:
        print("step", step, repr(failure)[:300])
        break
check("live")
for n in range(20):
    memory.store(f"last {n}", n)
    allowed[f"last {n}"] = [n]
check("after more")
memory.shutdown()
for opening in range(2):
    memory = opened()
    check(f"opening {opening}")
    memory.maintain(settle=True)
    check(f"settled {opening}")
    count = len(memory)
    if count != len(list(memory)):
        print("counted", count, "listed", len(list(memory)))
    memory.shutdown()
print("interrupts", interrupts > 0, "acknowledged", acknowledged > 0)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """In RAM where that is possible: the calls are many and short."""
    directory = fresh_directory()
    yield directory
    shutil.rmtree(directory)


def test_pcodec_is_imported_before_a_call_could_be_interrupted_in_it(tmp_path: Path) -> None:
    # An interrupt in the middle of its import comes out as a panic of its own, and not as the interrupt.
    ended = run("print('pcodec' in sys.modules)", tmp_path)
    assert ended.stdout == "True\n", ended.stderr[-2000:]


@pytest.mark.parametrize("sizes", ["10 300 20000", "300000"], ids=["small", "large"])
@pytest.mark.parametrize("durability", ["process", "sync", "none"])
def test_what_was_acknowledged_survives_interrupts_at_random_moments(place: Path, durability: str, sizes: str) -> None:
    steps = 60 if sizes == "300000" else 250
    for seed in (1, 2):
        ended = run(INTERRUPTED, place / f"store {seed}", durability, seed, steps, sizes)
        assert ended.stdout == "interrupts True acknowledged True\n", ended.stderr[-2000:]
        assert ended.returncode == 0
