"""`RotationBook`: the learned rotations known to the process, and when a new one is to be learned.

Owns which rotation a namespace's vectors of one dimension are changed with, the samples, and the decision whether
another rotation pays. It never writes anything to disk: the caller persists what `train` returns and then tells the
book by `add`. Numbers are shared with trained dictionaries: a payload names one or the other.

Invariant: a rotation stays as long as it is not discarded, whatever became current after it, because vectors that were
changed with it are found again with it alone.

`current`, `of` and `rotation` take no lock and may be called from any thread. Training runs outside the lock.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

from stratakv.engine.rotation.form import LARGEST_DIMENSION
from stratakv.engine.rotation.known import DRIFT_WINDOW, Known, bits_of, is_better
from stratakv.engine.rotation.model import Rotation
from stratakv.engine.rotation.samples import Samples, most_samples
from stratakv.engine.rotation.training import trained
from stratakv.errors import CorruptionError

Array = np.ndarray[Any, Any]
Place = tuple[int, int]
"""A namespace's number and a dimension."""

SAMPLES_BYTES = 4 << 20
MOST_DIMENSIONS = 4
"""Dimensions of one namespace that rotations are learned for."""

FEWEST_SAMPLES = 64
SHARE_OF_DATA = 20
"""A rotation may take this part of the bytes that it serves."""

# The smallest rotation takes about a KB.
_FIRST_TRAINING = 1024 * SHARE_OF_DATA
# After a training so many times the bytes must have come before the next.
_GROWTH = 2
# So many vectors for each number of a vector give a rotation that more of them hardly better.
_ENOUGH = 4


@dataclass(slots=True)
class _Track:
    """What is known of one place.

    `seen`: bytes offered; `paid`: bytes of the rotations learned of them; `looked_at`: vectors offered until the last
    look for a drift.
    """

    samples: Samples
    min_cosine: float
    seen: int = 0
    trained_at: int = 0
    trained_rows: int = 0
    trained_cosine: float | None = None
    paid: int = 0
    looked_at: int = 0
    busy: bool = False


