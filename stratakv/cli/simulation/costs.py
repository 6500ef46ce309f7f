"""`stratakv simulate --cost`: what a whole configuration costs over a trace's own time, and what it could have cost.

Owns the rows and their words. Every row is the same bill (`policies/simulation/cost.py`): the configured
idle times, those that the tuner moves, keeping everything in RAM, letting go at once, and the best static thresholds
that hindsight finds.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from stratakv.cli.output import counted, print_json, print_line, print_table
from stratakv.cli.simulation.cost_options import UNITS
from stratakv.cli.simulation.traces import read_trace
from stratakv.config import load_config
from stratakv.engine.moments import span
from stratakv.engine.placement import prices_of
from stratakv.errors import ConfigurationError
from stratakv.policies.simulation.cost import CostReport, hindsight, simulate_cost
from stratakv.policies.simulation.schedule import BreakEvens, Idle, Seconds, Tuned
from stratakv.policies.simulation.trace import GET

if TYPE_CHECKING:
    import argparse

    from numpy.typing import NDArray

    from stratakv.config import OptimizationConfig
    from stratakv.policies.placement.prices import Prices
    from stratakv.policies.simulation.trace import Trace

    Columns = dict[str, NDArray[np.generic]]

MOST_RETUNES = 2000
LARGEST_VALUE = 1 << 40
MONTH_SECONDS = 365.25 / 12 * 86_400


def run(args: argparse.Namespace) -> int:
    """Print what each rule costs.

    Returns:
        0.

    Raises:
        ConfigurationError: A trace or an option cannot be used.
    """
    if not args.traces:
        raise ConfigurationError("name at least one trace file")
    if args.duration is not None and not 0 < args.duration < math.inf:
        raise ConfigurationError(f"--duration is a number of hours above 0, not {args.duration:g}")
    if not 1 <= args.value_bytes <= LARGEST_VALUE:
        raise ConfigurationError(f"--value-bytes is at least 1 and at most {LARGEST_VALUE:,}, not {args.value_bytes}")
    config = load_config(args.config).config
    traces = [read_trace(file) for file in args.traces]
    columns = [_columns(trace, args) for trace in traces]
    told = [row for trace, each in zip(traces, columns, strict=True) for row in _rows(trace, each, config, args.tuner)]
    if args.json:
        print_json(told)
        return 0
    for trace, each in zip(traces, columns, strict=True):
        _print(trace, each, [row for row in told if row["trace"] == trace.name])
    return 0


def _columns(trace: Trace, args: argparse.Namespace) -> Columns:
    """Return the columns of a timed trace.

    Raises:
        ConfigurationError: It has no times, or none of them pass, and no duration is given.
    """
    count = len(trace)
    if trace.times is not None and args.duration is None:
        times = trace.times * UNITS[args.time_unit]
    elif args.duration is not None:
        times = np.linspace(0.0, args.duration * 3600, count)
    else:
        raise ConfigurationError(f"trace {trace.name} has no column 'ts': say how long it took with --duration HOURS")
    if count < 2 or not times[-1] > times[0]:
        raise ConfigurationError(f"no time passes in trace {trace.name}: say how long it took with --duration HOURS")
    sizes = np.full(count, args.value_bytes) if trace.sizes is None else trace.sizes
    ops = np.full(count, GET, np.uint8) if trace.ops is None else trace.ops
    return {"key": trace.keys, "size": sizes, "op": ops, "ts": times - times[0]}


def _rows(trace: Trace, columns: Columns, config: OptimizationConfig, tuner: str) -> list[dict[str, Any]]:
    prices = prices_of(config)
    tiered, adaptive = config.tiered_storage, config.adaptive
    configured: tuple[Idle, Idle] = (
        Seconds(tiered.hot_to_warm_idle_hours * 3600), Seconds(tiered.warm_to_cold_idle_hours * 3600),
    )  # fmt: skip
    best = hindsight(columns, prices)
    rules: dict[str, tuple[Idle, Idle]] = {}
    if tuner != "on":
        rules["as configured"] = configured
    if tuner != "off":
        # With a learning rate of 0 nothing would be tuned. Years of a trace are retuned less often than days.
        every = max(adaptive.retune_interval_seconds, float(columns["ts"][-1]) / MOST_RETUNES)
        tuned = Tuned(every, adaptive.retune_requests, adaptive.learning_rate or 1.0)
        rules["tuned"] = (tuned, tuned)
    rules["keep all in RAM"] = (BreakEvens(math.inf), BreakEvens(math.inf))
    rules["let go at once"] = (BreakEvens(0.0), BreakEvens(0.0))
    rules["best fixed, by hindsight"] = (BreakEvens(best.hot.units), BreakEvens(best.warm.units))
    return [_told(trace, name, columns, prices, idle) for name, idle in rules.items()]


def _told(trace: Trace, name: str, columns: Columns, prices: Prices, idle: tuple[Idle, Idle]) -> dict[str, Any]:
    report = simulate_cost(columns, prices, hot=idle[0], warm=idle[1])
    return {
        "trace": trace.name,
        "rule": name,
        "seconds": report.seconds,
        "total": report.total,
        "floor": report.floor,
        "controllable": report.controllable,
        "rent": report.hot.rent + report.warm.rent,
        "moves": report.hot.moves + report.warm.moves,
        "requests": report.hot.requests + report.warm.requests,
        "waiting": report.hot.latency + report.warm.latency,
        "mean_latency_seconds": report.mean_latency,
        "reads_from_warm": report.hot.returned,
        "reads_from_cold": report.warm.returned,
        "retunes": _retunes(report),
    }


def _retunes(report: CostReport) -> int:
    return max(len(report.hot.decisions), len(report.warm.decisions))


def _print(trace: Trace, columns: Columns, rows: list[dict[str, Any]]) -> None:
    seconds = rows[0]["seconds"]
    print_line()
    print_line(
        f"{trace.name}: {counted(len(columns['key']), 'request')} over {span(seconds)}; per month at this pace, in the "
        "currency of the prices"
    )
    months = seconds / MONTH_SECONDS
    least = min(row["controllable"] for row in rows)
    print_table(
        ("rule", "total", "fixed", "rent", "moves", "requests", "waiting", "over the least", "mean wait of a read"),
        [
            (
                row["rule"],
                *(f"{row[part] / months:.4g}" for part in ("total", "floor", "rent", "moves", "requests", "waiting")),
                _over(row["controllable"], least),
                f"{1e6 * row['mean_latency_seconds']:.1f} us",
            )
            for row in rows
        ],
    )
    print_line(
        "fixed: what every value costs in the object store, whatever the rule. over the least: of all but that. The "
        "prices and idle times are those of --config; capacity, eviction and admission are not in it."
    )


def _over(cost: float, least: float) -> str:
    """Say how much more a rule costs than the cheapest."""
    if least <= 0:
        return "-"
    times = cost / least
    return f"{100 * (times - 1):.1f}%" if times < 10 else f"{times:,.0f} x"
