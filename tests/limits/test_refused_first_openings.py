"""What a first opening leaves that is refused: nothing of its own, and everything that was there before."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware
from stratakv.backends.directory import DirectoryBackend
from stratakv.errors import ConfigurationError, TierUnavailableError
from tests.servers.moto import aws_environment
from tests.tiers.sick_backends import SickBackend
from tests.tiers.tier_stores import epoch_of, far, open_store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server


def in_bucket(path: Path, url: str, bucket: str) -> OptimizationConfig:
    cold = {"backend": "s3", "bucket": bucket, "endpoint_url": url, "region": "us-east-1", "attempts": 1}
    return OptimizationConfig(enabled=True, storage={"path": str(path)}, tiered_storage={"cold": cold})


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def names(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*"))


@pytest.mark.parametrize("there", ["missing", "deep", "empty", "with a file", "with a lock"])
def test_a_missing_bucket_leaves_the_directory_as_it_was(s3_server: S3Server, tmp_path: Path, there: str) -> None:
    path = tmp_path / "deep" / "down" if there == "deep" else tmp_path / "store"
    if there not in ("missing", "deep"):
        path.mkdir()
    if there.startswith("with"):
        (path / ("LOCK" if there == "with a lock" else "mine.txt")).write_text("mine")
    before = names(tmp_path)
    with pytest.raises(ConfigurationError, match="no-such-bucket"):
        OptimizationMiddleware(config=in_bucket(path, s3_server.url, "no-such-bucket"), clock=ManualClock())
    assert names(tmp_path) == before


def test_a_server_that_is_away_leaves_no_store_that_never_was(tmp_path: Path) -> None:
    config = in_bucket(tmp_path / "store", f"http://127.0.0.1:{unused_port()}", "bucket")
    with aws_environment(), pytest.raises(TierUnavailableError, match="used it"):
        OptimizationMiddleware(config=config, clock=ManualClock())
    assert list(tmp_path.iterdir()) == []


def test_a_claim_whose_answer_was_lost_keeps_the_catalog_that_knows_it(tmp_path: Path) -> None:
    class LosingAnswers(SickBackend):
        def create(self, name: str, content: bytes) -> bool:
            super().create(name, content)
            if name.startswith("manifests/"):
                raise TierUnavailableError("the answer was lost")
            return True

    with pytest.raises(TierUnavailableError, match="the answer was lost"):
        open_store(tmp_path / "store", LosingAnswers(far(tmp_path)))
    assert {"LOCK", "catalog.db"} <= set(names(tmp_path / "store"))
    with open_store(tmp_path / "store", far(tmp_path)) as memory:
        assert epoch_of(memory) == 2, "its own claim does not lock it out"


def test_a_store_that_was_opened_before_is_left_whole(s3_server: S3Server, tmp_path: Path) -> None:
    path = tmp_path / "store"
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        memory["key"] = "value"
    with pytest.raises(ConfigurationError, match="no-such-bucket"):
        OptimizationMiddleware(config=in_bucket(path, s3_server.url, "no-such-bucket"), clock=ManualClock())
    with OptimizationMiddleware(path=path, clock=ManualClock()) as memory:
        assert dict(memory) == {"key": "value"}


@pytest.mark.parametrize("path", [5, 0, True, 1.5, b"store", ["store"], object()], ids=lambda path: type(path).__name__)
def test_a_path_of_another_type_is_refused_and_makes_nothing(
    tmp_path: Path, path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="path"):
        OptimizationMiddleware(path=path, clock=ManualClock())
    assert list(tmp_path.iterdir()) == []


def test_any_path_like_names_a_directory(tmp_path: Path) -> None:
    class Place:
        def __fspath__(self) -> str:
            return str(tmp_path / "store")

    with OptimizationMiddleware(path=Place(), clock=ManualClock()) as memory:  # type: ignore[arg-type]
        memory["key"] = 1
    assert (tmp_path / "store" / "catalog.db").exists()


def test_a_cold_tier_that_was_handed_in_stays_as_it_was(tmp_path: Path) -> None:
    with open_store(tmp_path / "A", far(tmp_path)) as memory:
        memory["key"] = 1
    before = names(tmp_path / "far")
    with pytest.raises(ConfigurationError, match="belongs to another store"):
        open_store(tmp_path / "B", DirectoryBackend(tmp_path / "far", remote=True))
    assert names(tmp_path / "far") == before
    assert not (tmp_path / "B").exists()
