"""Puts the demo's real output into README.md: `python -m benchmarks.readme`.

Runs `stratakv demo` and replaces what stands between the two markers. It measures nothing itself, so it is no benchmark
that `python -m benchmarks all` would run.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN = "<!-- demo output -->"
END = "<!-- end of demo output -->"


def anonymous(text: str) -> str:
    """Return the output without the place where Python is installed: it says nothing to a reader."""
    library = Path(sysconfig.get_paths()["stdlib"])
    return text.replace(str(library.parent.parent), "...")


def with_output(readme: str, output: str) -> str:
    """Return the README with the block between the markers replaced.

    Raises:
        ValueError: A marker is missing, or stands there twice.
    """
    if readme.count(BEGIN) != 1 or readme.count(END) != 1:
        raise ValueError(f"{README.name} must have each of {BEGIN} and {END} once")
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```text\n{output.strip()}\n```\n{END}{after}"


def refresh(arguments: list[str]) -> int:
    """Run the demo with further arguments and update the README; return the demo's exit code."""
    command = [sys.executable, "-m", "stratakv.cli.main", "demo", *arguments]
    demo = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if demo.returncode == 0:
        README.write_text(with_output(README.read_text(encoding="utf-8"), anonymous(demo.stdout)), encoding="utf-8")
    else:
        print(f"the demo failed with code {demo.returncode}: {README.name} stays as it is", file=sys.stderr)
    return demo.returncode


if __name__ == "__main__":
    sys.exit(refresh(sys.argv[1:]))
