"""Lets `python -m benchmarks.adaptive` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.adaptive.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
