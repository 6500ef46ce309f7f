"""`stratakv restore` and `stratakv verify` as people use them: a directory or a bucket, on a machine that is new."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationMiddleware, StorageTier
from stratakv.cli.main import main
from tests.recovery.lost_machines import lose, open_far, parts_in

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server


def records(count: int) -> dict[str, object]:
    return {f"key:{n}": {"n": n, "text": f"number {n} " * 9} for n in range(count)}


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The cold tier of a lost machine: 30 keys there, 12 only in its backup."""
    with open_far(tmp_path / "lost", tmp_path / "cold") as memory:
        memory.store_many(records(30))
        memory.maintain(settle=True)
        memory.store_many({f"late:{n}": f"value {n}" for n in range(12)})
        memory.maintain()
        lose(memory)
    return tmp_path / "cold"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_restoring_tells_what_came_back_and_what_not(
    tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "restore", "--from", left, "--dir", tmp_path / "new")
    assert code == 1
    assert "30 keys restored" in out
    assert "not found in the cold tier: the values of 12 keys" in out
    assert "and 2 more" in out
    assert "as of 2023-11-14" in out
    code, out, _ = run(capsys, "restore", "--from", f"file://{left}", "--dir", tmp_path / "json", "--json")
    told: dict[str, Any] = json.loads(out)
    assert code == 1
    assert told["missing_keys"] == sorted(f"late:{n}" for n in range(12))
    assert (told["keys"], told["damaged"], told["unknown"]) == (30, [], [])
    assert told["store_id"]
    with open_far(tmp_path / "new", left) as memory:
        assert dict(memory) == records(30)


def test_a_whole_restoration_ends_with_0(tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_far(tmp_path / "lost", left) as memory:
        memory.maintain(settle=True)
    code, out, _ = run(capsys, "restore", "--from", left, "--dir", tmp_path / "new")
    assert code == 0
    assert "42 keys restored" in out
    assert "not in the cold tier" not in out
    config = tmp_path / "store.yaml"
    config.write_text(f"tiered_storage: {{cold: {{path: {left}, backups: true}}}}\n")
    assert run(capsys, "verify", "--dir", tmp_path / "new", "--config", config)[0] == 0
    code, _, err = run(capsys, "verify", "--dir", tmp_path / "new")
    assert code == 2
    assert f"lie in {left}" in err
    assert run(capsys, "get", "key:7", "--dir", tmp_path / "new", "--config", config)[0] == 0


def test_scanning_says_what_it_cannot_know(tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(left / "catalog")
    code, _, err = run(capsys, "restore", "--from", left, "--dir", tmp_path / "new")
    assert code == 2
    assert "restore --scan" in err
    assert not (tmp_path / "new").exists()
    code, out, _ = run(capsys, "restore", "--from", left, "--dir", tmp_path / "new", "--scan", "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["keys"], told["saved"], told["missing_keys"]) == (30, None, [])
    assert any("deleted after its value was packed is back" in sentence for sentence in told["unknown"])


def test_damaged_backups_end_with_1(tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in parts_in(left):
        (left / "catalog" / name).write_bytes(b"rubbish")
    code, out, err = run(capsys, "restore", "--from", left, "--dir", tmp_path / "new", "--json")
    assert code == 1
    assert "no backup in" in err
    assert "error" in json.loads(out)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://", "names no bucket"),
        ("ftp://host/path", "cannot be restored from"),
        ("https://bucket.example/prefix", "cannot be restored from"),
        ("nowhere/at/all", "is no directory"),
        ("", "is no directory"),
    ],
)
def test_urls_that_name_no_cold_tier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "restore", "--from", url, "--dir", tmp_path / "new")
    assert code == 2
    assert words in err
    assert not (tmp_path / "new").exists()


def test_a_directory_that_is_not_empty_is_refused(
    tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in (tmp_path / "lost").iterdir())
    code, _, err = run(capsys, "restore", "--from", left, "--dir", tmp_path / "lost")
    assert code == 2
    assert "not an empty directory" in err
    assert sorted(path.name for path in (tmp_path / "lost").iterdir()) == before


# -- S3 ------------------------------------------------------------------------------------------------------


def bucket_settings(path: Path, server: S3Server, bucket: str) -> Path:
    path.write_text(
        "tiered_storage:\n  cold:\n    backend: s3\n"
        f"    bucket: {bucket}\n    prefix: prod/cache\n    endpoint_url: {server.url}\n    region: us-east-1\n"
    )
    return path


def test_a_bucket_alone_restores_the_store(
    tmp_path: Path, s3_server: S3Server, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = bucket_settings(tmp_path / "s3.yaml", s3_server, bucket)
    with OptimizationMiddleware(config_path=config, path=tmp_path / "lost") as memory:
        memory.store_many(records(200))
        memory.store("pinned", "in cold", tier=StorageTier.COLD, pin=True)
        memory.maintain(settle=True)
        memory.store("late", "in warm")
        memory.maintain()
        assert run(capsys, "restore", "--from", "s3://no-such-bucket", "--dir", tmp_path / "none")[0] != 0
        lose(memory)
    shutil.rmtree(tmp_path / "lost")
    where = ("--endpoint-url", s3_server.url, "--region", "us-east-1")
    source = f"s3://{bucket}/prod/cache"
    code, out, _ = run(capsys, "restore", "--from", source, "--dir", tmp_path / "new", *where, "--json")
    told = json.loads(out)
    assert code == 1
    assert (told["keys"], told["missing_keys"], told["damaged"]) == (201, ["late"], [])
    code, out, _ = run(capsys, "verify", "--dir", tmp_path / "new", "--config", config, "--json")
    assert code == 0, out
    assert json.loads(out)["checked"]["keys"] == 201
    with OptimizationMiddleware(config_path=config, path=tmp_path / "new") as memory:
        assert memory["key:77"] == records(78)["key:77"]
        assert memory["pinned"] == "in cold"
        memory["late"] = "in warm"
        memory.maintain(settle=True)
    assert run(capsys, "verify", "--dir", tmp_path / "new", "--config", config)[0] == 0
    other = bucket_settings(tmp_path / "other.yaml", s3_server, s3_server.new_bucket())
    code, _, err = run(capsys, "verify", "--dir", tmp_path / "new", "--config", other)
    assert code == 2
    assert f"lie in {source}" in err
    code, out, _ = run(capsys, "restore", "--from", source, "--dir", tmp_path / "scan", *where, "--scan", "--json")
    assert (code, json.loads(out)["keys"]) == (0, 202)


def test_a_bucket_that_does_not_answer_is_no_damage(
    tmp_path: Path, s3_server: S3Server, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = bucket_settings(tmp_path / "s3.yaml", s3_server, bucket)
    with OptimizationMiddleware(config_path=config, path=tmp_path / "store") as memory:
        memory["key"] = "value"
        memory.maintain(settle=True)
    away = tmp_path / "away.yaml"
    away.write_text(config.read_text().replace(f":{s3_server.port}", ":9") + "    attempts: 1\n")
    code, out, err = run(capsys, "verify", "--dir", tmp_path / "store", "--config", away)
    assert code == 1
    assert "damaged" not in out
    assert ":9" in err
