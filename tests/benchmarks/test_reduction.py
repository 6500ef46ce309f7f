"""`python -m benchmarks.reduction` on small corpora of its own: what it counts, measures, prints and refuses."""

from __future__ import annotations

import io
import json
import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarks.__main__ import main as by_name
from benchmarks.readme import HEADLINES_BEGIN, HEADLINES_END, TABLE_BEGIN, TABLE_END, refresh_named, with_table
from benchmarks.reduction import command, loss, main
from benchmarks.reduction import run as running
from benchmarks.reduction.corpora import Corpus, Directory
from benchmarks.reduction.markdown import markdown
from benchmarks.reduction.sizes import deep_bytes
from benchmarks.reduction.table import TIMES, described
from stratakv import OptimizationMiddleware

if TYPE_CHECKING:
    from stratakv import OptimizationConfig

TEXT = "the store keeps each value once and compressed in the cheapest tier that is still fast enough"
WORDS = TEXT.split(" ")


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(lzma.compress(content, preset=0))


def messages(count: int) -> list[dict[str, Any]]:
    text = [" ".join(WORDS[n % 7 : n % 7 + 9]) for n in range(count)]
    return [{"id": f"chat/{n}", "role": "user", "content": f"{text[n]} {n * n}", "score": n / 7} for n in range(count)]


def write_lines(path: Path, records: list[Any]) -> None:
    write(path, b"".join(json.dumps(record).encode() + b"\n" for record in records))


def write_arrays(path: Path, **arrays: Any) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write(path, buffer.getvalue())


def vectors(rows: int, metric: str) -> dict[str, Any]:
    source = np.random.default_rng(5)
    base = source.normal(size=(rows, 32)).astype("f4")
    query = source.normal(size=(12, 32)).astype("f4")
    if metric == "L2":
        base, query = (np.abs(array * 60).astype("u1") for array in (base, query))
        return {"base": base, "query": query, "groundtruth": loss.nearest(base, query, "L2").astype("i4")}
    return {"base": base, "query": query, "gt_top10": loss.nearest(base, query, "cosine").astype("i4")}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    values = tmp_path / "data" / "values"
    write_lines(values / "tau_airline_messages.jsonl.xz", messages(1600))
    write(
        values / "kg_small.tsv.xz", b"".join(b"%d\tlikes\t%d\t0.%d\n" % (n, n % 40, n % 9 + 1) for n in range(12_500))
    )
    write_arrays(values / "vec_minilm384.npz.xz", **vectors(60, "cosine"))
    write_arrays(values / "vec_bytes.npz.xz", **vectors(50, "L2"))
    matrix = {"m.indptr": [0, 1, 3], "m.indices": [1, 0, 1], "m.data": [1.5, 2.5, 3.5], "m.shape": [2, 2]}
    bits = np.packbits(np.eye(20, 13, dtype=bool), axis=1)
    parts = {name: np.array(part) for name, part in matrix.items()}
    write_arrays(values / "mixed.npz.xz", bits=bits, n_features=np.array(13), counts=np.arange(4000), **parts)
    (values / "NOTES.md").write_text("not a corpus")
    write(tmp_path / "data" / "traces" / "trace.npz.xz", b"never read")
    return tmp_path / "data"


@pytest.fixture
def kept(tmp_path: Path) -> list[str]:
    """Options that put the result into a directory of the test's own, without a picture."""
    return ["--results", str(tmp_path / "results"), "--no-plot"]


def measured(kept: list[str], *arguments: str) -> dict[str, Any]:
    assert main([*kept, *arguments]) == 0
    result: dict[str, Any] = json.loads((Path(kept[1]) / "reduction.json").read_text())
    return result


