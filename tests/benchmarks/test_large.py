"""`python -m benchmarks.large` on small documents of its own: what it reads, counts, compares and tells."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import zstandard

from benchmarks.keeping import DifferenceError
from benchmarks.large import main
from benchmarks.large.documents import documents
from benchmarks.large.markdown import markdown
from benchmarks.large.passage import passed
from benchmarks.large.peers import CHUNK_BYTES, INDEX_BYTES, PEERS, peer_bytes
from benchmarks.large.ranges import PARTS as LENGTHS
from benchmarks.large.sizes import WAYS
from benchmarks.large.streams import make, passed_elsewhere, streamed
from benchmarks.large.summary import goals, summary
from benchmarks.large.text import edited, grown, library_text
from benchmarks.readme import PAGE, with_table

if TYPE_CHECKING:
    from pathlib import Path

VERSIONS = 3
TEXT_BYTES = 150_000


@pytest.fixture(scope="module")
def texts() -> list[bytes]:
    made = [library_text(2 * TEXT_BYTES)]
    while len(made) < VERSIONS:
        made.append(edited(made[-1], seed=len(made)))
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, texts: list[bytes]) -> Path:
    """Versions of two documents each, the second of them named first, the newest version first."""
    folder = tmp_path_factory.mktemp("data") / "values"
    folder.mkdir()
    lines = []
    for version, text in reversed(list(enumerate(texts))):
        half = text.decode(errors="replace")
        for name, part in (("b", half[len(half) // 2 :]), ("a", half[: len(half) // 2])):
            lines.append(json.dumps({"doc": name, "version": version, "text": part}))
    (folder / "pages.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "other.jsonl").write_text('{"id": 1, "text": "no version"}\n')
    (folder / "empty.jsonl").write_text("")
    return folder.parent


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Any]:
    kept = tmp_path_factory.mktemp("results")
    assert main(["--data", str(data), "--parts", "sizes,ranges", "--quick", "--results", str(kept)]) == 0
    assert (kept / "large.png").read_bytes().startswith(b"\x89PNG")
    made: dict[str, Any] = json.loads((kept / "large.json").read_text())
    return made


def test_documents_of_a_version_are_one_value_in_the_order_of_their_names(data: Path, texts: list[bytes]) -> None:
    _, (found,) = documents(str(data), [], quick=False)
    assert found.name == "pages"
    assert found.versions == texts


def test_only_what_has_versions_is_known_by_name(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ["--results", str(tmp_path), "--no-plot"]
    assert main(["--data", str(data), "--only", "other", *results]) == 2
    assert "no versions named other" in capsys.readouterr().err
    assert main(["--data", str(data / "values" / "other.jsonl"), *results]) == 2
    assert "no file has records with doc, text, version" in capsys.readouterr().err
    assert main(["--megabytes", "0", *results]) == 2
    assert "a megabyte at the least" in capsys.readouterr().err


def test_a_next_version_is_the_same_for_a_seed_and_has_nearly_all_lines_of_the_one_before() -> None:
    text = library_text(TEXT_BYTES)
    following = edited(text, seed=1)
    assert following == edited(text, seed=1) != edited(text, seed=2)
    before, after = set(text.splitlines()), set(following.splitlines())
    assert 0 < len(after - before) < 0.03 * len(before)


def test_a_text_that_grows_begins_with_what_it_was_before() -> None:
    versions = list(grown(bytes(range(200)), 4))
    assert [len(version) for version in versions] == [125, 150, 175, 200]
    assert all(later.startswith(earlier) for earlier, later in pairwise(versions))


def test_others_are_told_after_every_version(texts: list[bytes]) -> None:
    sizes = peer_bytes(texts)
    assert list(sizes) == list(PEERS)
    alone = [len(zstandard.ZstdCompressor(level=3).compress(text)) for text in texts]
    assert sizes["zstd-3 each"] == [sum(alone[: count + 1]) for count in range(len(alone))]
    assert all(each == sorted(each) and len(each) == len(texts) for each in sizes.values())
    assert sizes["zstd-19 --long"][-1] < 1.1 * sizes["zstd-19 each"][0]


def test_chunks_that_were_there_before_cost_nothing_and_new_ones_their_bytes_and_index() -> None:
    text = library_text(TEXT_BYTES)
    first, again, longer = peer_bytes([text, text, text + bytes(10)])["4 KB chunks"]
    assert first == again
    least = TEXT_BYTES / (4 * CHUNK_BYTES) * INDEX_BYTES
    assert first > len(zstandard.ZstdCompressor(level=3).compress(text)) + least
    assert 0 < longer - again <= 4 * CHUNK_BYTES + INDEX_BYTES


def test_what_a_store_saves_is_counted_from_its_files(result: dict[str, Any]) -> None:
    (row,) = result["documents"]
    assert (row["versions"], row["cut"]) == (VERSIONS, VERSIONS)
    for way in WAYS:
        after = row["ours"][way]
        assert [*sorted(each["payload"] for each in after["one_by_one"])] == [e["payload"] for e in after["one_by_one"]]
        for sizes in (after["together"], *after["one_by_one"]):
            assert 0 < sizes["payload"] < row["bytes"] / 2
            assert result["empty"]["catalog"] <= sizes["catalog"]
            assert sizes["payload"] + sizes["catalog"] < sizes["files"]
    kept = row["ours"]["default"]["one_by_one"]
    assert kept[-1]["payload"] - kept[0]["payload"] < kept[0]["payload"]  # versions cost their difference
    assert kept[-1]["catalog"] > result["empty"]["catalog"]  # rows of chunks are counted


def test_shares_and_means_follow_from_the_sizes() -> None:
    def row(name: str, payload: int, catalog: int) -> dict[str, Any]:
        sizes = {"payload": payload, "catalog": 1000 + catalog, "files": 5000 + payload + catalog}
        ways = {way: {"together": sizes, "one_by_one": [sizes]} for way in WAYS}
        return {"name": name, "bytes": 10_000, "ours": ways, "peers": {peer: [1, 2500] for peer in PEERS}}

    empty = {"payload": 0, "catalog": 1000, "files": 5000}
    made = {"documents": [row("a", 200, 100), row("b", 400, 500)], "empty": empty, "stream": {"peak_mb": 301.0}}
    told = summary(made)
    assert told["documents"]["a"]["together"]["default, packs"] == pytest.approx(0.98)
    assert told["documents"]["b"]["one_by_one"]["never cut, with catalog"] == pytest.approx(0.91)
    assert told["documents"]["a"]["together"]["default, all files"] == pytest.approx(0.47)
    assert told["mean"]["together"]["default, with catalog"] == pytest.approx(0.94)
    assert set(told["mean"]["peers"].values()) == {0.75}
    made["summary"] = told
    assert [(round(goal["value"], 6), goal["met"]) for goal in goals(made)] == [
        *[(97.0, True), (94.0, True)] * 2,
        (301.0, False),
    ]


def test_parts_are_told_beside_the_whole_for_each_tier(result: dict[str, Any]) -> None:
    rows = result["ranges"]
    assert {(row["tier"], row["kind"]) for row in rows} == {(t, k) for t in ("warm", "cold") for k in LENGTHS}
    assert all(row["length"] < row["of"] and row["low"] <= row["ratio"] <= row["high"] for row in rows)


def test_storing_is_told_beside_its_floors(tmp_path: Path) -> None:
    assert main(["--parts", "costs", "--quick", "--no-plot", "--results", str(tmp_path)]) == 0
    spread = json.loads((tmp_path / "large.json").read_text())["costs"]["spread"]
    for name in ("a new value", "a next version"):
        for what in (f"{name} / zstd-3", f"{name} / zstd-3 to a synced file", f"{name}, ms"):
            assert 0 < spread[what]["low"] <= spread[what]["median"] <= spread[what]["high"]


def test_a_stream_passes_through_a_process_that_tells_its_ram() -> None:
    told = streamed(2)
    assert told["same"] is True
    assert 0 < told["imported_bytes"] <= told["peak_mb"] * (1 << 20)
    assert list(told["rates"]) == ["store_stream", "open, warm", "open, cold"]
    assert told["rest_bytes"] > 1 << 20  # half of each digit's bits


def test_the_passage_reads_back_what_it_stored_and_leaves_no_copy(tmp_path: Path) -> None:
    make(tmp_path / "file", 2)
    assert (tmp_path / "file").stat().st_size == 2 << 20
    assert passed(tmp_path / "file", tmp_path)["same"] is True
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "store"]


def test_a_process_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(DifferenceError, match="ended with 1: FileNotFoundError"):
        passed_elsewhere(tmp_path / "missing", tmp_path)


def test_the_documents_have_a_place_for_the_tables(result: dict[str, Any]) -> None:
    table = markdown(result)
    (row,) = result["documents"]
    assert f"| pages, 3 x {row['bytes'] / 3000:.0f} KB | all stored, then settled |" in table
    assert "| warm | bytes | 1,000 |" in table
    assert table in with_table(PAGE.read_text(encoding="utf-8"), table, "large")
