"""How much waits, without counting it: the time to tell does not grow with the outbox."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from cloud_sync.outbox.schema import channel_by_window, outbox, quarantine, total


@dataclass(frozen=True, slots=True)
class ChannelDepth:
    """What waits in one channel."""

    channel: str
    entries: int
    size_bytes: int
    oldest_utc_ns: int


@dataclass(frozen=True, slots=True)
class Depth:
    """What waits. ``oldest_utc_ns`` is None when nothing does."""

    entries: int
    size_bytes: int
    oldest_utc_ns: int | None
    quarantined: int
    channels: tuple[ChannelDepth, ...] = ()  # those in which something waits


def read_depth(connection: Connection) -> Depth:
    """Tell what waits in the outbox of this database."""
    rows = connection.execute(select(total).where(total.c.entries > 0).order_by(total.c.channel)).all()
    channels = tuple(
        ChannelDepth(row.channel, row.entries, row.size_bytes, _oldest_utc_ns(connection, row.channel)) for row in rows
    )
    return Depth(
        entries=sum(each.entries for each in channels),
        size_bytes=sum(each.size_bytes for each in channels),
        oldest_utc_ns=min((each.oldest_utc_ns for each in channels), default=None),
        quarantined=connection.execute(select(func.count()).select_from(quarantine)).scalar_one(),
        channels=channels,
    )


def _oldest_utc_ns(connection: Connection, channel: str) -> int:
    """Return when the oldest entry was made: the first, or the one with the earliest windows, which may be merged ones.

    Not the least of all: that would be a scan. The two differ only where the clock was set back.
    """
    made = select(outbox.c.created_utc_ns)
    first = made.where(outbox.c.channel == channel).order_by(outbox.c.seq).limit(1)
    earliest = made.where(outbox.c.window_start_s.is_not(None), channel_by_window == channel)
    found: list[int] = [connection.execute(first).scalar_one()]
    if channel == "rollup":
        found += connection.execute(earliest.order_by(outbox.c.window_start_s).limit(1)).scalars()
    return min(found)
