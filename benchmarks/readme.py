"""Puts real output into the documents: the demo's by `python -m benchmarks.readme`, a benchmark's by `... NAME`.

NAME is one of `TABLES`. Runs `stratakv demo`, or the benchmark (`--result FILE` takes a JSON
result of it that is there already), and replaces what stands between the two markers in docs/benchmarks.md. A picture
beside the result goes to docs/pictures. Then the headline figures of README.md are copied from that page. It measures
nothing itself, so it is no benchmark.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

from benchmarks.headlines import headline_table
from benchmarks.keeping import RESULTS

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "benchmarks.md"
PICTURES = ROOT / "docs" / "pictures"
BEGIN = "<!-- demo output -->"
END = "<!-- end of demo output -->"
TABLES = {
    "reduction": "What is saved on each corpus, beside other compressors",
    "overhead": "Wrapped engines beside bare ones",
    "peers": "The same job done by others",
    "hitratio": "Hit ratios over sizes of RAM, one panel for each recorded trace",
    "adaptive": "Cost of tuned thresholds beside fixed ones, and of divided RAM beside one global LRU",
    "durability": "Writes that survive, beside others with full sync",
    "concurrency": "Reads and writes by several threads",
    "cold": "What a cold tier in S3 costs",
    "scale": "Rates, RAM and bytes a key as keys grow in number",
    "large": "What versions of documents take at rest, beside zstd and 4 KB chunks",
    "vectors": "Which nearest neighbours are found over what is saved, beside other ways to keep vectors",
}
"""Benchmarks with a `markdown` module, and what their pictures show; docs/benchmarks.md has markers for each."""
TABLE_BEGIN = "<!-- reduction table -->"
TABLE_END = "<!-- end of reduction table -->"
HEADLINES_BEGIN = "<!-- headline figures -->"
HEADLINES_END = "<!-- end of headline figures -->"


def anonymous(text: str) -> str:
    """Return the output without the place where Python is installed: it says nothing to a reader."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return text.replace(str(library.parent.parent), "...")


def with_output(page: str, output: str) -> str:
    """Return the page with the demo's output replaced.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    return _between(page, BEGIN, END, f"```text\n{output.strip()}\n```")


def with_table(page: str, table: str, name: str = "reduction") -> str:
    """Return the page with a benchmark's tables replaced.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    # Markdown wants an empty line between a comment and a table.
    return _between(page, *_markers(name), f"\n{table.strip()}\n")


def with_picture(page: str, name: str) -> str:
    """Return the page with a link to a benchmark's picture.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    link = f"![{TABLES[name]}](pictures/{name}.png)"
    return _between(page, f"<!-- {name} picture -->", f"<!-- end of {name} picture -->", f"\n{link}\n")


def with_headlines(readme: str, page: str) -> str:
    """Return the README with the headline figures that the page's tables have.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    suites = {name: _inside(page, *_markers(name)) for name in TABLES}
    figures = "\n".join(headline_table(suites, "docs/benchmarks.md"))
    return _between(readme, HEADLINES_BEGIN, HEADLINES_END, f"\n{figures}\n")


def _markers(name: str) -> tuple[str, str]:
    return f"<!-- {name} table -->", f"<!-- end of {name} table -->"


def _inside(text: str, begin: str, end: str) -> str:
    return text.partition(begin)[2].partition(end)[0]


def _between(text: str, begin: str, end: str, block: str) -> str:
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the document must have each of {begin} and {end} once")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{block}\n{end}{after}"


def refresh(arguments: list[str]) -> int:
    """Run the demo with further arguments and update the page; return the demo's exit code."""
    command = [sys.executable, "-m", "stratakv.cli.main", "demo", *arguments]
    demo = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if demo.returncode == 0:
        PAGE.write_text(with_output(PAGE.read_text(encoding="utf-8"), anonymous(demo.stdout)), encoding="utf-8")
    else:
        print(f"the demo failed with code {demo.returncode}: {PAGE.name} stays as it is", file=sys.stderr)
    return demo.returncode


def refresh_table(name: str, arguments: list[str]) -> int:
    """Put a benchmark's tables and picture into the documents; return the benchmark's exit code.

    Args:
        name: One of `TABLES`.
        arguments: The benchmark's own; or `--result FILE`, a JSON result that it printed or kept before.
    """
    picture = RESULTS / f"{name}.png"
    if arguments[:1] == ["--result"] and len(arguments) == 2:
        text = Path(arguments[1]).read_text(encoding="utf-8")
        picture = Path(arguments[1]).with_suffix(".png")
    else:
        with_table(PAGE.read_text(encoding="utf-8"), "", name)  # lacking markers are found before minutes have passed
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *arguments]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if ran.returncode:
            print(f"the benchmark failed with code {ran.returncode}: {PAGE.name} stays as it is", file=sys.stderr)
            return ran.returncode
        text = ran.stdout
    result = json.loads(text)
    if result.get("quick"):
        raise ValueError(f"that is the result of a --quick run: {PAGE.name} tells those of whole ones")
    table = import_module(f"benchmarks.{name}.markdown").markdown(result)
    page = with_table(PAGE.read_text(encoding="utf-8"), table, name)
    readme = with_headlines(README.read_text(encoding="utf-8"), page)
    if picture.exists():
        page = with_picture(page, name)
        shutil.copyfile(picture, PICTURES / f"{name}.png")
    PAGE.write_text(page, encoding="utf-8")
    README.write_text(readme, encoding="utf-8")
    return 0


def refresh_named(arguments: list[str]) -> int:
    """Refresh what the arguments name: a benchmark's tables, or else the demo's output; return the exit code."""
    try:
        name = next(iter(arguments), "")
        return refresh_table(name, arguments[1:]) if name in TABLES else refresh(arguments)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(refresh_named(sys.argv[1:]))
