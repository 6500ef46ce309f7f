"""The records that the demo builds out of a Python installation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stratakv.cli.demonstration.modules import select_sources, standard_library
from stratakv.cli.demonstration.workload import KINDS, kind_of, workload_from_files, workload_from_python
from stratakv.cli.records import RecordFile
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = '''"""Shapes."""
import math
from . import paint
from .paint import colour as tint

class Circle:
    """A circle has a radius and an area."""

    def __init__(self, radius: float = 1.0, /, *rest, name=None, **more):
        self.radius = radius

    @property
    def area(self) -> float:
        """Return the area of the circle."""
        self.check()
        return math.pi * math.pow(self.radius, 2) + math.pow(0, 1)

    def check(self):
        def inner(): return tint()
        return paint.colour(inner())

async def draw(circle):
    """Draw a circle with its area."""

def draw(circle): pass
'''
PAINT = 'def colour():\n    """Return the area to draw."""\n    return len("red")\n'


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "lib"
    for name, text in {
        "art/__init__.py": "",
        "art/shapes.py": SHAPES,
        "art/paint.py": PAINT,
        "art/broken.py": "def (",
        "art/test/test_art.py": "def left_out(): pass",
        "site-packages/other.py": "def left_out(): pass",
        "not-a-module/x.py": "def left_out(): pass",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def values(package: Path) -> dict[str, Any]:
    return workload_from_python(package, 1 << 20).final()


def test_every_function_and_class_has_one_record(package: Path) -> None:
    found = [key for key in values(package) if kind_of(key) == "episodic"]
    assert found == [
        "episodic:art.paint.colour",
        "episodic:art.shapes.Circle",
        "episodic:art.shapes.Circle.__init__",
        "episodic:art.shapes.Circle.area",
        "episodic:art.shapes.Circle.check",
        "episodic:art.shapes.Circle.check.inner",
        "episodic:art.shapes.draw",
        "episodic:art.shapes.draw#2",
    ]


def test_record_holds_signature_docstring_source_and_calls(package: Path) -> None:
    found = values(package)
    area = found["episodic:art.shapes.Circle.area"]
    assert area == {
        "name": "art.shapes.Circle.area",
        "kind": "function",
        "module": "art.shapes",
        "path": "art/shapes.py",
        "lines": [12, 16],
        "decorators": ["property"],
        "arguments": [{"name": "self", "kind": "positional", "annotation": None, "default": None}],
        "returns": "float",
        "docstring": "Return the area of the circle.",
        "calls": ["art.shapes.Circle.check", "math.pow"],
        "source": SHAPES.split("\n")[11:16],
    }
    arguments = found["episodic:art.shapes.Circle.__init__"]["arguments"]
    assert [(each["name"], each["kind"], each["default"]) for each in arguments] == [
        ("self", "positional only", None),
        ("radius", "positional only", "1.0"),
        ("rest", "rest", None),
        ("name", "keyword only", "None"),
        ("more", "keywords", None),
    ]
    assert found["episodic:art.shapes.Circle.check.inner"]["calls"] == ["art.paint.colour"]
    assert found["episodic:art.shapes.draw"]["kind"] == "coroutine"
    assert found["episodic:art.shapes.Circle"]["bases"] == []


def test_session_grows_to_the_whole_module(package: Path) -> None:
    work = workload_from_python(package, 1 << 20)
    states = [work.initial["session:art.shapes"], *work.rewrites["session:art.shapes"]]
    assert [state["position"]["statement"] for state in states] == [1, 2, 3, 4, 5, 6, 7]
    assert [state["finished"] for state in states] == [False] * 6 + [True]
    assert states[3]["names"] == ["math", "paint", "tint"]
    assert states[-1]["names"] == ["math", "paint", "tint", "Circle", "draw"]
    assert states[-1]["nodes"]["FunctionDef"] == 5
    assert states[4]["last_lines"] == SHAPES.split("\n")[12:20]
    assert "session:art" not in work.rewrites
    assert work.initial["session:art"]["finished"]


def test_semantic_edges_are_weighted_and_the_whole_graph_is_an_array(package: Path) -> None:
    found = values(package)
    assert sorted(found["semantic:art.shapes"]["edges"]) == [
        ["art.shapes", "imports", "art", 0.3333],
        ["art.shapes", "imports", "art.paint", 0.3333],
        ["art.shapes", "imports", "math", 0.3333],
        ["art.shapes.Circle.area", "calls", "art.shapes.Circle.check", 0.3333],
        ["art.shapes.Circle.area", "calls", "math.pow", 0.6667],
        ["art.shapes.Circle.check", "calls", "art.paint.colour", 0.5],
        ["art.shapes.Circle.check", "calls", "art.shapes.Circle.check.inner", 0.5],
        ["art.shapes.Circle.check.inner", "calls", "art.paint.colour", 1.0],
    ]
    graph = found["semantic:*"]
    assert graph["modules"] == ["art", "art.paint", "art.shapes", "math"]
    assert graph["edges"].dtype == np.int32
    assert graph["edges"].tolist() == [[2, 0, 1, 0], [2, 1, 1, 2], [2, 3, 1, 2]]


def test_every_docstring_has_a_unit_vector_of_its_own_memory(package: Path) -> None:
    found = values(package)
    vectors = {key: value for key, value in found.items() if kind_of(key) == "vectors"}
    assert list(vectors) == [
        f"vectors:{value['name']}" for value in found.values() if isinstance(value, dict) and value.get("docstring")
    ]
    for vector in vectors.values():
        assert vector.dtype == np.float32
        assert vector.base is None
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_building_twice_gives_the_same_records(package: Path) -> None:
    one, other = workload_from_python(package, 1 << 20), workload_from_python(package, 1 << 20)
    assert list(one.initial) == list(other.initial)
    assert one.units == other.units
    for key, value in one.final().items():
        again = other.final()[key]
        if kind_of(key) == "vectors":
            assert value.tobytes() == again.tobytes()
        else:
            assert json.dumps(value, default=np.ndarray.tolist) == json.dumps(again, default=np.ndarray.tolist)


def test_every_record_belongs_to_one_unit(package: Path) -> None:
    work = workload_from_python(package, 1 << 20)
    assert sorted(key for keys in work.units.values() for key in keys) == sorted(work.initial)
    assert work.kinds == KINDS


def test_what_is_left_out_is_told(package: Path) -> None:
    whole = workload_from_python(package, 1 << 20)
    assert whole.left_out == ["1 files that this Python cannot parse"]
    capped = workload_from_python(package, 200)
    assert capped.left_out[0].startswith("1 modules")
    assert "episodic:art.paint.colour" in capped.initial
    assert "episodic:art.shapes.Circle" not in capped.initial


def test_directory_without_source_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no Python source"):
        select_sources(tmp_path, 1 << 20)


def test_standard_library_has_no_tests_among_its_sources() -> None:
    selection = select_sources(standard_library(), 1 << 30)
    assert "json/decoder.py" in selection.paths
    assert not [path for path in selection.paths if "test/" in path and not path.startswith("unittest/")]
    assert selection.capped_files == 0


def test_own_files_are_kinds_named_by_their_stems(tmp_path: Path) -> None:
    (tmp_path / "my logs.jsonl").write_bytes(b'{"a": 1}\n{"a": 2}\n')
    np.save(tmp_path / "v.npy", np.arange(3))
    work = workload_from_files([RecordFile(tmp_path / "my logs.jsonl"), RecordFile(tmp_path / "v.npy")])
    assert work.kinds == ("my_logs", "v")
    assert list(work.initial) == ["my_logs:my logs:1", "my_logs:my logs:2", "v:v"]
    assert [kind_of(key) for key in work.initial] == ["my_logs", "my_logs", "v"]


def test_two_files_of_one_name_and_empty_files_are_wrong_usage(tmp_path: Path) -> None:
    for name in ("a b.jsonl", "a_b.jsonl"):
        (tmp_path / name).write_bytes(b"1\n")
    (tmp_path / "empty.jsonl").write_bytes(b"\n")
    with pytest.raises(ConfigurationError, match="rename one"):
        workload_from_files([RecordFile(tmp_path / "a b.jsonl"), RecordFile(tmp_path / "a_b.jsonl")])
    with pytest.raises(ConfigurationError, match="holds no record"):
        workload_from_files([RecordFile(tmp_path / "empty.jsonl")])
