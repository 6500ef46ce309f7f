"""The dictionary book: what it trains, when, and that its dictionaries shrink small records."""

from __future__ import annotations

import hashlib
import threading

import pytest

from stratakv.engine.codecs import ZstdFrames
from stratakv.engine.dictionaries import SAMPLES_BYTES, DictionaryBook
from stratakv.errors import CorruptionError


def noise(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def record(number: int, kind: str = "message") -> bytes:
    role, token = ("user", "assistant", "tool")[number % 3], noise(number)
    return (
        f'{{"id": "{kind}/{number}", "role": "{role}", "trace": "{token[:24]}", '
        f'"content": "The {kind} was handled as agreed, please confirm booking {token[:6].upper()} today.", '
        f'"metadata": {{"temperature": 0.{number % 10}, "model": "v{number % 4}", "retries": {number % 5}}}}}'
    ).encode()


def fed(records: list[bytes], namespace: int = 1) -> DictionaryBook:
    book = DictionaryBook()
    for each in records:
        book.sample(namespace, each)
    return book


@pytest.fixture(scope="module")
def content() -> bytes:
    trained = fed([record(number) for number in range(600)]).train(1)
    assert trained is not None
    return trained


def test_no_dictionary_at_first() -> None:
    book = DictionaryBook()
    assert (book.current(1), book.ids(), book.due(1), book.train(1)) == (0, (), False, None)


def test_training_is_due_once_there_are_enough_records() -> None:
    book = fed([record(number) for number in range(20)])
    assert not book.due(1)
    for number in range(20, 400):
        book.sample(1, record(number))
    assert book.due(1)
    assert not book.due(2)


def test_dictionary_more_than_halves_records_it_never_saw(content: bytes) -> None:
    book = DictionaryBook()
    book.add(1, 1, content)
    unseen = [record(number) for number in range(10_000, 10_200)]
    without = sum(len(ZstdFrames().encode(each, 3)) for each in unseen)
    with_it = [book.encode(1, each, 3) for each in unseen]
    assert sum(map(len, with_it)) < without / 2
    assert [book.decode(1, payload, len(each)) for payload, each in zip(with_it, unseen, strict=True)] == unseen


def test_same_records_give_the_same_dictionary(content: bytes) -> None:
    assert fed([record(number) for number in range(600)]).train(1) == content


def test_dictionary_is_small_for_a_small_volume(content: bytes) -> None:
    volume = sum(len(record(number)) for number in range(600))
    assert len(content) <= volume / 10


def test_noise_gets_no_dictionary() -> None:
    book = fed([bytes.fromhex("".join(noise(1000 * number + part) for part in range(8))) for number in range(500)])
    assert book.due(1)
    assert book.train(1) is None
    assert not book.due(1)


def test_retraining_waits_until_the_volume_doubled() -> None:
    book = fed([record(number) for number in range(400)])
    trained = book.train(1)
    assert trained is not None
    book.add(1, 1, trained)
    for number in range(400, 700):
        book.sample(1, record(number))
    assert not book.due(1)
    for number in range(700, 900):
        book.sample(1, record(number))
    assert book.due(1)


def test_retraining_without_gain_gives_none(content: bytes) -> None:
    book = fed([record(number) for number in range(600)])
    book.add(1, 1, content)
    assert book.train(1) is None


def test_changed_records_make_training_due_before_the_volume_doubled() -> None:
    book = fed([record(number) for number in range(12_000)])
    trained = book.train(1)
    assert trained is not None
    book.add(1, 1, trained)
    for number in range(12_000, 13_000):
        book.sample(1, record(number))
    assert not book.due(1)
    for number in range(3_000):
        token = noise(number)
        book.sample(1, f"<event n='{number}'><body>{token}</body><end of='{token[5:15]}'/></event>".encode())
    assert book.due(1)
    assert book.train(1) is not None


def test_newest_dictionary_of_a_namespace_is_current(content: bytes) -> None:
    book = DictionaryBook()
    book.add(7, 1, content)
    book.add(3, 1, content)
    book.add(5, 2, content)
    assert (book.current(1), book.current(2), book.current(3)) == (7, 5, 0)
    assert book.ids() == (3, 5, 7)
    assert book.namespace_of(5) == 2


def test_discarding_the_current_dictionary_goes_back_to_the_one_before(content: bytes) -> None:
    book = DictionaryBook()
    for number in (3, 7):
        book.add(number, 1, content)
    book.discard(7)
    assert book.current(1) == 3
    book.discard(3)
    book.discard(3)
    assert (book.current(1), book.ids(), book.ram_bytes()) == (0, (), 0)


def test_missing_dictionary_is_corruption_that_names_it(content: bytes) -> None:
    book = DictionaryBook()
    book.add(9, 1, content)
    payload = book.encode(9, record(1), 3)
    book.discard(9)
    with pytest.raises(CorruptionError, match="dictionary 9"):
        book.decode(9, payload, len(record(1)))


def test_bytes_that_are_no_dictionary_are_refused() -> None:
    book = DictionaryBook()
    with pytest.raises(CorruptionError, match="dictionary"):
        book.add(1, 1, b"x" * 5_000)
    assert book.ids() == ()


def test_id_zero_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="positive"):
        DictionaryBook().add(0, 1, content)


def test_samples_stay_within_their_budget_and_are_shared_fairly() -> None:
    book = DictionaryBook()
    for number in range(100):
        book.sample(2, record(number))
    large = [record(number) * 20 for number in range(50)]
    for step in range(3_000):
        book.sample(1, large[step % 50])
        assert book.ram_bytes() <= SAMPLES_BYTES
    for number in range(100, 400):
        book.sample(2, record(number))
    assert book.train(2) is not None


def test_long_records_are_not_sampled() -> None:
    book = fed([record(1) * 100] * 100)
    assert book.ram_bytes() == 0


def test_no_dictionaries_are_trained_when_their_size_is_zero() -> None:
    book = DictionaryBook(dictionary_bytes=0)
    for number in range(600):
        book.sample(1, record(number))
    assert not book.due(1)
    assert book.train(1) is None


def test_ram_counts_dictionaries_and_their_prepared_forms(content: bytes) -> None:
    book = DictionaryBook()
    book.add(1, 1, content)
    before = book.ram_bytes()
    book.encode(1, record(1), 3)
    assert book.ram_bytes() > before >= len(content)


def test_threads_encode_while_dictionaries_come_and_go(content: bytes) -> None:
    book = DictionaryBook()
    book.add(1, 1, content)
    failures: list[object] = []

    def work(start: int) -> None:
        try:
            for number in range(start, start + 300):
                chosen = book.current(1)
                plaintext = record(number)
                if book.decode(chosen, book.encode(chosen, plaintext, 1 + number % 9), len(plaintext)) != plaintext:
                    failures.append(number)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(1_000 * seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for number in range(2, 40):
        book.add(number, 1, content)
    for thread in threads:
        thread.join(60)
    assert not failures
