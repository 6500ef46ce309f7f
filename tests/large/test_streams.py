"""Streams, ranges and files: the same value as if its bytes had been stored, and only what is asked for is read."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv import ClosedError, ConfigurationError, OptimizationMiddleware, StorageTier
from stratakv.engine.large.manifest import Manifest
from stratakv.engine.serialization import Serializer
from stratakv.engine.serialization.extents import LONGEST_BIN, bytes_around, extent_of
from tests.large.documents import Broken, Pipe, Silent, text
from tests.large.stores import check_references, opened, rows

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = text(1, 150_000).encode()
SIZES = [0, 1, 255, 256, 16_383, 16_384, 16_385, 65_535, 65_536, 150_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_is_the_value_that_its_bytes_are(tmp_path: Path, size: int) -> None:
    content = CONTENT[:size]
    digest = hashlib.sha256(Serializer().dumps(content)).hexdigest()
    with opened(tmp_path) as memory:
        assert memory.store_stream("known length", io.BytesIO(content))
        assert memory.store_stream("pipe", Pipe(content))
        for key in ("known length", "pipe"):
            assert memory.retrieve(key) == content
        assert memory.dedup_engine.write("bytes", content) == (digest, True)
        memory.maintain(settle=True)
        assert memory.retrieve("pipe") == content
        check_references(memory)


def test_a_stream_begins_where_its_file_stands(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    with opened(tmp_path / "store") as memory, source.open("rb") as file:
        file.seek(1000)
        memory.store_stream("k", file)
        assert file.read() == b""
        assert memory["k"] == CONTENT[1000:]


def test_a_file_that_grows_or_shrinks_while_it_is_read_is_stored_as_it_was_read(tmp_path: Path) -> None:
    class Liar(io.BytesIO):
        """Says it has fewer bytes than it gives."""

        def seek(self, offset: int, whence: int = 0, /) -> int:
            return 20_000 if whence == io.SEEK_END else super().seek(offset, whence)

    with opened(tmp_path) as memory:
        memory.store_stream("k", Liar(CONTENT))
        assert memory["k"] == CONTENT
        assert memory.dedup_engine.write("same", CONTENT)[1]


def test_a_stream_that_fails_changes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory["k"] = "before"
        with pytest.raises(OSError, match="cable"):
            memory.store_stream("k", Broken(CONTENT, 100_000))
        assert memory["k"] == "before"
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM blobs") == [(1,)]
        check_references(memory)


def test_a_stream_keeps_ttl_namespace_and_tier(tmp_path: Path) -> None:
    with opened(tmp_path, namespaces={"video": {}}) as memory:
        memory.store_stream("k", io.BytesIO(CONTENT), tier=StorageTier.COLD, ttl=5, namespace="video")
        memory.maintain()
        memory.maintain()
        assert memory.tiered_storage.read("k") == (CONTENT, StorageTier.COLD)
        assert memory.get_statistics()["namespaces"]["video"]["keys"] == 1


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("text", "opened with 'rb'"),
        (None, "opened with 'rb'"),
        (io.StringIO("text"), "not bytes"),
        (b"bytes", "opened with 'rb'"),
    ],
)
def test_what_is_no_file_of_bytes_is_refused(tmp_path: Path, file: Any, message: str) -> None:
    with opened(tmp_path) as memory:
        memory["k"] = 1
        with pytest.raises(ConfigurationError, match=message):
            memory.store_stream("k", file)
        assert memory["k"] == 1


def test_ram_takes_no_streams(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory.store("pinned", 1, pin=True)
        for key, pin in (("pinned", False), ("other", True)):
            with pytest.raises(ConfigurationError, match="pinned to RAM"):
                memory.store_stream(key, io.BytesIO(CONTENT), tier=StorageTier.HOT, pin=pin)
        assert memory["pinned"] == 1


ARRAY = np.random.default_rng(1).random((900, 7, 30), np.float32)
RANGES = [
    (0, 0),
    (0, 1),
    (5, 6),
    (255, 257),
    (899, 901),
    (0, 10**12),
    (10_000, 90_000),
    (149_999, 150_000),
    (10**9, 10**9),
]


@pytest.mark.parametrize("settled", ["journal", "packed", "cold"])
def test_a_range_is_what_a_slice_is(tmp_path: Path, settled: str) -> None:
    values: dict[str, Any] = {
        "bytes": CONTENT, "bytearray": bytearray(CONTENT), "array": ARRAY, "vector": ARRAY.reshape(-1),
        "short": b"short", "few": np.arange(12).reshape(4, 3), "one dimension": np.asfortranarray(ARRAY.reshape(-1)),
        "fortran": np.asfortranarray(ARRAY.reshape(900, 210)), "small fortran": np.asfortranarray(ARRAY[:9, :, 0]),
    }  # fmt: skip
    with opened(tmp_path) as memory:
        memory.store_many(values)
        if settled != "journal":
            memory.maintain(settle=settled == "cold")
        for key, value in values.items():
            for start, stop in RANGES:
                found = memory.retrieve_range(key, start, stop)
                assert type(found) is type(value)
                if isinstance(value, np.ndarray):
                    assert (found.dtype, found.flags.owndata) == (value.dtype, True)
                    assert np.array_equal(found, value[start:stop])
                else:
                    assert found == value[start:stop]
        assert memory.retrieve_range("missing", 0, 1) is None
        assert memory.retrieve_range("missing", 0, 1, default=b"") == b""


@pytest.mark.parametrize("bounds", [(-1, 2), (5, 2), (1.0, 2), ("0", 1), (None, 1), (0, None), (True, 2)])
def test_a_range_that_is_none_is_refused(tmp_path: Path, bounds: tuple[Any, Any]) -> None:
    with opened(tmp_path) as memory:
        memory.store_stream("k", io.BytesIO(CONTENT))
        with pytest.raises(ConfigurationError):
            memory.retrieve_range("k", *bounds)


@pytest.mark.parametrize(
    "value",
    [text(1, 50_000), {"a": CONTENT}, [1, 2], np.float64(3), np.array(7), None],
    ids=["text", "dict", "list", "scalar", "no rows", "none"],
)
def test_other_values_have_no_ranges(tmp_path: Path, value: object) -> None:
    with opened(tmp_path) as memory:
        memory["k"] = value
        memory.maintain(settle=True)
        with pytest.raises(ConfigurationError, match=r"retrieve\(\)"):
            memory.retrieve_range("k", 0, 1)


def test_a_range_reads_only_the_chunks_that_hold_it(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory.store_stream("k", io.BytesIO(CONTENT))
        memory.maintain(settle=True)
        read: list[int] = []
        shelf = memory.dedup_engine._store.parts.shelf
        before = shelf.read

        def counting(place: Any, digest: bytes, namespace: int) -> bytes:
            content = before(place, digest, namespace)
            read.append(len(content))
            return content

        shelf.read = counting  # type: ignore[method-assign]  # looks on, and changes nothing
        assert memory.retrieve_range("k", 100_000, 100_050) == CONTENT[100_000:100_050]
        # The head, which is the value's first 64 KB, the manifest, and one or two chunks of 1 KB at most.
        assert sum(read) < 64 * 1024 + 25_000


def test_an_open_file_is_read_and_wound_like_any(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory.store_stream("k", io.BytesIO(CONTENT))
        memory["short"], memory["bytearray"] = b"short", bytearray(CONTENT)
        for _ in range(2):
            with memory.open("k") as file:
                plain = io.BytesIO(CONTENT)
                assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
                for offset, whence, size in [
                    (0, 0, 10),
                    (5, 1, 100),
                    (-20, 2, 100),
                    (70_000, 0, 30_000),
                    (10**7, 0, 5),
                ]:
                    assert file.seek(offset, whence) == plain.seek(offset, whence)
                    assert file.read(size) == plain.read(size)
                    assert file.tell() == plain.tell()
                file.seek(0)
                assert file.read() == CONTENT
                with pytest.raises(ValueError, match="before the start"):
                    file.seek(-1)
            with pytest.raises(ValueError, match="closed"):
                file.read()
            with memory.open("short") as file:
                assert file.read() == b"short"
            with memory.open("bytearray") as file:
                assert file.read() == CONTENT
            memory.maintain(settle=True)
        with pytest.raises(KeyError):
            memory.open("missing")
        memory["array"] = ARRAY
        with pytest.raises(ConfigurationError, match="only bytes"):
            memory.open("array")


@pytest.mark.parametrize("packed", [False, True])
def test_an_open_file_shows_the_value_as_it_was_opened(tmp_path: Path, packed: bool) -> None:
    with opened(tmp_path) as memory:
        memory.store_stream("k", io.BytesIO(CONTENT))
        memory.store_stream("gone", Pipe(CONTENT + b"more"))
        if packed:
            memory.maintain(settle=True)
        file, gone = memory.open("k"), memory.open("gone")
        memory["k"] = b"other"
        memory.delete("gone")
        for _ in range(3):
            memory.maintain(settle=True)
        assert file.read() == CONTENT
        assert gone.read() == CONTENT + b"more"
        check_references(memory)
        file.close()
        gone.close()
        memory.maintain(settle=True)
        assert rows(memory, "SELECT count(*) FROM blobs") == [(1,)]


def test_an_open_file_says_when_the_store_is_closed(tmp_path: Path) -> None:
    memory = opened(tmp_path)
    memory.store_stream("k", io.BytesIO(CONTENT))
    file = memory.open("k")
    file.read(10)
    memory.shutdown()
    file.seek(140_000)
    with pytest.raises(ClosedError):
        file.read(100)
    file.close()


class Engine(dict[str, Any]):
    """A wrapped engine."""


@pytest.mark.parametrize("mode", ["absorb", "write_through", "off"])
def test_streams_ranges_and_files_work_in_front_of_an_engine(tmp_path: Path, mode: str) -> None:
    engine = Engine(old=CONTENT, array=ARRAY)
    memory = (
        OptimizationMiddleware(engine)
        if mode == "off"
        else _wrapping(engine, tmp_path, mode)
    )  # fmt: skip
    with memory:
        memory.store_stream("new", Pipe(CONTENT[::-1]))
        assert memory.retrieve_range("new", 10, 20) == CONTENT[::-1][10:20]
        assert memory.retrieve_range("old", 10, 20) == CONTENT[10:20]
        assert np.array_equal(memory.retrieve_range("array", 3, 5), ARRAY[3:5])
        with memory.open("old") as file:
            assert file.read() == CONTENT
        with memory.open("new") as file:
            assert file.read() == CONTENT[::-1]
        with pytest.raises(KeyError):
            memory.open("missing")
        assert memory.retrieve_range("missing", 0, 1) is None
        assert ("new" in engine) is (mode != "absorb")
        if mode == "absorb":
            assert memory.release() == 3
    assert engine["new"] == CONTENT[::-1]


@pytest.mark.parametrize("mode", ["absorb", "write_through", "off"])
@pytest.mark.parametrize("file", [5, None, io.StringIO("text"), Broken(CONTENT, 100_000), Silent(CONTENT)])
def test_a_stream_that_is_none_leaves_an_engine_as_it_was(tmp_path: Path, mode: str, file: Any) -> None:
    engine = Engine(k=b"before")
    with OptimizationMiddleware(engine) if mode == "off" else _wrapping(engine, tmp_path, mode) as memory:
        with pytest.raises((ConfigurationError, OSError)):
            memory.store_stream("k", file)
        assert memory["k"] == b"before"


def test_a_file_that_tells_what_cannot_be_is_read_to_its_end(tmp_path: Path) -> None:
    class Strange(io.BytesIO):
        def tell(self) -> int:
            return 10**18

        def seek(self, _offset: int, _whence: int = 0, /) -> int:
            return -5

    with opened(tmp_path) as memory:
        memory.store_stream("k", Strange(CONTENT))
        assert memory["k"] == CONTENT


def _wrapping(engine: Engine, path: Path, mode: str) -> OptimizationMiddleware:
    with opened(path / "unused") as template:
        config = template.config.copy()
    config.storage.path = str(path / "store")
    config.wrap.mode = mode  # type: ignore[assignment]  # one of the literals
    return OptimizationMiddleware(engine, config)


def test_bytes_beyond_four_gigabytes_have_a_place_for_their_length() -> None:
    for size in (LONGEST_BIN, LONGEST_BIN + 1, 5 << 30):
        before, behind = bytes_around(size)
        extent = extent_of(before, len(before) + size + len(behind))
        assert extent is not None
        assert (extent.start, extent.items, extent.width, extent.make) == (len(before), size, 1, bytes)
    content = b"0123456789"
    before, behind = bytes_around(LONGEST_BIN + 1)
    # The same form with a short length is read like any value.
    short = before[:16] + len(content).to_bytes(8, "little") + before[24:] + content + bytes(-len(content) % 8)
    assert behind == b""
    assert Serializer().loads(short) == content


def test_a_manifest_stands_for_a_value_of_any_length() -> None:
    from stratakv.engine.large.manifest import Chunk, read_manifest

    manifest = Manifest(bytes(32), [Chunk(bytes(32), 1 << 31, 0)] * 5)
    assert read_manifest(manifest.to_bytes()).size == 5 << 31


def test_a_pipe_shares_its_chunks_with_the_same_bytes(tmp_path: Path) -> None:
    with opened(tmp_path) as memory:
        memory["bytes"] = CONTENT
        memory.maintain()
        ((before,),) = rows(memory, "SELECT count(*) FROM blobs")
        memory.store_stream("pipe", Pipe(CONTENT + b"and a little more"))
        memory.maintain()
        ((after,),) = rows(memory, "SELECT count(*) FROM blobs")
        assert after - before <= 5  # the manifest, the chunks at both ends, and perhaps their neighbours
        assert memory["pipe"] == CONTENT + b"and a little more"
