"""Owns `stratakv simulate` without further options: hit ratios of policies over traces, as a table or as JSON.

Whatever can be wrong with traces and options is found before the first replay.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from stratakv.cli.output import counted, human_bytes, print_error, print_json, print_line, print_table
from stratakv.cli.progress import Steps
from stratakv.cli.simulation.capacities import parse_capacities
from stratakv.cli.simulation.curves import find_curves
from stratakv.cli.simulation.plot import check_plot, draw
from stratakv.cli.simulation.runs import BELADY, Cache, Result, Run, parse_policies
from stratakv.cli.simulation.traces import read_trace
from stratakv.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from stratakv.policies.simulation.trace import Trace

_HEADERS = ("policy", "hit %", "below belady", "byte hit %", "below belady")
_WITHOUT_SIZES = 3
"""So many of the columns say anything of a trace without sizes."""


def run(args: argparse.Namespace) -> int:
    """Replay the traces and print what hit.

    Returns:
        0.

    Raises:
        ConfigurationError: A trace cannot be read, or an option cannot be used.
        StrataError: A policy failed.
    """
    if not args.traces:
        raise ConfigurationError("name at least one trace file")
    if args.capacity is None:
        raise ConfigurationError("say how much fits: --capacity 1000, or 10%, or with --bytes 64MB")
    capacities = parse_capacities(args.capacity, by_bytes=args.bytes)
    caches = [Cache(policy, args.bytes, args.objective) for policy in parse_policies(args.policy)]
    if args.plot is not None:
        check_plot(args.plot)
    traces = [read_trace(file) for file in args.traces]
    _check(traces, by_bytes=args.bytes, plotted=args.plot is not None)
    runs = [
        Run(trace, cache, capacity)
        for trace in traces
        for capacity in dict.fromkeys(asked.of(trace, by_bytes=args.bytes) for asked in capacities)
        for cache in caches
    ]
    for planned in runs:
        planned.cache.check(planned.capacity)
    with Steps(" requests", scale=True, as_json=args.json) as steps:
        results = _replayed(runs, steps)
        if args.plot is not None:
            draw(args.plot, find_curves(results, steps))
    if args.json:
        print_json([result.told() for result in results])
    else:
        for (trace, capacity), group in groupby(results, lambda result: (result.run.trace, result.run.capacity)):
            if trace.gets:
                _print_group(trace, capacity, list(group))
        if args.bytes:
            print_line()
            print_line("belady evicts what is read again last. By bytes that is a strong rule, but no bound.")
    return 0


def _check(traces: list[Trace], *, by_bytes: bool, plotted: bool) -> None:
    for trace in traces:
        if by_bytes and trace.sizes is None:
            raise ConfigurationError(f"trace {trace.name} has no column 'size', which --bytes needs: leave --bytes out")
        if not trace.gets:
            print_error(f"note: trace {trace.name} has no gets, so there is no hit ratio")
    if plotted and not any(trace.gets for trace in traces):
        raise ConfigurationError("there is nothing to plot: no trace has a get")


def _replayed(runs: list[Run], steps: Steps) -> list[Result]:
    results = []
    done, total = 0, sum(len(run.trace) for run in runs)
    for run in runs:
        steps.show("replaying", done, total)
        results.append(Result(run, run.cache.run(run.capacity, run.trace)))
        done += len(run.trace)
    return results


def _print_group(trace: Trace, capacity: int, results: list[Result]) -> None:
    if results[0].run.cache.by_bytes:
        whole = trace.object_bytes
        room = f"{human_bytes(capacity)} ({capacity:,} bytes)"
    else:
        whole = trace.objects
        room = counted(capacity, "object")
    share = f", {100 * capacity / whole:.3g}% of all" if whole else ""
    print_line()
    print_line(
        f"{trace.name}: {counted(trace.gets, 'get')}, {counted(trace.objects, 'object')}; room for {room}{share}"
    )
    bound = next(result.outcome for result in results if result.run.cache.policy == BELADY)
    columns = len(_HEADERS) if trace.sizes is not None else _WITHOUT_SIZES
    rows = [
        (
            result.run.cache.policy,
            *_percent_and_gap(result.outcome.hit_ratio, bound.hit_ratio),
            *_percent_and_gap(result.outcome.byte_hit_ratio, bound.byte_hit_ratio),
        )[:columns]
        for result in sorted(results, key=_rank)
    ]
    print_table(_HEADERS[:columns], rows)


def _rank(result: Result) -> tuple[bool, float]:
    """Order the policies from best to worst, and the bound below them."""
    return result.run.cache.policy == BELADY, -(result.outcome.hit_ratio or 0.0)


def _percent_and_gap(ratio: float | None, bound: float | None) -> tuple[str, str]:
    if ratio is None or bound is None:
        return "-", "-"
    return f"{100 * ratio:.2f}", f"{100 * (bound - ratio):.2f}"
