"""Whether compacting packs of an object store pays: what it costs once against what dead bytes cost every month.

Pure arithmetic on prices. Compacting reads whole packs over the network and writes their live part anew; what it saves
is the storage of their dead part, for as long as the data is expected to stay.
"""

from __future__ import annotations

from typing import NamedTuple

GB = 1e9

PAYBACK_MONTHS = 6.0
"""Cold data is expected to stay at least so long; what does not pay back by then is not worth the requests."""


class CompactionPrices(NamedTuple):
    """Prices in one currency: of a GB stored for a month, 1,000 writing and reading requests, and a GB read."""

    gb_month: float
    put_per_1000: float
    get_per_1000: float
    transfer_gb: float


def pays(prices: CompactionPrices, length: int, live_share: float, pack_bytes: int) -> bool:
    """Tell whether a pack's dead bytes cost more than removing them.

    Args:
        prices: As configured.
        length: The pack's bytes.
        live_share: The share of it that is live, 0 to 1.
        pack_bytes: The size of a new pack, which live parts of several old ones share.
    """
    dead = length * (1 - live_share)
    saved = dead / GB * prices.gb_month * PAYBACK_MONTHS
    written = length * live_share / pack_bytes  # of one PUT: the others fill the rest of the new pack
    cost = prices.get_per_1000 / 1000 + length / GB * prices.transfer_gb + written * prices.put_per_1000 / 1000
    return saved > cost
