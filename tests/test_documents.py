"""The documents tell the truth: tables agree with the code, what is generated is fresh, figures come from results.

`tests/documents/` runs their code blocks and compares docs/formats.md.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

import stratakv
from benchmarks.headlines import HEADLINES, Headline, headline_table
from benchmarks.readme import (
    BEGIN,
    END,
    HEADLINES_BEGIN,
    HEADLINES_END,
    TABLES,
    anonymous,
    with_headlines,
    with_output,
    with_picture,
    with_table,
)
from docs import build_reference, draw_tiers
from stratakv.cli.main import build_parser
from tests.documents.blocks import DOCUMENTS, ROOT, blocks, read

LONGEST_README = 300
PAGE = "docs/benchmarks.md"


def test_readme_is_short_and_begins_with_what_it_is_and_two_commands() -> None:
    lines = read("README.md").splitlines()
    assert len(lines) < LONGEST_README
    assert next(n for n, line in enumerate(lines) if line.startswith("$ make demo")) < 15
    assert len(blocks("python", document="README.md")) >= 3


def test_documents_have_what_readers_look_for() -> None:
    text = "\n".join(read(document) for document in DOCUMENTS)
    for words in (
        "make demo ARGS=--quick",
        "make test",
        "pip install .",
        "settle=True",
        "RSS",
        "diskcache",
        "stratakv verify",
        "durability",
        "MIT",
    ):
        assert words in text


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), ["README.md"]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        for target in re.findall(r"\]\(([^)#:\s]+\.md)", read(document)):
            page = str(((ROOT / document).parent / target).resolve().relative_to(ROOT))
            waiting += [page] if page not in reached and page in DOCUMENTS else []
    assert reached == set(DOCUMENTS)


def test_readme_lists_every_command() -> None:
    actions = build_parser()._subparsers
    assert actions is not None
    commands = {name for action in actions._group_actions for name in (action.choices or {})}
    table = read("README.md").partition("## Command line")[2].partition("## Limits")[0]
    assert commands == set(re.findall(r"`stratakv (\w+)", table))


def test_reference_is_what_the_docstrings_say() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in build_reference.FOLDER.iterdir()}
    assert written == build_reference.pages(), "write it again: python -m docs.build_reference"


def test_reference_has_every_public_name_once() -> None:
    told = [name for page in build_reference.PAGES.values() for name in page.names]
    assert sorted(told) == sorted(set(stratakv.__all__) - {"__version__"})


def test_every_public_verb_has_a_docstring() -> None:
    for page in build_reference.PAGES.values():
        for name, members in page.names.items():
            public = getattr(stratakv, name)
            assert public.__doc__, name
            for member in members or ():
                assert getattr(public, member).__doc__, f"{name}.{member}"


def test_picture_of_the_tiers_is_what_the_program_draws() -> None:
    drawn = draw_tiers.FILE.read_text(encoding="utf-8")
    assert drawn == draw_tiers.picture(), "draw it again: python -m docs.draw_tiers"
    assert ET.fromstring(drawn).tag.endswith("svg")


def test_settings_without_effect_are_marked() -> None:
    marked, used = set(), set()
    for path in (ROOT / "stratakv").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if path.stem.endswith("_sections"):  # of these only what a property makes of a setting is a use
            text = "".join(re.findall(r"@property\n    def .*?(?=\n    @|\n    def |\nclass |\Z)", text, re.DOTALL))
        used |= set(re.findall(r"\.(\w+)\b", text))
    for line in read("docs/configuration.md").splitlines():
        if line.startswith("| `") and line.count("|") >= 5:
            name = line.split("`")[1].rpartition(".")[2]
            if "(not used yet)" in line:
                marked.add(name)
            else:
                assert name in used, f"{name} is read nowhere: mark it in its declaration"
    assert marked & used <= {"enabled", "prefix", "lossy"}, "marked as not used, but something reads it"
    assert marked


def test_settings_named_in_the_pages_exist() -> None:
    known = set(re.findall(r"^\| `([\w.]+)`", read("docs/configuration.md"), re.MULTILINE))
    sections = "storage|wrap|compression|tiered_storage|deduplication|adaptive|serialization|namespaces"
    for document in DOCUMENTS:
        for name in re.findall(rf"`((?:{sections})\.[\w.]+)(?:`|:)", read(document)):
            parts = {key for key in known if key == name or key.startswith(f"{name}.")}
            assert parts or is_figure(name), f"{document} names {name}"


def is_figure(name: str) -> bool:
    """Tell whether it is a place in the statistics, whose sections have the names of settings."""
    with stratakv.OptimizationMiddleware() as memory:
        found: object = memory.get_statistics()
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


def test_design_names_only_files_that_exist() -> None:
    table = read("docs/design.md").partition("| path | owns |")[2].partition("\nWords:")[0]
    for name in re.findall(r"`([\w/]+(?:\.py|/))`", table):
        found = [*(ROOT / "stratakv").glob(name), *(ROOT / "stratakv").glob(f"*/{name}"), *ROOT.glob(name)]
        assert found, name


def test_the_page_of_benchmarks_shows_output_of_the_demo() -> None:
    shown = read(PAGE).partition(BEGIN)[2].partition(END)[0]
    for kind in ("episodic", "session", "semantic", "vectors"):
        assert kind in shown


def test_the_page_of_benchmarks_has_a_place_for_each() -> None:
    page = read(PAGE)
    for name in TABLES:
        assert f"## {name}\n" in page
        assert "| what | measured |" in with_table(page, "| what | measured |", name)
        assert f"pictures/{name}.png" in with_picture(page, name)


def test_headline_figures_are_those_of_the_page() -> None:
    readme = read("README.md")
    assert readme == with_headlines(readme, read(PAGE)), "copy them again: python -m benchmarks.readme NAME"


@pytest.mark.parametrize("headline", HEADLINES, ids=lambda headline: f"{headline.suite}-{headline.words[:30]}")
def test_every_headline_is_found_where_its_benchmark_has_tables(headline: Headline) -> None:
    suite = headline.suite
    tables = read(PAGE).partition(f"<!-- {suite} table -->")[2].partition(f"<!-- end of {suite} table -->")[0]
    if "|" in tables:
        assert any(f"| {headline.words} |" in line for line in headline_table({suite: tables}, PAGE))


def test_a_headline_takes_the_first_row_of_its_name_in_a_table_with_its_columns() -> None:
    other = "| kind | n |\n|---|---|\n| mean | 1 |"
    wanted = "| % | **packs** | zstd-19 each |\n|---|---|---|\n| mean | **97** | 8 |\n| mean | 9 | 7 |"
    (row,) = headline_table({"large": f"{other}\n\n{wanted}"}, PAGE)[2:]
    assert row.startswith("| versions of documents, % saved | **97** | zstd-19 each: 8 | [large](")


def test_refreshing_replaces_only_the_block() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    fresh = with_output(page, "new\n")
    assert fresh == f"before\n{BEGIN}\n```text\nnew\n```\n{END}\nafter\n"
    assert with_output(fresh, "new") == fresh
    with pytest.raises(ValueError, match="must have each of"):
        with_output("no markers", "new")
    assert Path(sys.prefix).anchor not in anonymous("no path")


def test_refreshing_headlines_leaves_the_rest_of_the_readme() -> None:
    row = "| tuned, of hindsight's best static threshold: mean | 0.9 | at most 1 |"
    table = f"| what | measured | goal |\n|---|---|---|\n{row}"
    page = f"<!-- adaptive table -->\n{table}\n<!-- end of adaptive table -->"
    fresh = with_headlines(f"before\n{HEADLINES_BEGIN}\nold\n{HEADLINES_END}\nafter\n", page)
    assert fresh.startswith(f"before\n{HEADLINES_BEGIN}\n\n| what |")
    assert "| **0.9** | at most 1 | [adaptive](docs/benchmarks.md#adaptive) |" in fresh
    assert fresh.endswith(f"|\n\n{HEADLINES_END}\nafter\n")
