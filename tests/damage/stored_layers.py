"""A store with values in every layer (journal, warm, cold) on disk, and the means to damage and to judge it.

The directory is copied while its owner is open and idle, which is what `kill -9` leaves behind: journaled values stay
in the journal. Judging reads every key: a value is right, or a `CorruptionError` says what is wrong. Anything else
(a wrong value, a silent miss, another exception) is a failure of the store.
"""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING

import numpy as np

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.errors import CorruptionError
from tests.engine.value_strategies import same

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START = 1_700_000_000.0
PER_LAYER = 12


def open_layers(path: Path, **storage: object) -> OptimizationMiddleware:
    """Open a store without threads."""
    config = OptimizationConfig(storage={"path": str(path), **storage})
    return OptimizationMiddleware(config=config, clock=ManualClock(START))


def layer_values(layer: str, seed: int) -> dict[str, object]:
    """Return values of several kinds and sizes: small records, raw bytes that do not shrink, an array."""
    chance = random.Random(seed)
    values: dict[str, object] = {}
    for number in range(PER_LAYER):
        values[f"{layer}:{number}"] = {
            "layer": layer, "number": number, "pair": (number, layer), "text": chance.randbytes(120).hex(),
        }  # fmt: skip
    values[f"{layer}:bytes"] = chance.randbytes(5000)
    values[f"{layer}:array"] = {"vector": np.arange(800.0) * seed, "name": layer}
    return values


def build_layers(directory: Path) -> dict[str, object]:
    """Fill `directory` with a store as a killed owner leaves it; return what it must hold."""
    work = directory.with_name(directory.name + ".owner")
    expected: dict[str, object] = {}
    with open_layers(work) as memory:
        for seed, layer in enumerate(("cold", "warm", "journal"), start=1):
            for key, value in layer_values(layer, seed).items():
                memory[key] = value
                expected[key] = value
            if layer == "cold":
                memory.maintain(settle=True)
            elif layer == "warm":
                memory.maintain()
        memory.flush()
        shutil.copytree(work, directory)
    shutil.rmtree(work)
    return expected


def judge(memory: OptimizationMiddleware, expected: dict[str, object]) -> dict[str, str]:
    """Read every key; return the message of each that is damaged. Fails on a wrong value or a silent miss."""
    damaged: dict[str, str] = {}
    for key, value in expected.items():
        try:
            found = memory[key]
        except CorruptionError as error:
            damaged[key] = str(error)
        else:
            assert same(found, value), f"{key} came back wrong"
    return damaged


def flip(path: Path, position: int, mask: int = 0x40) -> None:
    """Change one byte."""
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ mask]))


def pack_files(directory: Path, tier: str) -> list[Path]:
    """Return the files of a tier's packs."""
    return sorted(path for path in (directory / tier).rglob("*") if path.suffix in {".val", ".pack"})


def copies(template: Path, target: Path) -> Iterator[Path]:
    """Yield fresh copies of a directory, one after the other, removing each when the next is asked for."""
    number = 0
    while True:
        copy = target / f"copy{number}"
        shutil.copytree(template, copy)
        yield copy
        shutil.rmtree(copy)
        number += 1
