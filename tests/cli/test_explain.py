"""`stratakv explain`: tells a person and a script where a key lies and what will become of it, and changes nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import ManualClock, OptimizationMiddleware, StorageTier
from stratakv.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

CREATED = 1_700_000_000


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("explain") / "store"
    with OptimizationMiddleware(path=path, clock=ManualClock(CREATED)) as memory:
        memory.store("plain", "words " * 100)
        memory.store("twin", "words " * 100, namespace="notes")
        memory.store("cold", "kept in cold " * 100, tier=StorageTier.COLD)
        memory.store("pinned", "kept in warm", tier=StorageTier.WARM, pin=True)
        memory.store("short", "gone by now", ttl=60)
        memory.store("odd\n\x1b[2J", 1)
    return str(path)


def script(capsys: pytest.CaptureFixture[str], key: str, store: str) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["explain", key, "--dir", store, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_script_reads_place_form_and_future(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = script(capsys, "plain", store)
    assert (told["key"], told["status"], told["exists"], told["tier"]) == ("plain", "stored", True, "warm")
    assert (told["references"], told["namespace"], told["dirty"], told["ram"]) == (2, "default", False, None)
    assert told["pack"]["tier"] == "warm"
    assert told["pack"]["created_utc"] == "2023-11-14T22:13:20Z"
    assert told["pack"]["form"]["codec"] in {"zstd", "lz4"}
    assert 0 < told["pack"]["form"]["encoded_bytes"] < told["plaintext_bytes"]
    (demote,) = [prospect for prospect in told["future"] if prospect["what"] == "demote"]
    assert (demote["at"], demote["at_utc"]) == (CREATED + 24 * 3600, "2023-11-15T22:13:20Z")
    assert script(capsys, "twin", store)["namespace"] == "notes"
    assert script(capsys, "cold", store)["tier"] == "cold"


def test_rules_are_those_of_the_configuration(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "memory.yaml"
    file.write_text("tiered_storage: {warm_to_cold_idle_hours: 2}\n")
    assert main(["explain", "plain", "--dir", store, "--config", str(file)]) == 0
    assert "idle for 2 h (tiered_storage.warm_to_cold_idle_hours), that is at 2023-11-15T00:13:20Z" in (
        capsys.readouterr().out
    )


def test_person_reads_lines(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "twin", "--dir", store]) == 0
    out = capsys.readouterr().out
    for line in (
        "namespace        notes",
        "named by         2 keys",
        "in warm          ",
        "packed           2023-11-14T",
    ):
        assert f"\n{line}" in out
    assert "  to cold        in warm since 2023-11-14T22:13:20Z" in out
    assert main(["explain", "pinned", "--dir", store]) == 0
    out = capsys.readouterr().out
    assert "pinned           'pinned' to warm" in out
    assert "it does not move to cold: the key is pinned to warm" in out


def test_control_characters_of_a_key_do_not_reach_the_terminal(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "odd\n\x1b[2J", "--dir", store]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_key_past_its_time_is_explained_with_code_one(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "short", "--dir", store]) == 1
    told = capsys.readouterr()
    assert "status           expired" in told.out
    assert "forgotten      2" in told.out
    assert told.err == "stratakv: the key 'short' has no value: it is past its time\n"


def test_missing_key_is_one_clear_line_and_code_one(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "plane", "--dir", store]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == f"stratakv: there is no key 'plane' in {store}; it has 'plain'\n"
    assert main(["explain", "plane", "--dir", store, "--json"]) == 1
    assert "there is no key 'plane'" in json.loads(capsys.readouterr().out)["error"]


def test_explaining_changes_no_file(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pathlib import Path as Place

    def files() -> dict[str, bytes]:
        found = sorted(Place(store).rglob("*"))
        return {str(place): place.read_bytes() for place in found if place.is_file() and place.name != "LOCK"}

    before = files()
    for key in ("plain", "cold", "short", "nobody"):
        main(["explain", key, "--dir", store])
    assert files() == before


def test_wrong_usage_and_a_live_owner(tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "", "--dir", store]) == 2
    assert main(["explain", "k", "--dir", str(tmp_path / "gone")]) == 2
    with OptimizationMiddleware(path=tmp_path / "store"):
        capsys.readouterr()
        assert main(["explain", "k", "--dir", str(tmp_path / "store")]) == 1
    assert "close it there first" in capsys.readouterr().err
