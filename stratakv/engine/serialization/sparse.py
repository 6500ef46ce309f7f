"""Scipy sparse matrices and arrays, as their class, shape and the numpy arrays that they are made of.

Owns the choice of those arrays. Never imports scipy to write; imports it to read. Invariant: class, shape,
types of items and of indices come back; CSR, CSC, BSR, COO and DIA come back with the very arrays; LIL and
DOK, whose insides are Python objects, come back equal by way of CSR and of sorted COO.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np

from stratakv.engine.serialization.refusal import RefusedError
from stratakv.engine.undisturbed_import import imported
from stratakv.errors import CorruptionError, SerializationError

if TYPE_CHECKING:
    from typing import Any

_FORMATS = ("csr", "csc", "bsr", "coo", "dia", "lil", "dok")
CLASS_NAMES = frozenset(f"{name}_{kind}" for name in _FORMATS for kind in ("matrix", "array"))


def is_sparse(kind: type) -> bool:
    """Return whether a class is one of scipy's own sparse classes. Never imports scipy."""
    module = sys.modules.get("scipy.sparse")
    name = kind.__name__
    return module is not None and name in CLASS_NAMES and getattr(module, name, None) is kind


def take_apart(matrix: Any) -> list[object]:
    """Return [class name, shape, numpy arrays ...].

    The arrays are data, indices, indptr for CSR, CSC, BSR and LIL; data, then one array of coordinates a
    dimension, for COO and DOK; data, offsets for DIA.
    """
    name = type(matrix).__name__
    form = name[:3]
    if form == "lil":
        matrix = matrix.tocsr()
    elif form == "dok":
        matrix = matrix.tocoo(copy=True)
        matrix.sum_duplicates()
    if matrix.dtype.hasobject:
        raise RefusedError(f"its items are of numpy type {matrix.dtype}, which holds objects")
    head = [name, list(matrix.shape)]
    if form in {"coo", "dok"}:
        return [*head, matrix.data, *_coordinates(matrix)]
    if form == "dia":
        return [*head, matrix.data, matrix.offsets]
    return [*head, matrix.data, matrix.indices, matrix.indptr]


def put_together(parts: Any) -> object:
    """Return the matrix of `take_apart`.

    Raises:
        CorruptionError: The parts do not fit together.
        SerializationError: scipy is not installed, or too old for the class.
    """
    match parts:
        case [str(name), [*shape], *arrays] if name in CLASS_NAMES and all(type(n) is int for n in shape):
            pass
        case _:
            raise CorruptionError("sparse matrix has no known form")
    if len(arrays) < 2 or not all(type(array) is np.ndarray for array in arrays):
        raise CorruptionError("sparse matrix lacks its arrays")
    module = imported("scipy.sparse")
    if module is None:
        raise SerializationError(f'the value holds a scipy {name}; pip install "stratakv[sparse]"')
    kind = getattr(module, name, None)
    if kind is None:
        raise SerializationError(f"the value holds a scipy {name}, which this version of scipy lacks; upgrade scipy")
    form, size = name[:3], tuple(shape)
    if form == "lil":
        return _compressed(module.csr_matrix if name == "lil_matrix" else module.csr_array, size, arrays).tolil()
    if form == "dok":
        return _coordinated(module.coo_matrix if name == "dok_matrix" else module.coo_array, size, arrays).todok()
    if form == "coo":
        return _coordinated(kind, size, arrays)
    if form == "dia":
        return _diagonals(kind, size, arrays)
    return _compressed(kind, size, arrays)


def _compressed(kind: Any, shape: tuple[int, ...], arrays: list[Any]) -> Any:
    data, indices, indptr = arrays
    matrix = kind((data, indices, indptr), shape=shape)
    # scipy's C code trusts the indices, so damage must be found here.
    matrix.check_format(full_check=True)
    # The constructor may change the type of the indices.
    matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
    return matrix


def _coordinates(matrix: Any) -> tuple[Any, ...]:
    # `coords` came with scipy 1.13, for arrays of any number of dimensions.
    coordinates: tuple[Any, ...] = getattr(matrix, "coords", None) or (matrix.row, matrix.col)
    return coordinates


def _coordinated(kind: Any, shape: tuple[int, ...], arrays: list[Any]) -> Any:
    data, *coordinates = arrays
    if len(coordinates) != len(shape) or any(
        axis.dtype.kind not in "iu" or axis.shape != data.shape or axis.ndim != 1 for axis in coordinates
    ):
        raise CorruptionError("sparse coordinates do not fit the shape")
    if data.size and any(axis.min() < 0 or axis.max() >= n for axis, n in zip(coordinates, shape, strict=True)):
        raise CorruptionError("sparse coordinates lie outside the shape")
    matrix = kind((data, tuple(coordinates)), shape=shape)
    if hasattr(matrix, "coords"):
        matrix.coords = tuple(coordinates)
    else:
        matrix.row, matrix.col = coordinates
    matrix.data = data
    return matrix


def _diagonals(kind: Any, shape: tuple[int, ...], arrays: list[Any]) -> Any:
    data, offsets = arrays
    if offsets.dtype.kind not in "iu" or data.ndim != 2 or offsets.shape != data.shape[:1]:
        raise CorruptionError("sparse diagonals do not fit their offsets")
    matrix = kind((data, offsets), shape=shape)
    matrix.data, matrix.offsets = data, offsets
    return matrix
