"""`python -m benchmarks.scale` on small stores of records of its own: what it makes, counts, compares and tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks.keeping import DifferenceError
from benchmarks.scale import main
from benchmarks.scale.command import sizes_asked
from benchmarks.scale.latencies import spread, told
from benchmarks.scale.markdown import markdown
from benchmarks.scale.openings import AFTER, JOURNALED
from benchmarks.scale.processes import Plan, elsewhere
from benchmarks.scale.records import LARGEST, SMALLEST, Records, recorded, template
from benchmarks.scale.report import report
from benchmarks.scale.stores import checkpoint, compare, copied, hot_entries, opened
from benchmarks.scale.summary import bytes_a_key, catalog_bytes, count, goals, ram_mb
from benchmarks.scale.sustained import sustained
from benchmarks.scale.upkeep import upkeep
from stratakv.errors import ConfigurationError

KEYS = 2000


@pytest.fixture(scope="module")
def texts() -> list[str]:
    rows = [
        {"order": f"#{10_000_000 + 7919 * row}", "total": 12.5 + row, "note": " ".join(["parcel", f"{row:05d}"] * row)}
        for row in range(20, 70)
    ]
    return list(recorded(rows))


@pytest.fixture(scope="module")
def records(texts: list[str]) -> Records:
    return Records(texts)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Path:
    """Records as they are read from a directory; one has the wrong size, and one file is no table of records."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "orders.jsonl").write_text("\n".join([*texts, '{"short": 1}']) + "\n")
    (folder / "edges.tsv").write_text("a\tb\tc\n")
    return folder


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, data: Path) -> dict[str, Any]:
    kept = tmp_path_factory.mktemp("results")
    sizes = ["--keys", f"{KEYS},3k", "--quick", "--parts", "across"]
    assert main(["--data", str(data), *sizes, "--results", str(kept), "--scratch", str(kept)]) == 0
    assert (kept / "scale.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in kept.iterdir()) == ["scale.json", "scale.png"]
    made: dict[str, Any] = json.loads((kept / "scale.json").read_text())
    return made


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, texts: list[str], records: Records) -> Plan:
    """A store with its keys, closed."""
    directory = tmp_path_factory.mktemp("scale")
    Records.write(texts, directory / "records.json")
    store = directory / "store"
    with opened(store) as memory:
        memory.store_many(records.item(number) for number in range(KEYS))
    return Plan(KEYS, str(store), str(store), KEYS, str(directory / "records.json"), quick=True)


def _copy(plan: Plan, directory: Path) -> Plan:
    copied(Path(plan.store), directory / "copy")
    return plan._replace(store=str(directory / "copy"))


# -- records ---------------------------------------------------------------------------------------------------------


