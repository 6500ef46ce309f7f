"""What a remote cold tier is asked for, counted: requests are what it costs."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from tests.model.remote_stores import COLD, backend_of

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.backends.base import Backend
    from stratakv.testing import RecordingBackend
    from tests.servers.moto import S3Server

DAY = 86_400
ERASE_DAYS = 20


def records(count: int) -> dict[str, dict[str, Any]]:
    chance = random.Random(7)
    return {
        f"session:{number:05d}": {
            "id": number,
            "user": f"u{chance.randrange(500)}",
            "text": " ".join(chance.choices(("plan", "query", "tool", "answer", "retry"), k=8)),
            "trace": f"{chance.getrandbits(128):032x}",
        }
        for number in range(count)
    }


def open_store(
    path: Path,
    backend: Backend,
    clock: ManualClock | None = None,
    *,
    transfer_gb: float = 0.09,
    put_price: float = 0.005,
    compresses: bool = True,
) -> OptimizationMiddleware:
    config = OptimizationConfig(
        enabled=True,
        enable_compression=compresses,
        storage={"path": str(path / "store"), "erase_within_days": ERASE_DAYS, "grace_seconds": 60},
        adaptive={"prices": {"transfer_gb": transfer_gb, "put_per_1000": put_price}},
    )
    return OptimizationMiddleware(config=config, clock=clock or ManualClock(), backends={COLD: backend})


def of_packs(backend: RecordingBackend, call: str) -> list[int]:
    return [made.size for made in backend.calls if made.call == call and made.name.startswith("packs/")]


# -- requests ------------------------------------------------------------------------------------------------


def test_ten_thousand_small_values_are_demoted_by_one_request(tmp_path: Path) -> None:
    values = records(10_000)
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend) as memory:
        memory.store_many(values)
        memory.maintain(settle=True)
        assert len(of_packs(backend, "put")) == 1
        assert backend.count("put") <= 4  # a part or two of the backup, and a dictionary
        assert memory.get_statistics()["tiered_storage"]["demotions"] >= 10_000
        keys = random.Random(8).sample(list(values), 40)
        backend.calls.clear()
        for key in keys:
            assert memory.retrieve(key) == values[key]
        # One request a read, and none for a block that was read just before.
        assert 1 <= len(of_packs(backend, "get_range")) == len(backend.calls) <= 40
        assert max(of_packs(backend, "get_range")) < 128 * 1024
        backend.calls.clear()
        assert memory.retrieve_many(values) == values
        assert 1 <= len(of_packs(backend, "get_range")) == len(backend.calls) <= 3


def test_nothing_is_asked_where_nothing_changed(tmp_path: Path) -> None:
    backend = backend_of(tmp_path)
    with open_store(tmp_path, backend) as memory:
        memory.store_many(records(500))
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        backend.calls.clear()
        memory.maintain()
        assert {made.call for made in backend.calls} <= {"list"}


def test_s3_counts_one_put_for_a_pack_and_one_get_for_a_read(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    values = records(10_000)
    backend = s3_server.backend(bucket)
    with open_store(tmp_path, backend) as memory:
        memory.store_many(values)
        memory.flush()
        before = backend.requests()
        memory.maintain(settle=True)
        after = backend.requests()
        assert after["put"] - before["put"] <= 10_000 // 500
        assert after["get"] - before["get"] <= 8, "looks at the manifest before what may not be undone"
        before = after
        assert memory.retrieve("session:00007") == values["session:00007"]
        assert backend.requests()["get"] == before["get"] + 1
        assert memory.retrieve_many(values) == values
        assert backend.requests()["get"] <= before["get"] + 4
        assert {kind for kind in ("put", "delete", "list") if backend.requests()[kind] != before[kind]} == set()


def test_a_pack_of_the_usual_size_is_one_put_with_index_and_names(
    tmp_path: Path, s3_server: S3Server, bucket: str
) -> None:
    chance = random.Random(3)
    backend = s3_server.backend(bucket)
    with open_store(tmp_path, backend, compresses=False) as memory:
        memory.store_many({f"user:{number:05d}": chance.randbytes(1000) for number in range(9500)})
        memory.flush()
        before = backend.requests()["put"]
        memory.maintain(settle=True)
        packs = [info.size for info in backend.list("packs/")]
        assert len(packs) == 2
        assert 7.5 * 2**20 < max(packs) <= 8 * 2**20
        # One each, and the backup's part; in parts a pack would take four.
        assert backend.requests()["put"] - before <= 4


def test_answers_keep_times_as_text(s3_server: S3Server, bucket: str) -> None:
    backend = s3_server.backend(bucket)
    backend.put("packs/one", b"content")
    answer = backend._client.run(
        "look", lambda s3: s3.head_object(Bucket=bucket, Key=backend._client.place.key("packs/one"))
    )
    assert answer is not None
    assert isinstance(answer["LastModified"], str)
    backend.close()


# -- compaction ----------------------------------------------------------------------------------------------


def with_dead_values(
    path: Path, clock: ManualClock, backend: Backend, **prices: Any
) -> tuple[OptimizationMiddleware, dict[str, Any]]:
    """Return a store of whose cold pack 60% is dead, and what is left in it."""
    values = records(4000)
    memory = open_store(path, backend, clock, **prices)
    memory.store_many(values)
    memory.maintain(settle=True)
    for key in random.Random(9).sample(list(values), 2400):
        del values[key]
        memory.delete(key)
    memory.maintain()
    clock.advance(120)
    memory.maintain()
    return memory, values


def test_dead_values_stay_where_transfer_is_dear_until_they_must_be_erased(tmp_path: Path) -> None:
    clock = ManualClock()
    backend = backend_of(tmp_path)
    memory, values = with_dead_values(tmp_path, clock, backend, transfer_gb=100.0)
    with memory:
        backend.calls.clear()
        for _ in range(ERASE_DAYS - 2):
            clock.advance(DAY)
            memory.maintain()
        assert of_packs(backend, "get_range") == of_packs(backend, "put") == []
        assert memory.get_statistics()["tiered_storage"]["compactions"] == 0
        for _ in range(3):
            clock.advance(DAY)
            memory.maintain()
        assert len(of_packs(backend, "get_range")) == len(of_packs(backend, "put")) == 1
        assert memory.get_statistics()["tiered_storage"]["compactions"] == 1
        assert memory.retrieve_many(values) == values


def test_dead_values_go_at_once_where_moving_the_others_costs_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    backend = backend_of(tmp_path)
    memory, values = with_dead_values(tmp_path, clock, backend, transfer_gb=0.0, put_price=0.0)
    with memory:
        clock.advance(DAY)
        memory.maintain()
        assert memory.get_statistics()["tiered_storage"]["compactions"] == 1
        backend.calls.clear()
        clock.advance(DAY)
        memory.maintain()
        assert of_packs(backend, "put") == []
        assert memory.retrieve_many(values) == values
