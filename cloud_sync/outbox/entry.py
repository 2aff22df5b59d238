"""One row of the outbox, and what its body says."""

import json
from dataclasses import dataclass
from typing import Any

from cloud_sync.wire import Channel, MeasureRow, RollupRow


@dataclass(frozen=True, slots=True)
class Entry:
    """One outbox row. ``body`` is the JSON of the message without its envelope."""

    seq: int
    channel: Channel
    boot: int
    created_utc_ns: int
    body: bytes

    def fields(self) -> dict[str, Any]:
        """Return the fields of a message that carries one entry: of any channel but rollups."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    def rows(self) -> list[RollupRow]:
        """Return the rollups of a rollup entry."""
        return [RollupRow(*row) for row in json.loads(self.body)["rollups"]]

    def measures(self) -> list[MeasureRow]:
        """Return the measures of a rollup entry."""
        return [MeasureRow(*row) for row in json.loads(self.body)["measures"]]
