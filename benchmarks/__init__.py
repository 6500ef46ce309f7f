"""Measurements that decided something, kept so that anyone can run them again: `python -m benchmarks`.

Each module is one benchmark and has `main(arguments) -> int`, which prints a table or, with `--json`, one
JSON object. Figures are compared with a floor or a peer measured in the same run, so they hold on any machine
as ratios.
"""
