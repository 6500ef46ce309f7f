"""Recorded sentence embeddings: size and recall of what is kept, in blocks as packs make them.

They lie beside the repository, not in it; without them these tests are skipped.
"""

from __future__ import annotations

import io
import lzma
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stratakv.engine.codecs.rotated import decode_rotated, encode_rotated
from stratakv.engine.rotation import DEFAULT_MIN_COSINE, trained
from stratakv.engine.serialization import Serializer, segments

if TYPE_CHECKING:
    from tests.rotation.vectors import Array

_VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "values" / "vec_minilm384.npz.xz"

pytestmark = pytest.mark.skipif(not _VECTORS.is_file(), reason="the folder shared/data is not beside the repository")

_BLOCK = 160


def _recall(queries: Array, found: Array, truth: Array) -> float:
    near = np.argsort(-(queries @ (found / np.linalg.norm(found, axis=1, keepdims=True)).T), axis=1)[:, :10]
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in zip(near.tolist(), truth.tolist(), strict=True)]))


@pytest.mark.parametrize(("min_cosine", "off", "recall"), [(DEFAULT_MIN_COSINE, 0.85, 0.985), (0.9961, 0.90, 0.96)])
def test_embeddings_keep_their_neighbours_at_a_tenth_of_their_size(
    min_cosine: float, off: float, recall: float
) -> None:
    stored = np.load(io.BytesIO(lzma.decompress(_VECTORS.read_bytes())))
    base = stored["base"]
    part = base[np.random.default_rng(0).permutation(len(base))[:2000]]
    model = trained(part, min_cosine, base.nbytes)
    assert model is not None
    assert len(model.content) <= 0.05 * base.nbytes
    kept = model.changed(base)
    size = 0
    for start in range(0, len(kept), _BLOCK):
        plaintexts = [Serializer().dumps(each) for each in kept[start : start + _BLOCK]]
        made = encode_rotated(model, plaintexts, [segments(each) for each in plaintexts])
        assert made is not None
        assert decode_rotated(model, made.payload, sum(map(len, plaintexts))) == b"".join(plaintexts)
        size += len(made.payload)
    assert 1 - size / base.nbytes >= off
    assert _recall(stored["query"], kept, stored["gt_top10"]) >= recall
