"""A cold tier that is slow or never answers: it holds up who asks it, nobody else, and no shutdown."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, SystemClock
from stratakv.errors import StrataError, TierUnavailableError
from stratakv.testing import SlowBackend, TcpProxy
from tests.tiers.sick_backends import SickBackend
from tests.tiers.tier_stores import (
    COLD,
    check_sums,
    far,
    in_tier,
    leave_ram,
    noise,
    open_store,
    three_tiers,
    told,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server


# -- slow and hanging ----------------------------------------------------------------------------------------


def test_answers_that_never_come_open_the_breaker_at_once(tmp_path: Path) -> None:
    clock, sick = ManualClock(), SickBackend(far(tmp_path))
    slow = SlowBackend(sick, clock, 30, calls={"get_range"})
    with three_tiers(tmp_path, slow, clock) as (memory, cold, warm, hot):
        sick.fail_with(TierUnavailableError, "no answer in time", only={"get_range"})
        before = clock.monotonic()
        for key in cold:
            with pytest.raises(TierUnavailableError, match="no answer in time"):
                memory.retrieve(key)
        assert clock.monotonic() - before == 30, "one caller waited, once"
        assert told(memory)["state"] == "open"
        assert memory.retrieve_many({**warm, **hot}) == {**warm, **hot}


def test_many_readers_of_a_hanging_tier_leave_the_others_alone(tmp_path: Path) -> None:
    sick = SickBackend(far(tmp_path))
    with three_tiers(tmp_path, sick, SystemClock()) as (memory, cold, warm, hot):
        sick.hang(only={"get_range"})
        found: dict[str, object] = {}
        readers = [threading.Thread(target=lambda key=key: found.update({key: memory[key]})) for key in cold]
        for reader in readers:
            reader.start()
        sick.hangs.wait()
        assert memory.retrieve_many({**warm, **hot}) == {**warm, **hot}
        for number in range(500):
            memory.store(f"new:{number}", number)
        memory.flush()
        assert memory["new:499"] == 499
        sick.go_on()
        for reader in readers:
            reader.join()
        assert found == cold


@pytest.mark.parametrize("call", ["list", "get_range"])
def test_a_store_shuts_down_while_cold_hangs(tmp_path: Path, call: str) -> None:
    sick = SickBackend(far(tmp_path))
    settings = {
        "storage": {"checkpoint_interval_seconds": 0.05, "grace_seconds": 0},
        "tiered_storage": {
            "migration_interval_seconds": 0.05, "warm_to_cold_idle_hours": 0, "promote_to_warm_accesses": 1,
        },
    }  # fmt: skip
    memory = open_store(tmp_path / "store", sick, SystemClock(), cold={"backup_interval_seconds": 0.05}, **settings)
    values = noise(100)
    memory.store_many(values)
    until(lambda: in_tier(memory, COLD, values) == set(values))
    leave_ram(memory)
    doomed = noise(100, "doomed")
    memory.store_many(doomed)
    until(lambda: in_tier(memory, COLD, doomed) == set(doomed))
    sick.hang(only={call})

    def read() -> None:
        with suppress(StrataError):  # the store is closed under it
            memory.retrieve_many(list(values)[:10])

    reader = threading.Thread(target=read)
    reader.start()
    memory.delete_many(doomed)
    more = noise(50, "more")
    memory.store_many(more)
    sick.hangs.wait(20)
    assert sick.hangs.is_set()
    last = noise(50, "last")
    memory.store_many(last)
    memory.shutdown()  # returns though the call is never answered
    sick.go_on()
    reader.join()
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        assert memory.retrieve_many({**values, **more, **last}) == {**values, **more, **last}
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        check_sums(memory)


def test_a_store_shuts_down_while_its_bucket_is_a_black_hole(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    settings = {"tiered_storage": {"migration_interval_seconds": 0.05, "warm_to_cold_idle_hours": 0}}
    values = noise(50)
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        backend = s3_server.backend(bucket, endpoint_url=proxy.url, attempts=1, read_timeout=1.0)
        memory = open_store(tmp_path / "store", backend, SystemClock(), **settings)
        proxy.black_hole()
        memory.store_many(values)
        memory.shutdown()
    with open_store(tmp_path / "store", s3_server.backend(bucket)) as memory:
        assert memory.retrieve_many(values) == values
