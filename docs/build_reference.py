"""Writes docs/reference from the docstrings of the public names, by `python -m docs.build_reference`; a test compares.

Owns which names stand on which page, in which order, and how a docstring in Google's style becomes Markdown. Reads the
package by `inspect` alone. `docs/configuration.md` has the settings and is written elsewhere.
"""

from __future__ import annotations

import enum
import inspect
import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import stratakv
from docs.command_line import command_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = Path(__file__).resolve().parent / "reference"
_SECTIONS = ("Args", "Attributes", "Raises", "Returns")
_HEADINGS = {"Args": "Arguments"}
_ENTRY = re.compile(r"    (\*{0,2}[\w., ]+): (.*)")


class Page(NamedTuple):
    """A page of the reference.

    Attributes:
        title: Its heading.
        about: What stands below it.
        names: The public names on it, in order; of a class also those of its members that are told.
    """

    title: str
    about: str
    names: dict[str, tuple[str, ...] | None]


PAGES = {
    "middleware": Page(
        "OptimizationMiddleware",
        "The store, the wrapper and the mapping in one object. Beside the verbs below it has those of a "
        "`MutableMapping`: `memory[key]`, `del`, `in`, `len`, iteration, `items`, `values`, `update`. A `KeyError` "
        "tells a miss there. All of it may be called from several threads.",
        {"OptimizationMiddleware": None},
    ),
    "doors": Page(
        "Doors",
        "Three more ways to the same store: by tiers, by contents, and the codecs alone. `memory.tiered_storage`, "
        "`memory.dedup_engine` and `memory.compression_engine` are those of a middleware; each also works alone.",
        {
            "TieredStorageManager": None,
            "DeduplicationEngine": None,
            "CompressionEngine": ("compress", "decompress", "learn_rotation", "get_statistics"),
            "CompressionResult": None,
            "DecompressionResult": None,
        },
    ),
    "configuration": Page(
        "Configuration objects",
        "What the sections hold, with types and defaults: [all settings](../configuration.md). The same from a file: "
        "[tune by YAML](../how-to/tune-by-yaml.md).",
        {
            "OptimizationConfig": ("validate", "copy"),
            "get_optimization_level_preset": None,
            "load_config": None,
        },
    ),
    "names": Page(
        "Tiers, strategies, clocks",
        "What is passed to the other names.",
        {
            "StorageTier": None,
            "CompressionStrategy": None,
            "Clock": None,
            "SystemClock": (),
            "ManualClock": ("advance", "set_wall"),
        },
    ),
    "errors": Page(
        "Errors",
        "Few kinds, each telling what to do. All derive from `StrataError`. A miss is no error, except for "
        "`memory[key]`. The wrapped engine's own exceptions pass through unchanged.",
        {
            "StrataError": None,
            "ConfigurationError": None,
            "SerializationError": None,
            "CapacityError": None,
            "TierUnavailableError": None,
            "CorruptionError": None,
            "ClosedError": None,
            "StoreLockedError": None,
        },
    ),
}


def pages() -> dict[str, str]:
    """Return the text of every file in the folder by its name."""
    written = {f"{name}.md": _page(page) for name, page in PAGES.items()}
    return written | {"command-line.md": command_line(), "README.md": _index()}


def _index() -> str:
    lines = [
        "# Reference",
        "",
        "Written from the docstrings by `python -m docs.build_reference`; a test compares. What is not listed here",
        "is not public and may change.",
        "",
    ]
    for name, page in PAGES.items():
        lines += [f"**[{page.title}]({name}.md)**", "", "| name | what |", "|---|---|"]
        for public in page.names:
            lines.append(f"| [`{public}`]({name}.md#{public.lower()}) | {_summary(getattr(stratakv, public))} |")
        lines.append("")
    lines += ["**[Command line](command-line.md)**: every command with its options.", ""]
    lines += ["**[Settings](../configuration.md)**: every key of the configuration.", ""]
    return "\n".join(lines)


def _page(page: Page) -> str:
    lines = [f"# {page.title}", "", textwrap.fill(page.about, 120, break_on_hyphens=False), ""]
    for name, members in page.names.items():
        lines += _entry(name, getattr(stratakv, name), members)
    return "\n".join(lines).rstrip() + "\n"


def _entry(name: str, public: Any, members: tuple[str, ...] | None) -> Iterator[str]:
    yield from (f"## {name}", "")
    if not inspect.isclass(public) or _has_arguments(public):
        yield from (*_signature(name, public), "")
    yield from _described(public)
    if not inspect.isclass(public):
        return
    if issubclass(public, enum.Enum):
        yield from (", ".join(f"`{member.name}`" for member in public) + ".", "")
        return
    for member in _members(public) if members is None else members:
        static = inspect.getattr_static(public, member)
        yield from (f"### {name}.{member}", "")
        if not isinstance(static, property):
            yield from (*_signature(member, getattr(public, member)), "")
        yield from _described(static.fget if isinstance(static, property) else getattr(public, member))


def _has_arguments(public: type) -> bool:
    plain = issubclass(public, BaseException | enum.Enum) or inspect.isabstract(public)
    return not plain and bool(inspect.signature(public).parameters)


def _members(public: type) -> list[str]:
    """Return the public methods and properties that the package itself defines, the class's own first."""
    found: dict[str, None] = {}
    for base in public.__mro__:
        if base.__module__.startswith("stratakv"):
            for name, member in vars(base).items():
                if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
                    found.setdefault(name)
    return list(found)


def _signature(name: str, function: Any) -> list[str]:
    told = inspect.signature(function)
    parts, star = [], False
    for parameter in told.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            parts.append("*")
        star = star or parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        parts.append(_parameter(parameter))
    answer = "" if told.return_annotation in (told.empty, "None") else f" -> {_annotation(told.return_annotation)}"
    line = f"{name}({', '.join(parts)}){answer}"
    if len(line) <= 100:
        return ["```text", line, "```"]
    return ["```text", f"{name}(", *(f"    {part}," for part in parts), f"){answer}", "```"]


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{stars}{parameter.name}"
    typed = parameter.annotation is not parameter.empty
    if typed:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = parameter.default
    told = str(default) if isinstance(default, enum.Enum) else repr(default)
    return f"{text} = {told}" if typed else f"{text}={told}"


def _annotation(annotation: Any) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _summary(public: Any) -> str:
    return (inspect.getdoc(public) or "").split("\n\n")[0].replace("\n", " ")


def _described(public: Any) -> list[str]:
    """Return a docstring in Google's style as Markdown."""
    lines: list[str] = []
    section = ""
    for line in (inspect.getdoc(public) or "").splitlines():
        if line.rstrip(":") in _SECTIONS and line.endswith(":"):
            section = line.rstrip(":")
            lines += [f"**{_HEADINGS.get(section, section)}**", ""]
        elif not section or (line and not line.startswith(" ")):
            section = ""
            lines.append(line)
        elif entry := _ENTRY.fullmatch(line) if section != "Returns" else None:
            lines.append(f"- {_named(entry[1])}: {entry[2]}")
        else:
            lines.append(line.strip() if section == "Returns" else f"  {line.strip()}")
    return [*lines, ""]


def _named(names: str) -> str:
    return ", ".join(f"`{name}`" for name in names.split(", "))


def write(folder: Path, texts: Iterable[tuple[str, str]]) -> None:
    """Write the files."""
    folder.mkdir(exist_ok=True)
    for name, text in texts:
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(FOLDER, pages().items())
