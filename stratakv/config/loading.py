"""`load_config`: puts the layers together and remembers where each value came from.

Layers, later ones win: defaults (or a given configuration), the preset of a level that some layer names, the
YAML file, the environment, overrides. A wrong value is an error even where a later layer hides it. Owns the
package's only look at the process's environment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from stratakv.config.checking import NAME_RULE, is_name, raise_problems, section_problems, value_problem
from stratakv.config.levels import LEVELS
from stratakv.config.model import OptimizationConfig, get_optimization_level_preset
from stratakv.config.schema import Leaf, shape
from stratakv.config.setting import Section
from stratakv.config.sources import DEFAULT, Assignment, Problem, Source
from stratakv.config.text_layer import locate, read_environment
from stratakv.config.yaml_layer import read_yaml
from stratakv.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration and its origins.

    Attributes:
        config: The configuration.
        sources: Dotted key -> where its value came from, for every setting.
        given: Whether the user configured anything: a base, a file, a variable or an override.
    """

    config: OptimizationConfig
    sources: dict[str, Source]
    given: bool


def load_config(
    path: str | os.PathLike[str] | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    base: OptimizationConfig | None = None,
) -> LoadedConfig:
    """Load, check and explain a configuration.

    Args:
        path: YAML file.
        overrides: Dotted key -> value, such as `{"tiered_storage.hot_capacity_mb": 64}`; a mapping may stand
            for a section.
        environ: The environment; by default the process's own, or none at all when `base` is given: a
            configuration object made by the program is never changed by the environment behind its back.
        base: Takes the place of the defaults. It is copied.

    Raises:
        ConfigurationError: Every problem found, one line each, with file and line, variable or key.
    """
    loaded, problems = read_config(path, overrides=overrides, environ=environ, base=base)
    raise_problems(problems)
    return loaded


def read_config(
    path: str | os.PathLike[str] | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    base: OptimizationConfig | None = None,
) -> tuple[LoadedConfig, list[Problem]]:
    """Load as `load_config` does, but return the problems; with any, the configuration must not be used."""
    if environ is None:
        environ = os.environ if base is None else {}
    file_layer, problems = ([], []) if path is None else read_yaml(path, OptimizationConfig)
    config = OptimizationConfig() if base is None else base.copy()
    override_layer, override_problems = _read_overrides(overrides or {})
    labelled = [a.path[1] for a in file_layer + override_layer if a.path[0] == "namespaces"]
    members = {"namespaces": [*_labels(config), *labelled]}
    env_layer, env_problems = read_environment(environ, OptimizationConfig, members)
    problems += env_problems + override_problems

    accepted = []
    for assignment in file_layer + env_layer + override_layer:
        wrong = _assignment_problem(assignment)
        if wrong is None:
            accepted.append(assignment)
        else:
            problems.append(Problem(assignment.key, wrong, assignment.source))
    given = path is not None or base is not None or bool(env_layer or override_layer)
    assigned = {} if base is None else {key: Source("given") for key in setting_keys(config)}
    for assignment in _preset_layer(accepted) + accepted:
        _assign(config, assignment)
        assigned[assignment.key] = assignment.source
    problems.sort(key=_file_line)
    if not problems:
        problems = [
            Problem(problem.key, problem.message, _place(problem.key, config, assigned))
            for problem in section_problems(config)
        ]
    return LoadedConfig(config, _all_sources(config, assigned), given), problems


def _file_line(problem: Problem) -> float:
    """Put problems in the order of the file, others behind them."""
    line = problem.source.detail.rpartition(":")[2] if problem.source.kind == "file" else ""
    return int(line) if line.isdigit() else float("inf")


def _place(key: str, config: OptimizationConfig, assigned: Mapping[str, Source]) -> Source:
    """Find where a contradiction stands: at its key, or else at the first given key beside it."""
    section, _, _ = key.rpartition(".")
    beside = (other for other in setting_keys(config) if other.rpartition(".")[0] == section)
    return next((assigned[other] for other in (key, *beside) if other in assigned), DEFAULT)


