"""The `stratakv` command line."""
