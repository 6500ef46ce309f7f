"""A damaged journal: a torn tail is cut off cleanly, anything else is a named error before a value is believed."""

from __future__ import annotations

import itertools
import shutil
from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, OptimizationConfig, OptimizationMiddleware, StorageTier
from stratakv.backends.memory import MemoryBackend
from stratakv.engine.journal_format import RECORD_HEADER, SEGMENT_HEADER
from stratakv.errors import CorruptionError, StrataError, TierUnavailableError
from stratakv.testing import FlakyBackend
from tests.damage.stored_layers import build_layers, copies, flip, judge, open_layers

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    directory = tmp_path_factory.mktemp("journal") / "store"
    return directory, build_layers(directory)


def segment_of(directory: Path) -> Path:
    (segment,) = (directory / "journal").glob("*.log")
    return segment


def records_of(segment: Path) -> list[tuple[int, int]]:
    """Return (start, end) of each record."""
    content = segment.read_bytes()
    spans, offset = [], SEGMENT_HEADER.size
    while offset < len(content):
        end = offset + RECORD_HEADER.size + RECORD_HEADER.unpack_from(content, offset)[3]
        spans.append((offset, end))
        offset = end
    return spans


def test_a_last_record_cut_at_any_byte_is_a_clean_recovery(tmp_path: Path) -> None:
    work = tmp_path / "work"
    cut = tmp_path / "cut"
    with open_layers(work) as memory:
        for number in range(5):
            memory[f"kept {number}"] = {"number": number}
        memory.flush()
        shutil.copytree(work, cut)
    segment = segment_of(cut)
    content = segment.read_bytes()
    start, end = records_of(segment)[-1]
    for length in range(start, end):
        segment.write_bytes(content[:length])
        copy = tmp_path / "copy"
        shutil.copytree(cut, copy)
        with open_layers(copy) as memory:
            assert len(memory) == 4, length
            for number in range(4):
                assert memory[f"kept {number}"] == {"number": number}
            assert memory.retrieve("kept 4") is None
            memory["after"] = length
        with open_layers(copy) as memory:
            assert memory["after"] == length
            assert len(memory) == 5
        shutil.rmtree(copy)


@pytest.mark.parametrize("where", ["magic", "type", "flags", "length", "checksum", "sequence", "body", "last byte"])
def test_a_damaged_record_before_valid_ones_stops_opening_and_names_the_segment(
    template: tuple[Path, dict[str, object]], tmp_path: Path, where: str
) -> None:
    directory, _ = template
    fresh = copies(directory, tmp_path)
    offsets = {"magic": 0, "type": 2, "flags": 3, "length": 4, "checksum": 8, "sequence": 12, "body": 30}
    spans = records_of(segment_of(directory))
    for start, end in (spans[0], spans[len(spans) // 2], spans[-2]):
        copy = next(fresh)
        segment = segment_of(copy)
        before = segment.read_bytes()
        flip(segment, end - 1 if where == "last byte" else start + offsets[where])
        damaged = segment.read_bytes()
        with pytest.raises(CorruptionError, match=segment.name):
            open_layers(copy)
        assert segment.read_bytes() == damaged, "a refused journal is left as it is"
        segment.write_bytes(before)
        open_layers(copy).shutdown()


def test_a_changed_last_record_is_a_torn_tail_and_never_a_wrong_value(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory, expected = template
    fresh = copies(directory, tmp_path)
    start, end = records_of(segment_of(directory))[-1]
    for position in {*range(start, start + 24), start + 60, (start + end) // 2, end - 1}:
        copy = next(fresh)
        flip(segment_of(copy), position)
        with open_layers(copy) as memory:
            rest = {key: value for key, value in expected.items() if key != "journal:array"}
            assert judge(memory, rest) == {}
            assert memory.retrieve("journal:array") is None


def test_a_damaged_segment_header_is_named(template: tuple[Path, dict[str, object]], tmp_path: Path) -> None:
    directory, _ = template
    fresh = copies(directory, tmp_path)
    for position in range(SEGMENT_HEADER.size):
        copy = next(fresh)
        segment = segment_of(copy)
        flip(segment, position)
        with pytest.raises(CorruptionError, match=segment.name):
            open_layers(copy)


def test_a_header_that_was_torn_while_the_segment_was_made_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with open_layers(path) as memory:
        memory["key"] = "value"
    segment = segment_of(path)
    for length in range(SEGMENT_HEADER.size):
        content = segment.read_bytes()
        segment.write_bytes(content[:length])
        with open_layers(path) as memory:
            assert memory["key"] == "value"
        segment = segment_of(path)


def several_segments(work: Path, target: Path) -> dict[str, object]:
    """Leave a journal of four segments: checkpoints that fail switch segments and drop none."""
    config = OptimizationConfig(storage={"path": str(work)})
    sick = FlakyBackend(MemoryBackend(), rate=1.0, chance=lambda: 0.25, calls={"put"})
    expected: dict[str, object] = {}
    memory = OptimizationMiddleware(config=config, clock=ManualClock(), backends={StorageTier.WARM: sick})
    for part in range(4):
        for number in range(3):
            memory[f"{part}.{number}"] = expected[f"{part}.{number}"] = {"part": part, "number": number}
        if part < 3:
            with pytest.raises(TierUnavailableError):
                memory.maintain()
    memory.flush()
    shutil.copytree(work, target)
    with pytest.raises(StrataError):
        memory.shutdown()
    return expected


def test_a_missing_middle_segment_is_named(tmp_path: Path) -> None:
    target = tmp_path / "killed"
    expected = several_segments(tmp_path / "work", target)
    segments = sorted((target / "journal").glob("*.log"))
    assert len(segments) == 4
    fresh = copies(target, tmp_path)
    with open_layers(next(fresh)) as memory:
        assert judge(memory, expected) == {}
    for missing, following in itertools.pairwise(segments):
        copy = next(fresh)
        (copy / "journal" / missing.name).unlink()
        with pytest.raises(CorruptionError, match=following.name):
            open_layers(copy)


def test_an_older_segment_cut_short_is_damage_not_a_torn_tail(tmp_path: Path) -> None:
    target = tmp_path / "killed"
    several_segments(tmp_path / "work", target)
    fresh = copies(target, tmp_path)
    for name in [path.name for path in sorted((target / "journal").glob("*.log"))][:-1]:
        copy = next(fresh)
        segment = copy / "journal" / name
        for length in (records_of(segment)[-1][0], segment.stat().st_size - 1, SEGMENT_HEADER.size, 3, 0):
            with segment.open("r+b") as file:
                file.truncate(length)
            with pytest.raises(CorruptionError, match="journal"):
                open_layers(copy)


def test_a_foreign_file_among_the_segments_is_left_alone(
    template: tuple[Path, dict[str, object]], tmp_path: Path
) -> None:
    directory, expected = template
    copy = next(copies(directory, tmp_path))
    notes = copy / "journal" / "notes.log"
    notes.write_text("not a segment")
    with open_layers(copy) as memory:
        assert judge(memory, expected) == {}
    assert notes.read_text() == "not a segment"
