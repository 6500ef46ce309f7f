"""The pack scan: what a pack holds, from its own bytes alone, for a store whose catalog is lost.

Owns what may be believed of a pack that nothing else vouches for: header and footer as they are written, an index that
agrees with its own checksum (packs without names have none; then only with itself), blocks that agree with theirs.
Never asks a backend, a catalog or a configuration, and never judges which version of a key is the one to keep.

Invariant: damage costs what it covers and no more; whatever the bytes are, there is a blob that its block's checksum
vouches for, or a `CorruptionError`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.packs import FORMAT_VERSION, HEADER, PackIndex, check_block, check_names, find_index
from stratakv.engine.records import DIGEST_SHA256
from stratakv.errors import CorruptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stratakv.engine.codecs.base import Encoded
    from stratakv.engine.pack_names import Name, PackNames
    from stratakv.engine.packs import Block


class ScannedBlob(NamedTuple):
    """A blob, dead or alive: only the catalog would tell.

    Attributes:
        namespace: The number of the namespace that its block belongs to.
        block: The block's index.
        offset: First byte in the block's plaintext.
        plaintext: Its bytes.
        names: The keys that named it when it was packed.
    """

    namespace: int
    block: int
    offset: int
    plaintext: bytes
    names: Sequence[Name]


class PackScan:
    """Reads one pack.

    Args:
        content: The whole object.
        name: The pack's name, for messages.
        decode: Returns a block's plaintext, or raises `CorruptionError`. What else it raises ends the scan.
        on_damage: Told of damage that costs less than the pack.

    Attributes:
        tier: The tier's number.
        store_id: The 16 bytes that name the store.
        named: Whether it tells keys that can be read.
        labels: The names of the namespaces of its blobs and keys, by number; nothing where it tells no keys.
        dictionaries: The numbers of the dictionaries that its blocks need.

    Raises:
        CorruptionError: Nothing of it can be believed.
    """

    def __init__(
        self,
        content: bytes,
        name: str,
        decode: Callable[[Encoded], bytes],
        on_damage: Callable[[CorruptionError, int | None], None],
    ) -> None:
        self._content = content
        self._name = name
        self._decode = decode
        self._on_damage = on_damage
        found = find_index(content)
        if found is None:
            raise CorruptionError(f"pack {name} is cut short, or its footer is damaged")
        magic, version, self.tier, algorithm, _, self.store_id = HEADER.unpack_from(content)
        if (magic, version, algorithm) != (b"SKVP", FORMAT_VERSION, DIGEST_SHA256):
            raise CorruptionError(f"the header of pack {name} is damaged, or of a later release")
        self._end, length = found
        index = content[self._end : self._end + length]
        self._index = PackIndex(index, hashlib.sha256(index).digest(), name)
        if self._index.is_whole() is False:
            raise CorruptionError(f"the index of pack {name} is damaged")
        self._sizes = self._index.sizes()
        self.dictionaries = {self._index.block(number).dictionary for number in range(self._index.blocks)} - {0}
        names = self._read_names()
        self.named = names is not None
        self.labels = names.labels if names is not None else {}
        self._names: Sequence[Sequence[Name]] = names.blobs if names is not None else [()] * self._index.blobs

    def _read_names(self) -> PackNames | None:
        entry = self._index.names
        if entry is None:
            return None
        try:
            return check_names(self._content[entry.offset : entry.offset + entry.length], self._index)
        except CorruptionError as damage:
            self._on_damage(damage, None)
            return None

    def blobs(self) -> Iterator[ScannedBlob]:
        """Yield the blobs of every block that can be read; the others are told to `on_damage` by their numbers."""
        first = 0
        for number, sizes in enumerate(self._sizes):
            names = self._names[first : first + len(sizes)]
            first += len(sizes)
            block = self._index.block(number)
            try:
                content = self._read(block, sizes)
            except CorruptionError as damage:
                self._on_damage(damage, number)
                continue
            offset = 0
            for size, told in zip(sizes, names, strict=True):
                yield ScannedBlob(block.namespace, number, offset, content[offset : offset + size], told)
                offset += size

    def _read(self, block: Block, sizes: Sequence[int]) -> bytes:
        # The sizes have a checksum of their own, so they bound what a block may claim to be.
        if block.offset < HEADER.size or block.offset + block.length > self._end or block.size != sum(sizes):
            raise CorruptionError(f"the index of pack {self._name} says of a block what cannot be")
        payload = self._content[block.offset : block.offset + block.length]
        content = self._decode(check_block(payload, block, self._name))
        if len(content) != block.size:
            raise CorruptionError(f"a block of pack {self._name} holds {len(content)} bytes, not {block.size}")
        return content
