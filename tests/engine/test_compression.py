"""The compression engine: which codec a value gets, that it comes back, and that the counts are true."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading

import numpy as np
import pytest

from stratakv.clock import ManualClock
from stratakv.config import OptimizationConfig
from stratakv.engine.codecs import Encoded
from stratakv.engine.compression import CompressionEngine, cold_level, fast_level, warm_level
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.serialization import Serializer
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

LOSSLESS = [
    CompressionStrategy.NONE,
    CompressionStrategy.LZ4,
    CompressionStrategy.ZSTD,
    CompressionStrategy.ZLIB,
    CompressionStrategy.BLOSC,
    CompressionStrategy.NUMERIC,
    CompressionStrategy.LZMA,
    CompressionStrategy.COLUMNS,
    CompressionStrategy.SPARSE_CSR,
    CompressionStrategy.ADAPTIVE,
]


def record(number: int) -> dict[str, object]:
    token = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "id": f"message/{number}",
        "role": ("user", "assistant", "tool")[number % 3],
        "trace": token[:24],
        "content": "The request was handled as agreed, please confirm the reservation before the deadline. " * 2,
        "scores": [number % 7, number % 11, 0.5],
    }


def plain(number: int) -> bytes:
    return Serializer().dumps(record(number))


def noise(size: int) -> bytes:
    return hashlib.shake_128(b"seed").digest(size)


@pytest.fixture(scope="module")
def book() -> DictionaryBook:
    made = DictionaryBook()
    for number in range(800):
        made.sample(4, plain(number))
    content = made.train(4)
    assert content is not None
    made.add(11, 4, content)
    return made


@pytest.mark.parametrize("strategy", [*LOSSLESS, None])
def test_any_value_comes_back_equal(strategy: CompressionStrategy | None) -> None:
    engine = CompressionEngine()
    for value in (
        None,
        (),
        b"",
        "x",
        record(1),
        [record(n) for n in range(50)],
        {"v": (1, 2.5), "b": noise(3_000)},
    ):
        result = engine.compress(value, strategy)
        back = engine.decompress(result)
        assert back.data == value
        assert type(back.data) is type(value)
        assert back.original_size == result.original_size


@pytest.mark.parametrize("strategy", [*LOSSLESS, None])
def test_arrays_come_back_equal(strategy: CompressionStrategy | None) -> None:
    engine = CompressionEngine()
    arrays = {
        "vector": np.random.default_rng(1).standard_normal(384).astype(np.float32),
        "ids": np.arange(5_000, dtype=np.int64),
        "flags": np.arange(1_001) % 3 == 0,
        "empty": np.zeros((0, 4)),
    }
    back = engine.decompress(engine.compress(arrays, strategy)).data
    assert isinstance(back, dict)
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype
        np.testing.assert_array_equal(back[name], array)


def test_result_tells_sizes_and_what_was_applied() -> None:
    clock = ManualClock()
    result = CompressionEngine(clock=clock).compress([record(1)] * 50, CompressionStrategy.ZSTD)
    assert result.strategy is CompressionStrategy.ZSTD
    assert result.compressed_size == len(result.data.payload) < result.original_size == result.data.size
    assert result.ratio == result.original_size / result.compressed_size > 10
    assert result.space_saved == 1 - 1 / result.ratio
    assert result.seconds == 0.0


@pytest.mark.parametrize("strategy", LOSSLESS)
def test_what_does_not_shrink_is_kept_raw(strategy: CompressionStrategy) -> None:
    result = CompressionEngine().compress(noise(4_000), strategy)
    assert result.strategy is CompressionStrategy.NONE
    assert result.compressed_size == result.original_size


def test_arrays_get_the_codec_that_makes_them_smallest() -> None:
    numbers = np.arange(50_000, dtype=np.int64) * 977
    engine = CompressionEngine()
    ratios = {
        strategy: engine.compress(numbers, strategy).ratio
        for strategy in (CompressionStrategy.ZSTD, CompressionStrategy.BLOSC, CompressionStrategy.NUMERIC)
    }
    assert ratios[CompressionStrategy.BLOSC] > 2 * ratios[CompressionStrategy.ZSTD]
    adaptive = engine.compress(numbers)
    assert adaptive.ratio >= 0.95 * max(ratios.values())
    assert adaptive.strategy in ratios


def test_adaptive_takes_zstd_where_it_is_clearly_shorter() -> None:
    engine = CompressionEngine()
    assert engine.compress(record(1)).strategy is CompressionStrategy.ZSTD
    assert engine.compress("a" * 1_000 + noise(20_000).hex()[:100]).strategy in LOSSLESS
    assert engine.compress({"constant": b"\x00" * 200 + noise(3_000)}).strategy is CompressionStrategy.LZ4


def test_configured_strategy_is_the_default() -> None:
    config = OptimizationConfig()
    config.compression.default_strategy = "zlib"
    engine = CompressionEngine(config)
    assert engine.compress([record(1)] * 9).strategy is CompressionStrategy.ZLIB
    assert engine.encode_fast(plain(1), 4).codec == 2


@pytest.mark.parametrize(
    "encoded",
    [
        Encoded(77, 0, 10, b"0123456789"),
        Encoded(4, 5, 10, b"0123456789"),
        Encoded(3, 11, 10, b"0123456789"),
        Encoded(1, 0, 11, b"0123456789"),
    ],
)
def test_damage_is_named(encoded: Encoded, book: DictionaryBook) -> None:
    with pytest.raises(CorruptionError):
        CompressionEngine(dictionaries=book).decode(encoded)


def test_statistics_add_up(book: DictionaryBook) -> None:
    engine = CompressionEngine(dictionaries=book)
    assert engine.get_statistics() == {
        "total_compressions": 0,
        "overall_compression_ratio": 0.0,
        "space_saved_bytes": 0,
        "strategy_usage": {},
        "loss": engine.losses.report(),
        "unproved_payloads": 0,
        "choices": [],
        "rotations": [],
    }
    encoded = [engine.encode_fast(plain(number), number % 5) for number in range(50)]
    encoded += [engine.compress([record(n)] * 5, strategy).data for n, strategy in enumerate(LOSSLESS)]
    stored, original = sum(len(each.payload) for each in encoded), sum(each.size for each in encoded)
    statistics = engine.get_statistics()
    assert statistics["total_compressions"] == len(encoded) == 50 + len(LOSSLESS)
    assert statistics["space_saved_bytes"] == original - stored
    assert statistics["overall_compression_ratio"] == 1 - stored / original
    usage = statistics["strategy_usage"]
    assert isinstance(usage, dict)
    assert sum(usage.values()) == len(encoded)
    assert usage["none"] == 1


def test_no_count_is_lost_among_threads_that_come_and_go() -> None:
    engine = CompressionEngine()
    plaintext = plain(1)

    def work() -> None:
        for _ in range(100):
            engine.encode_fast(plaintext, 1)

    for _ in range(5):
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert engine.get_statistics()["total_compressions"] == 5 * 8 * 100


def test_levels_grow_with_the_configured_one() -> None:
    for place in (fast_level, warm_level, cold_level):
        levels = [place(level) for level in range(1, 10)]
        assert levels == sorted(levels)
        assert all(1 <= level <= 22 for level in levels)
        for wrong in (0, 10):
            with pytest.raises(ConfigurationError, match=r"1\.\.9"):
                place(wrong)


WITHOUT_BLOSC2 = """
import sys
sys.modules["blosc2"] = None  # as if it were not installed
import numpy as np
from stratakv.engine.compression import CompressionEngine
from stratakv.errors import ConfigurationError
from stratakv.types import CompressionStrategy
engine = CompressionEngine()
numbers = np.arange(20000, dtype=np.int64) * 977
result = engine.compress(numbers)
assert result.ratio > 5 and (engine.decompress(result).data == numbers).all()
try:
    engine.compress(numbers, CompressionStrategy.BLOSC)
except ConfigurationError as error:
    print(error)
"""


def test_without_blosc2_arrays_still_shrink_and_blosc_names_what_to_install() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT_BLOSC2], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "pip install 'stratakv[arrays]'" in run.stdout