def setting_keys(config: OptimizationConfig) -> dict[str, tuple[Leaf, Section]]:
    """Return every setting of a configuration: dotted key -> (declaration, the section that holds it)."""
    found: dict[str, tuple[Leaf, Section]] = {}

    def visit(section: Section, prefix: str) -> None:
        known = shape(type(section))
        for name, leaf in known.leaves.items():
            found[f"{prefix}{name}"] = (leaf, section)
        for name in known.sections:
            member = getattr(section, name)
            if isinstance(member, Section):
                visit(member, f"{prefix}{name}.")
        for name in known.groups:
            for label, member in _labels(section, name).items():
                if isinstance(member, Section):
                    visit(member, f"{prefix}{name}.{label}.")

    visit(config, "")
    return found


def _labels(section: Section, group: str = "namespaces") -> dict[str, object]:
    members = getattr(section, group)
    return members if isinstance(members, dict) else {}


def _read_overrides(overrides: Mapping[str, object]) -> tuple[list[Assignment], list[Problem]]:
    source = Source("override")
    assignments: list[Assignment] = []
    problems: list[Problem] = []

    def visit(key: str, value: object) -> None:
        parts = key.split(".")
        if isinstance(value, Mapping) and (len(parts) == 1 or parts[0] == "namespaces"):
            if len(parts) > 1 and not value:
                assignments.append(Assignment((parts[0], ".".join(parts[1:])), None, source))
            for name, inner in value.items():
                visit(f"{key}.{name}", inner)
            return
        try:
            path, found = locate(OptimizationConfig, parts, ".")
        except ConfigurationError as error:
            problems.append(Problem(key, str(error), source))
            return
        if isinstance(found, Leaf):
            assignments.append(Assignment(path, value, source))
        elif isinstance(value, Mapping):
            for name, inner in value.items():
                visit(f"{key}.{name}", inner)
        else:
            problems.append(Problem(key, f"key {key!r} is a section; give a mapping of its settings", source))

    for key, value in overrides.items():
        visit(str(key), value)
    return assignments, problems


def _assignment_problem(assignment: Assignment) -> str | None:
    path = assignment.path
    if path[0] == "namespaces" and not is_name(path[1]):
        return f"key 'namespaces' holds the name {path[1][:80]!r}; allowed: {NAME_RULE}"
    if path[0] == "namespaces" and len(path) == 2:
        return None
    _, leaf = locate(OptimizationConfig, path, ".")
    wrong = value_problem(leaf, assignment.value) if isinstance(leaf, Leaf) else None
    return None if wrong is None else f"key {assignment.key!r} {wrong}"


def _preset_layer(accepted: list[Assignment]) -> list[Assignment]:
    """Return what the preset of the level sets, when a layer names a level."""
    named = [a.value for a in accepted if a.path == ("optimization_level",)]
    if not named:
        return []
    level = str(named[-1])
    preset = get_optimization_level_preset(level)
    plain = setting_keys(OptimizationConfig())
    source = Source("preset", level)
    return [
        Assignment(tuple(key.split(".")), value, source)
        for key, (leaf, section) in setting_keys(preset).items()
        if (value := getattr(section, leaf.name)) != getattr(plain[key][1], leaf.name) and key != "optimization_level"
    ]


def _assign(config: OptimizationConfig, assignment: Assignment) -> None:
    section: Section = config
    path = list(assignment.path)
    if path[0] in shape(type(config)).groups:
        group, label, *path = path
        members = getattr(config, group)
        if label not in members:
            members[label] = shape(type(config)).groups[group]()
        section = members[label]
        if not path:
            return
    for name in path[:-1]:
        section = getattr(section, name)
    value = assignment.value
    if shape(type(section)).leaves[path[-1]].base is float and isinstance(value, int):
        value = float(value)
    setattr(section, path[-1], list(value) if isinstance(value, list) else value)


def _all_sources(config: OptimizationConfig, assigned: Mapping[str, Source]) -> dict[str, Source]:
    """Give every setting a source; what is none because the level decides comes from the level's preset."""
    level = Source("preset", config.optimization_level) if config.optimization_level in LEVELS else DEFAULT
    sources = {}
    for key, (leaf, section) in setting_keys(config).items():
        decided = leaf.setting.from_level and getattr(section, leaf.name) is None
        sources[key] = level if decided else assigned.get(key, DEFAULT)
    return sources
