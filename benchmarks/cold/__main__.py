"""Lets `python -m benchmarks.cold` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.cold.command import main

sys.exit(main(sys.argv[1:]))
