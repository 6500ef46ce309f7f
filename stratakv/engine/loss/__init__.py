"""Loss: changing a value before it is stored, where that was allowed, within a bound that is measured.

It happens once, at store. What is stored is the changed value: it is serialised, digested and verified like any other,
and every tier keeps exactly that. Nothing here encodes: the codecs find the regular numbers again by themselves.
"""

from stratakv.engine.loss.permission import LOSSY, LossRule, Permissions
from stratakv.engine.loss.report import Loss
from stratakv.engine.loss.rotated import Rotations
from stratakv.engine.loss.walk import lose

__all__ = ["LOSSY", "Loss", "LossRule", "Permissions", "Rotations", "lose"]
