"""Simulation: traces replayed through the policies that the store uses, without a store."""
