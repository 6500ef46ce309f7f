"""Owns the vectors: latent semantic analysis (Deerwester et al., 1990) of the docstrings.

Term weights are tf-idf with logarithmic term frequency; a truncated singular value decomposition, started
from a fixed vector, gives each docstring a unit vector. The same texts give the same vectors on the same
machine.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

DIMENSIONS = 96
_WORD = re.compile(r"[a-z]{2,}")


def vector_key(name: str) -> str:
    """Return the key of a docstring's vector; `name` is the record's "name"."""
    return f"vectors:{name}"


def vector_records(
    texts: list[tuple[str, str]], dimensions: int = DIMENSIONS
) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield key and vector of each (name, docstring), in order; every vector owns its memory.

    Args:
        texts: Names and docstrings.
        dimensions: Length of each vector; fewer where there are fewer texts or words.

    Raises:
        ConfigurationError: scipy is not installed.
    """
    try:
        from scipy.sparse.linalg import svds
    except ImportError as error:
        raise ConfigurationError("the demo needs scipy for its vectors: pip install 'stratakv[demo]'") from error
    weights = _tf_idf([text for _, text in texts])
    rank = min(dimensions, min(weights.shape) - 1)
    if rank < 1:
        return
    start = np.ones(min(weights.shape))
    left, scale, _ = svds(weights, k=rank, v0=start, solver="arpack")
    points = (left * scale)[:, ::-1]
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    points = (points / np.where(norms > 0, norms, 1)).astype(np.float32)
    for (name, _), point in zip(texts, points, strict=True):
        yield vector_key(name), point.copy()


def _tf_idf(texts: list[str]) -> Any:
    """Return a sparse matrix (texts, words) with rows of unit length; words in one text only are left out."""
    from scipy.sparse import csr_array

    counted = [Counter(_WORD.findall(text.lower())) for text in texts]
    found = Counter(word for words in counted for word in words)
    kept = sorted(word for word, count in found.items() if count > 1)
    column = {word: at for at, word in enumerate(kept)}
    idf = np.array([math.log(len(texts) / found[word]) + 1.0 for word in kept])
    ends, columns, weights = [0], [], []
    for words in counted:
        present = [(column[word], 1.0 + math.log(count)) for word, count in words.items() if word in column]
        present.sort()
        at = np.array([position for position, _ in present], dtype=np.int32)
        row = np.array([weight for _, weight in present]) * idf[at]
        length = float(np.linalg.norm(row))
        columns.append(at)
        weights.append(row / length if length else row)
        ends.append(ends[-1] + len(present))
    flat = (np.concatenate(weights), np.concatenate(columns), np.array(ends)) if texts else ([], [], [0])
    return csr_array(flat, shape=(len(texts), len(kept)))