def test_every_key_and_every_record_is_unlike_all_others_and_the_same_in_every_run(
    texts: list[str], records: Records
) -> None:
    items = [records.item(number) for number in range(500)]
    again = Records(texts)
    assert items == [again.item(number) for number in range(500)]
    assert len(dict(items)) == len({json.dumps(value) for _, value in items}) == 500
    assert all(re.fullmatch(r"session:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key) for key, _ in items)


def test_a_record_has_the_shape_of_a_recorded_one_with_other_digits_in_long_numbers(records: Records) -> None:
    value = records.value(7)
    assert list(value) == ["at", "order", "total", "note"]
    assert re.fullmatch(r"#1\d{7}", value["order"])
    assert isinstance(value["total"], float)
    assert {word for word in value["note"].split() if not word.isdigit()} == {"parcel"}


def test_digits_of_short_numbers_words_and_fractions_stay() -> None:
    text = '"a": 2024, "b": "x1234567", "c": 1.23456789, "d": "\\u00e912345", "e": 987654'
    assert template(text).digits == (5,)
    assert template(text).texts == (text[: text.index("87654")], "")


def test_only_objects_of_the_right_size_that_json_gives_back_are_taken() -> None:
    long, at = "x" * SMALLEST, {"at": "noon"}
    assert list(recorded([{"a": long}, {"a": "x"}, {"a": "x" * LARGEST}, [long], {"a": long, **at}])) == [
        json.dumps({"a": long})
    ]
    assert not list(recorded([{"a": long, "b": float("nan")}]))


# -- figures ---------------------------------------------------------------------------------------------------------


def test_a_rate_counts_what_a_call_does_and_shares_are_of_calls() -> None:
    figures = told([1000 * number for number in range(1, 1001)], each=10)
    assert figures["calls"] == 1000
    assert figures["rate"] == pytest.approx(10 * 1000 / 0.5005)
    assert (figures["p50"], figures["p99"], figures["p999"]) == (501, 991, 1000)
    assert spread([1.0, 2.0, 3.0, 4.0, 5.0]) == {"median": 3, "low": 2, "high": 4}


def test_sizes_are_read_smallest_first_and_wrong_ones_are_refused() -> None:
    assert sizes_asked("1m,100k,2500,100K") == [2500, 100_000, 1_000_000]
    assert [count(keys) for keys in (100_000, 1_000_000, 2_500_000, 2500, 2555)] == [
        "100k", "1M", "2.5M", "2.5k", "2,555"
    ]  # fmt: skip
    for wrong in ("10g", "many", "", "100"):
        with pytest.raises(ConfigurationError):
            sizes_asked(wrong)


def _size(keys: int, times: float) -> dict[str, Any]:
    each = {"median": times, "low": times, "high": times}
    return {
        "keys": keys,
        "settled_keys": 2 * keys,
        "key_bytes": 44,
        "ram": {"imported": 50 << 20, "loaded": 150 << 20, "peak": 250 << 20},
        "disk": {"loaded": {"catalog": 144 * keys}, "settled": {"catalog": 2 * 170 * keys}},
        "sustained": {"times": {"store": each}},
        "across": {"hot": {"times": each}, "warm": {"times": each}},
    }


def test_goals_tell_what_each_size_must_and_whether_it_does() -> None:
    sizes = [_size(100_000, 0.95), _size(10_000_000, 0.8)]
    met = {goal["what"].partition(" (")[0]: (goal["value"], goal["met"]) for goal in goals(sizes)}
    assert met == {
        "100k: store, times diskcache.set": (0.95, False),
        "100k: catalog, B a key beyond the key, loaded": (100, True),
        "100k: catalog, B a key beyond the key, settled": (126, False),
        "100k: RAM, MB beyond imports": (200, False),
        "10M: store, times diskcache.set": (0.8, False),
        "10M: catalog, B a key beyond the key, loaded": (100, True),
        "10M: catalog, B a key beyond the key, settled": (126, False),
        "10M: RAM, MB beyond imports": (200, False),
        "10M: retrieve, hot, times that at 100k": (0.8, False),
        "10M: retrieve, warm, times that at 100k": (0.8, True),
    }
    assert bytes_a_key(sizes[0], "settled") == {"catalog": 170}
    assert ram_mb(sizes[0]) == {"loaded": 100, "peak": 200}


# -- runs ------------------------------------------------------------------------------------------------------------


def test_each_size_tells_every_operation_and_counts_the_files_of_a_full_store(result: dict[str, Any]) -> None:
    assert [size["keys"] for size in result["sizes"]] == [KEYS, 3000]
    for size in result["sizes"]:
        assert size["loading"]["unique_share"] == 1
        assert all(told["rate"] > 0 and told["p50"] <= told["p99"] for told in size["operations"].values())
        assert size["operations"]["keys(prefix)"]["each"] == pytest.approx(size["keys"] / 256, rel=0.5)
        held = size["disk"]["loaded"]
        kinds = ("packs", "catalog", "dictionaries", "journal", "other")
        assert held["files"] == sum(held[name] for name in kinds)
        assert 0 < held["packs"] < size["keys"] * size["value_bytes"]
        assert (catalog_bytes(size, "loaded") or 0) + size["key_bytes"] == pytest.approx(held["catalog"] / size["keys"])
        assert size["ram"]["imported"] < size["ram"]["loaded"] <= size["ram"]["peak"]
        assert size["across"]["hot"]["us"] < size["across"]["warm"]["us"]


def test_report_and_markdown_tell_each_size_and_what_was_not_measured_is_left_out(result: dict[str, Any]) -> None:
    for text in ("\n".join(report(result)), markdown(result)):
        assert "2k: RAM" in text
        assert "3k: retrieve, warm, times that at 2k" in text
        assert "RAM, MB beyond imports" in text
        assert "Opening" not in text
        assert "settling s" not in text


def test_a_killed_process_loses_nothing_and_both_openings_are_told(plan: Plan, tmp_path: Path) -> None:
    at = _copy(plan, tmp_path)
    assert elsewhere("crash", at, killed=True) == {}
    found = elsewhere("openings", at)
    assert list(found) == list(AFTER)
    assert all(0 < found[after]["open_ms"] < found[after]["first_value_ms"] for after in AFTER)
    with opened(tmp_path / "copy") as memory:
        assert len(memory) == KEYS + JOURNALED


def test_a_process_that_fails_is_an_error(plan: Plan, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DifferenceError, match="step upkeep with 2,000 keys ended with 1"):
        elsewhere("upkeep", plan._replace(records=str(tmp_path / "none")))
    assert "FileNotFoundError" in capfd.readouterr().err


def test_storing_is_told_in_times_of_the_other_and_what_it_grew_to(plan: Plan, tmp_path: Path) -> None:
    at = _copy(plan, tmp_path)
    found = sustained(at)
    assert found["peer_rows"] == KEYS
    assert list(found["rates"]) == ["store", "store_many", "diskcache"]
    assert found["times"]["store"]["low"] <= found["times"]["store"]["median"] <= found["times"]["store"]["high"]
    with opened(tmp_path / "copy") as memory:
        assert len(memory) == found["grew_to"]
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_upkeep_is_timed_as_it_is_and_settling(plan: Plan, tmp_path: Path) -> None:
    found = upkeep(_copy(plan, tmp_path))
    assert found["seconds"] > 0
    assert found["settle_seconds"] > 0


def test_a_value_that_is_not_as_it_was_stored_is_an_error(records: Records, tmp_path: Path) -> None:
    with opened(tmp_path / "store") as memory:
        memory.store(*records.item(1))
        checkpoint(memory)
        assert list(hot_entries(memory)) == [records.key(1)]
        compare(records, [1], [memory.retrieve(records.key(1))])
        with pytest.raises(DifferenceError, match="came back changed"):
            compare(records, [2], [memory.retrieve(records.key(1))])


def test_wrong_use_is_told_before_anything_is_measured(data: Path, tmp_path: Path) -> None:
    results = ["--results", str(tmp_path), "--no-plot"]
    assert main(["--keys", "1", "--data", str(data), *results]) == 2
    assert main(["--keys", "2k", "--data", str(data), "--only", "edges", *results]) == 2
    assert not list(tmp_path.iterdir())
