"""Lets `python -m benchmarks.reduction` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.reduction.command import main

sys.exit(main(sys.argv[1:]))
