"""Arrays, numpy scalars and sparse matrices come back with type, order and bits; the rest is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from stratakv.engine.serialization import Serializer, segments
from stratakv.errors import CorruptionError, SerializationError
from tests.engine.value_strategies import DTYPES, random_array, same, scalars

SERIALIZER = Serializer()
SHAPES = [(), (0,), (1,), (7,), (64,), (3, 5), (0, 3), (2, 0, 4), (2, 3, 4), (1, 1, 1), (100, 3)]
FORMS = ["csr", "csc", "bsr", "coo", "dia", "lil", "dok"]


def again(value: Any) -> Any:
    return SERIALIZER.loads(SERIALIZER.dumps(value))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_dtype_comes_back_in_every_shape_and_order(dtype: Any) -> None:
    for seed, shape in enumerate(SHAPES):
        array = random_array(np.dtype(dtype), shape, seed)
        for form in (array, array.T, np.array(array, order="F"), array[..., ::-1] if shape else array):
            found = again(form)
            assert same(found, form)
            assert found.flags.writeable
            assert found.flags.owndata
            assert type(found) is np.ndarray


def test_zero_width_types_come_back() -> None:
    for code in ("S0", "U0", "V0"):
        array = np.ndarray((3, 2), np.dtype(code))
        assert same(again(array), array)


def test_fortran_order_is_kept_and_other_views_become_c() -> None:
    cube = np.arange(24).reshape(2, 3, 4)
    assert again(np.asfortranarray(cube)).flags.f_contiguous
    assert again(cube.transpose(1, 0, 2)).flags.c_contiguous
    assert again(cube.transpose(1, 0, 2)).tolist() == cube.transpose(1, 0, 2).tolist()
    broadcast = np.broadcast_to(np.float64(3), (4, 5))
    assert again(broadcast).tolist() == broadcast.tolist()


def test_read_only_input_comes_back_writable() -> None:
    array = np.arange(50)
    array.flags.writeable = False
    found = again(array)
    found[0] = 7
    assert found[0] == 7


@settings(deadline=None)
@given(scalars(), st.sampled_from([list, lambda one: {"a": one}, lambda one: (one, one)]))
def test_scalars_come_back_exactly(value: Any, wrap: Any) -> None:
    held = wrap([value]) if wrap is list else wrap(value)
    assert same(again(held), held)


def test_bytes_without_value_do_not_count() -> None:
    aligned = np.dtype([("a", "i1"), ("b", "f8"), ("c", "g")], align=True)
    plaintexts = set()
    for fill in (0, 255):
        for length in (1, 9):
            array = np.frombuffer(bytes([fill]) * aligned.itemsize * length, aligned).copy()
            for name in ("a", "b", "c"):
                array[name] = 1
            plaintexts.add(SERIALIZER.dumps(array))
            plaintexts.add(SERIALIZER.dumps(array[0]))
    assert len(plaintexts) == 3


def test_large_arrays_lie_beside_the_tree_and_small_ones_inside() -> None:
    big = np.arange(1000, dtype="<i4")
    plaintext = SERIALIZER.dumps({"v": big, "w": [big.T, big[:3]]})
    assert len(segments(plaintext)) == 3
    assert plaintext[segments(plaintext)[1].start :][: big.nbytes] == big.tobytes()
    assert len(segments(SERIALIZER.dumps(np.arange(3)))) == 1


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.array([None]), "dtype|numpy type object"),
        (np.array([(1, "x")], dtype=[("a", "i4"), ("b", "O")]), "plain numbers"),
        (np.ma.masked_array([1], [True]), "subclasses of numpy.ndarray"),
        (np.zeros(2, np.dtype("i4", metadata={"unit": "m"})), "metadata"),
        (np.zeros(2, [("\ud800", "i4")]), "clean text"),
        (np.zeros(2, np.dtype((np.record, [("a", "i4")]))), "record"),
        (np.object_(object()), "not accepted"),
    ],
    ids=["objects", "object-field", "masked", "metadata", "unclean-name", "record", "stranger"],
)
def test_arrays_that_would_lose_something_are_refused(array: Any, reason: str) -> None:
    with pytest.raises(SerializationError, match=reason) as caught:
        SERIALIZER.dumps({"a": [array]})
    assert '["a"][0]' in str(caught.value)


def test_memory_is_not_taken_before_the_shape_is_checked() -> None:
    import ormsgpack

    def body(*parts: Any) -> bytes:
        return ormsgpack.packb(ormsgpack.Ext(18, ormsgpack.packb(list(parts))))

    assert SERIALIZER.loads(body("<f8", "C", [1], bytes(8))) == np.zeros(1)
    for parts in (
        ("<f8", "C", [1 << 40], bytes(8)),
        ("<f8", "C", [1 << 62, 4], bytes(8)),
        ("<f8", "C", [-1], bytes(8)),
        ("<f8", "C", [-1, -1], bytes(8)),
        ("<f8", "C", [0, 1 << 62], b""),
        ("<f8", "C", [1] * 99, bytes(8)),
        ("<f8", "C", [1.0], bytes(8)),
        ("<f8", "C", "", bytes(8)),
        ("<f8", "K", [1], bytes(8)),
        ("|O", "C", [1], bytes(8)),
        ("O", "C", [1], bytes(8)),
        ("f8,O", "C", [1], bytes(8)),
        ("|O8", "C", [1], bytes(8)),
        ("object", "C", [1], bytes(8)),
        (["s", 8, False, [["a", None, 0, "|O"]]], "C", [1], bytes(8)),
        (["s", 1, False, [["a", None, 0, "<f8"]]], "C", [1], bytes(1)),
        (["s", 8, False, [["a", None, -8, "<f8"]]], "C", [1], bytes(8)),
        (["s", -8, False, [["a", None, 0, "<f8"]]], "C", [1], bytes(8)),
        (["a", "<f8", [1]], "C", [1], bytes(8)),
        (["a", "<f8", [1 << 40]], "C", [0], b""),
        (["s", 1 << 40, False, []], "C", [0], b""),
        ("<U999999999", "C", [1], b"x"),
        ("<f8", "C", [1], 0),
        ("<f8", "C", [1], None),
        ("<f8", "C", [1]),
    ):
        with pytest.raises(CorruptionError):
            SERIALIZER.loads(body(*parts))


@pytest.mark.parametrize("kind", ["matrix", "array"])
@pytest.mark.parametrize("form", FORMS)
def test_sparse_comes_back_with_class_shape_and_types(form: str, kind: str) -> None:
    make = getattr(scipy.sparse, f"{form}_{kind}")
    for dtype in ("f4", "f8", "i1", "c8", "?"):
        for rows in (0, 1, 40):
            dense = (np.random.default_rng(rows).random((rows or 3, 30)) < 0.1 * bool(rows)).astype(dtype)
            value = make(dense)
            found = again({"m": [value]})["m"][0]
            assert type(found) is type(value)
            assert found.shape == value.shape
            assert found.dtype == value.dtype
            assert (found.toarray() == dense).all()
            assert SERIALIZER.dumps(found) == SERIALIZER.dumps(value)


@pytest.mark.parametrize("width", ["i4", "i8"])
@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo", "dia"])
def test_sparse_keeps_the_type_of_its_indices(form: str, width: str) -> None:
    value = getattr(scipy.sparse, f"{form}_array")(np.eye(20))
    names = {"coo": ["coords"], "dia": ["offsets"]}.get(form, ["indices", "indptr"])
    for name in names:
        old = getattr(value, name)
        setattr(value, name, tuple(a.astype(width) for a in old) if name == "coords" else old.astype(width))
    found = again(value)
    for name in names:
        assert same(getattr(found, name), getattr(value, name))


def test_sparse_keeps_duplicates_order_and_explicit_zeros() -> None:
    value = scipy.sparse.coo_array(([1.0, 0.0, 2.0], ([2, 1, 2], [0, 1, 0])), shape=(3, 3))
    found = again(value)
    assert same(found.data, value.data)
    assert same(found.coords, value.coords)
    assert again(scipy.sparse.coo_array(np.array([0, 1, 2]))).shape == (3,)


def test_sparse_with_damaged_indices_is_damage_not_a_crash() -> None:
    value = scipy.sparse.csr_array(np.eye(30))
    plaintext = SERIALIZER.dumps(value)
    for part in segments(plaintext)[2:]:
        for at in range(part.start, part.stop, 4):
            damaged = bytearray(plaintext)
            damaged[at : at + 4] = b"\xff\xff\xff\x7f"
            with pytest.raises(CorruptionError):
                SERIALIZER.loads(bytes(damaged)).sum()  # type: ignore[attr-defined] # is a matrix


def test_scipy_is_not_imported_without_need() -> None:
    code = """
import sys
from stratakv.engine.serialization import Serializer
class csr_matrix: pass
try: Serializer().dumps(csr_matrix())
except TypeError: print("refused", "scipy" in sys.modules)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["refused", "False"]


def test_missing_scipy_is_told() -> None:
    plaintext = SERIALIZER.dumps(scipy.sparse.eye_array(3, format="csr"))
    code = f"""
import sys
sys.modules["scipy"] = None
from stratakv.engine.serialization import Serializer
try: Serializer().loads({plaintext!r})
except Exception as error: print(type(error).__name__, error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.startswith("SerializationError")
    assert 'pip install "stratakv[sparse]"' in told
