"""`stratakv migrate`: afterwards the keys lie where they were asked to, or the command says why not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.cli.main import main
from stratakv.engine.verification import verify_directory

if TYPE_CHECKING:
    from pathlib import Path

VALUES = {f"old:{n}": {"id": n, "text": f"words {n} " * 20} for n in range(200)} | {f"new:{n}": [n] for n in range(20)}


@pytest.fixture
def store(tmp_path: Path) -> str:
    with OptimizationMiddleware(path=tmp_path / "store") as memory:
        memory.store_many(VALUES)
        memory.store("pinned", "kept in warm", tier=StorageTier.WARM, pin=True)
    return str(tmp_path / "store")


def tier_of(key: str, store: str) -> str:
    with OptimizationMiddleware(path=store, read_only=True) as memory:
        tier = memory.tiered_storage.read(key)[1]
    assert tier is not None
    return tier.value


def migrate(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["migrate", *arguments, "--json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_prefix_goes_to_cold_and_comes_back(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--prefix", "old:", "--to", "cold", "--dir", store]) == 0
    out = capsys.readouterr().out
    assert "moved 200 of 200 keys\n" in out
    assert "they lie in: cold 200\n" in out
    assert [tier_of(key, store) for key in ("old:0", "old:199", "new:0")] == ["cold", "cold", "warm"]
    told = migrate(capsys, "old:3", "old:4", "new:1", "--to", "warm", "--dir", store)
    assert (told["moved"], told["keys"], told["lie_in"], told["missing"]) == (2, 3, {"warm": 3}, [])
    assert [tier_of(key, store) for key in ("old:3", "old:4", "old:5")] == ["warm", "warm", "cold"]
    with OptimizationMiddleware(path=store, read_only=True) as memory:
        assert {key: memory[key] for key in VALUES} == VALUES
    assert verify_directory(OptimizationConfig(storage={"path": store})).sound


def test_missing_keys_are_listed_and_the_others_move(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "old:1", "nobody", "old:2", "none", "--to", "cold", "--dir", store]) == 1
    told = capsys.readouterr()
    assert "moved 2 of 2 keys" in told.out
    assert told.err == f"stratakv: not in {store}: 'nobody', 'none'\n"
    assert tier_of("old:2", store) == "cold"
    assert migrate(capsys, "nobody", "--to", "cold", "--dir", store, code=1)["missing"] == ["nobody"]


def test_pin_outranks_the_wish_and_pin_replaces_it(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = migrate(capsys, "pinned", "old:1", "--to", "cold", "--dir", store)
    assert told["stayed"] == {"pinned": "it is pinned to warm"}
    assert tier_of("pinned", store) == "warm"
    assert main(["migrate", "pinned", "--to", "cold", "--dir", store]) == 0
    assert "'pinned' stays: it is pinned to warm" in capsys.readouterr().out
    told = migrate(capsys, "pinned", "--to", "cold", "--pin", "--dir", store)
    assert (told["stayed"], told["pinned"], told["moved"]) == ({}, 1, 1)
    with OptimizationMiddleware(path=store) as memory:
        memory["pinned"] = "overwritten"
        memory.maintain()
    assert tier_of("pinned", store) == "cold"


def test_sharer_of_a_pinned_content_is_told_who_holds_it(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=store) as memory:
        memory["mate"] = "kept in warm"
    told = migrate(capsys, "mate", "--to", "cold", "--dir", store)
    assert told["stayed"] == {"mate": "'pinned', which shares its content, is pinned to warm"}


def test_hot_without_a_pin_says_that_it_does_not_last(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "old:1", "--to", "hot", "--dir", store]) == 0
    assert "RAM ends with this command" in capsys.readouterr().err
    told = migrate(capsys, "old:1", "--to", "hot", "--dir", store)
    assert "RAM ends with this command" in told["note"]
    assert told["lie_in"] == {"warm": 1}


def test_hot_with_a_pin_lasts(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = migrate(capsys, "old:1", "--to", "hot", "--pin", "--dir", store)
    assert (told["note"], told["pinned"]) == (None, 1)
    with OptimizationMiddleware(path=store) as memory:
        assert memory["old:1"] == VALUES["old:1"]
        assert memory.tiered_storage.read("old:1") == (VALUES["old:1"], StorageTier.HOT)
        memory.maintain(settle=True)
        assert memory.tiered_storage.read("old:1") == (VALUES["old:1"], StorageTier.HOT)


def test_pins_that_do_not_fit_into_ram_are_refused_by_name(
    store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "small.yaml"
    file.write_text("tiered_storage: {hot_capacity_mb: 0.001}\n")
    arguments = ("old:1", "old:2", "old:3", "--to", "hot", "--pin", "--dir", store, "--config", str(file))
    told = migrate(capsys, *arguments, code=1)
    assert told["pinned"] + len(told["stayed"]) == 3
    assert all("hot_capacity_mb" in why for why in told["stayed"].values())
    assert len(told["stayed"]) >= 1


def test_prefix_without_keys_is_good_and_says_so(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "--prefix", "zz", "--to", "cold", "--dir", store]) == 0
    told = capsys.readouterr()
    assert "moved 0 of 0 keys" in told.out
    assert "no key begins with 'zz'" in told.err


def test_empty_prefix_is_every_key(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = migrate(capsys, "--prefix", "", "--to", "cold", "--dir", store)
    assert told["lie_in"] == {"cold": len(VALUES), "warm": 1}


@pytest.mark.parametrize(
    "arguments",
    [(), ("old:1", "--prefix", "old:"), ("old:1", "--to", "lukewarm"), ("",)],
    ids=["neither", "both", "no-tier", "no-key"],
)
def test_wrong_usage(arguments: tuple[str, ...], store: str, capsys: pytest.CaptureFixture[str]) -> None:
    to = () if "--to" in arguments else ("--to", "cold")
    assert main(["migrate", *arguments, *to, "--dir", store]) == 2
    assert capsys.readouterr().err


def test_tiers_that_are_off_are_wrong_usage(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "off.yaml"
    file.write_text("enable_tiered_storage: false\n")
    assert main(["migrate", "old:1", "--to", "cold", "--dir", store, "--config", str(file)]) == 2
    assert "tiered storage is off" in capsys.readouterr().err


def test_no_store_is_made_and_a_live_owner_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "k", "--to", "cold", "--dir", str(tmp_path / "gone")]) == 2
    assert not (tmp_path / "gone").exists()
    with OptimizationMiddleware(path=tmp_path / "store"):
        assert main(["migrate", "k", "--to", "cold", "--dir", str(tmp_path / "store")]) == 1
    assert "close it there first" in capsys.readouterr().err
