"""How fast and how small the sync is, end to end, against real brokers and databases: ``python -m benchmarks.sync``."""
