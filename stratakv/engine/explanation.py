"""Explanation: where one key lies, in which form, what refers to it, and what will become of it, as one answer.

Pure gathering: no value is read, nothing is stored, moved or counted. What a pack's index cannot tell because it is
damaged or out of reach is told as trouble, not raised.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from stratakv.engine.codecs import RawCodec, codec_by_id
from stratakv.engine.moments import moment
from stratakv.engine.pack_source import PackGoneError
from stratakv.engine.prospects import prospects_of
from stratakv.engine.records import ANYWHERE, TIERS
from stratakv.engine.standing import standing_of
from stratakv.errors import CorruptionError, TierUnavailableError

if TYPE_CHECKING:
    from stratakv.engine.large_standing import LargeStanding
    from stratakv.engine.outlook import Prospect
    from stratakv.engine.standing import Standing
    from stratakv.engine.store import Store

# Codecs that share a strategy with another one, or have a name of their own in the formats.
_NAMES = {RawCodec.id: "raw", 5: "blosc2", 6: "parts", 9: "bits", 15: "delta", 16: "stack", 17: "rotated"}


@dataclass(frozen=True, slots=True)
class Form:
    """A content as it is encoded in one place.

    Attributes:
        codec: The codec's name.
        dictionary: The dictionary's number, 0 for none.
        encoded_bytes: Its bytes there; in a block of many its share by length.
    """

    codec: str
    dictionary: int
    encoded_bytes: int


@dataclass(frozen=True, slots=True)
class PackPlace:
    """Where a content lies below RAM.

    Attributes:
        tier: `warm` or `cold`.
        name: The pack's object name.
        block: Which block of it.
        created: When the pack was written, in wall seconds; of a compacted one, when its youngest forerunner was.
        live: Share of the pack's plaintext that is still referred to.
        form: How it is encoded; None where the pack's index cannot be read.
    """

    tier: str
    name: str
    block: int
    created: float
    live: float
    form: Form | None


@dataclass(frozen=True, slots=True)
class RamPlace:
    """An entry in RAM.

    Attributes:
        used: When the key was last used there, in wall seconds.
        reads: How often it was read since it came in.
        pinned: Never evicted.
        form: How it is encoded.
    """

    used: float
    reads: int
    pinned: bool
    form: Form


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say of one key.

    Attributes:
        key: The key.
        status: `stored`, `expired`, `deleted` (known until the next checkpoint), `tombstone` or `unknown`.
        namespace: The namespace's name.
        version: Grows with every write of the key.
        digest: SHA-256 of the content (salted where its namespace keeps to itself), in hex.
        plaintext_bytes: The serialised value's length.
        tier: Where the next read finds it: `hot` (RAM or journal), `warm` or `cold`.
        dirty: Its last write is not in the catalog yet.
        ram, journal, pack: Where the content lies, each None where it does not; of a large value its manifest.
        large: Its chunks, where it is a large value.
        references: Keys that name the content, this one included.
        pinned: The tier that the key is pinned to.
        pinned_by: Keys that name the content and are pinned, with their tiers.
        asked: A tier that was asked for and is not reached yet.
        expires: When its ttl ends, in wall seconds.
        written: When the key was last written, in wall seconds; kept for new writes and in prunable namespaces only.
        reads: Reads below RAM since the content was placed.
        last_read: When the last of them was, in wall seconds.
        damaged: It was found damaged and not stored again since.
        trouble: What cannot be told, and why.
        future: What will become of it.
    """

    key: str
    status: str
    namespace: str | None = None
    version: int | None = None
    digest: str | None = None
    plaintext_bytes: int | None = None
    tier: str | None = None
    dirty: bool = False
    ram: RamPlace | None = None
    journal: Form | None = None
    pack: PackPlace | None = None
    large: LargeStanding | None = None
    references: int = 0
    pinned: str | None = None
    pinned_by: dict[str, str] | None = None
    asked: str | None = None
    expires: float | None = None
    written: float | None = None
    reads: int = 0
    last_read: float | None = None
    damaged: bool = False
    trouble: str | None = None
    future: tuple[Prospect, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether the key has a value."""
        return self.status == "stored"

    def as_dict(self) -> dict[str, Any]:
        """Return plain JSON; each moment in seconds has the same in UTC beside it, named `..._utc`."""
        document = asdict(self)
        document["exists"] = self.exists
        document["future"] = [asdict(prospect) for prospect in self.future]
        for part in (document, document["ram"], document["pack"], *document["future"]):
            for name in ("expires", "written", "last_read", "used", "created", "at"):
                if part is not None and name in part:
                    part[f"{name}_utc"] = None if part[name] is None else moment(part[name])
        return document


def explain(store: Store, key: str) -> Explanation:
    """Return what is to be said of a key, whether or not it has a value.

    Raises:
        ConfigurationError: The key is no key.
        CorruptionError: The catalog cannot say where the key's content is.
    """
    store.state(key)  # refuses what is no key, and a store that is closed
    parts = store.parts
    standing = standing_of(parts, store.reader, key)
    if standing is None:
        return Explanation(key, "unknown")
    state = standing.state
    paused = store.mover.collection.pruning_paused if store.mover is not None else None
    pack, trouble = _pack_place(store, standing)
    if standing.large is not None and standing.large.lacking:
        trouble = f"{standing.large.lacking} of its chunks are gone"
    ram, journal = _ram_place(store, standing), _journal_form(standing)
    return Explanation(
        key=key,
        status=_status(standing),
        namespace=parts.labels.name(state.namespace) if state.digest is not None else None,
        version=state.version,
        digest=state.digest.hex() if state.digest is not None else None,
        plaintext_bytes=_size(standing),
        tier=_tier(standing) if standing.exists else None,
        dirty=standing.record is not None,
        ram=ram,
        journal=journal,
        pack=pack,
        large=standing.large,
        references=standing.references,
        pinned=TIERS[state.pin].value if state.pin else None,
        pinned_by={other: TIERS[pin].value for other, pin in standing.pins.items()},
        asked=TIERS[standing.asked].value if standing.asked != ANYWHERE else None,
        expires=state.expires / 1000 if state.expires else None,
        written=standing.written / 1000 if standing.written else None,
        reads=standing.accesses,
        last_read=standing.last_access,
        damaged=standing.damaged,
        trouble=trouble,
        future=tuple(prospects_of(parts, standing, paused)),
    )


def _status(standing: Standing) -> str:
    state = standing.state
    if state.tombstone:
        return "tombstone"
    if state.digest is None:
        return "deleted"
    return "expired" if standing.expired else "stored"


def _size(standing: Standing) -> int | None:
    if standing.large is not None:
        return standing.large.plaintext_bytes
    if standing.blob is not None:
        return standing.blob.place.size
    journaled = standing.journaled
    return journaled.size if journaled is not None and not journaled.kind else None


def _tier(standing: Standing) -> str:
    if standing.entry is not None or standing.journaled is not None or standing.pack is None:
        return "hot"
    return TIERS[standing.pack.tier].value


def _ram_place(store: Store, standing: Standing) -> RamPlace | None:
    entry, clock = standing.entry, store.parts.clock
    if entry is None:
        return None
    encoded = entry.blob.encoded
    form = Form(codec_name(encoded.codec), encoded.dictionary, len(encoded.payload))
    return RamPlace(entry.used + clock.now() - clock.monotonic(), entry.uses, entry.pinned, form)


def _journal_form(standing: Standing) -> Form | None:
    blob = standing.journaled
    return None if blob is None else Form(codec_name(blob.codec), blob.dictionary, blob.length)


def _pack_place(store: Store, standing: Standing) -> tuple[PackPlace | None, str | None]:
    """Return the place and what is wrong with it."""
    blob, pack = standing.blob, standing.pack
    if blob is None or pack is None:
        lost = standing.state.digest is not None and standing.journaled is None
        return None, "the catalog does not say in which pack its content lies" if lost else None
    form, trouble = None, None
    try:
        block = store.parts.shelf.entry(pack.id, blob.place.block)
    except (CorruptionError, TierUnavailableError) as failure:
        trouble = str(failure)
    except PackGoneError:
        trouble = f"pack {pack.name} was replaced at this moment: ask again"
    else:
        share = round(block.length * blob.place.size / block.size) if block.size else 0
        form = Form(codec_name(block.codec), block.dictionary, share)
    live = pack.live / pack.plaintext if pack.plaintext else 0.0
    return PackPlace(TIERS[pack.tier].value, pack.name, blob.place.block, pack.created, live, form), trouble


def codec_name(number: int) -> str:
    """Return a codec's name as the formats have it; a foreign one that is not registered has its number."""
    if number in _NAMES:
        return _NAMES[number]
    try:
        return codec_by_id(number).strategy.value
    except CorruptionError:
        return f"codec {number}"
