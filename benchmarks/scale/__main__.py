"""Lets `python -m benchmarks.scale` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.scale.command import main

sys.exit(main(sys.argv[1:]))
