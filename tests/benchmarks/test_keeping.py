"""What the benchmarks that keep their result have in common: files, parts, exit codes, where a result comes from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.keeping import Benchmark, DifferenceError, run, source
from benchmarks.reduction.run import UnsettledError
from stratakv.errors import CapacityError, ConfigurationError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

PARTS = ("first", "second")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--more", type=int, default=1)


def draw(result: dict[str, Any], file: Path) -> None:
    file.write_text(f"drawn: {result['more']}")


def benchmark(error: Exception | None = None) -> Benchmark:
    def measured(options: argparse.Namespace, parts: tuple[str, ...]) -> dict[str, Any]:
        if error is not None:
            raise error
        return {"what": "nothing", "parts": list(parts), "more": options.more}

    return Benchmark(
        "made",
        "measures nothing",
        PARTS,
        add_options,
        measured,
        lambda result: [f"ran {result['parts']}"],
        draw,
    )


def kept(directory: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((directory / "made.json").read_text())
    return result


def test_a_result_is_kept_as_json_and_as_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    directory = tmp_path / "new" / "results"
    assert run(benchmark(), ["--results", str(directory), "--more", "7"]) == 0
    assert capsys.readouterr().out == "ran ['first', 'second']\n"
    assert (directory / "made.png").read_text() == "drawn: 7"
    result = kept(directory)
    assert result["parts"] == list(PARTS)
    assert {"machine", "versions", "revision", "quick"} <= result.keys()
    assert result["versions"]["python"] in source(result)
    assert result["revision"] in source(result)


def test_what_is_printed_as_json_is_what_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(benchmark(), ["--results", str(tmp_path), "--json", "--no-plot", "--quick"]) == 0
    assert json.loads(capsys.readouterr().out) == kept(tmp_path)
    assert kept(tmp_path)["quick"] is True
    assert not (tmp_path / "made.png").exists()


def test_parts_run_in_their_own_order_and_an_unknown_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--results", str(tmp_path), "--no-plot"]
    assert run(benchmark(), [*options, "--parts", "second, first"]) == 0
    assert kept(tmp_path)["parts"] == list(PARTS)
    assert run(benchmark(), [*options, "--parts", "second"]) == 0
    assert kept(tmp_path)["parts"] == ["second"]
    assert run(benchmark(), [*options, "--parts", "third"]) == 2
    assert "there is no part third: known are first, second" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("no such data"), 2),
        (CapacityError("no room"), 1),
        (DifferenceError("a value came back changed"), 1),
        (UnsettledError("values are still in the warm tier"), 1),
    ],
)
def test_an_exit_code_tells_wrong_use_from_wrong_values(
    error: Exception, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(benchmark(error), ["--results", str(tmp_path)]) == code
    assert str(error) in capsys.readouterr().err
    assert not (tmp_path / "made.json").exists()


def test_what_was_noted_on_an_errors_way_stands_before_its_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = DifferenceError("a value came back changed")
    error.add_note("the third store")
    assert run(benchmark(error), ["--results", str(tmp_path), "--no-plot"]) == 1
    assert capsys.readouterr().err == "error: the third store: a value came back changed\n"


def test_a_suite_says_itself_what_data_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(benchmark()._replace(data="one trace"), ["--help"])
    assert ended.value.code == 0
    assert "--data DIR|FILE one trace" in " ".join(capsys.readouterr().out.split())


def test_a_directory_that_cannot_be_made_is_told_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert run(benchmark(), ["--results", str(tmp_path / "file" / "results")]) == 2
    assert "cannot make the directory" in capsys.readouterr().err
