"""Prices turned into what one edge between two tiers costs: rent, moving down, coming back, and the break-even time.

Owns the arithmetic from a price list to `EdgeCosts`; decides nothing. Invariant: with equal prices, the break-even
time falls with the size, down to a limit that does not depend on it.

The break-even time is the five-minute rule (Gray and Putzolu, "The 5 minute rule for trading memory for disc
accesses", SIGMOD 1987) with the price of a waiting caller in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GB = 1e9

MONTH_SECONDS = 365.25 / 12 * 86_400

PACK_BYTES = 8 << 20
"""Blobs that go down together share one writing request for so many bytes."""

INFINITE = float("inf")


class Prices(NamedTuple):
    """What things cost, in one currency; the fields and defaults of the configuration's `adaptive.prices`.

    Attributes:
        ram_gb_month: One GB of RAM for a month.
        ssd_gb_month: One GB of SSD for a month.
        object_gb_month: One GB in the object store for a month.
        put_per_1000: 1,000 writing requests to the object store.
        get_per_1000: 1,000 reading requests to it.
        transfer_gb: One GB read from it over the network.
        blocked_second: A second of whoever waits for a read.
    """

    ram_gb_month: float = 3.0
    ssd_gb_month: float = 0.08
    object_gb_month: float = 0.023
    put_per_1000: float = 0.005
    get_per_1000: float = 0.0004
    transfer_gb: float = 0.09
    blocked_second: float = 1e-5


class ReadTime(NamedTuple):
    """How long a read from a tier takes: seconds whatever the size, and seconds for each byte."""

    seconds: float
    per_byte: float

    def of(self, size: float) -> float:
        """Return the seconds that reading so many bytes takes."""
        return self.seconds + self.per_byte * size


WARM_READ = ReadTime(1e-4, 2e-9)
"""An SSD behind a catalog: 0.1 ms, then 500 MB a second."""

COLD_READ = ReadTime(0.03, 1e-8)
"""An object store in the same region: 30 ms, then 100 MB a second."""


class EdgeCosts(NamedTuple):
    """What one edge costs. All in the currency of the prices.

    Attributes:
        name: `hot->warm` or `warm->cold`.
        rent: What a byte costs for each second that it stays in the upper tier. Not positive: staying is free.
        moving_blob: What moving one blob down costs, whatever its size.
        moving_byte: What moving costs for each byte.
        return_blob: What one read from the lower tier costs, whatever the size: request and wait.
        return_byte: What it costs for each byte: transfer and wait.
        request: The part of `return_blob` that is requests, not waiting.
        transfer: The part of `return_byte` that is transfer, not waiting.
    """

    name: str
    rent: float
    moving_blob: float
    moving_byte: float
    return_blob: float
    return_byte: float
    request: float = 0.0
    transfer: float = 0.0

    def moving(self, size: float) -> float:
        """Return what moving one blob of so many bytes down costs."""
        return self.moving_blob + self.moving_byte * size

    def returning(self, size: float) -> float:
        """Return what one read of a blob of so many bytes from the lower tier costs."""
        return self.return_blob + self.return_byte * size

    def break_even_seconds(self, size: float) -> float:
        """Return after how many idle seconds the rent of a blob has cost as much as one return.

        Infinite where staying is free. An empty blob counts as one byte.
        """
        if self.rent <= 0:
            return INFINITE
        size = max(1.0, size)
        return self.returning(size) / (self.rent * size)

    def break_even_each(self, sizes: NDArray[np.generic]) -> NDArray[np.float64]:
        """Return `break_even_seconds` of each size of an array."""
        bytes_each = np.maximum(1.0, sizes.astype(np.float64))
        if self.rent <= 0:
            return np.full(bytes_each.shape, INFINITE)
        return (self.return_blob + self.return_byte * bytes_each) / (self.rent * bytes_each)


def hot_to_warm(prices: Prices, read: ReadTime = WARM_READ) -> EdgeCosts:
    """Return what the edge from RAM to SSD costs.

    RAM is a cache: the blob lies on the SSD as well, so leaving RAM saves the whole rent of RAM and moves nothing.

    Args:
        prices: As configured.
        read: How long a read from the SSD takes.
    """
    wait = prices.blocked_second
    rent = prices.ram_gb_month / GB / MONTH_SECONDS
    return EdgeCosts("hot->warm", rent, 0.0, 0.0, read.seconds * wait, read.per_byte * wait)


def warm_to_cold(prices: Prices, read: ReadTime = COLD_READ, pack_bytes: int = PACK_BYTES) -> EdgeCosts:
    """Return what the edge from SSD to the object store costs.

    The blob lies in one of the two, so leaving saves the difference of their rents. Blobs go down in packs, each a
    writing request; a return is a reading request of its own, the transfer, and the wait.

    Args:
        prices: As configured.
        read: How long a read from the object store takes.
        pack_bytes: How many bytes share a writing request.
    """
    wait = prices.blocked_second
    rent = (prices.ssd_gb_month - prices.object_gb_month) / GB / MONTH_SECONDS
    request = prices.get_per_1000 / 1000
    transfer = prices.transfer_gb / GB
    return EdgeCosts(
        "warm->cold",
        rent,
        0.0,
        prices.put_per_1000 / 1000 / pack_bytes,
        request + read.seconds * wait,
        transfer + read.per_byte * wait,
        request,
        transfer,
    )