def test_every_corpus_is_measured(data: Path, kept: list[str]) -> None:
    result = measured(kept, "--data", str(data))
    rows = {row["corpus"]: row for row in result["corpora"] if row["loss"] is None}
    assert {name: row["records"] for name, row in rows.items()} == {
        "kg_small": 2,
        "mixed": 3,
        "tau_airline_messages": 1600,
        "vec_bytes": 1,
        "vec_bytes (rows)": 50,
        "vec_minilm384": 1,
        "vec_minilm384 (rows)": 60,
    }
    assert any("NOTES.md" in line for line in result["left_out"])
    for row in rows.values():
        assert row["exact"] is True
        assert row["differences"] == 0
        assert row["live_bytes"] > row["plaintext_bytes"] / 2
        assert row["disk"]["warm_packs"] == 0 < row["disk"]["cold_packs"]
        assert row["disk"]["dictionaries"] < row["disk"]["catalog"]
        assert row["payload_bytes"] == row["disk"]["cold_packs"] + row["disk"]["dictionaries"]
        assert row["total_bytes"] > row["payload_bytes"]
        assert row["catalog_bytes_per_key"] > 0
        assert row["ram"]["hot_bytes"] == pytest.approx(row["ram"]["hot_bytes_by_statistics"], rel=0.25, abs=8192)
        assert all(row["microseconds"][name] > 0 for name in TIMES)
    chat = rows["tau_airline_messages"]
    assert 0.6 < chat["payload_reduction"] < 0.99
    assert 0 < chat["ram_reduction"] < chat["payload_reduction"]
    assert chat["peers"]["zlib-6"] < chat["payload_reduction"]
    assert 0.5 < chat["peers"]["xz whole"] < 1
    assert rows["vec_minilm384 (rows)"]["accuracy"]["recall_at_10"] == 1.0
    assert rows["vec_bytes"]["accuracy"]["recall_at_10"] == 1.0
    assert rows["kg_small"]["accuracy"]["edges_kept"] == 1.0
    kinds = {line["kind"]: line for line in result["founding"]}
    assert set(kinds) == {"episodic", "semantic", "vectors", "total"}
    assert kinds["episodic"]["met"] is True
    assert kinds["vectors"]["target_percent"] == 85
    assert {"cpu", "cpus", "system"} <= set(result["machine"])
    assert result["versions"]["numpy"]


def test_loss_is_measured_or_left_out_by_name(data: Path, kept: list[str]) -> None:
    result = measured(kept, "--data", str(data), "--only", "vec_minilm384 (rows),kg_small")
    found = {row["loss"]: row for row in result["corpora"]}
    for allowed in (*loss.VECTOR_LOSSES, loss.GRAPH_LOSS):
        refused = loss.refusal("moderate", allowed)
        if refused is None:
            assert found[allowed.name]["differences"] == 0
            assert found[allowed.name]["payload_bytes"] > 0
        else:
            assert allowed.name not in found
            assert f"with {allowed.name} loss: {refused}" in result["left_out"]


