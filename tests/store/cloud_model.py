"""What a cloud makes of a box's entries: the highest revision wins, merged windows supersede shorter ones."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from cloud_sync.outbox import Entry
from cloud_sync.wire import Channel, MeasureRow, RollupRow, ShedMessage, WindowRow, window_rows_of


class CloudModel:
    """Takes entries in any order; asked at the end."""

    def __init__(self) -> None:
        self.arrived: set[int] = set()
        self.named: Counter[int] = Counter()  # seqs that shed records say never come
        self.merged: set[WindowRow] = set()
        self.records: list[ShedMessage] = []
        self.channels: Counter[str] = Counter()
        self._rows: dict[tuple[Any, ...], RollupRow | MeasureRow] = {}

    def take(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.arrived.add(entry.seq)
            self.channels[entry.channel] += 1
            if entry.channel is Channel.ROLLUP:
                for row in (*entry.rows(), *entry.measures()):
                    self._take_row(row)
            elif entry.channel is Channel.SHED:
                fields = {**entry.fields(), "stream": "0" * 32, "seq": entry.seq, "boot": entry.boot}
                self._take_record(ShedMessage.model_validate(fields))

    def _take_row(self, row: RollupRow | MeasureRow) -> None:
        name = row.name if isinstance(row, MeasureRow) else None
        key = (row.camera, row.zone, row.class_name, name, row.start, row.length)
        if key not in self._rows or row.revision > self._rows[key].revision:
            self._rows[key] = row

    def _take_record(self, record: ShedMessage) -> None:
        self.records.append(record)
        self.named.update(seq for first, last in record.ranges for seq in range(first, last + 1))
        assert record.entries == sum(last - first + 1 for first, last in record.ranges)
        if record.became != "nothing":
            assert record.windows is not None
            self.merged.update(window_rows_of(record.windows))

    def _holding(self) -> list[RollupRow | MeasureRow]:
        """Rows that no merged window supersedes."""
        longer = {(window.camera, window.length, window.start) for window in self.merged}
        return [
            row
            for row in self._rows.values()
            if not any(
                row.length < length and (row.camera, length, row.start - row.start % length) in longer
                for length in (3600, 86_400)
            )
        ]

    def rollups(self) -> list[RollupRow]:
        return [row for row in self._holding() if isinstance(row, RollupRow)]

    def measures(self) -> list[MeasureRow]:
        return [row for row in self._holding() if isinstance(row, MeasureRow)]
