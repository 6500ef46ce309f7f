"""Lets `python -m benchmarks.concurrency` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.concurrency.command import main

sys.exit(main(sys.argv[1:]))
