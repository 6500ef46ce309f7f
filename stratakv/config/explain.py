"""Tells what a configuration says and where each value came from; writes the reference page. Changes nothing.

The page `docs/configuration.md` is this module's output, byte for byte; a test keeps it so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stratakv.config.checking import allowed
from stratakv.config.levels import LEVELS
from stratakv.config.loading import setting_keys
from stratakv.config.model import OptimizationConfig
from stratakv.config.policy_sections import NamespaceConfig

if TYPE_CHECKING:
    from stratakv.config.loading import LoadedConfig
    from stratakv.config.schema import Leaf
    from stratakv.config.setting import Section
    from stratakv.config.sources import Source

EXAMPLE = """\
optimization_level: moderate
storage:
  path: memory
  durability: process
tiered_storage:
  hot_capacity_mb: 64
  warm_to_cold_idle_hours: 12
namespaces:
  session:
    match: "session:*"
    ttl: 86400
  episodic:
    match: ["episode:*", "event:*"]
    prunable: true
    prune_after_days: 90
"""

_INTRODUCTION = """\
# Configuration

This page is written by `python -m stratakv.config`; a test compares the two.

```yaml
{example}```

A value comes from the last of these that gives it:

1. the default;
2. the preset of the optimisation level, where a level is named: it also sets `enabled` to true;
3. the YAML file;
4. the environment: `STRATAKV__TIERED_STORAGE__HOT_CAPACITY_MB=64`. Two underscores separate the parts, lists
   are separated by commas, and empty text stands for none;
5. overrides: `load_config(overrides={{"tiered_storage.hot_capacity_mb": 64}})`, or `--set KEY=VALUE`.

The environment applies to the defaults and to a file, never to an `OptimizationConfig` object that a program
hands over. Unknown keys, duplicate keys, wrong types and contradictions are errors that name file, line and
key. `stratakv config show` tells each value and where it came from; `stratakv config validate FILE` lists all
errors.

1 MB is 1,048,576 bytes, 1 KB is 1,024. There are no settings for credentials: boto3 finds them elsewhere.

## Optimisation levels

These decide every setting whose default is *level*.

| level | compression_level | background_budget_us_per_kb | read_budget_us_per_kb | hot_capacity_mb | \
migration_interval_seconds | prune_after_days |
|---|---|---|---|---|---|---|
{levels}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One setting of a loaded configuration.

    Attributes:
        key: Dotted key.
        value: The value in force; where the level decides, the level's.
        source: Where it came from.
        meaning: What it means.
    """

    key: str
    value: object
    source: Source
    meaning: str


def explain(loaded: LoadedConfig) -> list[Row]:
    """Return every setting, in order of declaration."""
    return [
        Row(key, _in_force(loaded.config, leaf, section), loaded.sources[key], leaf.setting.meaning)
        for key, (leaf, section) in setting_keys(loaded.config).items()
    ]


def _in_force(config: OptimizationConfig, leaf: Leaf, section: Section) -> object:
    value: object = getattr(section, leaf.name)
    # A level's attributes carry the names of the settings that they decide.
    return getattr(config.level, leaf.name) if value is None and leaf.setting.from_level else value


def reference_page() -> str:
    """Return the reference of all settings as Markdown."""
    levels = "\n".join(
        f"| {name} | {level.compression_level} | {level.background_budget_us_per_kb:g} "
        f"| {level.read_budget_us_per_kb:g} | {level.hot_capacity_mb:g} "
        f"| {level.migration_interval_seconds:g} | {level.prune_after_days:g} |"
        for name, level in LEVELS.items()
    )
    parts = [_INTRODUCTION.format(example=EXAMPLE, levels=levels)]
    config = OptimizationConfig(namespaces={"NAME": NamespaceConfig()})
    title = None
    for key, (leaf, section) in setting_keys(config).items():
        head, _, _ = key.rpartition(".")
        if head != title:
            title = head
            parts.append(_heading(head, section))
        cells = (f"`{key}`", _cell(_kind(leaf)), _default(leaf, section), _cell(leaf.setting.meaning))
        parts.append(f"| {' | '.join(cells)} |\n")
    return "".join(parts)


def _heading(head: str, section: Section) -> str:
    name = f"`{head}`" if head else "Top level"
    summary = (type(section).__doc__ or "").partition("\n")[0]
    about = f"{summary}\n\n" if head else ""
    return f"\n## {name}\n\n{about}| key | type | default | meaning |\n|---|---|---|---|\n"


def _kind(leaf: Leaf) -> str:
    one = allowed(leaf)
    words = f"list of {one}" if leaf.many and not leaf.single else f"{one}, or a list" if leaf.many else one
    return f"{words}, or none" if leaf.optional else words


def _default(leaf: Leaf, section: Section) -> str:
    value = getattr(section, leaf.name)
    if value is None:
        return "*level*" if leaf.setting.from_level else "none"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, str):
        return f"`{value}`" if value else '`""`'
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
