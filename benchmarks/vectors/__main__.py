"""Lets `python -m benchmarks.vectors` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.vectors.command import main

sys.exit(main(sys.argv[1:]))
