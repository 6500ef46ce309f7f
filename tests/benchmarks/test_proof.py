"""`python -m benchmarks` without a name: which suites it runs, and that each takes the same options."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.__main__ import PROOF, main
from benchmarks.readme import TABLES

COMMON = ("--data", "--only", "--parts", "--quick", "--json", "--results", "--no-plot")


def test_the_proof_is_eight_suites_that_each_have_tables_in_the_documents() -> None:
    assert len(set(PROOF)) == 8
    assert set(PROOF) <= set(TABLES)


def test_help_names_the_proof_and_tells_what_each_suite_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert f"which is the proof: {', '.join(PROOF)}." in told
    for name in PROOF:
        about = import_module(f"benchmarks.{name}").__doc__
        assert about
        assert f"  {name:12} {about.splitlines()[0]}\n" in told


@pytest.mark.parametrize("name", PROOF)
def test_every_suite_of_the_proof_takes_the_same_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert told.startswith(f"usage: python -m benchmarks.{name} ")
    for option in COMMON:
        assert told.count(f"\n  {option} ") == 1, f"{option} of {name}"


@pytest.mark.parametrize("name", PROOF)
def test_every_suite_of_the_proof_can_draw_and_make_tables(name: str) -> None:
    for module, function in (("plot", "plot"), ("markdown", "markdown")):
        assert callable(getattr(import_module(f"benchmarks.{name}.{module}"), function))


def test_an_option_that_no_suite_has_ends_the_proof_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--plot", "x.png"])
    assert ended.value.code == 2
    assert "== reduction\n" in capsys.readouterr().out


def test_an_unknown_name_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"]) == 2
    assert "unknown benchmark 'nothing': known are " in capsys.readouterr().err
