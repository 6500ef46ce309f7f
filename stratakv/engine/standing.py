"""Standing: everything that is known of one key at this moment, gathered from the tables without changing any.

Reads no value and counts as no access. The look-ups are not one transaction: what moves meanwhile is looked up again.
Draws no conclusions; what will become of the key is told by `prospects.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.large_standing import large_standing, named_by_manifests
from stratakv.engine.pack_source import RETRIES
from stratakv.engine.records import ANYWHERE, IN_COLD, encode_key

if TYPE_CHECKING:
    from stratakv.engine.catalog_rows import FoundBlob, PackRow
    from stratakv.engine.dirty import DirtyBlob
    from stratakv.engine.hot_entries import HotEntry
    from stratakv.engine.large_standing import LargeStanding
    from stratakv.engine.parts import Parts
    from stratakv.engine.reading import Reader
    from stratakv.engine.records import KeyRecord
    from stratakv.engine.state import State


class Standing(NamedTuple):
    """What is known of a key.

    Attributes:
        key: The key.
        now: Wall time of the look, in seconds.
        state: As in `Reader.state`.
        record: Its last write, where no checkpoint covers it yet.
        entry: Its entry in RAM.
        uses: The entries of all keys in RAM that hold the content.
        journaled: Where the content's payload lies in the journal; None where it need not.
        blob: The content's row in the catalog.
        pack: The pack it lies in.
        pins: The pinned keys that name the content, with their tiers.
        accesses: How often the content was read below RAM since it was placed.
        last_access: Wall seconds of the last such read, None where there was none.
        asked: The tier that was asked for and is not reached yet, ANYWHERE for none.
        asked_elsewhere: A write that no checkpoint covers names the content and does not ask for cold.
        references: How many keys name the content, this one included.
        damaged: It was found damaged and not stored again since.
        written: When the key was written, in wall milliseconds, where that is known.
        large: What is known of its chunks, where the content is a large value.
    """

    key: str
    now: float
    state: State
    record: KeyRecord | None
    entry: HotEntry | None
    uses: list[HotEntry]
    journaled: DirtyBlob | None
    blob: FoundBlob | None
    pack: PackRow | None
    pins: dict[str, int]
    accesses: int
    last_access: int | None
    asked: int
    asked_elsewhere: bool
    references: int
    damaged: bool
    written: int | None
    large: LargeStanding | None = None

    @property
    def expired(self) -> bool:
        """Whether the key is past its time."""
        return bool(self.state.expires) and self.state.expires <= int(self.now * 1000)

    @property
    def exists(self) -> bool:
        """Whether the key has a value."""
        return self.state.digest is not None and not self.expired


def standing_of(parts: Parts, reader: Reader, key: str) -> Standing | None:
    """Return what is known of a key; None where nothing is.

    Raises:
        CorruptionError: The catalog names a content that it does not list.
    """
    for _ in range(RETRIES):
        state = reader.state(key)
        if state is None:
            return None
        found = _gathered(parts, reader, key, state)
        # A pack that left between the two look-ups took nothing along: the content lies in another one by now.
        if found.blob is None or found.pack is not None:
            return found
    return found


def _gathered(parts: Parts, reader: Reader, key: str, state: State) -> Standing:
    catalog, digest = parts.catalog, state.digest
    record = parts.dirty.get(key)
    written: int | None = record.written if record is not None else None
    if record is None:
        for (stored,) in catalog.rows("SELECT written FROM keys WHERE key = ?", (encode_key(key),)):
            written = stored
    entry = parts.hot.entries.get(key)
    now = parts.clock.now()
    if digest is None:
        return Standing(
            key, now, state, record, None, [], None, None, None, {}, 0, None, ANYWHERE, False, 0, False, written
        )  # fmt: skip
    journaled, blob = parts.dirty.find_blob(digest), catalog.find_blob(digest)
    states = parts.dirty.states()
    naming = {other: held for other, held in states.items() if held.digest == digest}
    count, last = _accesses(parts, blob)
    return Standing(
        key=key,
        now=now,
        state=state,
        record=record,
        entry=entry if entry is not None and entry.blob.digest == digest else None,
        uses=[held for held in list(parts.hot.entries.values()) if held.blob.digest == digest],
        journaled=journaled,
        blob=blob,
        pack=catalog.pack(blob.place.pack) if blob is not None else None,
        pins=_pins(parts, digest),
        accesses=count,
        last_access=last,
        asked=_asked(parts, record, blob),
        asked_elsewhere=any(held.target != IN_COLD for held in naming.values()),
        references=len(naming) + _catalogued_references(parts, blob, states),
        damaged=digest in parts.dirty.damaged,
        written=written,
        large=large_standing(parts, reader, blob, journaled),
    )


def _accesses(parts: Parts, blob: FoundBlob | None) -> tuple[int, int | None]:
    """Return (reads below RAM since the content was placed, wall seconds of the last)."""
    if blob is None:
        return 0, None
    count, last = 0, None
    for at, reads in parts.catalog.rows("SELECT last, count FROM accesses WHERE blob = ?", (blob.blob,)):
        count, last = reads, at
    touched = parts.touched.get(blob.blob)
    return (count, last) if touched is None else (touched[1], max(touched[0], last or 0))


def _pins(parts: Parts, digest: bytes) -> dict[str, int]:
    pins = {}
    for key, pin in parts.pins.copy().items():
        record = parts.dirty.get(key)
        if record is not None:
            named = record.digest
        else:
            found = parts.catalog.find(encode_key(key))
            named = found.digest if found is not None else None
        if named == digest:
            pins[key] = pin
    return pins


def _asked(parts: Parts, record: KeyRecord | None, blob: FoundBlob | None) -> int:
    asked = record.target if record is not None else ANYWHERE
    if not asked and blob is not None:
        for (tier,) in parts.catalog.rows("SELECT tier FROM moves WHERE blob = ?", (blob.blob,)):
            asked = tier
    return ANYWHERE if blob is not None and blob.tier == asked else asked


def _catalogued_references(parts: Parts, blob: FoundBlob | None, states: dict[str, KeyRecord]) -> int:
    """Count the keys whose row names the content and is not shadowed by a newer write."""
    if blob is None:
        return 0
    count = 0
    for (references,) in parts.catalog.rows("SELECT refs FROM blobs WHERE id = ?", (blob.blob,)):
        count = references - (named_by_manifests(parts, blob.blob) if references > 1 else 0)
    if count and states:
        shadowed = parts.catalog.find_many(encode_key(key) for key in states)
        count -= sum(1 for found in shadowed.values() if found.blob == blob.blob)
    return count
