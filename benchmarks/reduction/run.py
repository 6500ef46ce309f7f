"""Owns taking one corpus through one store: load, read from RAM, settle, read from cold, open again, read again.

Invariant: what is told of a value's way is told of every value. Times are medians of single calls.
"""

from __future__ import annotations

import gc
import random
import statistics
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns, thread_time
from typing import TYPE_CHECKING, Any

from benchmarks.keeping import RunError
from benchmarks.reduction.loss import configuration, identical, wrong_with
from benchmarks.reduction.sizes import Files, Hot, dictionary_bytes, files_of, hot_table
from stratakv import OptimizationMiddleware
from stratakv.clock import ManualClock
from stratakv.engine.serialization import Serializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.reduction.corpora import Corpus
    from benchmarks.reduction.loss import Loss
    from stratakv import OptimizationConfig

ROUNDS = 12


class _Clock(ManualClock):
    """Stands still, so that background work runs where it is called for; but what a codec costs is measured."""

    def busy(self) -> float:
        return thread_time()


TIMED = 400
MAINTAIN_EVERY = 500


class UnsettledError(RunError):
    """The store did not bring everything into the cold tier."""


@dataclass(slots=True)
class Way:
    """What was seen on a corpus's way through a store.

    Attributes:
        differences: A line for each value that came back wrong.
        microseconds: The median time of a call, by what it did.
        hot: The hot table when all was loaded; `settled_hot` when all was settled.
        loaded: The store's statistics when all was loaded; `settled` when all was settled.
        changed: Values that an allowed loss changed.
        open_files: The files of the settled store while it is open; `files` when it is closed.
        dictionaries: Bytes of dictionaries in the catalog.
        rounds: How often the store was asked to settle.
        retrieved: The values, as they came back last.
    """

    differences: list[str] = field(default_factory=list)
    microseconds: dict[str, float] = field(default_factory=dict)
    hot: Hot | None = None
    loaded: dict[str, Any] = field(default_factory=dict)
    changed: int = 0
    settled: dict[str, Any] = field(default_factory=dict)
    settled_hot: Hot | None = None
    open_files: Files | None = None
    files: Files | None = None
    dictionaries: int = 0
    rounds: int = 0
    retrieved: dict[str, Any] = field(default_factory=dict)


def travel(corpus: Corpus, level: str, loss: Loss | None, progress: Callable[[str, int, int], None]) -> Way:
    """Take a corpus through a store in a temporary directory.

    Raises:
        UnsettledError: Values stay in the warm tier, however often the store is asked to settle.
    """
    with tempfile.TemporaryDirectory(prefix="stratakv-reduction-") as directory, _collector_off():
        return _Journey(corpus, configuration(level, loss), loss, Path(directory), progress).run()


@contextmanager
def _collector_off() -> Iterator[None]:
    """Keep the collector off the objects that are held for comparison: a service would have given them away."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Journey:
    def __init__(
        self,
        corpus: Corpus,
        config: OptimizationConfig,
        loss: Loss | None,
        path: Path,
        progress: Callable[[str, int, int], None],
    ) -> None:
        self._items = corpus.items
        self._config = config
        self._loss = loss
        self._path = path
        self._progress = progress
        self._expected: dict[str, Any] = corpus.items if loss is None else {}
        self.way = Way()
        some = list(self._items)
        self._sample = random.Random(1).sample(some, min(TIMED, len(some)))

    def _opened(self) -> OptimizationMiddleware:
        return OptimizationMiddleware(config=self._config, path=self._path, clock=_Clock())

    def run(self) -> Way:
        with self._opened() as memory:
            self._load(memory)
            if self._loss is not None:
                self._accept(memory, self._loss)
            self._compare(memory, "from RAM")
            self._time_reads(memory, "hot")
            self._time_codecs(memory)
            self._settle(memory)
            self._time_reads(memory, "cold")
            self._compare(memory, "from cold")
        self.way.files = files_of(self._path)
        self.way.dictionaries = dictionary_bytes(self._path)
        with self._opened() as memory:
            self._compare(memory, "after reopening")
        return self.way

    def _load(self, memory: OptimizationMiddleware) -> None:
        times = []
        for number, (key, value) in enumerate(self._items.items(), 1):
            started = perf_counter_ns()
            memory.store(key, value)
            times.append(perf_counter_ns() - started)
            if number % MAINTAIN_EVERY == 0:
                memory.maintain()
                self._progress("storing", number, len(self._items))
        memory.maintain()
        self.way.microseconds["store"] = statistics.median(times) / 1000
        self.way.hot = hot_table(memory)
        self.way.loaded = memory.get_statistics()

    def _accept(self, memory: OptimizationMiddleware, loss: Loss) -> None:
        """Judge what loss did to each value; from then on that is the value, and must come back exactly."""
        for key, value in self._items.items():
            got = memory.retrieve(key)
            if (wrong := wrong_with(value, got, loss)) is not None:
                self.way.differences.append(f"{key} {wrong}")
            self._expected[key] = got
            self.way.changed += not identical(value, got)

    def _compare(self, memory: OptimizationMiddleware, where: str) -> None:
        for number, (key, value) in enumerate(self._expected.items(), 1):
            got = memory.retrieve(key)
            if not identical(value, got):
                self.way.differences.append(f"{key} differs {where}")
            self.way.retrieved[key] = got
            if number % MAINTAIN_EVERY == 0:
                self._progress(f"comparing {where}", number, len(self._expected))

    def _time_reads(self, memory: OptimizationMiddleware, name: str) -> None:
        times = []
        for key in self._sample:
            started = perf_counter_ns()
            memory.retrieve(key)
            times.append(perf_counter_ns() - started)
        self.way.microseconds[name] = statistics.median(times) / 1000

    def _time_codecs(self, memory: OptimizationMiddleware) -> None:
        """Time what a store and a read in RAM spend on codecs, and what deserialising takes, which nobody can save."""
        engine, serializer = memory.compression_engine, Serializer()
        hot = memory.tiered_storage._store.parts.hot  # noqa: SLF001 -- there is no public way to a payload in RAM
        times: dict[str, list[int]] = {"encode": [], "decode": [], "deserialise": []}
        for entry in filter(None, map(hot.entries.get, self._sample)):
            encoded = entry.blob.encoded
            started = perf_counter_ns()
            plaintext = engine.decode(encoded)
            decoded = perf_counter_ns()
            serializer.loads(plaintext)
            read = perf_counter_ns()
            engine.encoder.fast(plaintext, entry.namespace, counted=False)
            times["encode"].append(perf_counter_ns() - read)
            times["decode"].append(decoded - started)
            times["deserialise"].append(read - decoded)
        self.way.microseconds |= {name: statistics.median(each) / 1000 if each else 0.0 for name, each in times.items()}

    def _settle(self, memory: OptimizationMiddleware) -> None:
        before = -1
        for number in range(1, ROUNDS + 1):
            self._progress("settling", number, ROUNDS)
            memory.maintain(settle=True)
            files = files_of(self._path)
            self.way.rounds = number
            if not files.warm_packs and files.cold_packs == before > 0:
                self.way.open_files = files
                self.way.settled = memory.get_statistics()
                self.way.settled_hot = hot_table(memory)
                return
            before = files.cold_packs
        raise UnsettledError(
            f"after {ROUNDS} rounds of maintain(settle=True) {files.warm_packs} bytes of packs are still in the warm "
            f"tier, {files.cold_packs} in the cold one"
        )