class RotationBook:
    """Rotations by number, and the newest of each namespace and dimension."""

    def __init__(self) -> None:
        self._known: dict[int, Known] = {}
        self._current: dict[Place, int] = {}
        self._of: dict[int, tuple[int, ...]] = {}
        self._tracks: dict[Place, _Track] = {}
        self._samples_bytes = 0
        self._lock = threading.Lock()

    # -- what is known ---------------------------------------------------------------------------------------

    def add(self, id: int, namespace: int, content: bytes) -> None:  # noqa: A002 - the format's word for it
        """Make a persisted rotation known; the highest number of a namespace and dimension becomes current.

        Raises:
            CorruptionError: The content is not a rotation.
            ValueError: The number is not positive (0 means none).
        """
        if id <= 0:
            raise ValueError(f"a rotation's number must be positive, not {id}")
        rotation = Rotation.from_bytes(content)
        with self._lock:
            self._known[id] = Known(rotation, namespace, rotation.bits)
            self._order(namespace)

    def discard(self, id: int) -> None:  # noqa: A002 - the format's word for it
        """Forget a rotation that nothing refers to any more. Unknown numbers are ignored."""
        with self._lock:
            known = self._known.pop(id, None)
            if known is not None:
                self._order(known.namespace)

    def _order(self, namespace: int) -> None:
        """Note anew which rotations a namespace has and which are current. The lock is held."""
        ids = sorted((id_ for id_, known in self._known.items() if known.namespace == namespace), reverse=True)
        newest: dict[Place, int] = {}
        for id_ in ids:
            newest.setdefault((namespace, self._known[id_].rotation.dimension), id_)
        # New tables take the place of the old ones, so that readers need no lock.
        others = {place: id_ for place, id_ in self._current.items() if place[0] != namespace}
        self._current = {**others, **newest}
        self._of = {**self._of, namespace: tuple(ids)}

    def current(self, namespace: int, dimension: int) -> int:
        """Return the number of the rotation to change vectors with, 0 for none."""
        return self._current.get((namespace, dimension), 0)

    def of(self, namespace: int) -> tuple[int, ...]:
        """Return the numbers of a namespace's rotations, the newest first."""
        return self._of.get(namespace, ())

    def known(self, id: int) -> Rotation | None:  # noqa: A002 - the format's word for it
        """Return a rotation, or None where it is not known (it may just have been discarded)."""
        found = self._known.get(id)
        return None if found is None else found.rotation

    def rotation(self, id: int) -> Rotation:  # noqa: A002 - the format's word for it
        """Return a rotation.

        Raises:
            CorruptionError: It is not known.
        """
        rotation = self.known(id)
        if rotation is None:
            raise CorruptionError(f"rotation {id}, which a payload was encoded with, is missing")
        return rotation

    def fitting(self, namespace: int, dimension: int, min_cosine: float) -> Rotation | None:
        """Return the current rotation of vectors; None where there is none that keeps to the bound."""
        rotation = self.known(self.current(namespace, dimension))
        return None if rotation is None or rotation.min_cosine < min_cosine else rotation

    def __contains__(self, id: int) -> bool:  # noqa: A002 - the format's word for it
        return id in self._known

    def ids(self) -> tuple[int, ...]:
        """Return the numbers of all known rotations, ascending."""
        return tuple(sorted(self._known.copy()))

    def in_use(self) -> set[int]:
        """Return the numbers of the rotations that new vectors are changed with."""
        return set(self._current.values())

    # -- learning --------------------------------------------------------------------------------------------

    def sample(self, namespace: int, rows: Array, min_cosine: float) -> None:
        """Offer vectors as they came, one a row, finite and not zero; `min_cosine` is the bound they came under."""
        place = namespace, rows.shape[1]
        if rows.shape[1] > LARGEST_DIMENSION:
            return
        with self._lock:
            track = self._tracks.get(place)
            if track is None:
                self._make_room(namespace)
                track = self._tracks[place] = _Track(Samples(rows.shape[1]), min_cosine)
            track.seen += rows.nbytes
            track.min_cosine = min_cosine
            before = track.samples.ram_bytes
            track.samples.offer(rows)
            self._samples_bytes += track.samples.ram_bytes - before
            while self._samples_bytes > SAMPLES_BYTES:
                self._shorten()

    def _make_room(self, namespace: int) -> None:
        """Let go of what was least seen of a namespace with many dimensions. The lock is held."""
        places = [place for place in self._tracks if place[0] == namespace]
        if len(places) >= MOST_DIMENSIONS:
            least = min(places, key=lambda place: (place in self._current, self._tracks[place].seen))
            self._samples_bytes -= self._tracks.pop(least).samples.ram_bytes

    def _shorten(self) -> None:
        """Drop half the samples of the place that has most. The lock is held."""
        place, track = max(self._tracks.items(), key=lambda item: item[1].samples.ram_bytes)
        if place in self._current:
            self._forget_older(track)  # a drift shows in the newest alone
            return
        before = track.samples.ram_bytes
        track.samples.thin()
        self._samples_bytes += track.samples.ram_bytes - before

    def count(self, id: int, vectors: int) -> None:  # noqa: A002 - the format's word for it
        """Note that so many new vectors were encoded with a rotation."""
        known = self._known.get(id)
        if known is not None:
            with self._lock:
                known.vectors += vectors

    def _look_for_drift(self) -> None:
        """Measure what the newest vectors take, where there are enough of them since the last look."""
        with self._lock:
            looks = []
            for place, track in self._tracks.items():
                known = self._known.get(self._current.get(place, 0))
                fresh = min(track.samples.offered - track.looked_at, len(track.samples))
                if known is not None and fresh >= DRIFT_WINDOW:
                    looks.append((known, track.samples.vectors(DRIFT_WINDOW)))
                    track.looked_at = track.samples.offered
        for known, vectors in looks:
            known.measured = bits_of(known.rotation, vectors)

    def due(self) -> list[Place]:
        """Return the places where training may pay.

        It may the first time with 64 vectors, then at twice the bytes of the last training until there are vectors
        enough for all axes; and where the bound changed, or the last 256 vectors took 10% more bits than expected.
        """
        self._look_for_drift()
        with self._lock:
            return [place for place, track in self._tracks.items() if self._is_due(place, track)]

    def _is_due(self, place: Place, track: _Track) -> bool:
        count = len(track.samples)
        if track.busy or count < FEWEST_SAMPLES or track.seen < _FIRST_TRAINING:
            return False
        known = self._known.get(self._current.get(place, 0))
        grown = track.seen >= _GROWTH * track.trained_at
        if known is None:
            return grown
        if known.rotation.min_cosine != track.min_cosine:
            return grown or track.trained_cosine != track.min_cosine
        enough = min(_ENOUGH * place[1], most_samples(place[1], SAMPLES_BYTES) // 2)
        if known.drifted:
            return True
        if known.rotation.rotates and track.trained_rows >= enough:
            return False
        # What an earlier run learned of an unknown number of vectors is tried again once there are enough.
        return grown and (track.trained_at > 0 or count >= enough)

    def learn(self, vectors: Array, min_cosine: float) -> bool:
        """Learn a rotation from all of these vectors and use it for namespace 0; return whether one pays.

        For an engine of its own, which keeps nothing.
        """
        rows = np.ascontiguousarray(vectors, np.float32)
        found = trained(rows[np.isfinite(rows).all(axis=1) & rows.any(axis=1)], min_cosine, vectors.nbytes)
        if found is not None:
            self.add(max(self._known, default=0) + 1, 0, found.content)
        return found is not None

    def train(self, place: Place) -> bytes | None:
        """Learn a rotation without making it known; None where none pays, or is clearly better than the current one.

        Takes up to seconds of a core for vectors of more than a thousand numbers.
        """
        with self._lock:
            track = self._tracks.get(place)
            if track is None or track.busy:
                return None
            known = self._known.get(self._current.get(place, 0))
            if known is not None and known.drifted and len(track.samples) >= 2 * DRIFT_WINDOW:
                self._forget_older(track)
            vectors = track.samples.vectors()
            min_cosine, seen = track.min_cosine, track.seen
            track.busy = True
        try:
            found = trained(vectors, min_cosine, max(0, seen - SHARE_OF_DATA * track.paid))
            if found is not None and known is not None and not is_better(found, known.rotation, vectors):
                found = None
        finally:
            with self._lock:
                track.busy = False
        with self._lock:
            track.trained_at, track.trained_rows, track.trained_cosine = seen, len(vectors), min_cosine
            if self._tracks.get(place) is track:
                self._forget_older(track)
            if found is not None:
                track.paid += len(found.content)
                return found.content
            if known is not None:
                known.accept()
        return None

    def _forget_older(self, track: _Track) -> None:
        """Let go of the older half of a place's samples. The lock is held."""
        before = track.samples.ram_bytes
        track.samples.forget_older_half()
        self._samples_bytes += track.samples.ram_bytes - before

    def rest(self) -> None:
        """Let go of the samples; what was learned of volumes stays."""
        with self._lock:
            for track in self._tracks.values():
                track.samples.forget()
            self._samples_bytes = 0

    # -- what it says of itself ------------------------------------------------------------------------------

    def ram_bytes(self) -> int:
        """Estimate the bytes of RAM that rotations and samples take."""
        return self._samples_bytes + sum(known.rotation.ram_bytes() for known in list(self._known.values()))

    def report(self) -> list[dict[str, Any]]:
        """Return for each rotation what it is, what it was expected to take and what it took since the start."""
        current = self.in_use()
        return [
            {"id": id_, "namespace": known.namespace, "current": id_ in current, **known.report()}
            for id_, known in sorted(self._known.copy().items())
        ]
