"""Cold tiers on servers that refuse, vanish or swallow: hot and warm go on, and what is lost is named."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, SystemClock
from stratakv.engine.breaker import FAILURES, LONGEST_REST_SECONDS
from stratakv.errors import ConfigurationError, CorruptionError, TierUnavailableError
from stratakv.testing import RecordingBackend, TcpProxy
from tests.backends.s3_faults import scripted_backend
from tests.servers.scripted import refusal
from tests.tiers.sick_backends import (
    far,
    noise,
    open_store,
    three_tiers,
    told,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server
    from tests.servers.scripted import ScriptedServer


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


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (503, "SlowDown", "overloaded"),
        (400, "ExpiredToken", "renew"),
        (403, "RequestTimeTooSkewed", "clock is off"),
        (403, "AccessDenied", "denies access"),
        (500, "InternalError", "overloaded or failing"),
    ],
)
def test_what_a_server_refuses_mid_way_is_told_and_retried(
    tmp_path: Path, script: ScriptedServer, status: int, code: str, advice: str
) -> None:
    """The same objects once through a directory and once through a server that refuses everything."""
    clock = ManualClock()

    class Crossing(RecordingBackend):
        """Goes to the server while it is asked to."""

        refused = False

        def _around(self, call: str, name: str, size: int, act: Any) -> Any:
            if self.refused and call == "get_range":
                return server.get_range(name, 0, size)
            return super()._around(call, name, size, act)

    with closing(scripted_backend(script.url)) as server, three_tiers(tmp_path, Crossing(far(tmp_path)), clock) as made:
        memory, cold, warm, hot = made
        crossing: Any = memory.tiered_storage._store.parts.backends[3]
        script.answer(refusal(status, code))
        crossing.inner.refused = True
        key = next(iter(cold))
        for _ in range(FAILURES + 1):
            with pytest.raises(TierUnavailableError, match=advice) as caught:
                memory.retrieve(key)
            assert caught.value.retryable
        assert told(memory)["state"] == "open"
        assert memory.retrieve_many({**warm, **hot}) == {**warm, **hot}
        crossing.inner.refused = False
        clock.advance(LONGEST_REST_SECONDS)
        assert memory.retrieve_many(cold) == cold


def test_a_bucket_deleted_under_the_store(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    clock = ManualClock()
    with three_tiers(tmp_path, s3_server.backend(bucket), clock) as (memory, cold, warm, hot):
        client = s3_server.client()
        names = [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket)["Contents"]]
        for name in names:
            client.delete_object(Bucket=bucket, Key=name)
        client.delete_bucket(Bucket=bucket)
        key = next(iter(cold))
        for _ in range(FAILURES + 1):
            with pytest.raises(TierUnavailableError, match=rf"bucket '{bucket}' does not exist"):
                memory.retrieve(key)
        with pytest.raises(TierUnavailableError, match=bucket):
            memory.maintain(settle=True)
        assert memory.retrieve_many({**warm, **hot}) == {**warm, **hot}
        assert memory.store("new", 1)
        client.create_bucket(Bucket=bucket)
        client.close()
        clock.advance(LONGEST_REST_SECONDS)
        for lost in cold:
            with pytest.raises(CorruptionError, match=rf"'{lost}'.*missing"):
                memory.retrieve(lost)
        with suppress(TierUnavailableError):
            memory.maintain(settle=True)
        assert memory.get_statistics()["background"]["corruptions"] >= len(cold)
        assert memory.retrieve_many({**warm, **hot, "new": 1}) == {**warm, **hot, "new": 1}
        assert memory.store(key, cold[key]), "a value stored again is there again"
        assert memory[key] == cold[key]
    with pytest.raises(ConfigurationError, match="take_over"):
        open_store(tmp_path / "store", s3_server.backend(bucket))
    with open_store(tmp_path / "store", s3_server.backend(bucket), cold={"take_over": True}) as memory:
        memory.maintain(settle=True)
        assert memory.retrieve_many({**warm, **hot, key: cold[key]}) == {**warm, **hot, key: cold[key]}
        for lost in list(cold)[1:]:
            with pytest.raises(CorruptionError, match="missing"):
                memory.retrieve(lost)
