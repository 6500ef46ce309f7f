"""Recorded traces replayed: hit ratios equal those of an independent simulator, to its last digit.

The traces lie beside the repository, not in it; without them these tests are skipped.
"""

from __future__ import annotations

import io
import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stratakv.policies.eviction import policy_by_name
from stratakv.testing.eviction_suite import replay

_DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not _DATA.is_dir(), reason="the folder shared/data is not beside the repository")

_CELLS = [
    ("cpp", 50),
    ("cpp", 100),
    ("cpp", 300),
    ("gli", 500),
    ("gli", 1000),
    ("gli", 2000),
    ("multi2", 1000),
    ("multi2", 2000),
    ("multi2", 3000),
    ("2_pools", 100),
    ("2_pools", 450),
    ("web07", 300),
    ("web07", 3000),
]


@cache
def _columns(trace: str) -> dict[str, Any]:
    with lzma.open(_DATA / "traces" / f"{trace}.npz.xz") as packed:
        archive = np.load(io.BytesIO(packed.read()), allow_pickle=False)
    return {name: archive[name] for name in archive.files}


@cache
def _reference() -> dict[str, Any]:
    reference: dict[str, Any] = json.loads((_DATA / "reference_hit_ratios.json").read_text())
    return reference


@pytest.mark.parametrize("name", ["fifo", "lru", "lfu"])
@pytest.mark.parametrize(("trace", "capacity"), _CELLS)
def test_hit_ratio_equals_the_reference(name: str, trace: str, capacity: int) -> None:
    requests = [(str(key), 1) for key in _columns(trace)["key"]]
    hits = replay(policy_by_name(name, capacity), capacity, requests)
    published = _reference()["unit_size"][trace]["hit_ratio_pct"][str(capacity)][name.upper()]
    assert 100 * hits / len(requests) == pytest.approx(published, abs=0.0051)
