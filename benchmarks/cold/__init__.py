"""What a cold tier in S3 costs: a read beside a raw GET of the same bytes, the requests of all work, and the bill.

Many small values (the demo's records, or those of --data, each made different by a number) are stored and demoted, the
store is opened again, and single values are read, in turn with a plain boto3 client that asks for the same range.
Medians of each lap are compared. Requests are those that the backend counted; a listing by the plain client says what
lies there, and the bill in the statistics is held against arithmetic on both. The server is moto's, started here, or
the one that is named. moto is written in Python: its GET is slow, and a ratio over it flatters.
"""

from benchmarks.cold.command import main

__all__ = ["main"]
