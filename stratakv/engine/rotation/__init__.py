"""Learned rotations: float vectors in a few bits a coordinate, found again without loss.

`Rotation` is what a namespace learned of its vectors, `trained` learns it. Nothing here knows of keys, tiers or files.
"""

from stratakv.engine.rotation.coding import vectors_installed
from stratakv.engine.rotation.model import Multiples, Rotation
from stratakv.engine.rotation.training import DEFAULT_MIN_COSINE, trained

__all__ = ["DEFAULT_MIN_COSINE", "Multiples", "Rotation", "trained", "vectors_installed"]
