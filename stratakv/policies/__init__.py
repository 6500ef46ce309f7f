"""Pure decisions: eviction, admission, thresholds. No I/O, no clock, no locks."""
