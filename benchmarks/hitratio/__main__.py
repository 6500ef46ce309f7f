"""Lets `python -m benchmarks.hitratio` run the benchmark."""

from __future__ import annotations

import sys

from benchmarks.hitratio.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
