"""Lets `python -m benchmarks.overhead` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.overhead.command import main

sys.exit(main(sys.argv[1:]))
