"""Lists the benchmarks, runs the one named, or, where none is, all that make up the proof; arguments go to each."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from time import perf_counter
from typing import TYPE_CHECKING

import benchmarks

if TYPE_CHECKING:
    from types import ModuleType

PROOF = ("reduction", "overhead", "peers", "hitratio", "adaptive", "durability", "cold", "scale")
"""Suites that measure the budgets side by side with what people use today."""


def _all_benchmarks() -> dict[str, ModuleType]:
    names = sorted(module.name for module in iter_modules(benchmarks.__path__))
    modules = {name: import_module(f"benchmarks.{name}") for name in names if not name.startswith("_")}
    return {name: module for name, module in modules.items() if hasattr(module, "main")}


def main(arguments: list[str]) -> int:
    """Run what the arguments name. Returns the highest exit code, 2 when the name is unknown."""
    known = _all_benchmarks()
    if arguments[:1] in (["-h"], ["--help"]):
        print("usage: python -m benchmarks [NAME] [arguments; --help behind a name tells them]\n")
        print(f"Without a name all of these, which is the proof: {', '.join(PROOF)}.\n")
        for name, module in known.items():
            print(f"  {name:12} {(module.__doc__ or '').splitlines()[0]}")
        return 0
    if not arguments or arguments[0].startswith("-"):
        return _prove(known, arguments)
    name, *rest = arguments
    if name not in known:
        print(f"unknown benchmark {name!r}: known are {', '.join(known)}", file=sys.stderr)
        return 2
    return int(known[name].main(rest))


def _prove(known: dict[str, ModuleType], arguments: list[str]) -> int:
    worst = 0
    for name in PROOF:
        started = perf_counter()
        print(f"== {name}", flush=True)
        worst = max(worst, int(known[name].main(arguments)))
        print(f"== {name} took {perf_counter() - started:.0f} s\n", flush=True)
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
