"""A store's whole life with its cold tier in a bucket: demotion, reads, compaction, a crash, restoration, two owners.

Small in the quick suite on moto's server; with more values on a real one, run by `make test-s3`.
"""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.cli.main import main
from stratakv.engine.verification import verify_directory
from stratakv.errors import StoreLockedError
from tests.crash.soundness import check_no_orphans, check_sums, leave

if TYPE_CHECKING:
    from pathlib import Path

    from stratakv.engine.store import Store
    from tests.servers.moto import S3Server

COLD = StorageTier.COLD
PREFIX = "end/to.end"
REQUESTS_OF_A_BACKUP = 8
"""The least that a demotion may cost: a pack, dictionaries, parts of the backup."""


def value_of(number: int, revision: int = 0) -> dict[str, object]:
    chance = random.Random(f"{number}/{revision}")
    text = " ".join(f"word{chance.randrange(300)}" for _ in range(30))
    return {"number": number, "revision": revision, "text": text, "tags": [f"tag{number % 7}", None]}


class EndToEnd:
    """One bucket, and the stores that own it one after the other."""

    def __init__(self, server: S3Server, bucket: str, folder: Path, count: int) -> None:
        self.server, self.bucket, self.folder = server, bucket, folder
        self.clock = ManualClock()
        self.model = {f"key:{number:06d}": value_of(number) for number in range(count)}
        self.count = count

    def config(self, name: str) -> OptimizationConfig:
        return OptimizationConfig(
            storage={"path": str(self.folder / name), "pack_size_mb": 8},
            tiered_storage={
                "cold": {
                    "backend": "s3", "bucket": self.bucket, "prefix": PREFIX, "endpoint_url": self.server.url,
                    "region": "us-east-1",
                }
            },
        )  # fmt: skip

    def open(self, name: str = "store") -> OptimizationMiddleware:
        return OptimizationMiddleware(config=self.config(name), clock=self.clock)

    def objects(self, prefix: str = "") -> dict[str, int]:
        with closing(self.server.backend(self.bucket, PREFIX)) as backend:
            return {info.name: info.size for info in backend.list(prefix)}

    def check_holds(self, memory: OptimizationMiddleware) -> None:
        assert sorted(memory) == sorted(self.model)
        assert memory.retrieve_many(list(self.model)) == self.model

    # -- the chapters ----------------------------------------------------------------------------------------

    def run(self) -> None:
        with self.open() as memory:
            self.demote(memory)
            self.read(memory)
            self.compact(memory)
            self.check_holds(memory)
        assert verify_directory(self.config("store")).sound
        self.crash()
        self.restore_and_fence()

    def demote(self, memory: OptimizationMiddleware) -> None:
        """Many small values travel in few requests."""
        before = requests(memory)
        keys = list(self.model)
        memory.store_many({key: self.model[key] for key in keys[: self.count // 2]})
        for key in keys[self.count // 2 :]:
            memory.store(key, self.model[key], COLD)
        assert memory.tiered_storage.migrate_tier(keys[0], COLD)
        memory.maintain()
        assert memory.tiered_storage.read(keys[-1])[1] is COLD  # as asked for, though nothing is idle yet
        memory.maintain(settle=True)
        puts = requests(memory)["put"] - before["put"]
        print(f"\n{self.count} values demoted and backed up with {puts} PUT requests")
        assert puts <= max(self.count // 500, REQUESTS_OF_A_BACKUP)
        check_no_orphans(store_of(memory))
        said = memory.get_statistics()["storage"]["cold_bytes"]
        measured = sum(self.objects().values())
        assert abs(said - measured) <= max(0.02 * measured, 64 * 1024)

    def read(self, memory: OptimizationMiddleware) -> None:
        """A cold value is one request away."""
        store_of(memory).parts.rest()
        before = requests(memory)
        key = f"key:{self.count // 3:06d}"
        assert memory.tiered_storage.read(key) == (self.model[key], COLD)
        assert requests(memory)["get"] - before["get"] == 1
        self.check_holds(memory)

    def compact(self, memory: OptimizationMiddleware) -> None:
        """What is deleted and overwritten leaves the bucket."""
        packs = self.objects("packs/")
        for number in range(0, self.count, 3):
            memory.delete(f"key:{number:06d}")
            del self.model[f"key:{number:06d}"]
        changed = {f"key:{number:06d}": value_of(number, 1) for number in range(1, self.count, 9)}
        memory.store_many(changed)
        self.model.update(changed)
        memory.maintain(settle=True)
        assert memory.get_statistics()["tiered_storage"]["compactions"] > 0
        assert not packs.keys() & self.objects("packs/").keys()
        assert sum(self.objects("packs/").values()) < 0.85 * sum(packs.values())
        check_no_orphans(store_of(memory))

    def crash(self) -> None:
        """What was acknowledged and not yet carried away survives here; the bucket lacks it."""
        memory = self.open()
        for number in range(50):
            self.model[f"late:{number}"] = value_of(number, 2)
            memory.store(f"late:{number}", value_of(number, 2), COLD)
        leave(store_of(memory))
        with self.open() as reopened:
            check_sums(store_of(reopened))
            self.check_holds(reopened)
            reopened.maintain(settle=True)
            check_no_orphans(store_of(reopened))

    def restore_and_fence(self) -> None:
        """The bucket alone makes a store, and whoever opens it keeps the other one from writing there."""
        old = self.open()
        arguments = ["restore", "--from", f"s3://{self.bucket}/{PREFIX}", "--dir", str(self.folder / "restored")]
        assert main([*arguments, "--endpoint-url", self.server.url, "--region", "us-east-1"]) == 0
        with self.open("restored") as restored:
            self.check_holds(restored)
            old.store("too late", "value")
            packs = self.objects("packs/")
            with pytest.raises(StoreLockedError, match="was taken by another owner"):
                old.maintain(settle=True)
            assert packs.items() <= self.objects("packs/").items()
            assert old.retrieve_many(list(self.model)) == self.model
            assert old.retrieve("too late") == "value"
            restored.store("new", "value")
            restored.maintain(settle=True)
            check_sums(store_of(restored))
            self.model["new"] = "value"  # type: ignore[assignment]  # any value will do
            self.check_holds(restored)
        old.shutdown()


def store_of(memory: OptimizationMiddleware) -> Store:
    return memory.tiered_storage._store


def requests(memory: OptimizationMiddleware) -> dict[str, Any]:
    return dict(memory.get_statistics()["tiered_storage"]["cold"]["requests"])


def test_a_whole_life_with_a_bucket(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    EndToEnd(s3_server, bucket, tmp_path, 600).run()


@pytest.mark.s3server
def test_a_whole_life_with_a_bucket_on_a_real_server(
    real_s3_server: S3Server, real_bucket: str, tmp_path: Path
) -> None:
    EndToEnd(real_s3_server, real_bucket, tmp_path, 20_000).run()
