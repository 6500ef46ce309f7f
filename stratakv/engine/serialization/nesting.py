"""How deep a MessagePack value nests, found without recursion.

Owns the bound that keeps damaged bytes from exhausting the C stack: the unpacker allows 1023 levels a call,
and each Ext container is a new call. Builds no values.
"""

from __future__ import annotations

from stratakv.engine.serialization import layout
from stratakv.errors import CorruptionError

# A level takes about 600 bytes of stack, and a call of the unpacker up to 1024 levels. Values that the
# writers make nest less than 2400 levels in all.
UNSEEN_LEVELS = 4200
"""Levels allowed by a bound that looks at lengths alone: four long containers within each other."""

SEEN_LEVELS = 2400
"""Levels allowed below that, once they are counted."""

_UNPACKER_LEVELS = 1024
_CALLS_BACK = frozenset({layout.TUPLE, layout.DICT, layout.SET, layout.FROZENSET, layout.SPARSE})

# Bytes after the marker that give a length, and then for each marker: fixed payload, bytes of length, kind.
_SKIP, _ITEMS, _PAIRS, _EXT = range(4)
_MARKERS: dict[int, tuple[int, int, int]] = {
    **dict.fromkeys((*range(128), 192, 194, 195, *range(224, 256)), (0, 0, _SKIP)),
    **{marker: (marker & 0x0F, 0, _PAIRS) for marker in range(0x80, 0x90)},
    **{marker: (marker & 0x0F, 0, _ITEMS) for marker in range(0x90, 0xA0)},
    **{marker: (marker & 0x1F, 0, _SKIP) for marker in range(0xA0, 0xC0)},
    0xC4: (0, 1, _SKIP),
    0xC5: (0, 2, _SKIP),
    0xC6: (0, 4, _SKIP),
    0xC7: (0, 1, _EXT),
    0xC8: (0, 2, _EXT),
    0xC9: (0, 4, _EXT),
    0xCA: (4, 0, _SKIP),
    0xCB: (8, 0, _SKIP),
    **{0xCC + n: (1 << n, 0, _SKIP) for n in range(4)},
    **{0xD0 + n: (1 << n, 0, _SKIP) for n in range(4)},
    **{0xD4 + n: (1 << n, 0, _EXT) for n in range(5)},
    0xD9: (0, 1, _SKIP),
    0xDA: (0, 2, _SKIP),
    0xDB: (0, 4, _SKIP),
    0xDC: (0, 2, _ITEMS),
    0xDD: (0, 4, _ITEMS),
    0xDE: (0, 2, _PAIRS),
    0xDF: (0, 4, _PAIRS),
}


def levels_at_most(body: bytes) -> int:
    """Return a bound on the levels that one call of the unpacker may use for a body. O(1)."""
    return min(len(body), _UNPACKER_LEVELS) + 1


def levels_of(body: bytes) -> int:
    """Return how deep a body nests, containers inside Ext included. Stops early past `SEEN_LEVELS`.

    Raises:
        CorruptionError: The bytes are not MessagePack.
    """
    position, deepest = 0, 0
    # For each open container: items still to come, and where its Ext ends, or 0.
    left, ends = [1], [0]
    while left:
        if not left[-1]:
            left.pop()
            # The unpacker ignores what follows the value in an Ext, so this must skip it too.
            position = ends.pop() or position
            continue
        left[-1] -= 1
        try:
            size, length_bytes, kind = _MARKERS[body[position]]
        except (KeyError, IndexError):
            raise CorruptionError("plaintext has a container that is cut off or not MessagePack") from None
        position += 1
        if length_bytes:
            size = int.from_bytes(body[position : position + length_bytes], "big")
            position += length_bytes
        if kind in {_ITEMS, _PAIRS}:
            left.append(size * (kind - _ITEMS + 1))
            ends.append(0)
        elif kind == _EXT:
            position += 1
            if body[position - 1 : position] and body[position - 1] in _CALLS_BACK:
                left.append(1)
                ends.append(position + size)
            else:
                position += size
        else:
            position += size
        deepest = max(deepest, len(left))
        if deepest > SEEN_LEVELS:
            break
    return deepest
