"""No count is lost to threads, to their end or to a fork; quantiles are right within a bucket."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratakv.engine import telemetry
from stratakv.engine.telemetry import HITS, READS, SLOT_NAMES, WRITES, Counters, LatencyHistogram

if TYPE_CHECKING:
    from collections.abc import Callable


def _run_in_threads(number: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_every_name_has_its_own_constant() -> None:
    for index, name in enumerate(SLOT_NAMES):
        assert getattr(telemetry, name.upper()) == index


def test_counts_are_kept_apart_by_name() -> None:
    counters = Counters()
    counters.add(READS)
    counters.add(WRITES, 5)
    assert counters.total(READS) == 1
    snapshot = counters.snapshot()
    assert snapshot["reads"] == 1
    assert snapshot["writes"] == 5
    assert snapshot["hits"] == 0
    assert list(snapshot) == list(SLOT_NAMES)


def test_eight_threads_adding_lose_nothing() -> None:
    counters = Counters()
    count_hit = counters.ticker(HITS)

    def work() -> None:
        add = counters.add
        for _ in range(100_000):
            add(READS)
            count_hit()
        add(WRITES, 7)

    _run_in_threads(8, work)
    assert counters.total(READS) == 800_000
    assert counters.total(HITS) == 800_000
    assert counters.total(WRITES) == 56


def test_sums_read_meanwhile_never_fall() -> None:
    counters = Counters()

    def add_fifty() -> None:
        for _ in range(50):
            counters.add(READS)

    finished = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not finished.is_set():
            seen.append(counters.snapshot()["reads"])

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        # Threads come and go, so their counts move to the sums of the ended while the reader looks.
        _run_in_threads(4, add_fifty)
    finished.set()
    reader.join()
    assert seen == sorted(seen)
    assert counters.total(READS) == 4_000


def test_ended_threads_keep_their_counts_and_take_no_memory() -> None:
    counters = Counters()
    for _ in range(500):
        _run_in_threads(1, lambda: counters.add(READS))
    assert counters.total(READS) == 500
    assert len(counters._shards._state[1]) <= 2


def test_two_tickers_and_adds_of_one_counter_sum_up() -> None:
    counters = Counters()
    first, second = counters.ticker(READS), counters.ticker(READS)
    first()
    first()
    second()
    counters.add(READS, 10)
    assert counters.total(READS) == 13
    assert counters.snapshot()["reads"] == 13


def test_reading_a_ticker_does_not_move_it() -> None:
    counters = Counters()
    counters.ticker(READS)()
    assert [counters.total(READS) for _ in range(5)] == [1] * 5


def test_counters_of_two_stores_are_apart() -> None:
    one, other = Counters(), Counters()
    one.add(READS)
    assert other.total(READS) == 0


_FORKING = """
import os, threading
from stratakv.engine.telemetry import READS, Counters

def add_in_a_thread():
    thread = threading.Thread(target=counters.add, args=(READS,))
    thread.start()
    thread.join()

counters = Counters()
count_read = counters.ticker(READS)
add_in_a_thread()
counters.add(READS)
count_read()
# As if another thread were just starting to count while this one forks.
counters._shards.lock.acquire()
child = os.fork()
if child == 0:
    add_in_a_thread()
    counters.add(READS)
    count_read()
    os._exit(counters.total(READS))
counters._shards.lock.release()
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status), counters.total(READS))
"""


def test_a_forked_child_counts_on_and_leaves_the_parent_alone() -> None:
    command = [sys.executable, "-c", _FORKING]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert finished.stdout.split() == ["6", "3"]


def test_an_empty_histogram_has_no_quantiles() -> None:
    histogram = LatencyHistogram()
    assert histogram.count == 0
    assert histogram.quantile(0.5) is None
    assert histogram.mean() is None


@given(
    durations=st.lists(st.integers(0, 2**44 - 1), min_size=1, max_size=60),
    q=st.floats(0, 1),
)
def test_quantile_is_at_most_a_quarter_above_the_true_one(durations: list[int], q: float) -> None:
    histogram = LatencyHistogram()
    for duration in durations:
        histogram.record(duration)
    told = histogram.quantile(q)
    assert told is not None
    # The least recorded duration that the share q of all does not exceed.
    true = min(d for d in durations if sum(other <= d for other in durations) >= q * len(durations))
    assert true <= told <= 1.25 * true
    assert histogram.count == len(durations)
    assert histogram.mean() == pytest.approx(sum(durations) / len(durations))


def test_durations_past_the_edges_count_at_the_edges() -> None:
    histogram = LatencyHistogram()
    histogram.record(-5)
    histogram.record(2**80)
    assert histogram.count == 2
    assert histogram.quantile(0) == 0
    assert histogram.quantile(1) == 2**44 - 1


def test_histogram_loses_no_record_of_any_thread() -> None:
    histogram = LatencyHistogram()

    def work() -> None:
        for _ in range(5000):
            histogram.record(1000)

    _run_in_threads(4, work)
    assert histogram.count == 20_000
    assert histogram.mean() == 1000


@pytest.mark.parametrize("q", [-0.1, 1.1, float("nan")])
def test_a_quantile_outside_zero_to_one_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        LatencyHistogram().quantile(q)
