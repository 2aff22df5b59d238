"""Minute rollups of eight cameras with three classes, with noisy counts: nothing compresses well by being dull."""

import json
import random
from collections.abc import Iterator

from cloud_sync.wire import RollupRow

CAMERAS, CLASSES = 8, ("apple", "pear", "person")
FIRST_MINUTE_S = 1_700_000_040
ROWS_A_MINUTE = CAMERAS * (1 + len(CLASSES))


def minute_rows(minute: int, chance: random.Random) -> Iterator[RollupRow]:
    """Yield the rows of one minute: of each camera the whole, and each class."""
    for camera in range(1, CAMERAS + 1):
        frames = 300 - chance.choice((0, 0, 0, 1, 2, 5))
        observed_ms = 60_000 - chance.choice((0, 0, 0, 12, 40, 200))
        for name in ("*", *CLASSES):
            unique = chance.randrange(9)
            yield RollupRow(
                camera=f"row-{camera}",
                zone="*",
                class_name=name,
                start=FIRST_MINUTE_S + 60 * minute,
                length=60,
                revision=1,
                observed_ms=observed_ms,
                frames=frames,
                unique_tracks=unique,
                occupancy_mean=round(chance.random() * unique, 3),
                occupancy_max=min(unique, chance.randrange(1, 6)),
                confidence_mean=round(chance.uniform(0.4, 0.9), 3) if unique else None,
                place=f"hill-farm/block-a/row-{camera}",
            )


def minute_bodies(minutes: int, *, seed: int = 1) -> Iterator[bytes]:
    """Yield the bodies of the outbox entries of so many minutes."""
    chance = random.Random(seed)
    for minute in range(minutes):
        rows = list(minute_rows(minute, chance))
        yield json.dumps({"rollups": rows, "measures": []}, separators=(",", ":")).encode()
