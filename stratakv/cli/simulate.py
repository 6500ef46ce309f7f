"""`stratakv simulate`: recorded traces replayed through the policies that the store uses.

Owns the command's options and who answers them. Each answer stands in `stratakv.cli.simulation`.
"""

from __future__ import annotations

import argparse

from stratakv.cli.simulation.company import refuse_company
from stratakv.cli.simulation.cost_options import add_options
from stratakv.cli.store_directory import add_arguments

_EXPLANATION = """\
traces:
  .npz with the arrays key and perhaps size, op, ts, or .csv whose first line names the columns key,size,op,ts (only key
  is needed, in any order); both may be compressed (.gz, .xz, .zst). Keys of .csv are any text. op is get, put, delete
  or 0, 1, 2; without it all requests are gets. A get that misses brings the object in.

capacities:
  A number of objects; with --bytes a number of bytes or a size, as 64MB or 1.5GB (1 MB = 1,048,576 bytes); or a share
  of what the trace has in all, as 10%. Without --bytes each object takes the same room, whatever its size.

belady is the bound: it evicts what is read again last, which only a replay can know. It is always among the results.

examples:
  stratakv simulate trace.csv.gz --policy all --capacity 1%,10%
  stratakv simulate trace.npz.xz --policy lru,lfu --capacity 2GB --bytes --plot room.png
  stratakv simulate trace.csv --cost --config memory.yaml
  stratakv simulate --record trace.csv --dir store --seconds 600
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = subparsers.add_parser(
        "simulate",
        help="what policies make of recorded requests, and what more room would bring",
        description="Replays traces through eviction policies and prints how many requests hit, beside the bound of "
        "what is possible. With --plot, a picture of what more or less room would bring.",
        epilog=_EXPLANATION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("traces", nargs="*", metavar="TRACE", help="a file of recorded requests")
    add("--policy", default="all", metavar="P,P...", help="eviction policies by name, or all (the default)")
    add("--capacity", metavar="N,X%,...", help="what fits: objects, or with --bytes bytes, or a share of everything")
    add("--bytes", action="store_true", help="count bytes against the capacity, not objects")
    add(
        "--objective",
        choices=("objects", "bytes"),
        default="objects",
        help="what a policy that can choose shall raise: requests that hit (objects, the default), or their bytes",
    )
    add("--plot", metavar="FILE.png", help="draw hit ratios over capacities; needs matplotlib")
    add("--json", action="store_true", help="print one JSON list of results")
    add_options(parser)
    recording = parser.add_argument_group("recording a trace from a live store")
    recording.add_argument("--record", metavar="FILE", help="write what the store of --dir is asked for, as .csv")
    add_arguments(recording)
    recording.add_argument("--seconds", type=float, default=60.0, help="for how long (60)")
    recording.add_argument("--requests", type=int, default=1_000_000, help="how many operations at most (1,000,000)")


def run(args: argparse.Namespace) -> int:
    """Answer what the options ask for.

    Returns:
        0.

    Raises:
        ConfigurationError: A trace cannot be read, or an option cannot be used.
        StrataError: A policy failed.
    """
    refuse_company(args)
    if args.record is not None:
        from stratakv.cli.simulation import record

        return record.run(args)
    if args.cost:
        from stratakv.cli.simulation import costs

        return costs.run(args)
    from stratakv.cli.simulation import hit_ratios

    return hit_ratios.run(args)
