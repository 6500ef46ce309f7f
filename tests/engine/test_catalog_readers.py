"""Readers keep their transactions between queries, and nobody notices: not queries, not the log, not the pool."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from stratakv.engine.catalog import Catalog
from stratakv.engine.records import KeyRecord, Place, encode_key
from stratakv.errors import ClosedError, CorruptionError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_LOG = 4 << 20


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.db")
    yield opened
    opened.close()


def commit(catalog: Catalog, value: Any, name: str = "a name") -> None:
    with catalog.write(0) as transaction:
        transaction.set_meta(name, value)


def log_bytes(catalog: Catalog) -> int:
    return catalog.path.with_name(catalog.path.name + "-wal").stat().st_size


def add_keys(catalog: Catalog, count: int) -> None:
    with catalog.write(0) as transaction:
        pack = transaction.add_pack(2, "packs/one", 1000, 900, bytes(32), 1000, 0)
        for number in range(count):
            digest = number.to_bytes(32, "little")
            transaction.place_blobs([(digest, 0, Place(pack, 0, number, 1))])
            record = KeyRecord(number + 1, digest, 0, 0, 0, 0, 0, None)
            transaction.put_keys([(encode_key(f"key:{number}"), record, False)])


def test_a_query_sees_every_commit_before_it(catalog: Catalog) -> None:
    for number in range(20):
        commit(catalog, number)
        assert [catalog.meta("a name") for _ in range(3)] == [number] * 3


def test_no_thread_sees_an_older_commit_than_was_acknowledged(catalog: Catalog) -> None:
    acknowledged, behind, done = [0], list[tuple[int, int]](), threading.Event()
    commit(catalog, 0)

    def read() -> None:
        while not done.is_set():
            least = acknowledged[0]
            seen = catalog.meta("a name")
            if seen < least:
                behind.append((seen, least))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(1, 200):
        commit(catalog, number)
        acknowledged[0] = number
    done.set()
    for thread in threads:
        thread.join()
    assert behind == []


def test_the_log_is_folded_beside_readers_at_rest_and_at_work(catalog: Catalog) -> None:
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            catalog.meta("a name")

    commit(catalog, bytes(100_000))
    catalog.meta("a name")
    catalog.compact(rewrite=False)
    assert log_bytes(catalog) == 0
    commit(catalog, bytes(100_000))
    thread = threading.Thread(target=read)
    thread.start()
    catalog.compact()
    done.set()
    thread.join()
    assert log_bytes(catalog) == 0


def test_the_log_begins_anew_though_each_commit_is_read(catalog: Catalog) -> None:
    for number in range(150):
        commit(catalog, bytes([number]) * 100_000)
        assert catalog.meta("a name")[0] == number
    assert log_bytes(catalog) < LONG_LOG + (1 << 20)


def test_one_thread_that_reads_between_commits_needs_few_readers(catalog: Catalog) -> None:
    for number in range(50):
        commit(catalog, number)
        catalog.meta("a name")
        catalog.shrink_memory()
        assert catalog.ram_bytes > 0
    assert catalog._readers.count == 1


def test_after_a_query_that_failed_the_next_one_sees_the_latest_commit(catalog: Catalog) -> None:
    commit(catalog, 1)
    for number in range(2, 5):
        with pytest.raises(CorruptionError, match="no such table"):
            catalog.rows("SELECT * FROM nowhere")
        assert catalog.meta("a name") == number - 1
        commit(catalog, number)
        assert catalog.meta("a name") == number


def change_and_fail(catalog: Catalog) -> None:
    with catalog.write(0) as transaction:
        transaction.set_meta("a name", 2)
        assert catalog.meta("a name") == 1
        raise ZeroDivisionError


def test_a_transaction_that_is_undone_is_not_seen(catalog: Catalog) -> None:
    commit(catalog, 1)
    with pytest.raises(ZeroDivisionError):
        change_and_fail(catalog)
    assert catalog.meta("a name") == 1


def test_a_reader_at_work_when_the_catalog_closes_is_closed_after_its_query(catalog: Catalog) -> None:
    commit(catalog, 1)
    reader = catalog._readers.take()
    catalog.close()
    assert reader.execute("SELECT value FROM meta WHERE name = 'a name'").fetchall() == [(1,)]
    catalog._readers.put_back(reader)
    with pytest.raises(apsw.ConnectionClosedError):
        reader.connection.execute("SELECT 1")
    with pytest.raises(ClosedError, match="closed"):
        catalog.meta("a name")


def test_a_reader_that_is_looked_at_while_the_catalog_commits_or_closes_is_not_forgotten(catalog: Catalog) -> None:
    commit(catalog, bytes(100_000))
    catalog.meta("a name")
    for _ in catalog._readers.each_idle():
        commit(catalog, bytes(100_000))
    catalog.compact(rewrite=False)
    assert log_bytes(catalog) == 0
    for reader in catalog._readers.each_idle():  # noqa: B007 -- used when the loop is over
        catalog.close()
    with pytest.raises(apsw.ConnectionClosedError):
        reader.connection.execute("SELECT 1")


def test_a_key_is_looked_up_without_planning_the_query_anew(catalog: Catalog) -> None:
    add_keys(catalog, 30)
    reader = catalog._readers.take()
    permitted: list[int] = []

    def permit(action: int, *_: str | None) -> int:  # asked whenever a statement is planned
        permitted.append(action)
        return apsw.SQLITE_OK

    reader.connection.authorizer = permit
    catalog._readers.put_back(reader)
    for number in range(30):
        found = catalog.find(encode_key(f"key:{number}"))
        assert found is not None
        assert (found.version, found.digest) == (number + 1, number.to_bytes(32, "little"))
        if number == 0:
            first = len(permitted)
    assert len(permitted) == first > 0
