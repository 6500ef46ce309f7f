"""Which options of `stratakv simulate` go together: hit ratios, cost and recording are three questions.

Owns that rule. An option that would have no effect is an error, so that nobody waits for what does not come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

_RATIOS = {
    "policy": "--policy",
    "capacity": "--capacity",
    "bytes": "--bytes",
    "objective": "--objective",
    "plot": "--plot",
}
_COST = {"time_unit": "--time-unit", "duration": "--duration", "value_bytes": "--value-bytes", "tuner": "--tuner"}
_RECORD = {"dir": "--dir", "seconds": "--seconds", "requests": "--requests"}
_DEFAULTS = {
    "policy": "all", "objective": "objects", "bytes": False, "time_unit": "s", "value_bytes": 1024, "tuner": "both",
    "seconds": 60.0, "requests": 1_000_000,
}  # fmt: skip


def refuse_company(args: argparse.Namespace) -> None:
    """Raise where an option is given that belongs to another question.

    Raises:
        ConfigurationError: Names the options.
    """
    if args.record is not None and args.cost:
        raise ConfigurationError("--record and --cost are two questions: ask one after the other")
    if args.record is not None:
        question, others = "--record", {**_RATIOS, **_COST}
        if args.traces:
            raise ConfigurationError(f"--record reads no trace: leave {args.traces[0]} out")
    elif args.cost:
        question, others = "--cost", {**_RATIOS, **_RECORD}
    else:
        question, others = "a replay of hit ratios", {**_COST, **_RECORD, "config": "--config"}
    idle = [option for name, option in others.items() if getattr(args, name) != _DEFAULTS.get(name)]
    if idle:
        raise ConfigurationError(f"{', '.join(idle)} would have no effect with {question}: leave out what is not meant")
