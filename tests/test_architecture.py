"""The rules of the house that a linter cannot see: who may import whom, and what has only one place."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 350

# Which parts of the package a part may import from, itself included.
_BASE = ("stratakv.errors", "stratakv.types", "stratakv.clock")
_CONFIG = (*_BASE, "stratakv.config")
# Policies are pure: the file layer is for those that do I/O.
_FILES = (*_BASE, "stratakv.files")
_BACKENDS = (*_CONFIG, "stratakv.files", "stratakv.backends")
_POLICIES = (*_CONFIG, "stratakv.policies")
_ENGINE = (*_BACKENDS, "stratakv.policies", "stratakv.engine")
_TESTING = (*_FILES, "stratakv.backends", "stratakv.policies", "stratakv.engine.codecs", "stratakv.testing")
MAY_IMPORT = {
    "stratakv.errors": _BASE,
    "stratakv.types": _BASE,
    "stratakv.clock": _BASE,
    "stratakv.files": _FILES,
    "stratakv.config": _CONFIG,
    "stratakv.backends": _BACKENDS,
    "stratakv.policies": _POLICIES,
    "stratakv.engine": _ENGINE,
    "stratakv.cli": (*_ENGINE, "stratakv.cli", "stratakv"),
    "stratakv.testing": _TESTING,
}
VAGUE_NAMES = {"util", "utils", "helper", "helpers", "handler", "handlers", "manager", "managers", "misc"}
WALL_CLOCK = {"time", "time_ns", "monotonic", "monotonic_ns", "sleep"}
STOPWATCHES = {"perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "thread_time"}
PICKLERS = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "shelve", "marshal"}
# Written in two pieces, or this file would break its own rule.
MACHINE_PATHS = ("/" + "work/", "/" + "root/", "/" + "home/")
REGISTRY_HOSTS = ("pypi" + ".org", "pythonhosted" + ".org", "anaconda" + ".org", "index-url" + " http")


class Source(NamedTuple):
    """One Python file: its place below the repository, its dotted module name, text and syntax tree."""

    place: str
    module: str
    text: str
    tree: ast.Module


@cache
def _sources(*folders: str) -> tuple[Source, ...]:
    sources = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            place = path.relative_to(ROOT)
            names = place.with_suffix("").parts
            module = ".".join(names[:-1] if names[-1] == "__init__" else names)
            text = path.read_text(encoding="utf-8")
            sources.append(Source(place.as_posix(), module, text, ast.parse(text)))
    return tuple(sources)


def _package() -> tuple[Source, ...]:
    return _sources("stratakv")


@cache
def _modules() -> frozenset[str]:
    return frozenset(source.module for source in _package())


def _everything() -> tuple[Source, ...]:
    return _sources("stratakv", "tests", "benchmarks")


def _within(module: str, part: str) -> bool:
    return module == part or module.startswith(part + ".")


def _imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and name of each import; `from a import b` yields `a.b` where that is a module, else `a`."""
    modules = _modules()
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            for alias in node.names:
                full = f"{base}.{alias.name}"
                yield node.lineno, full if full in modules else base


