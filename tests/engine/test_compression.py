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
from stratakv.engine.codecs import Encoded, ZstdCodec
from stratakv.engine.compression import CompressionEngine, cold_level, fast_level, warm_level
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.serialization import Serializer, segments
from stratakv.errors import ConfigurationError, CorruptionError
from stratakv.types import CompressionStrategy

LOSSLESS = [
    CompressionStrategy.NONE,
    CompressionStrategy.LZ4,
    CompressionStrategy.ZSTD,
    CompressionStrategy.ZLIB,
    CompressionStrategy.BLOSC,
    CompressionStrategy.ADAPTIVE,
]
LATER = [
    CompressionStrategy.QUANTIZE_INT8,
    CompressionStrategy.QUANTIZE_INT4,
    CompressionStrategy.BINARIZE,
    CompressionStrategy.SPARSE_CSR,
    CompressionStrategy.GRAPH_PRUNE,
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


def test_blosc_is_what_arrays_get() -> None:
    numbers = np.arange(50_000, dtype=np.int64) * 977
    engine = CompressionEngine()
    for strategy in (CompressionStrategy.BLOSC, CompressionStrategy.ADAPTIVE):
        result = engine.compress(numbers, strategy)
        assert result.strategy is CompressionStrategy.BLOSC
        assert result.ratio > 2 * engine.compress(numbers, CompressionStrategy.ZSTD).ratio


def test_adaptive_takes_zstd_where_it_is_clearly_shorter() -> None:
    engine = CompressionEngine()
    assert engine.compress([record(n) for n in range(50)]).strategy is CompressionStrategy.ZSTD
    assert engine.compress("a" * 1_000 + noise(20_000).hex()[:100]).strategy in LOSSLESS
    assert engine.compress({"constant": b"\x00" * 200 + noise(3_000)}).strategy is CompressionStrategy.LZ4


@pytest.mark.parametrize("strategy", LATER)
def test_strategy_of_later_versions_is_refused_naming_what_there_is(strategy: CompressionStrategy) -> None:
    engine = CompressionEngine()
    with pytest.raises(ConfigurationError, match=f"{strategy.name}.*not available.*ADAPTIVE"):
        engine.compress([1], strategy)
    config = OptimizationConfig()
    config.compression.default_strategy = strategy.value
    with pytest.raises(ConfigurationError, match=strategy.name):
        CompressionEngine(config)


def test_configured_strategy_is_the_default() -> None:
    config = OptimizationConfig()
    config.compression.default_strategy = "zlib"
    engine = CompressionEngine(config)
    assert engine.compress([record(1)] * 9).strategy is CompressionStrategy.ZLIB
    assert engine.encode_fast(plain(1), 4).codec == 2


def test_configured_off_keeps_everything_raw() -> None:
    config = OptimizationConfig()
    config.enable_compression = False
    engine = CompressionEngine(config)
    block = plain(1) * 10
    array = Serializer().dumps(np.zeros(1_000))
    assert engine.compress([record(1)] * 9).strategy is CompressionStrategy.NONE
    assert engine.encode_fast(block, 4) == Encoded(1, 0, len(block), block)
    assert engine.encode_block(block, 0, 3).codec == 1
    assert engine.encode_typed(array, segments(array), 3).codec == 1


def test_new_record_gets_lz4_until_there_is_a_dictionary(book: DictionaryBook) -> None:
    engine = CompressionEngine(dictionaries=book)
    plaintext = plain(5_000)
    without, with_it = engine.encode_fast(plaintext, 3), engine.encode_fast(plaintext, 4)
    assert (without.codec, without.dictionary) == (3, 0)
    assert (with_it.codec, with_it.dictionary) == (4, 11)
    assert len(with_it.payload) < len(without.payload) / 2
    assert engine.decode(without) == engine.decode(with_it) == plaintext


def test_tiny_or_noisy_record_is_kept_raw(book: DictionaryBook) -> None:
    engine = CompressionEngine(dictionaries=book)
    for plaintext in (Serializer().dumps([1, 2, 3]), Serializer().dumps(noise(500))):
        encoded = engine.encode_fast(plaintext, 4)
        assert encoded == Encoded(1, 0, len(plaintext), plaintext)
        assert engine.decode(encoded) == plaintext


def test_new_array_is_encoded_part_by_part() -> None:
    engine = CompressionEngine()
    plaintext = Serializer().dumps({"ids": np.arange(3_000), "note": "counted"})
    encoded = engine.encode_fast(plaintext, 1)
    assert encoded.codec == 6
    assert len(encoded.payload) < len(plaintext) / 5
    assert engine.decode(encoded) == plaintext


def test_block_shrinks_further_with_a_dictionary(book: DictionaryBook) -> None:
    engine = CompressionEngine(dictionaries=book)
    block = b"".join(plain(number) for number in range(7_000, 7_010))
    alone, with_it = engine.encode_block(block, 0, 9), engine.encode_block(block, 11, 9)
    assert len(with_it.payload) < len(alone.payload)
    assert engine.decode(alone) == engine.decode(with_it) == block


def test_dictionary_discarded_meanwhile_is_done_without(book: DictionaryBook) -> None:
    engine = CompressionEngine(dictionaries=book)
    block = plain(1) * 5
    encoded = engine.encode_block(block, 99, 9)
    assert encoded.dictionary == 0
    assert engine.decode(encoded) == block


def test_array_block_is_smaller_at_a_higher_level() -> None:
    engine = CompressionEngine()
    plaintext = Serializer().dumps(np.arange(40_000, dtype=np.int32) ** 2 % 1_000_003)
    quick = engine.encode_typed(plaintext, segments(plaintext), warm_level(1))
    small = engine.encode_typed(plaintext, segments(plaintext), cold_level(9))
    assert len(small.payload) <= len(quick.payload) < len(plaintext)
    assert engine.decode(quick) == engine.decode(small) == plaintext


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
    }
    encoded = [engine.encode_fast(plain(number), number % 5) for number in range(50)]
    encoded += [engine.compress([record(n)] * 5, strategy).data for n, strategy in enumerate(LOSSLESS)]
    stored, original = sum(len(each.payload) for each in encoded), sum(each.size for each in encoded)
    statistics = engine.get_statistics()
    assert statistics["total_compressions"] == len(encoded) == 56
    assert statistics["space_saved_bytes"] == original - stored
    assert statistics["overall_compression_ratio"] == 1 - stored / original
    usage = statistics["strategy_usage"]
    assert isinstance(usage, dict)
    assert sum(usage.values()) == 56
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


def test_zstd_of_any_level_is_decoded_by_every_engine() -> None:
    block = plain(1) * 30
    for level in (1, 9, 19, 22):
        encoded = CompressionEngine().encode_block(block, 0, level)
        assert encoded.codec == ZstdCodec.id
        assert CompressionEngine().decode(encoded) == block


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
    assert "pip install stratakv[arrays]" in run.stdout
