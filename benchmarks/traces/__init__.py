"""What benchmarks over recorded traces share: where requests come from, the options that say so, processes, goals."""
