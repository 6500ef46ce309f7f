"""The tuner: pure decisions on thresholds, weights, budgets and shares, from what was measured. See `tuner.py`."""
