"""Lets `python -m benchmarks.large` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.large.command import main

sys.exit(main(sys.argv[1:]))
