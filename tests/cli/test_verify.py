"""`stratakv verify`: finds every kind of damage, names what it hits, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stratakv import OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.cli.main import main
from stratakv.engine.catalog import Catalog
from stratakv.engine.packs import BLOCK, FOOTER, HEADER, INDEX
from stratakv.engine.verification import verify_directory

if TYPE_CHECKING:
    from stratakv.engine.catalog_rows import PackRow

COLD_CONTENT = "(SELECT blob FROM keys WHERE key = CAST('scold' AS BLOB))"
RECORDS = {f"session:{n}": {"id": n, "text": f"words {n} " * 20, "tags": ["a", n]} for n in range(600)}
COLD = "kept in the cold tier " * 50


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was closed, with a dictionary, dead blobs, two tiers and a namespace."""
    path = tmp_path_factory.mktemp("verify") / "store"
    with OptimizationMiddleware(path=path) as memory:
        # What comes after the first checkpoint is packed with the dictionary that was trained on it.
        memory.store_many(dict(list(RECORDS.items())[:400]))
        memory.maintain()
        memory.store_many(dict(list(RECORDS.items())[400:]))
        memory.store("doubled", RECORDS["session:7"])
        memory.store("cold", COLD, tier=StorageTier.COLD)
        memory.store("noted", "logged", namespace="logs")
        memory.delete("session:399")
    return path


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "store"))


