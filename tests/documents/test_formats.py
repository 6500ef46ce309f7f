"""docs/formats.md tells every byte as the code has it."""

from __future__ import annotations

import ast
import json
import re
import struct

from stratakv.engine import (
    backup_format,
    backup_rows,
    bloom,
    claim,
    entries,
    journal_format,
    manifest,
    pack_names,
    packs,
)
from stratakv.engine.catalog_schema import SCHEMA
from stratakv.engine.codecs import codec_by_id, rotated
from stratakv.engine.records import IN_COLD, IN_HOT, IN_WARM, KEY_STR, MAX_KEY_BYTES
from stratakv.engine.serialization import layout
from stratakv.errors import CorruptionError
from tests.documents.blocks import blocks, read, rows

STRUCTS = {
    "journal segment header": (journal_format.SEGMENT_HEADER, journal_format.SEGMENT_MAGIC),
    "journal record header": (journal_format.RECORD_HEADER, journal_format.RECORD_MAGIC),
    "journal entry": (entries.ENTRY, b""),
    "pack header": (packs.HEADER, b"SKVP"),
    "pack index header": (packs.INDEX, b"SKVI"),
    "pack index block": (packs.BLOCK, b""),
    "pack index names": (packs.NAMES, b""),
    "pack footer": (packs.FOOTER, b"SKVE"),
    "pack names head": (pack_names.HEAD, b""),
    "backup part header": (backup_format.HEADER, b"SKVB"),
    "plaintext head": (layout._HEAD, bytes([layout.ESCAPE])),
    "plaintext buffer entry": (layout._ENTRY, b""),
    "bloom header": (bloom._HEADER, bloom._MAGIC),
}


def test_formats_tell_every_struct_as_the_code_has_it() -> None:
    told = {name: cells for name, *cells in rows("docs/formats.md", "struct format")}
    assert set(told) == set(STRUCTS)
    for name, (packing, magic) in STRUCTS.items():
        layout_told, size, magic_told = told[name]
        assert layout_told == f"`{packing.format}`", name
        assert int(size) == packing.size == struct.calcsize(packing.format), name
        shown = ast.literal_eval(f"b'{magic_told.strip('`')}'")
        assert shown == magic, name


def test_offsets_in_the_formats_are_those_of_the_structs() -> None:
    sizes = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "float64": 8}
    ends = {
        "segment header": journal_format.SEGMENT_HEADER.size,
        "record": journal_format.RECORD_HEADER.size,
        "entry": entries.ENTRY.size,
        "header": packs.HEADER.size,
        "index": packs.INDEX.size,
        "block of the index": packs.BLOCK.size,
        "names of the index": packs.NAMES.size,
        "footer": packs.FOOTER.size,
        "names": pack_names.HEAD.size,
        "saved filter": bloom._BODY_AT,
        "layout 2": layout._HEAD.size,
        "part": backup_format.HEADER.size,
    }
    for heading, end in ends.items():
        position = 0
        for offset, kind, meaning in rows("docs/formats.md", f"| offset | {heading} |"):
            if not offset or not (kind in sizes or kind == "magic" or kind.endswith("bytes")):
                break
            assert int(offset) == position, f"{heading}: {meaning}"
            if kind == "magic":
                position += 2 if heading == "record" else len(meaning.strip("`"))
            else:
                position += sizes[kind] if kind in sizes else int(kind.split()[0])
        assert position == end, heading


def test_formats_tell_the_catalog_schema_as_the_code_has_it() -> None:
    (told,) = [block.text for block in blocks("sql") if block.document == "docs/formats.md"]
    assert told.split() == SCHEMA.split()


def test_formats_list_every_codec() -> None:
    told = {int(number) for number, *_ in rows("docs/formats.md", "| id | name |")}
    known = set()
    for number in range(128):
        try:
            known.add(codec_by_id(number).id)
        except CorruptionError:
            continue
    known.add(rotated.ID)  # not for itself: it takes a rotation
    assert told == known


def test_formats_list_every_extension_code() -> None:
    names = {code: kind for code, kind, _ in rows("docs/formats.md", "| code | type |")}
    assert [int(code) for code in names] == list(range(layout.TUPLE, layout.BYTES + 1))
    assert names[str(layout.DATETIME)] == "datetime"
    assert names[str(layout.ARRAY)] == "numpy array"
    assert names[str(layout.SPARSE)] == "scipy sparse"


def test_formats_tell_keys_and_tiers_as_the_code_has_them() -> None:
    text = read("docs/formats.md")
    assert f"`{chr(KEY_STR)}` (0x{KEY_STR:x})" in text
    assert f"1 to\n{MAX_KEY_BYTES:,} bytes" in text
    assert (IN_HOT, IN_WARM, IN_COLD) == (1, 2, 3)


def test_formats_tell_the_tables_of_backups_as_the_code_has_them() -> None:
    told = {name.strip("`"): fields.split(", ") for name, fields, _ in rows("docs/formats.md", "| fields of a row |")}
    assert list(told) == list(backup_format.TABLES)
    for name, fields in told.items():
        assert len(fields) == len(backup_format.TABLES[name]), name
        nullable = {number for number, field in enumerate(fields) if field.endswith("?")}
        assert nullable == backup_format.NULLABLE.get(name, set()), name
    text = read("docs/formats.md")
    assert f"at most 2^{backup_format.LONGEST_RECORD.bit_length() - 1}:" in text
    assert 1 << (backup_format.LONGEST_RECORD.bit_length() - 1) == backup_format.LONGEST_RECORD
    assert f"1 to {backup_format.ROWS_A_RECORD} rows" in text


def test_formats_tell_the_objects_of_a_remote_tier_as_the_code_names_them() -> None:
    told = [re.sub("[A-Z]", "0", name.strip("`")) for name, _ in rows("docs/formats.md", "| object | what |")]
    part = backup_format.part_name(0, 0)
    assert manifest.manifest_name(0) in told
    assert part in told
    assert re.sub("[0-9a-f]{16}", "0" * 16, backup_rows.dictionary_name(0, b"any")) in told
    written = manifest.Manifest("00" * 16, 7, 1, 2, "ab" * 8, 1_700_000_000).to_bytes()
    fields = json.loads(written)
    assert written == json.dumps(fields, indent=1).encode() + b"\n"
    kinds = {"number": int, "string": str}
    cells = {name.strip("`"): kind for name, kind, _ in rows("docs/formats.md", "| field | JSON |")}
    assert list(cells) == list(fields)
    assert all(type(fields[name]) is kinds[kind] for name, kind in cells.items())
    assert f"The last {('one', 'two', 'three')[claim.KEPT]} stay" in read("docs/formats.md")
