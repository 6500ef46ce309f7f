"""Large values: kept as chunks, each a content of its own, and a manifest that lists them."""
