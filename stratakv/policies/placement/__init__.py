"""Placement: how long a blob that nobody reads stays in a tier, per namespace and edge, from prices and hazards."""
