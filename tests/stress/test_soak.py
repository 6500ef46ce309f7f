"""A soak: mixed load for minutes while the cold tier comes and goes. Nothing is lost, and all is in order afterwards.

STRATAKV_SOAK_SECONDS says how long, 600 if it says nothing; the weather changes ten times in that.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationMiddleware
from stratakv.engine.records import IN_WARM
from stratakv.engine.verification import verify_directory
from stratakv.testing import TcpProxy
from tests.limits.full_disks import used_bytes
from tests.stress.soak import HOT_MB, Soak, resident_bytes, settings, value_of, within

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server

MB = 1 << 20
ALLOWED_MB = 250
"""Beside the hot tier: the catalog's cache, what is being packed and uploaded, the proxy, the test's own model."""
DRAINED_WITHIN_SECONDS = 180


def has_drained(memory: OptimizationMiddleware) -> bool:
    """Tell whether everything is in cold, backed up, and nothing dead is left there."""
    parts = memory.tiered_storage._store.parts
    statistics = memory.get_statistics()
    cold = statistics["tiered_storage"]["cold"]
    waiting = parts.catalog.rows(
        "SELECT (SELECT count(*) FROM packs WHERE tier = ?) + (SELECT count(*) FROM doomed)", (IN_WARM,)
    )[0][0]
    return (
        cold["state"] == "closed"
        and cold["backup"]["changes_waiting"] == 0
        and statistics["background"]["dirty_keys"] == 0
        and not parts.hot.entries
        and waiting == 0
    )


def assert_close(said: int, measured: int, what: str) -> None:
    assert abs(said - measured) <= max(0.02 * measured, 64 * 1024), f"{what}: said {said}, measured {measured}"


def assert_statistics_are_true(memory: OptimizationMiddleware, path: Path, server: S3Server, bucket: str) -> None:
    storage = memory.get_statistics()["storage"]
    assert_close(storage["disk_bytes"] - storage["cold_bytes"], used_bytes(path), "disk")
    backend = server.backend(bucket, "soak")
    try:
        assert_close(storage["cold_bytes"], sum(info.size for info in backend.list()), "cold")
    finally:
        backend.close()


def assert_holds(memory: OptimizationMiddleware, model: dict[str, int]) -> None:
    assert len(memory) == len(model)
    keys = sorted(model)
    for start in range(0, len(keys), 500):
        found = memory.retrieve_many(keys[start : start + 500])
        for key in keys[start : start + 500]:
            assert found.get(key) == value_of(key, model[key]), key


@pytest.mark.stress
@pytest.mark.timeout(7200)
def test_nothing_is_lost_while_the_cold_tier_comes_and_goes(tmp_path: Path, s3_server: S3Server, bucket: str) -> None:
    seconds = float(os.environ.get("STRATAKV_SOAK_SECONDS", "600"))
    path = tmp_path / "store"
    with TcpProxy("127.0.0.1", s3_server.port) as proxy:
        config = settings(path, proxy.url, bucket)
        imports = resident_bytes()
        with OptimizationMiddleware(config=config) as memory:
            soak = Soak(memory, proxy)
            soak.run(seconds, seconds / 10)
            peak = max(soak.rss)
            print(f"\nafter {seconds:.0f} s: {dict(sorted(soak.counts.items()))}")
            print(f"RSS in MB: imports {imports / MB:.0f}, peak {peak / MB:.0f}, last {soak.rss[-1] / MB:.0f}")
            if soak.failures:
                raise soak.failures[0]
            assert peak <= imports + (HOT_MB + ALLOWED_MB) * MB
            drained = within(DRAINED_WITHIN_SECONDS, lambda: has_drained(memory))
            statistics = memory.get_statistics()
            print(f"drained: {drained}; background: {statistics['background']}")
            print(f"cold: {statistics['tiered_storage']['cold']}")
            assert drained
            last_failure = statistics["background"]["last_failure"]
            assert last_failure is None or last_failure.startswith("TierUnavailableError")
            assert_statistics_are_true(memory, path, s3_server, bucket)
            assert_holds(memory, soak.model)
        found = verify_directory(config)
        assert found.sound, found.damage
        with OptimizationMiddleware(config=config) as memory:
            assert_holds(memory, soak.model)
