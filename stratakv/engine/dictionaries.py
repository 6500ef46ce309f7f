"""`DictionaryBook`: the zstd dictionaries known to the process, and the samples new ones are trained from.

Owns which dictionary a namespace encodes with, the samples, and the decision whether a new dictionary pays.
It never writes anything to disk: the caller persists what `train` returns and then tells the book by `add`.

`current`, `encode` and `decode` take no lock and may be called from any thread. `sample`, `due` and `train`
belong to the background and share one lock for the samples; training itself runs outside it, without the
interpreter lock.

Samples are taken systematically, not at random: every n-th plaintext is kept, and n doubles whenever the
namespace with the most samples has to be thinned. The same stores give the same dictionaries, so a run can be
replayed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import zstandard

from stratakv.engine.codecs.zstd import ZstdFrames
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from stratakv.engine.codecs.base import Buffer

LONGEST_SAMPLE = 8 * 1024
SAMPLES_BYTES = 2 << 20
SMALLEST_DICTIONARY = 4 * 1024
# Small records gain from a dictionary early: 4 KB trained on 64 KB already doubles the ratio of JSON records.
_FIRST_TRAINING = 64 * 1024
_FEWEST_SAMPLES = 40
# After a training the namespace must have grown this much before the next.
_GROWTH = 2
# Beyond this volume more of the same is found in the samples than they can hold, so there is less to learn.
_MUCH = 8 * SAMPLES_BYTES
_GROWTH_OF_MUCH = 8
# A dictionary may take this part of the volume it was trained for.
_SHARE_OF_VOLUME = 12
# Every new dictionary is one more to keep for as long as its payloads live: it must save a little more than
# nothing.
_WORTH = 0.98
_DRIFT = 1.25
_DRIFT_WINDOW = 256 * 1024
# Level for judging and for the dictionary's entropy tables: the fast path's, where the dictionary matters
# most.
_LEVEL = 3
# Of zstd's COVER algorithm: lengths of segments and of matches, as its own search finds them for JSON records of 1 KB.
_USUAL = {"k": 537, "d": 8}
_HELD_OUT = 5


@dataclass(slots=True)
class _Samples:
    """What is known of one namespace. `seen`: bytes offered in all; `trained_at`: until the last training."""

    kept: list[bytes] = field(default_factory=list)
    kept_bytes: int = 0
    stride: int = 1
    offered: int = 0
    seen: int = 0
    trained_at: int = 0
    expected: float | None = None
    window_plain: int = 0
    window_coded: int = 0
    drifted: bool = False

    def thin(self) -> int:
        """Drop every other sample; return the bytes freed."""
        self.kept = self.kept[1::2]
        self.stride *= 2
        return self._recount()

    def forget_older_half(self) -> int:
        """Make room for what comes after a training; return the bytes freed."""
        self.kept = self.kept[len(self.kept) // 2 :]
        return self._recount()

    def forget(self) -> int:
        """Let go of all samples; return the bytes freed."""
        self.kept = []
        return self._recount()

    def _recount(self) -> int:
        before = self.kept_bytes
        self.kept_bytes = sum(map(len, self.kept))
        return before - self.kept_bytes


class DictionaryBook:
    """Dictionaries by id, and the newest of each namespace.

    Args:
        dictionary_bytes: The largest dictionary to train; 0 trains none.
    """

    def __init__(self, *, dictionary_bytes: int = 64 * 1024) -> None:
        self._dictionary_bytes = dictionary_bytes
        self._frames: dict[int, ZstdFrames] = {}
        self._namespaces: dict[int, int] = {}
        self._current: dict[int, int] = {}
        self._samples: dict[int, _Samples] = {}
        self._samples_bytes = 0
        self._lock = threading.Lock()

    def add(self, id: int, namespace: int, content: bytes) -> None:  # noqa: A002 - the format's word for it
        """Make a persisted dictionary known; the highest id of a namespace becomes its current one.

        Raises:
            CorruptionError: The content is not a zstd dictionary.
            ValueError: The id is not positive (0 means no dictionary).
        """
        if id <= 0:
            raise ValueError(f"a dictionary's id must be positive, not {id}")
        frames = ZstdFrames(content)
        with self._lock:
            self._frames[id] = frames
            self._namespaces[id] = namespace
            if id > self._current.get(namespace, 0):
                self._current[namespace] = id

    def discard(self, id: int) -> None:  # noqa: A002 - the format's word for it
        """Forget a dictionary that nothing refers to any more. Unknown ids are ignored."""
        with self._lock:
            namespace = self._namespaces.pop(id, None)
            if namespace is not None and self._current.get(namespace) == id:
                # The namespace goes back to its next older dictionary, or to none.
                older = [known for known, owner in self._namespaces.items() if owner == namespace]
                if older:
                    self._current[namespace] = max(older)
                else:
                    del self._current[namespace]
            self._frames.pop(id, None)

    def current(self, namespace: int) -> int:
        """Return the id of the dictionary to encode with, 0 for none."""
        return self._current.get(namespace, 0)

    def namespace_of(self, id: int) -> int:  # noqa: A002 - the format's word for it
        """Return the namespace a dictionary was trained for.

        Raises:
            KeyError: The id is not known.
        """
        return self._namespaces[id]

    def __contains__(self, id: int) -> bool:  # noqa: A002 - the format's word for it
        return id in self._frames

    def ids(self) -> tuple[int, ...]:
        """Return the ids of all known dictionaries, ascending."""
        return tuple(sorted(self._frames.copy()))

    def trim(self, keep_level: int) -> None:
        """Let go of what was prepared for other levels than the fast path's."""
        for frames in list(self._frames.values()):
            frames.trim(keep_level)

    def rest(self) -> None:
        """Let go of the samples, and of all that was prepared for quick use; what was learnt of volumes stays."""
        self.trim(0)
        with self._lock:
            for samples in self._samples.values():
                self._samples_bytes -= samples.forget()

    def ram_bytes(self) -> int:
        """Estimate the bytes of RAM that dictionaries, their prepared forms and samples take."""
        return self._samples_bytes + sum(frames.ram_bytes() for frames in list(self._frames.values()))

    def native_bytes(self) -> int:
        """Estimate what of `ram_bytes` zstd itself allocates, outside Python."""
        return sum(frames.native_bytes() for frames in list(self._frames.values()))

    def encode(self, id: int, plaintext: Buffer, level: int) -> bytes:  # noqa: A002 - the format's word for it
        """Encode with a dictionary. `level` is zstd's, 1 to 22.

        Raises:
            KeyError: The id is not known (it was discarded meanwhile).
        """
        return self._frames[id].encode(plaintext, level)

    def decode(self, id: int, payload: Buffer, size: int) -> bytes:  # noqa: A002 - the format's word for it
        """Decode to exactly `size` bytes. A wrong dictionary may go unnoticed: verify the digest.

        Raises:
            CorruptionError: The dictionary is missing or the payload is damaged.
        """
        try:
            frames = self._frames[id]
        except KeyError:
            raise CorruptionError(f"dictionary {id}, which a payload was encoded with, is missing") from None
        return frames.decode(payload, size)

    def sample(self, namespace: int, plaintext: bytes) -> None:
        """Offer a new record. Long ones (over 8 KB) need no dictionary and are ignored."""
        size = len(plaintext)
        if not 0 < size <= LONGEST_SAMPLE or self._dictionary_bytes < SMALLEST_DICTIONARY:
            return
        with self._lock:
            samples = self._samples.get(namespace)
            if samples is None:
                samples = self._samples[namespace] = _Samples()
            samples.seen += size
            samples.offered += 1
            if samples.offered % samples.stride:
                return
            samples.kept.append(plaintext)
            samples.kept_bytes += size
            self._samples_bytes += size
            if self._samples_bytes > SAMPLES_BYTES:
                largest = max(self._samples.values(), key=lambda other: other.kept_bytes)
                self._samples_bytes -= largest.thin()
            current = self._frames.get(self._current.get(namespace, 0))
            if current is not None:
                self._watch(samples, size, len(current.encode(plaintext, _LEVEL)))

    def _watch(self, samples: _Samples, plain: int, coded: int) -> None:
        """Compare what the current dictionary does for the last samples with what it did when it was new."""
        samples.window_plain += plain
        samples.window_coded += coded
        if samples.window_plain >= _DRIFT_WINDOW:
            share = samples.window_coded / samples.window_plain
            if samples.expected is None:
                # A dictionary of an earlier run: its first window sets the mark.
                samples.expected = share
            samples.drifted = share > samples.expected * _DRIFT
            samples.window_plain = samples.window_coded = 0

    def due(self, namespace: int) -> bool:
        """Tell whether training may pay.

        It may the first time at 64 KB of records, then at twice the volume of the last training (eight times from
        16 MB on), or when the current dictionary compresses the last 256 KB of samples 25% worse than it once did.
        """
        samples = self._samples.get(namespace)
        if samples is None or len(samples.kept) < _FEWEST_SAMPLES:
            return False
        growth = _GROWTH if samples.trained_at < _MUCH else _GROWTH_OF_MUCH
        return samples.drifted or samples.seen >= max(_FIRST_TRAINING, growth * samples.trained_at)

    def train(self, namespace: int) -> bytes | None:
        """Train a dictionary, without making it known: 0.01 to 1 s of one core outside the interpreter lock.

        Dictionaries of up to three sizes are judged on every fifth sample, which was kept from the training,
        for the volume seen so far doubled (what is stored goes on growing). None when the best of them, its
        own size counted, does not beat the current dictionary, or none at all.
        """
        with self._lock:
            samples = self._samples.get(namespace)
            if samples is None:
                return None
            kept, volume = samples.kept.copy(), samples.seen
            samples.trained_at = volume
            samples.drifted = False
            samples.window_plain = samples.window_coded = 0
        current = self._frames.get(self._current.get(namespace, 0)) or ZstdFrames()
        judge = _Judge(kept[::_HELD_OUT], 2 * volume)
        training = [sample for place, sample in enumerate(kept) if place % _HELD_OUT]
        best, cost = None, judge.cost(current) * _WORTH
        for size in self._sizes(volume):
            candidate = _trained(size, training)
            if candidate is not None:
                its_cost = judge.cost(ZstdFrames(candidate)) + len(candidate)
                if its_cost < cost:
                    best, cost = candidate, its_cost
        if best is not None:  # the size is settled: now it is worth a search for the parameters too
            candidate = _trained(len(best), training, search=True) or best
            its_cost = judge.cost(ZstdFrames(candidate)) + len(candidate)
            if its_cost < cost:
                best, cost = candidate, its_cost
        with self._lock:
            samples.expected = None if best is None else (cost - len(best)) / judge.volume
            self._samples_bytes -= samples.forget_older_half()
        return best

    def _sizes(self, volume: int) -> list[int]:
        """Return the sizes worth trying: the largest that the volume bears, and 1/4 and 1/16 of it."""
        largest = min(self._dictionary_bytes, max(SMALLEST_DICTIONARY, volume // _SHARE_OF_VOLUME))
        return [size for size in (largest, largest // 4, largest // 16) if size >= SMALLEST_DICTIONARY]


class _Judge:
    """Measures on held-out samples what a volume of records will take."""

    def __init__(self, held_out: list[bytes], volume: int) -> None:
        self.volume = volume
        self._held_out = held_out
        self._plain = sum(map(len, held_out))

    def cost(self, frames: ZstdFrames) -> float:
        """Return the expected encoded bytes of the volume."""
        if not self._plain:
            return 0.0
        coded = sum(min(len(frames.encode(sample, _LEVEL)), len(sample)) for sample in self._held_out)
        return coded / self._plain * self.volume


def _trained(size: int, samples: list[bytes], *, search: bool = False) -> bytes | None:
    """Return a dictionary, or None where zstd finds the samples too few or too uniform to make one of.

    A search for the best parameters takes four times as long and gains 0 to 5%.
    """
    parameters = {} if search else _USUAL
    try:
        return zstandard.train_dictionary(size, list(samples), level=_LEVEL, **parameters).as_bytes()
    except zstandard.ZstdError:
        return None
