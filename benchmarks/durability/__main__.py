"""Lets `python -m benchmarks.durability` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.durability.command import main

sys.exit(main(sys.argv[1:]))