def verify(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main(["verify", "--dir", str(path), "--json"])
    return code, json.loads(capsys.readouterr().out)


def packs(path: Path) -> list[PackRow]:
    catalog = Catalog(path / "catalog.db")
    try:
        return catalog.packs()
    finally:
        catalog.close()


def change(path: Path, sql: str) -> None:
    """Change catalog rows behind the engine's back, page checksums and all."""
    catalog = Catalog(path / "catalog.db")
    try:
        catalog._writer.execute(sql)
    finally:
        catalog.close()


def files(path: Path) -> dict[str, bytes]:
    return {
        place.relative_to(path).as_posix(): place.read_bytes()
        for place in sorted(path.rglob("*"))
        if place.is_file() and place.name != "LOCK"
    }


def file_of(path: Path, pack: PackRow) -> Path:
    """Return the file in which a pack lies, whatever its tier calls it."""
    (found,) = (
        place
        for place in path.rglob("*")
        if place.suffix in {".pack", ".val"} and place.stat().st_size == pack.length
        if place.read_bytes()[pack.index_offset :].startswith(b"SKVI")
    )
    return found


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0x20
    file.write_bytes(content)


def test_sound_store_is_sound(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = verify(store, capsys)
    assert (code, told["sound"], told["damage"], told["leftovers"]) == (0, True, [], [])
    assert told["checked"]["keys"] == len(RECORDS) + 2
    assert told["checked"]["packs"] == len(packs(store)) >= 2
    assert told["checked"]["blobs"] == len(RECORDS) + 2
    assert main(["verify", "--dir", str(store)]) == 0
    assert "sound" in capsys.readouterr().out


def test_verifying_changes_no_file(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(store)
    verify(store, capsys)
    assert files(store) == before


@pytest.mark.parametrize("tier", ["warm", "cold"])
def test_flipped_byte_of_a_block_names_its_keys(tier: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = next(pack for pack in packs(store) if pack.tier == {"warm": 2, "cold": 3}[tier])
    flip(file_of(store, pack), HEADER.size + 5)
    code, told = verify(store, capsys)
    assert code == 1
    (found,) = told["damage"]
    assert (found["what"], found["tier"], found["pack"]) == ("block", tier, pack.name)
    assert found["keys"]
    with OptimizationMiddleware(path=store, read_only=True) as memory:
        for key in memory:
            if key not in found["keys"]:
                assert memory[key] == RECORDS.get(key, memory[key])


@pytest.mark.parametrize(
    ("region", "message"),
    [("header", "header is damaged"), ("index", "index"), ("sizes", "index"), ("footer", "footer is damaged")],
)
def test_flipped_byte_anywhere_in_a_pack_is_found(
    region: str, message: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = packs(store)[0]
    offsets = {
        "header": 9,
        "index": pack.index_offset + INDEX.size + BLOCK.size // 2,
        "sizes": pack.length - FOOTER.size - 2,
        "footer": pack.length - 3,
    }
    flip(file_of(store, pack), offsets[region])
    code, told = verify(store, capsys)
    assert code == 1
    assert message in told["damage"][0]["message"]
    assert bool(told["damage"][0]["keys"]) == (region in {"index", "sizes"})


def test_flipping_any_third_byte_of_a_pack_is_damage(store: Path) -> None:
    config = OptimizationConfig(storage={"path": str(store)})
    pack = next(pack for pack in packs(store) if pack.tier == 3)
    file = file_of(store, pack)
    for offset in range(0, pack.length, 3):
        flip(file, offset)
        assert not verify_directory(config).sound, f"byte {offset}"
        flip(file, offset)
    assert verify_directory(config).sound


@pytest.mark.parametrize("tier", ["warm", "cold"])
def test_missing_pack_names_all_its_keys(tier: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = max((p for p in packs(store) if p.tier == {"warm": 2, "cold": 3}[tier]), key=lambda p: p.live_blobs)
    file_of(store, pack).unlink()
    code, told = verify(store, capsys)
    assert code == 1
    (found,) = told["damage"]
    assert found["pack"] == pack.name
    assert "missing" in found["message"]
    assert len(found["keys"]) >= pack.live_blobs - 1


def test_longer_and_shorter_packs_are_damage(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = next(pack for pack in packs(store) if pack.tier == 3)
    file = file_of(store, pack)
    content = file.read_bytes()
    for other in (content + b"\0", content[:-1], content[: pack.index_offset - 1], b""):
        file.write_bytes(other)
        assert verify(store, capsys)[0] == 1
    file.write_bytes(content)
    assert verify(store, capsys)[0] == 0


def test_tier_whose_database_is_gone_is_reported_and_its_files_stay(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (store / "warm" / "cache.db").unlink()
    before = files(store)
    code, told = verify(store, capsys)
    assert code == 1
    assert all("missing" in found["message"] for found in told["damage"])
    assert files(store) == before


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        (f"UPDATE blobs SET refs = refs + 1 WHERE id = {COLD_CONTENT}", "references"),
        ("DELETE FROM keys WHERE key = CAST('scold' AS BLOB)", "references"),
        ("DELETE FROM dead", "references"),
        ("UPDATE packs SET live = live - 1 WHERE tier = 3", "pack"),
        ("UPDATE packs SET live_blobs = live_blobs + 1 WHERE tier = 3", "pack"),
        ("UPDATE packs SET plaintext = plaintext + 1 WHERE tier = 3", "pack"),
        ("DELETE FROM packs WHERE tier = 3", "blob"),
        ("DELETE FROM pack_dictionaries", "dictionary"),
        ("DELETE FROM dictionaries", "dictionary"),
        ("UPDATE dictionaries SET content = x'00010203'", "dictionary"),
        (f"DELETE FROM blobs WHERE id = {COLD_CONTENT}", "key"),
        ("UPDATE blobs SET offset = offset + 1 WHERE size < 50", "blob"),
        ("UPDATE meta SET value = value + 1 WHERE name = 'live_keys'", "references"),
    ],
    ids=[
        "reference", "lost-key", "unmarked", "live", "live-blobs", "plaintext", "lost-pack", "unnamed-dictionary",
        "lost-dictionary", "bad-dictionary", "lost-blob", "wrong-place", "key-count",
    ],
)  # fmt: skip
def test_catalog_rows_that_do_not_agree_are_damage(
    sql: str, what: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(store, sql)
    code, told = verify(store, capsys)
    assert code == 1
    assert what in {found["what"] for found in told["damage"]}


def test_flipped_byte_of_a_catalog_page_is_damage(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(store / "catalog.db", 4096 * 6 + 2000)
    code, told = verify(store, capsys)
    assert code == 1
    assert "catalog" in {found["what"] for found in told["damage"]}


@pytest.mark.parametrize("how", ["garbage", "empty", "gone"])
def test_unusable_catalog_is_damage(how: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = store / "catalog.db"
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(b"" if how == "empty" else os.urandom(8192))
    code, told = verify(store, capsys)
    assert code == 1
    assert told["damage"][0]["what"] == "catalog"


KILLED = """
import os, signal, sys
from stratakv import ManualClock, OptimizationMiddleware
memory = OptimizationMiddleware(path=sys.argv[1], clock=ManualClock())
memory.store("old", "kept before " * 30)
memory.maintain()
for n in range(20):
    memory.store(f"key:{n}", {"n": n, "text": "words " * n})
memory.store("again", "kept before " * 30)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("killed") / "store"
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    return path


def newest_segment(path: Path) -> Path:
    return max((path / "journal").glob("*.log"))


def test_killed_store_is_sound_and_its_journal_is_read(killed: Path, tmp_path: Path, capsys: Any) -> None:
    path = Path(shutil.copytree(killed, tmp_path / "store"))
    code, told = verify(path, capsys)
    assert code == 0, told["damage"]
    assert told["checked"]["journal_records"] == 21
    segment = newest_segment(path)
    segment.write_bytes(segment.read_bytes()[:-3])
    code, told = verify(path, capsys)
    assert code == 0
    assert "never acknowledged" in told["leftovers"][0]


def test_damaged_middle_record_does_not_hide_damaged_packs(killed: Path, tmp_path: Path, capsys: Any) -> None:
    path = Path(shutil.copytree(killed, tmp_path / "store"))
    flip(newest_segment(path), 200)
    (pack,) = packs(path)
    flip(file_of(path, pack), HEADER.size + 3)
    code, told = verify(path, capsys)
    assert code == 1
    assert {found["what"] for found in told["damage"]} == {"journal", "block"}


def test_orphan_pack_and_damaged_filter_are_leftovers(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cold = next(pack for pack in packs(store) if pack.tier == 3)
    file_of(store, cold).with_name("00000009-0000000000000000.pack").write_bytes(b"half")
    flip(store / "bloom.filter", 70)
    code, told = verify(store, capsys)
    assert code == 0
    assert len(told["leftovers"]) == 2


def test_live_owner_is_named(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with OptimizationMiddleware(path=store):
        assert main(["verify", "--dir", str(store)]) == 1
    assert f"pid {os.getpid()}" in capsys.readouterr().err


def test_wrong_usage_has_code_two_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--dir", str(tmp_path / "gone")]) == 2
    assert main(["verify", "--dir", str(tmp_path)]) == 2
    assert main(["verify"]) == 2
    assert "there is no store" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_damage_is_told_in_lines(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pack = next(pack for pack in packs(store) if pack.tier == 3)
    flip(file_of(store, pack), HEADER.size)
    capsys.readouterr()
    assert main(["verify", "--dir", str(store)]) == 1
    out = capsys.readouterr().out
    assert f"damaged block {pack.name} (cold)" in out
    assert "keys: 'cold'" in out
    assert "damaged in 1 place\n" in out


def test_damaged_database_of_the_warm_tier_is_reported(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (store / "warm" / "cache.db").write_bytes(os.urandom(8192))
    before = files(store)
    code, told = verify(store, capsys)
    assert code == 1
    assert "finds its packs again" in told["damage"][0]["message"]
    assert files(store) == before
