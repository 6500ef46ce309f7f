"""Puts real output into README.md: the demo's by `python -m benchmarks.readme`, a benchmark's by `... NAME --data DIR`.

NAME is one of `TABLES`. Runs `stratakv demo`, or the benchmark (`--result FILE` takes a JSON result of it that is there
already), and replaces what stands between the two markers. It measures nothing itself, so it is no benchmark that
`python -m benchmarks all` would run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from importlib import import_module
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- demo output -->"
END = "<!-- end of demo output -->"
TABLES = ("reduction", "hitratio", "adaptive", "large", "vectors")
"""Benchmarks with a `markdown` module; the README has markers for each."""
TABLE_BEGIN = "<!-- reduction table -->"
TABLE_END = "<!-- end of reduction table -->"


def anonymous(text: str) -> str:
    """Return the output without the place where Python is installed: it says nothing to a reader."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return text.replace(str(library.parent.parent), "...")


def with_output(readme: str, output: str) -> str:
    """Return the README with the block between the markers replaced.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    return _between(readme, BEGIN, END, f"```text\n{output.strip()}\n```")


def with_table(readme: str, table: str, name: str = "reduction") -> str:
    """Return the README with a benchmark's tables replaced.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    # Markdown wants an empty line between a comment and a table.
    return _between(readme, f"<!-- {name} table -->", f"<!-- end of {name} table -->", f"\n{table.strip()}\n")


def _between(readme: str, begin: str, end: str, block: str) -> str:
    if readme.count(begin) != 1 or readme.count(end) != 1:
        raise ValueError(f"{README.name} must have each of {begin} and {end} once")
    before, _, rest = readme.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{block}\n{end}{after}"


def refresh(arguments: list[str]) -> int:
    """Run the demo with further arguments and update the README; return the demo's exit code."""
    command = [sys.executable, "-m", "stratakv.cli.main", "demo", *arguments]
    demo = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if demo.returncode == 0:
        README.write_text(with_output(README.read_text(encoding="utf-8"), anonymous(demo.stdout)), encoding="utf-8")
    else:
        print(f"the demo failed with code {demo.returncode}: {README.name} stays as it is", file=sys.stderr)
    return demo.returncode


def refresh_table(name: str, arguments: list[str]) -> int:
    """Put a benchmark's tables into the README; return the benchmark's exit code.

    Args:
        name: One of `TABLES`.
        arguments: The benchmark's own; or `--result FILE`, a JSON result that it printed before.
    """
    if arguments[:1] == ["--result"] and len(arguments) == 2:
        text = Path(arguments[1]).read_text(encoding="utf-8")
    else:
        with_table(README.read_text(encoding="utf-8"), "", name)  # lacking markers are found before minutes have passed
        command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *arguments]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if ran.returncode:
            print(f"the benchmark failed with code {ran.returncode}: {README.name} stays as it is", file=sys.stderr)
            return ran.returncode
        text = ran.stdout
    result = json.loads(text)
    if result.get("quick"):
        raise ValueError(f"that is the result of a --quick run: {README.name} tells those of whole ones")
    table = import_module(f"benchmarks.{name}.markdown").markdown(result)
    README.write_text(with_table(README.read_text(encoding="utf-8"), table, name), encoding="utf-8")
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
