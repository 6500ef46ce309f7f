"""Owns the ways in which a payload is damaged, and the sizes that are claimed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stratakv.engine.codecs.varint import write_varint

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

# Where headers and tables are; half of all damage is done there.
_HEAD = 48
_WRONG_SIZE = 0.2


class Case(NamedTuple):
    """What is given to a decoder.

    Attributes:
        payload: The damaged payload.
        size: The size that is declared for its plaintext.
        how: The damage, by name.
    """

    payload: bytes
    size: int
    how: str


def damaged(chance: random.Random, payloads: Sequence[tuple[bytes, int]]) -> Case:
    """Return one of the payloads with one to three damages, or whole with a wrong size."""
    payload, size = chance.choice(payloads)
    names: list[str] = []
    if chance.random() < _WRONG_SIZE:
        size = chance.choice((0, max(0, size - 1), size + 1, 2 * size, 1 << 20, 1 << 31, 1 << 40))
        names.append(f"size {size}")
    if not names or chance.random() < 0.5:
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            name = chance.choice(("flip", "flip", "cut", "splice", "insert", "number", "number", "garbage"))
            payload = _changed(chance, name, payload, chance.choice(payloads)[0], size)
            names.append(name)
    return Case(payload, size, ", ".join(names))


def _changed(chance: random.Random, name: str, payload: bytes, other: bytes, size: int) -> bytes:
    at = _place(chance, payload)
    match name:
        case "flip":
            changed = bytearray(payload)
            for _ in range(chance.choice((1, 1, 2, 8)) if payload else 0):
                changed[_place(chance, payload) % len(payload)] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case "cut":
            return payload[:at]
        case "splice":
            return payload[:at] + other[_place(chance, other) :]
        case "insert":
            return payload[:at] + chance.randbytes(chance.randint(1, 16)) + payload[at:]
        case "number":
            number = write_varint(chance.choice((0, 1, size, size + 1, 2 * size, 1 << 16, (1 << 31) - 1, 1 << 62)))
            # In place of one byte or of as many as it has: what follows stays in step only by luck.
            return payload[:at] + number + payload[at + chance.choice((1, len(number))) :]
        case _:
            kept = chance.choice((0, 1, at))
            return payload[:kept] + chance.randbytes(chance.choice((0, 3, 40, 300)))


def _place(chance: random.Random, payload: bytes) -> int:
    """Return a place in the payload, or its end."""
    end = len(payload)
    return chance.randint(0, min(end, _HEAD) if chance.random() < 0.5 else end)
