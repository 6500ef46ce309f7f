"""The encoder: what records get at store, what blocks get in packs, and that the choice is the measured best."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from stratakv.clock import ManualClock
from stratakv.config import OptimizationConfig
from stratakv.engine.codecs import Encoded, RawCodec, ZstdCodec
from stratakv.engine.compression import CompressionEngine, cold_level, warm_level
from stratakv.engine.dictionaries import DictionaryBook
from stratakv.engine.serialization import Serializer, segments
from stratakv.engine.stages import IN_COLD_PACKS, IN_WARM_PACKS


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


def engine_with(book: DictionaryBook | None = None, **compression: object) -> CompressionEngine:
    config = OptimizationConfig(compression=compression)
    return CompressionEngine(config, dictionaries=book, clock=ManualClock())


def block(engine: CompressionEngine, plaintexts: list[bytes], *, dictionary: int = 0, level: int = 9) -> Encoded:
    return engine.encoder.block(plaintexts, namespace=4, dictionary=dictionary, level=level, stage=IN_WARM_PACKS)


@pytest.fixture(scope="module")
def book() -> DictionaryBook:
    made = DictionaryBook()
    for number in range(800):
        made.sample(4, plain(number))
    content = made.train(4)
    assert content is not None
    made.add(11, 4, content)
    return made


def test_configured_off_keeps_everything_raw() -> None:
    config = OptimizationConfig()
    config.enable_compression = False
    engine = CompressionEngine(config)
    text = plain(1) * 10
    array = Serializer().dumps(np.zeros(1_000))
    assert engine.encode_fast(text, 4) == Encoded(1, 0, len(text), text)
    assert block(engine, [text]).codec == 1
    assert engine.encoder.typed([array], segments(array), namespace=4, level=3, stage=IN_WARM_PACKS).codec == 1


def test_namespace_with_strategy_none_is_kept_raw_in_every_tier(book: DictionaryBook) -> None:
    engine = engine_with(book)
    engine.encoder.strategy_of = lambda namespace: (
        None if namespace == 4 else engine_with(default_strategy="none").encoder._strategy
    )
    text = plain(1) * 10
    assert engine.encode_fast(text, 4).codec != 1
    assert engine.encode_fast(text, 5).codec == 1
    assert engine.encoder.block([text], namespace=5, dictionary=0, level=9, stage=IN_COLD_PACKS).codec == 1


def test_new_record_gets_the_dictionary_as_soon_as_there_is_one(book: DictionaryBook) -> None:
    engine = engine_with(book)
    plaintext = plain(5_000)
    without, with_it = engine.encode_fast(plaintext, 3), engine.encode_fast(plaintext, 4)
    assert without.dictionary == 0
    assert (with_it.codec, with_it.dictionary) == (4, 11)
    assert len(with_it.payload) < len(without.payload) / 2
    assert engine.decode(without) == engine.decode(with_it) == plaintext


def test_tiny_or_noisy_record_is_kept_raw(book: DictionaryBook) -> None:
    engine = engine_with(book)
    for plaintext in (Serializer().dumps([1, 2, 3]), Serializer().dumps(noise(500))):
        encoded = engine.encode_fast(plaintext, 4)
        assert encoded == Encoded(1, 0, len(plaintext), plaintext)
        assert engine.decode(encoded) == plaintext


def test_new_array_is_encoded_part_by_part() -> None:
    engine = engine_with()
    plaintext = Serializer().dumps({"ids": np.arange(3_000), "note": "counted"})
    encoded = engine.encode_fast(plaintext, 1)
    assert encoded.codec == 6
    assert len(encoded.payload) < len(plaintext) / 5
    assert engine.decode(encoded) == plaintext


def stored(engine: CompressionEngine, namespace: int, array: np.ndarray) -> Encoded:
    plaintext = Serializer().dumps(array)
    encoded = engine.encoder.fast(plaintext, namespace)
    assert engine.decode(encoded) == plaintext
    return encoded


def embedding(chance: np.random.Generator) -> np.ndarray:
    """Return numbers of which only some bits of the exponent are alike."""
    return (chance.standard_normal(384) * np.exp(2 * chance.standard_normal(384))).astype(np.float32)


def test_arrays_that_save_little_are_kept_as_they_are_until_they_are_packed() -> None:
    engine, chance = engine_with(), np.random.default_rng(7)
    embeddings = [embedding(chance) for _ in range(40)]
    codecs = [stored(engine, 4, each).codec for each in embeddings]
    assert set(codecs[8:]) == {RawCodec.id}  # the first ones are tried both ways
    layout = segments(Serializer().dumps(embeddings[0]))
    plaintexts = [Serializer().dumps(each) for each in embeddings]
    packed = engine.encoder.typed(plaintexts, layout, namespace=4, level=9, stage=IN_COLD_PACKS)
    assert len(packed.payload) < 0.97 * packed.size
    # Other numbers, or the same ones elsewhere, are another matter.
    steps = [np.cumsum(chance.integers(0, 3, 384)) for _ in range(20)]
    assert all(len(stored(engine, 4, each).payload) < 0.5 * each.nbytes for each in steps)


class EachLookTakes20Us(ManualClock):
    """Every trial of a codec takes 20 us, and so one of all of them far more than one."""

    _spent = 0.0

    def busy(self) -> float:
        self._spent += 20e-6
        return self._spent


def test_a_first_trial_of_all_codecs_does_not_make_an_array_too_dear_to_take_apart() -> None:
    engine, chance = CompressionEngine(clock=EachLookTakes20Us()), np.random.default_rng(7)
    steps = [np.cumsum(chance.integers(0, 3, 512)) for _ in range(40)]
    assert all(len(stored(engine, 4, each).payload) < 0.5 * each.nbytes for each in steps)


def test_arrays_that_begin_to_save_much_are_taken_apart_again() -> None:
    engine, chance = engine_with(), np.random.default_rng(7)
    noise_first = [stored(engine, 4, embedding(chance)) for _ in range(1000)]
    then = [stored(engine, 4, np.full(384, number, np.float32)) for number in range(2000)]
    assert noise_first[-1].codec == RawCodec.id
    assert len(then[-1].payload) < 0.1 * then[-1].size


def test_block_shrinks_further_with_a_dictionary(book: DictionaryBook) -> None:
    engine = engine_with(book)
    records = [plain(number) for number in range(7_000, 7_010)]
    alone, with_it = block(engine, records), block(engine, records, dictionary=11)
    assert len(with_it.payload) < len(alone.payload)
    assert engine.decode(alone) == engine.decode(with_it) == b"".join(records)


def test_dictionary_discarded_meanwhile_is_done_without(book: DictionaryBook) -> None:
    engine = engine_with(book)
    encoded = block(engine, [plain(1)] * 5, dictionary=99)
    assert encoded.dictionary == 0
    assert engine.decode(encoded) == plain(1) * 5


def test_array_block_is_smaller_at_a_higher_level() -> None:
    engine = engine_with()
    plaintext = Serializer().dumps(np.arange(40_000, dtype=np.int32) ** 2 % 1_000_003)
    quick, small = (
        engine.encoder.typed([plaintext], segments(plaintext), namespace=namespace, level=level, stage=IN_COLD_PACKS)
        for namespace, level in enumerate((warm_level(1), cold_level(9)))
    )
    assert len(small.payload) <= len(quick.payload) < len(plaintext)
    assert engine.decode(quick) == engine.decode(small) == plaintext


def test_vectors_side_by_side_are_one_matrix_for_the_codec() -> None:
    engine = engine_with()
    vectors = (np.arange(80 * 64) * 7919 % 8191).astype("f4").reshape(80, 64)
    plaintexts = [Serializer().dumps({"id": f"v{n}", "vector": vector.copy()}) for n, vector in enumerate(vectors)]
    layout = segments(plaintexts[0])
    together = engine.encoder.typed(plaintexts, layout, namespace=1, level=9, stage=IN_COLD_PACKS)
    alone = [
        engine.encoder.typed([each], segments(each), namespace=2, level=9, stage=IN_COLD_PACKS) for each in plaintexts
    ]
    assert engine.decode(together) == b"".join(plaintexts)
    assert len(together.payload) < 0.7 * sum(len(each.payload) for each in alone)


def test_small_triples_shrink_side_by_side_though_each_alone_would_grow() -> None:
    engine = engine_with()
    triples = [
        Serializer().dumps([f"{n * 7919 % 997:08d}", f"rel{n % 5}", f"{n * 31 % 883:08d}"]) for n in range(5_000)
    ]
    assert all(engine.encode_fast(each, 1).codec == 1 for each in triples[:50])
    encoded = engine.encoder.block(triples, namespace=1, dictionary=0, level=9, stage=IN_COLD_PACKS)
    assert engine.decode(encoded) == b"".join(triples)
    assert len(encoded.payload) < 0.25 * encoded.size
    assert len(encoded.payload) < 0.8 * len(ZstdCodec().encode(b"".join(triples), level=12))


def test_zstd_of_any_level_is_decoded_by_every_engine() -> None:
    for level in (1, 9, 15):
        encoded = block(engine_with(), [plain(1)] * 30, level=level)
        assert encoded.codec == ZstdCodec.id
        assert engine_with().decode(encoded) == plain(1) * 30


def test_choices_are_told_with_their_reason() -> None:
    engine = engine_with()
    for number in range(20):
        engine.encode_fast(plain(number), 3)
        engine.encode_fast(Serializer().dumps(np.arange(number, number + 500)), 3)
    choices = {(row["kind"], row["stage"]): row for row in engine.get_statistics()["choices"]}
    text, numbers = choices["text", "store"], choices["i64", "store"]
    assert text["namespace"] == numbers["namespace"] == 3
    assert {"lz4", "zstd"} <= set(text["candidates"])
    assert numbers["chosen"] in numbers["candidates"]
    assert "within" in numbers["why"]
    shares = {name: row["share"] for name, row in numbers["candidates"].items()}
    assert shares[numbers["chosen"]] <= 1.02 * min(shares.values())