def _members_used(source: Source, module: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each member of a foreign module that is used or imported from it."""
    aliases = {
        alias.asname or alias.name
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == module
    }
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in aliases:
            yield node.lineno, node.attr


def _report(offences: list[str], advice: str) -> None:
    assert not offences, "\n".join([advice, *offences])


def test_the_whole_package_was_found() -> None:
    assert {"stratakv", *MAY_IMPORT} <= {source.module for source in _package()}


def test_imports_point_one_way() -> None:
    offences = []
    for source in _package():
        if source.module == "stratakv":
            continue
        allowed = next((parts for owner, parts in MAY_IMPORT.items() if _within(source.module, owner)), None)
        assert allowed is not None, f"{source.place} belongs to no part of MAY_IMPORT: add it there"
        for line, name in _imports(source):
            # The face itself is no part that others lie within: only its very name stands for it.
            permitted = any(name == part if part == "stratakv" else _within(name, part) for part in allowed)
            if _within(name, "stratakv") and not permitted:
                offences.append(f"{source.place}:{line} imports {name}; allowed: {', '.join(allowed)}")
    _report(offences, "move what is needed to a lower part, or hand it in as an argument:")


def test_nothing_below_imports_the_suites_or_the_command_line() -> None:
    offences = [
        f"{source.place}:{line} imports {name}"
        for source in _package()
        for line, name in _imports(source)
        for part in ("stratakv.testing", "stratakv.cli")
        if _within(name, part) and not _within(source.module, part)
    ]
    _report(offences, "the product must run without its tests and its command line:")


def test_no_file_is_longer_than_the_limit() -> None:
    lengths = {source.place: len(source.text.splitlines()) for source in _everything()}
    offences = [f"{place} has {length} lines" for place, length in lengths.items() if length > LONGEST_FILE]
    _report(offences, f"split by meaning; a file has at most {LONGEST_FILE} lines:")


def test_every_module_says_what_it_owns() -> None:
    offences = [source.place for source in _everything() if not ast.get_docstring(source.tree)]
    _report(offences, "begin the file with a docstring: what it owns, what it never does, which invariant holds:")


def test_file_names_say_what_is_inside() -> None:
    offences = [
        source.place
        for source in _everything()
        if VAGUE_NAMES & set(source.place.removesuffix(".py").replace("/", "_").split("_"))
    ]
    _report(offences, f"name the file after the one thing it owns, without {', '.join(sorted(VAGUE_NAMES))}:")


def test_only_the_configuration_reads_the_environment() -> None:
    offences = [
        f"{source.place}:{line} uses os.{name}"
        for source in _package()
        if not _within(source.module, "stratakv.config")
        for line, name in _members_used(source, "os")
        if name in {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv"}
    ]
    _report(offences, "make it a setting, or take it as an argument:")


def test_only_the_clock_tells_time_and_sleeps() -> None:
    offences = [
        f"{source.place}:{line} uses time.{name}"
        for source in _sources("stratakv", "benchmarks")
        if source.module != "stratakv.clock"
        for line, name in _members_used(source, "time")
        if name in WALL_CLOCK
    ]
    dates = [
        f"{source.place}:{node.lineno} uses {ast.unparse(node)}"
        for source in _package()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
        if ast.unparse(node.value).split(".")[-1] in {"datetime", "date"}
    ]
    _report(offences + dates, "take the injected clock (stratakv.clock):")


def test_stopwatches_run_only_where_a_duration_is_the_result() -> None:
    offences = [
        f"{source.place}:{line} uses time.{name}"
        for source in _package()
        if source.module != "stratakv.clock" and not _within(source.module, "stratakv.cli")
        for line, name in _members_used(source, "time")
        if name in STOPWATCHES
    ]
    _report(offences, "take the injected clock, or measure in benchmarks/:")


def test_chance_is_injected() -> None:
    offences = [
        f"{source.place}:{line} imports {name}"
        for source in _package()
        for line, name in _imports(source)
        if name in {"random", "numpy.random"}
    ]
    _report(offences, "take the random source as an argument, so that a run can be repeated:")


def test_only_serialisation_can_unpickle() -> None:
    offences = [
        f"{source.place}:{line} imports {name}"
        for source in _package()
        if not _within(source.module, "stratakv.engine.serialization")
        for line, name in _imports(source)
        if name.split(".")[0] in PICKLERS
    ]
    _report(offences, "pickle runs code: only engine/serialization/ may, behind serialization.allow_pickle:")


def _catches_all(kind: ast.expr | None) -> bool:
    return kind is None or ast.unparse(kind).split(".")[-1] in {"Exception", "BaseException"}


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(node, ast.Pass | ast.Continue)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for node in body
    )


def _suppresses_all(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith("suppress") and any(map(_catches_all, call.args))


def test_no_exception_is_swallowed() -> None:
    offences = []
    for source in _everything():
        for node in ast.walk(source.tree):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and _does_nothing(node.body):
                offences.append(f"{source.place}:{node.lineno} catches everything and does nothing")
            elif isinstance(node, ast.Call) and _suppresses_all(node):
                offences.append(f"{source.place}:{node.lineno} suppresses everything")
    _report(offences, "catch the one error that is meant, or count it, or tell the caller:")


def test_tables_that_threads_share_are_copied_before_their_items_are_listed() -> None:
    # Until 3.12 a list of items may collect garbage while it is made, so another thread may run in its midst; a copy
    # makes nothing that could.
    offences = [
        f"{source.place}:{node.lineno} {ast.unparse(node)}"
        for source in _package()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"list", "tuple", "sorted"} and node.args
        if re.fullmatch(r"(self|parts)\.[\w.]+\.items\(\)", ast.unparse(node.args[0]))
    ]
    _report(offences, "write table.copy().items():")


def test_nothing_is_left_for_later() -> None:
    offences = [
        f"{source.place}:{node.lineno} raises NotImplementedError"
        for source in _package()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Raise) and node.exc is not None
        if ast.unparse(node.exc).startswith("NotImplementedError")
    ]
    _report(offences, "write it, or take the promise of it away; an ABC marks what is to be written:")


def _project_texts() -> Iterator[Path]:
    """Yield what people read or run of the project, without environments, caches and built files."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        generated = any(
            (part.startswith(".") and part != ".ci") or part in {"build", "dist", "__pycache__"} or ".egg-info" in part
            for part in parts[:-1]
        )
        kept = path.suffix in {".py", ".md", ".toml", ".lock", ".yaml", ".yml", ".cfg", ".sh"}
        if not generated and path.is_file() and (kept or path.name == "Makefile" or parts[0] == ".ci"):
            yield path


def test_no_text_names_a_machine_or_a_registry() -> None:
    offences = [
        f"{path.relative_to(ROOT)}:{number} names {unwanted}"
        for path in _project_texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for unwanted in (*MACHINE_PATHS, *REGISTRY_HOSTS)
        if unwanted in line
    ]
    _report(offences, "say it relative to the repository, and leave the registry to the user's settings:")
