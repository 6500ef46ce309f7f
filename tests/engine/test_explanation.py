"""What `explain` says of a key as it stands: places, forms, references, and keys that have no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratakv import ManualClock, StorageTier
from stratakv.engine.explanation import Explanation, codec_name
from stratakv.engine.moments import moment, span
from stratakv.errors import ConfigurationError
from tests.documents.blocks import rows
from tests.engine.explained import DAY, HOUR, open_store, place, prospect, told

if TYPE_CHECKING:
    from pathlib import Path

WARM, COLD = StorageTier.WARM, StorageTier.COLD


def test_asking_reads_nothing_and_counts_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory["key"] = "value"
        memory.maintain(settle=True)
        before = memory.get_statistics()
        for _ in range(10):
            told(memory, "key")
        after = memory.get_statistics()
        assert after["middleware"] == before["middleware"]
        memory.maintain()
        assert place(memory, "key") == (False, "cold")


def test_facts_of_each_place(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory.store_many({f"many:{n}": {"id": n, "text": f"words {n} " * 20} for n in range(300)}, namespace="notes")
        found = told(memory, "many:7")
        assert (found.tier, found.dirty, found.pack, found.namespace) == ("hot", True, None, "notes")
        assert found.journal is not None
        assert found.written == clock.now()
        memory.maintain()
        memory.store("copy", {"id": 7, "text": "words 7 " * 20})
        found = told(memory, "many:7")
        assert (found.tier, found.dirty, found.journal, found.references) == ("hot", False, None, 2)
        assert found.ram is not None
        assert found.pack is not None
        assert found.pack.form is not None
        assert (found.pack.tier, found.pack.live, found.pack.created) == ("warm", 1.0, clock.now())
        assert found.digest == memory.dedup_engine.write("again", {"id": 7, "text": "words 7 " * 20})[0]
        assert told(memory, "many:7").references == 3
        memory.delete("copy")
        memory.delete("again")
        assert told(memory, "many:7").references == 1
        packed = plain = 0
        for number in range(300):
            found = told(memory, f"many:{number}")
            assert found.pack is not None
            assert found.pack.form is not None
            packed += found.pack.form.encoded_bytes
            plain += found.plaintext_bytes or 0
        blocks = memory.get_statistics()["namespaces"]["notes"]["warm_bytes"]
        assert packed == pytest.approx(blocks, rel=0.05)
        assert 0 < packed < plain


def test_keys_without_a_value(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        assert told(memory, "never") == Explanation("never", "unknown")
        memory["key"] = "value"
        memory.maintain()
        memory.delete("key")
        found = told(memory, "key")
        assert (found.status, found.exists, found.digest) == ("deleted", False, None)
        memory.maintain()
        assert told(memory, "key").status == "unknown"
        store = memory.tiered_storage._store
        store.delete("gone", tombstone=True)
        assert told(memory, "gone").status == "tombstone"
        memory.maintain()
        assert told(memory, "gone").status == "tombstone"
        with pytest.raises(ConfigurationError):
            told(memory, "")


def test_pack_that_is_gone_is_told_as_trouble(tmp_path: Path) -> None:
    clock = ManualClock()
    with open_store(tmp_path, clock) as memory:
        memory.store("key", "value" * 100, tier=COLD)
    (pack,) = (tmp_path / "store" / "cold").rglob("*.pack")
    pack.unlink()
    with open_store(tmp_path, clock) as memory:
        found = told(memory, "key")
        assert found.pack is not None
        assert found.pack.form is None
        assert "is missing" in str(found.trouble)
        assert memory.tiered_storage.migrate_tier("key", WARM)
        memory.maintain()
        found = told(memory, "key")
        assert found.damaged
        assert "damaged" in prospect(memory, "key", "promote").because


def test_codecs_are_named_as_in_the_formats() -> None:
    for number, name, _ in rows("docs/formats.md", "| id | name |"):
        assert codec_name(int(number)) == name
    assert codec_name(199) == "codec 199"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"), (1_700_000_000.25, "2023-11-14T22:13:20.250Z"), (1e12, "after the year 9999"),
        (59.9996, "1970-01-01T00:01:00Z"),
    ],
)  # fmt: skip
def test_moments_are_utc(seconds: float, text: str) -> None:
    assert moment(seconds) == text


def test_spans_have_a_fitting_unit() -> None:
    assert [span(seconds) for seconds in (0.5, 45, 90, HOUR, DAY, 3 * DAY)] == [
        "0.5 s", "45 s", "1.5 min", "1 h", "24 h", "3 days",
    ]  # fmt: skip
