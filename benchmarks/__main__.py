"""Lists the benchmarks, runs the one named, or runs `all`; further arguments go to the benchmark."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import benchmarks

if TYPE_CHECKING:
    from types import ModuleType


def _all_benchmarks() -> dict[str, ModuleType]:
    names = sorted(module.name for module in iter_modules(benchmarks.__path__))
    modules = {name: import_module(f"benchmarks.{name}") for name in names if not name.startswith("_")}
    return {name: module for name, module in modules.items() if hasattr(module, "main")}


def main(arguments: list[str]) -> int:
    """Run what the arguments name. Returns 0 when all went well, 2 when the name is unknown."""
    known = _all_benchmarks()
    if not arguments or arguments[0] in {"-h", "--help"}:
        print("usage: python -m benchmarks NAME|all [arguments; --help tells them]\n")
        for name, module in known.items():
            print(f"  {name:12} {(module.__doc__ or '').splitlines()[0]}")
        return 0
    name, *rest = arguments
    if name == "all":
        return max(int(module.main(rest)) for module in known.values())
    if name not in known:
        print(f"unknown benchmark {name!r}: known are all, {', '.join(known)}", file=sys.stderr)
        return 2
    return int(known[name].main(rest))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
