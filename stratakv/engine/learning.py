"""Learning: dictionaries and rotations trained from samples, and the Bloom filter kept in step with the catalog.

Both are learned from what is stored, in the background. A dictionary or a rotation is durable in the catalog before
anything is encoded with it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from stratakv.engine.bloom import HEAD_BYTES, BloomFilter, saved_sequence
from stratakv.engine.catalog_rows import whole_digest
from stratakv.engine.codecs.parts import PartsCodec
from stratakv.engine.codecs.rotated import ID as ROTATED_ID
from stratakv.engine.dictionary_form import stored_form, stored_rotation
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stratakv.engine.parts import Parts

log = logging.getLogger("stratakv")

BATCH = 5000
FIRST_FILTER = 16_384
"""Contents that the filter of a new store is made for, if no fewer are expected."""

_OF_ARRAYS = frozenset({PartsCodec.id, ROTATED_ID})

FILTER_FILE = "bloom.filter"


class Learning:
    """Trains and rebuilds what is due."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def run(self, pause: Callable[[], None]) -> None:
        """Train what is due and bring the filter up to date; right after a checkpoint, when all contents are known."""
        self.train(pause)
        self.refresh_filter(pause)

    def train(self, pause: Callable[[], None]) -> int:
        """Train dictionaries and rotations where there are samples enough; return how many were added."""
        return self._train_dictionaries(pause) + self._train_rotations(pause)

    def _train_dictionaries(self, pause: Callable[[], None]) -> int:
        parts = self._parts
        added = 0
        for number in parts.labels.all_numbers():
            if not parts.dictionaries.due(number):
                continue
            content = parts.dictionaries.train(number)
            pause()
            if content is None:
                continue
            dictionary = self._keep(number, stored_form(content))
            parts.dictionaries.add(dictionary, number, content)
            self._recode_hot(number, dictionary, pause)
            added += 1
        return added

    def _train_rotations(self, pause: Callable[[], None]) -> int:
        rotations = self._parts.compression.rotations
        # The catalog must never name a namespace that a lost journal took with it.
        unrecorded = {number for number, *_ in list(self._parts.labels.unrecorded)}
        added = 0
        for place in rotations.due():
            if place[0] in unrecorded:
                continue
            content = rotations.train(place)
            pause()
            if content is None:
                continue
            rotations.add(self._keep(place[0], stored_rotation(content)), place[0], content)
            added += 1
        return added

    def _keep(self, namespace: int, stored: bytes) -> int:
        """Enter what was learned into the catalog and return its number."""
        parts = self._parts
        number = int(parts.catalog.meta("next_dictionary", 1))
        with parts.catalog.write(parts.wall()) as transaction:
            transaction.add_dictionary(number, namespace, stored, parts.wall())
            transaction.set_meta("next_dictionary", number + 1)
        parts.at_point("learned")
        return number

    def _recode_hot(self, namespace: int, dictionary: int, pause: Callable[[], None]) -> None:
        """Encode anew what RAM holds of a namespace: it came in before its dictionary was there."""
        parts = self._parts
        for key, entry in parts.hot.entries.copy().items():
            encoded = entry.blob.encoded
            # Values with arrays need no dictionary, and parts of them are encoded better than as text.
            if entry.namespace != namespace or encoded.dictionary == dictionary or encoded.codec in _OF_ARRAYS:
                continue
            try:
                plaintext = parts.compression.decode(encoded)
            except CorruptionError:
                continue  # reading it says so; its dictionary may also have just been discarded
            parts.hot.recode(key, entry, parts.compression.encoder.fast(plaintext, namespace, counted=False))
            pause()

    def refresh_filter(self, pause: Callable[[], None]) -> None:
        """Build the filter anew where there is none yet or it is fuller than it was made for."""
        parts = self._parts
        settings = parts.config.deduplication
        if not _wanted(parts):
            return
        if parts.bloom is not None and not parts.bloom.full:
            return
        count = int(parts.catalog.rows("SELECT count(*) FROM blobs")[0][0])
        fresh = parts.next_bloom = BloomFilter(_room_for(parts, count), settings.false_positive_rate)
        start = -(1 << 63)
        while True:
            rows = parts.catalog.rows("SELECT id, digest FROM blobs WHERE id > ? ORDER BY id LIMIT ?", (start, BATCH))
            if not rows:
                break
            fresh.add_many(whole_digest(number, stored) for number, stored in rows)
            start = rows[-1][0]
            pause()
        # The mover is here; what others add meanwhile, chunks of large values, they note in both filters.
        parts.bloom = fresh
        parts.next_bloom = None

    def save_filter(self) -> None:
        """Save the filter with the sequence number that it covers."""
        parts = self._parts
        if parts.bloom is None or parts.temporary:
            return
        target = parts.path / FILTER_FILE
        fresh = target.with_suffix(".new")
        content = parts.bloom.to_bytes(int(parts.catalog.meta("last_sequence", 0)))
        try:
            fresh.write_bytes(content)
            fresh.chmod(0o600)
            parts.files.replace(fresh, target)
        except OSError as failure:
            log.warning("the filter could not be saved, it is built anew at the next opening: %s", failure)
            fresh.unlink(missing_ok=True)


def load_filter(parts: Parts) -> BloomFilter | None:
    """Return the saved filter if it covers the catalog; a stale or damaged one is rebuilt by the first run.

    Its length goes with the number of contents, so opening leaves it to the mover, and one that is stale is not read.
    """
    if not _wanted(parts):
        return None
    try:
        with (parts.path / FILTER_FILE).open("rb") as file:
            head = file.read(HEAD_BYTES)
            if saved_sequence(head) != int(parts.catalog.meta("last_sequence", 0)):
                return None
            return BloomFilter.from_bytes(head + file.read())[0]
    except FileNotFoundError:
        return None
    except (OSError, CorruptionError) as failure:
        log.warning("the saved filter is not used and built anew: %s", failure)
        return None


def empty_filter(parts: Parts) -> BloomFilter | None:
    """Return a filter for a store whose catalog has no contents yet."""
    if not _wanted(parts) or parts.catalog.rows("SELECT 1 FROM blobs LIMIT 1"):
        return None
    settings = parts.config.deduplication
    return BloomFilter(_room_for(parts, 0), settings.false_positive_rate)


def _room_for(parts: Parts, contents: int) -> int:
    """Return for how many contents a filter is made: it doubles on its way, so that a small store has a small one."""
    return max(2 * contents, min(parts.config.deduplication.bloom_filter_size, FIRST_FILTER))


def _wanted(parts: Parts) -> bool:
    return parts.deduplicates and parts.config.deduplication.enable_bloom_filter
