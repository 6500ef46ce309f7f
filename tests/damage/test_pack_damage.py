"""Damaged, cut, missing and exchanged packs: every value is right or named as damaged, and a new store heals it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv.engine.packs import BLOCK, FOOTER, HEADER, INDEX
from stratakv.errors import CorruptionError
from tests.damage.stored_layers import PER_LAYER, build_layers, copies, flip, judge, open_layers, pack_files
from tests.engine.value_strategies import same

if TYPE_CHECKING:
    from pathlib import Path

TIERS = ("warm", "cold")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    directory = tmp_path_factory.mktemp("packs") / "store"
    return directory, build_layers(directory)


def regions(path: Path) -> dict[str, tuple[int, int]]:
    """Return (start, end) of each region of a pack, read from its own footer and index."""
    content = path.read_bytes()
    index, length, *_ = FOOTER.unpack_from(content, len(content) - FOOTER.size)
    found = {"header": (0, HEADER.size)}
    blocks = INDEX.unpack_from(content, index)[1]
    for number in range(blocks):
        offset, size = BLOCK.unpack_from(content, index + INDEX.size + number * BLOCK.size)[:2]
        found[f"block {number}"] = (offset, offset + size)
    found["index"] = (index, index + length)
    found["footer"] = (index + length, len(content))
    return found


def positions(path: Path) -> list[tuple[str, int]]:
    """Return the first, the last and some middle bytes of each region."""
    return [
        (name, position)
        for name, (start, end) in regions(path).items()
        for position in sorted({start, start + 1, (start + end) // 2, (2 * start + end) // 3, end - 1})
    ]


@pytest.mark.parametrize("tier", TIERS)
def test_a_flipped_byte_anywhere_in_a_pack_is_named_or_harmless(
    template: tuple[Path, dict[str, object]], tmp_path: Path, tier: str
) -> None:
    directory, expected = template
    (pack,) = pack_files(directory, tier)
    fresh = copies(directory, tmp_path)
    for region, position in positions(pack):
        copy = next(fresh)
        flip(copy / pack.relative_to(directory), position)
        with open_layers(copy) as memory:
            damaged = judge(memory, expected)
            counted = memory.get_statistics()["background"]["corruptions"]
        assert counted == len(damaged), region
        assert all(key.startswith(tier) for key in damaged), region
        for key, message in damaged.items():
            assert repr(key) in message
            assert f"the {tier} tier" in message
            assert "packs/" in message
        if region == "index":
            assert len(damaged) == PER_LAYER + 2, "a changed index must never be believed"
        elif region.startswith("block"):
            assert damaged, f"{region} changed at {position} unnoticed"
        else:
            assert not damaged, region


@pytest.mark.parametrize("tier", TIERS)
def test_a_pack_cut_short_is_named(template: tuple[Path, dict[str, object]], tmp_path: Path, tier: str) -> None:
    directory, expected = template
    (pack,) = pack_files(directory, tier)
    fresh = copies(directory, tmp_path)
    ends = sorted({0, 1, *(end for _, end in regions(pack).values())} - {pack.stat().st_size})
    for length in ends:
        copy = next(fresh)
        with (copy / pack.relative_to(directory)).open("r+b") as file:
            file.truncate(length)
        with open_layers(copy) as memory:
            damaged = judge(memory, expected)
        assert damaged, length
        assert all(key.startswith(tier) and "packs/" in message for key, message in damaged.items())


@pytest.mark.parametrize("tier", TIERS)
def test_a_missing_pack_is_named_and_the_others_are_read(
    template: tuple[Path, dict[str, object]], tmp_path: Path, tier: str
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (pack,) = pack_files(copy, tier)
    pack.unlink()
    with open_layers(copy) as memory:
        damaged = judge(memory, expected)
        assert len(memory) == len(expected), "damaged keys are still there, to be deleted or stored again"
    assert len(damaged) == PER_LAYER + 2
    for key, message in damaged.items():
        assert repr(key) in message
        assert f"the {tier} tier" in message
        assert "missing" in message


def test_packs_that_changed_places_are_named(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (warm,), (cold,) = pack_files(copy, "warm"), pack_files(copy, "cold")
    aside = copy / "aside"
    shutil.move(warm, aside)
    shutil.move(cold, warm)
    shutil.move(aside, cold)
    with open_layers(copy) as memory:
        damaged = judge(memory, expected)
    assert len(damaged) == 2 * (PER_LAYER + 2)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("reopened", ["at once", "after reopening"])
def test_storing_a_damaged_content_again_heals_every_key_of_it(
    template: tuple[Path, dict[str, object]], tmp_path: Path, tier: str, reopened: str
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (pack,) = pack_files(copy, tier)
    pack.unlink()
    memory = open_layers(copy)
    damaged = judge(memory, expected)
    if reopened == "after reopening":
        memory.shutdown()
        memory = open_layers(copy)
    with memory:
        for number, key in enumerate(damaged):
            # Every second content comes back under another key: it is the content that is healed.
            memory[key if number % 2 else f"again {key}"] = expected[key]
        assert judge(memory, expected) == {}, "healed as soon as it is acknowledged"
        memory.maintain()
        memory.maintain(settle=True)
        assert judge(memory, expected) == {}
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}
        for number, key in enumerate(damaged):
            assert number % 2 or same(memory[f"again {key}"], expected[key])


def test_healing_survives_a_kill_before_the_next_checkpoint(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (pack,) = pack_files(copy, "cold")
    pack.unlink()
    killed = tmp_path / "killed"
    with open_layers(copy) as memory:
        for key in judge(memory, expected):
            memory[key] = expected[key]
        memory.flush()
        shutil.copytree(copy, killed)
    for _ in range(3):
        with open_layers(killed) as memory:
            assert judge(memory, expected) == {}
            memory.maintain()


def test_upkeep_goes_on_around_a_damaged_pack(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (pack,) = pack_files(copy, "warm")
    start, _ = regions(pack)["block 1"]
    flip(pack, start)
    with open_layers(copy) as memory:
        memory["fresh"] = "value"
        memory.maintain(settle=True)
        memory.maintain(settle=True)
        damaged = judge(memory, expected)
        assert 0 < len(damaged) < 3, "what was not damaged was carried on"
        assert memory.tiered_storage.read("fresh")[0] == "value"
        memory["later"] = 1
        statistics = memory.get_statistics()
        assert statistics["background"]["corruptions"] >= len(damaged)


def test_a_damaged_key_can_be_overwritten_and_deleted(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    (pack,) = pack_files(copy, "warm")
    pack.unlink()
    with open_layers(copy) as memory:
        memory["warm:0"] = "other"
        assert memory.delete("warm:1")
        memory.maintain(settle=True)
    with open_layers(copy) as memory:
        assert memory["warm:0"] == "other"
        assert "warm:1" not in memory
        assert memory.retrieve("warm:1") is None
        with pytest.raises(CorruptionError, match="'warm:2'"):
            memory.retrieve("warm:2")
        rest = {key: value for key, value in expected.items() if not key.startswith("warm")}
        assert judge(memory, rest) == {}