def test_what_an_allowed_loss_did_is_told(data: Path, kept: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the store does with the permission: here it stores steps of 1/64."""
    honest = OptimizationMiddleware.store
    permitted: list[loss.Loss | None] = []

    def coarse(self: OptimizationMiddleware, key: str, data: Any) -> bool:
        return honest(self, key, np.rint(data * 64).astype(data.dtype) / np.float32(64) if permitted[-1] else data)

    def configuration(level: str, allowed: loss.Loss | None) -> OptimizationConfig:
        permitted.append(allowed)
        return loss.configuration(level, None)

    monkeypatch.setattr(command, "refusal", lambda level, allowed: None)
    monkeypatch.setattr(running, "configuration", configuration)
    monkeypatch.setattr(OptimizationMiddleware, "store", coarse)
    result = measured(kept, "--data", str(data), "--only", "vec_minilm384 (rows)")
    lossless, *lossy = result["corpora"]
    assert lossless["exact"] is True
    assert [row["loss"] for row in lossy] == ["int8", "int4", "1 bit"]
    for row in lossy:
        assert row["differences"] == 0
        assert row["exact"] is None
        assert row["changed"] == row["records"] == 60
        assert 0 < row["accuracy"]["worst_relative_error"] < 0.02
        assert 0.999 < row["accuracy"]["least_cosine"] < 1
        assert 0.9 < row["accuracy"]["recall_at_10"] <= 1
    assert result["founding"][0]["loss"] == "int4"
    assert described(result["founding"][0]) == "vec_minilm384 (rows), int4 loss allowed"


def test_a_person_reads_tables(data: Path, kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    only = "tau_airline_messages,vec_minilm384"
    options = ["--data", str(data / "values"), "--only", only, "--level", "aggressive"]
    assert by_name(["reduction", *kept, *options]) == 0
    out = capsys.readouterr().out
    for words in (
        "level aggressive",
        "Reduction in percent",
        "xz whole",
        "in RAM",
        "founding",
        "episodic",
        "met",
        "3 corpora of",
    ):
        assert words in out
    assert "kg_small" not in out


def test_the_demos_records_are_there_without_data(kept: list[str]) -> None:
    result = measured(kept, "--quick", "--only", "session")
    assert [row["corpus"] for row in result["corpora"]] == ["session"]
    assert [line["kind"] for line in result["founding"]] == ["session"]


def test_quick_takes_the_beginning_and_still_knows_the_neighbours(tmp_path: Path) -> None:
    write_arrays(tmp_path / "many.npz.xz", **vectors(4000, "cosine"))
    (corpus,) = Directory(tmp_path).corpora(["many (rows)"], quick=True)
    assert 1000 < len(corpus.items) < 4000
    assert corpus.neighbours is not None
    assert loss.recall(np.stack(list(corpus.items.values())), corpus.neighbours) == 1.0


def test_keys_are_ids_where_all_have_one_of_their_own(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl.xz", [{"id": 7}, {"id": 8}])
    write_lines(tmp_path / "b.jsonl.xz", [{"key": "x"}, {"key": "x"}])
    write_lines(tmp_path / "c.jsonl.xz", [{"key": "x"}, [1]])
    keys = [list(corpus.items) for corpus in Directory(tmp_path).corpora([], quick=False)]
    assert keys == [["7", "8"], ["b:1", "b:2"], ["c:1", "c:2"]]


def test_archives_become_what_they_stand_for(data: Path) -> None:
    (corpus,) = Directory(data).corpora(["mixed"], quick=False)
    assert np.array_equal(corpus.items["mixed:bits"], np.eye(20, 13, dtype=bool))
    assert corpus.items["mixed:m"].toarray().tolist() == [[0, 1.5], [2.5, 3.5]]
    (graph,) = Directory(data).corpora(["kg_small"], quick=False)
    assert graph.confident
    assert graph.items["kg_small:10000"][0] == ["10000", "likes", "0", 0.2]


def test_a_broken_line_is_named(data: Path, kept: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write(data / "values" / "broken.jsonl.xz", b'{"a": 1}\n{"a": \n')
    assert main([*kept, "--data", str(data), "--only", "broken", "--json"]) == 2
    captured = capsys.readouterr()
    assert "broken.jsonl.xz:2" in captured.err
    assert not captured.out


@pytest.mark.parametrize("arguments", [["--data", "nowhere"], ["--only", "nobody"], ["--parts", "some"]])
def test_what_cannot_be_is_wrong_usage(
    arguments: list[str], kept: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*kept, *arguments]) == 2
    assert "error: " in capsys.readouterr().err


def test_a_value_that_differs_fails_the_run(
    data: Path, kept: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = OptimizationMiddleware.retrieve

    def wrong(self: OptimizationMiddleware, key: str, default: Any = None) -> Any:
        value = honest(self, key, default)
        return {**value, "score": 0} if key == "chat/0" else value  # 0.0 went in: equal, but of another type

    monkeypatch.setattr(OptimizationMiddleware, "retrieve", wrong)
    assert main([*kept, "--data", str(data), "--only", "tau_airline_messages"]) == 1
    error = capsys.readouterr().err
    assert "error: 3 values in tau_airline_messages, among them: chat/0 differs from RAM; " in error
    assert not (Path(kept[1]) / "reduction.json").exists()


def test_a_store_that_does_not_settle_is_an_error(
    data: Path, kept: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OptimizationMiddleware, "maintain", lambda self, settle=False: None)
    assert main([*kept, "--data", str(data), "--only", "mixed"]) == 1
    assert f"error: mixed: after {running.ROUNDS} rounds" in capsys.readouterr().err


def test_bounds_of_loss_are_checked() -> None:
    vector = np.linspace(-1, 1, 64, dtype="f4")
    int8, _, one_bit = loss.VECTOR_LOSSES
    assert loss.wrong_with(vector, vector + np.float32(0.001), int8) is None
    assert "cosine" in str(loss.wrong_with(vector, np.sign(vector), int8))
    assert loss.wrong_with(vector, np.sign(vector), one_bit) is None
    assert "float64" in str(loss.wrong_with(vector, vector.astype("f8"), int8))
    assert "finite" in str(loss.wrong_with(vector, vector * np.float32("inf"), int8))
    edges = [["a", "b", "c", 0.9], ["d", "e", "f", 0.1], ["g", "h", "i", 0.3]]
    assert loss.wrong_with(edges, [edges[0], edges[2]], loss.GRAPH_LOSS) is None
    assert "lacks 1" in str(loss.wrong_with(edges, edges[:1], loss.GRAPH_LOSS))
    assert "not there" in str(loss.wrong_with(edges, edges[::-1], loss.GRAPH_LOSS))


def test_deep_sizes_count_shared_objects_once() -> None:
    shared = "x" * 1000
    alone = deep_bytes([[shared]])
    assert deep_bytes([[shared, shared]]) == alone + 8
    array = np.zeros(1000)
    assert deep_bytes([array]) == pytest.approx(8000, abs=200)
    assert deep_bytes([array, array[:10]]) < 8400


def test_losses_go_with_what_the_values_are() -> None:
    assert loss.losses_for(Corpus("v", "vectors", {"a": np.zeros(4, "f4")})) == loss.VECTOR_LOSSES
    assert loss.losses_for(Corpus("v", "vectors", {"a": np.zeros(4, "u1")})) == ()
    assert loss.losses_for(Corpus("g", "graph", {}, confident=True)) == (loss.GRAPH_LOSS,)
    assert loss.losses_for(Corpus("j", "json", {"a": 1})) == ()


def test_a_picture_is_drawn(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    assert main(["--data", str(data), "--only", "mixed,vec_bytes", "--results", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "reduction.png").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_picture_is_refused_at_once(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    assert main(["--data", str(data), "--results", str(tmp_path)]) == 2
    assert "stratakv[plots]" in capsys.readouterr().err


def test_the_documents_take_the_table(
    data: Path, tmp_path: Path, kept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = measured(kept, "--data", str(data), "--only", "tau_airline_messages,vec_bytes")
    table = markdown(result)
    assert "| tau_airline_messages | 1,600 |" in table
    assert "| episodic | 70% |" in table
    saved, page, readme = tmp_path / "result.json", tmp_path / "benchmarks.md", tmp_path / "README.md"
    saved.write_text(json.dumps(result))
    monkeypatch.setattr("benchmarks.readme.PAGE", page)
    monkeypatch.setattr("benchmarks.readme.README", readme)
    readme.write_text(f"{HEADLINES_BEGIN}\n{HEADLINES_END}\n")
    page.write_text("no markers")
    assert refresh_named(["reduction", "--result", str(saved)]) == 2
    page.write_text(f"before\n{TABLE_BEGIN}\nold\n{TABLE_END}\nafter\n")
    assert refresh_named(["reduction", "--result", str(saved)]) == 0
    assert page.read_text() == f"before\n{TABLE_BEGIN}\n\n{table}\n\n{TABLE_END}\nafter\n"
    assert with_table(page.read_text(), table) == page.read_text()
    assert "| JSON messages, % saved | **" in readme.read_text()
