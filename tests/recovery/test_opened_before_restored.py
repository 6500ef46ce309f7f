"""A lost machine's service that is started on the new machine before anybody restored: what it says is what helps."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

import pytest

from stratakv import OptimizationMiddleware
from stratakv.cli.main import main
from stratakv.engine.ownership import DirectoryLock
from stratakv.errors import ConfigurationError, CorruptionError, StoreLockedError
from tests.recovery.lost_machines import lose, open_far, records, restored

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.moto import S3Server

TAKE_OVER = {"cold": {"take_over": True}}


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The cold tier of a lost machine."""
    with open_far(tmp_path / "lost", tmp_path / "cold") as memory:
        memory.store_many(records(50))
        memory.maintain(settle=True)
        lose(memory)
    return tmp_path / "cold"


def advised(text: str) -> list[str]:
    """Return the arguments of the first `stratakv restore` that a message names."""
    command = re.search(r"`stratakv (restore [^`]+)`", text)
    assert command is not None, text
    return shlex.split(command[1])


def test_a_new_directory_is_told_to_restore_and_the_advice_works(
    tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "a new place"
    with pytest.raises(ConfigurationError) as caught:
        open_far(new, left)
    told = str(caught.value)
    assert told.index("stratakv restore") < told.index("take-over")
    assert "empty store" in told
    assert not new.exists(), "a refused first opening leaves nothing"
    assert main(advised(told)) == 0
    assert "open it with the same cold tier" in capsys.readouterr().out
    with open_far(new, left) as memory:
        assert dict(memory) == records(50)


def test_in_s3_the_advice_names_the_bucket(
    tmp_path: Path, s3_server: S3Server, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new"
    config = tmp_path / "memory.yaml"
    config.write_text(
        f"storage: {{path: {new}}}\ntiered_storage:\n  cold: {{backend: s3, bucket: {bucket}, prefix: prod/memory, "
        f"endpoint_url: '{s3_server.url}', region: us-east-1}}\n"
    )
    with OptimizationMiddleware(config_path=config, path=tmp_path / "lost") as memory:
        memory.store_many(records(50))
        memory.maintain(settle=True)
        lose(memory)
    with pytest.raises(ConfigurationError) as caught:
        OptimizationMiddleware(config_path=config)
    arguments = advised(str(caught.value))
    assert f"s3://{bucket}/prod/memory" in arguments
    assert main([*arguments, "--config", str(config)]) == 0
    assert "50 keys restored" in capsys.readouterr().out
    assert main(["gc", "--config", str(config)]) == 0
    with OptimizationMiddleware(config_path=config) as memory:
        assert dict(memory) == records(50)


def test_after_a_take_over_in_vain_the_lost_store_comes_back_as_the_restoration_says(
    tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_far(tmp_path / "new", left)
    lost = re.search(r"`stratakv restore (--store-id [0-9a-f]+)`", str(caught.value))
    assert lost is not None
    with open_far(tmp_path / "new", left, tiered_storage=TAKE_OVER) as memory:
        assert len(memory) == 0
        memory.maintain(settle=True)
    config = tmp_path / "memory.yaml"
    config.write_text(f"tiered_storage: {{cold: {{path: {left}, backups: true}}}}\n")
    where = ["--dir", str(tmp_path / "again"), "--config", str(config)]
    assert main(["restore", "--from", str(left), *lost[1].split(), *where]) == 0
    told = capsys.readouterr().out
    assert "50 keys restored" in told
    assert "open this one once with --take-over" in told
    assert "open it with the same cold tier" not in told
    assert main(["gc", *where]) == 2
    assert "--take-over" in capsys.readouterr().err
    assert main(["gc", *where, "--take-over"]) == 0
    with open_far(tmp_path / "again", left) as memory:
        assert dict(memory) == records(50)


def test_where_nobody_can_tell_the_owner_a_new_directory_is_told_of_restoring_too(tmp_path: Path, left: Path) -> None:
    for manifest in (left / "manifests").iterdir():
        manifest.write_bytes(b"rubbish")
    with pytest.raises(CorruptionError, match="restore"):
        open_far(tmp_path / "new", left)
    assert not (tmp_path / "new").exists()
    assert restored(left, tmp_path / "new").keys == 50


def test_a_store_with_values_is_not_told_that_it_is_new(tmp_path: Path, left: Path) -> None:
    with OptimizationMiddleware(path=tmp_path / "mine") as memory:
        memory["mine"] = 1
    with pytest.raises(ConfigurationError, match=r"a bucket or prefix of its own.*--take-over") as caught:
        open_far(tmp_path / "mine", left)
    assert "empty store" not in str(caught.value)


def test_a_lock_that_a_killed_opening_left_does_not_keep_a_restoration_out(tmp_path: Path, left: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    (new / "LOCK").write_text("12345\n")
    assert restored(left, new).keys == 50
    with open_far(new, left) as memory:
        assert dict(memory) == records(50)


def test_a_directory_that_somebody_is_opening_is_not_restored_into(tmp_path: Path, left: Path) -> None:
    opener = DirectoryLock(tmp_path / "new")
    opener.acquire()
    with pytest.raises(StoreLockedError):
        restored(left, tmp_path / "new")
    opener.withdraw()
    assert not (tmp_path / "new").exists()


def test_nobody_opens_a_store_that_is_being_restored(
    tmp_path: Path, left: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: list[str] = []

    def open_beside(step: str, _done: int, _total: int) -> None:
        with pytest.raises(StoreLockedError):
            open_far(tmp_path / "new", left)
        refused.append(step)

    assert restored(left, tmp_path / "new", show=open_beside).keys == 50
    assert refused
    assert main(["restore", "--from", str(left), "--dir", str(tmp_path / "json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["keys"] == 50
