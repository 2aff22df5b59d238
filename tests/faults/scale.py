"""How much is tried: a little in each test run, a lot in `make faults`."""

import os

LONG = os.environ.get("HEDGEROW_FAULTS") == "long"


def times(short: int, *, long: int) -> int:
    """Return how often to try."""
    return long if LONG else short
