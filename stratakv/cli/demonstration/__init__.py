"""The demo's parts: records out of a Python installation, their replay through a store, and the report."""
