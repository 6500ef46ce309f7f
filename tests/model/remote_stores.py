"""Stores with a remote cold tier: a directory that counts its calls, and what lies in it read without the catalog."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.directory import DirectoryBackend
from stratakv.engine.pack_scan import PackScan
from stratakv.engine.records import decode_key
from stratakv.testing import RecordingBackend

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.backends.base import Backend
    from stratakv.engine.codecs.base import Encoded

COLD, WARM = StorageTier.COLD, StorageTier.WARM


class AlteringBackend(RecordingBackend):
    """Changes one byte of the answers to the first `times` reads."""

    def __init__(self, inner: Backend, times: int = 0) -> None:
        super().__init__(inner)
        self.times = times

    def get_range(self, name: str, start: int, length: int) -> bytes:
        found = bytearray(super().get_range(name, start, length))
        if self.times > 0:
            self.times -= 1
            found[len(found) // 2] ^= 0x20
        return bytes(found)


def backend_of(path: Path, *, remote: bool = True) -> RecordingBackend:
    return RecordingBackend(DirectoryBackend(path / "far", remote=remote))


def config_of(path: Path, pack_size_mb: float = 64, cold_block_kb: int = 256) -> OptimizationConfig:
    return OptimizationConfig(
        storage={"path": str(path / "store"), "pack_size_mb": pack_size_mb},
        compression={"cold_block_kb": cold_block_kb},
        tiered_storage={"cold": {"path": str(path / "far")}},
    )


def open_store(path: Path, backend: Backend, **settings: Any) -> OptimizationMiddleware:
    config = config_of(path, **settings)
    return OptimizationMiddleware(config=config, clock=ManualClock(), backends={COLD: backend})


def values_of(count: int, seed: int = 1) -> dict[str, object]:
    chance = random.Random(seed)
    return {f"key:{number:04d}": {"number": number, "text": chance.randbytes(150).hex()} for number in range(count)}


SMALL_PACKS: dict[str, Any] = {"pack_size_mb": 0.0625, "cold_block_kb": 16}


def packs_of(memory: OptimizationMiddleware) -> int:
    return len(memory.tiered_storage._store.parts.catalog.packs("tier = 3"))


def named_by(memory: OptimizationMiddleware, tier: StorageTier) -> dict[str, list[object]]:
    """Return what the live packs of a tier tell by themselves: key -> version, label, expires."""
    parts = memory.tiered_storage._store.parts
    number = {WARM: 2, COLD: 3}[tier]
    found: dict[str, list[object]] = {}

    def decode(encoded: Encoded) -> bytes:
        return parts.compression.decode(encoded)

    for pack in parts.catalog.packs("tier = ? AND live_blobs > 0", (number,)):
        content = parts.backends[number].get_range(pack.name, 0, pack.length)
        scan = PackScan(content, pack.name, decode, lambda failure, _block: pytest.fail(str(failure)))
        assert scan.store_id == parts.store_id
        for blob in scan.blobs():
            for name in blob.names:
                key = decode_key(name.key)
                assert memory.tiered_storage._store.parts.serializer.loads(blob.plaintext) is not None
                found[key] = [name.version, scan.labels[name.namespace], name.expires]
    return found


def states(memory: OptimizationMiddleware, keys: list[str]) -> dict[str, list[object]]:
    store = memory.tiered_storage._store
    found = {}
    for key in keys:
        state = store.state(key)
        assert state is not None
        found[key] = [state.version, store.parts.labels.name(state.namespace), state.expires]
    return found
