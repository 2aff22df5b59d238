"""What a box has stored, told from its files alone, agent or no agent: the work behind ``hedgerow status``."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DatabaseError

from agent.clock import SystemClock, kernel_boot_id
from agent.errors import FatalError
from agent.store.boots import undated, utc_now_ns
from agent.store.history import counts_since, last_events, measures_since, window_span_s
from agent.store.store import DATABASE, is_running
from cloud_sync.outbox import DAY_MS, ChannelDepth, Depth, read_depth, read_quarantine, read_usage
from cloud_sync.outbox.schema import stream
from cloud_sync.sqlite import open_sqlite

QUARANTINE_SHOWN = 20


def stored_status(data_dir: Path) -> dict[str, Any]:
    """Read the status of a box from its data directory.

    Returns:
        Plain values for JSON: ``running``, ``stream``, ``undated`` (boots whose clock was never set), ``cameras`` (last
        known state each), ``last_hour`` (counts by camera, zone and class), ``last_hour_measures``, ``outbox``
        (entries, bytes, oldest_s, the same by channel, quarantined, and the newest of those), ``history`` (when its
        oldest and newest windows began) and ``database_bytes``. The time it takes does not grow with the history.

    Raises:
        FatalError: There is no database, or it cannot be read.
    """
    path = data_dir / DATABASE
    if not path.is_file():
        raise FatalError(f"no box has stored anything in {data_dir}: there is no {DATABASE}")
    engine = open_sqlite(path, write=False)
    try:
        return {"running": is_running(data_dir), "database_bytes": path.stat().st_size, **_read(engine)}
    except DatabaseError as error:
        raise FatalError(f"cannot read {path}: {error.orig}") from error
    finally:
        engine.dispose()


def _read(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        now_s = utc_now_ns(connection, SystemClock().now(), kernel_boot_id()) // 1_000_000_000
        return {
            "undated": _undated(connection),
            "stream": connection.execute(select(stream.c.id)).scalar(),  # None: its first start was cut short
            "cameras": _cameras(connection),
            "last_hour": [
                {
                    "camera": count.camera,
                    "zone": count.zone,
                    "class": count.class_name,
                    "unique": count.unique,
                    "observed_s": count.observed_s,
                    "frames": count.frames,
                    "occupancy_mean": round(count.occupancy_mean, 3),
                    "occupancy_max": count.occupancy_max,
                }
                for count in counts_since(connection, now_s - 3600)
            ],
            "last_hour_measures": [
                {
                    "camera": measure.camera,
                    "zone": measure.zone,
                    "class": measure.class_name,
                    "name": measure.name,
                    "readings": measure.readings,
                    "total": round(measure.total, 4),
                    "mean": round(measure.mean, 4),
                }
                for measure in measures_since(connection, now_s - 3600)
            ],
            "outbox": _outbox(connection, now_s),
            "link_today": _link_today(connection, now_s),
            "history": _history(connection),
        }


def _undated(connection: Connection) -> list[dict[str, Any]]:
    """Return the boots whose clock was never set: their times are an estimate."""
    return [
        {
            "boot": each["boot"],
            "from_ms": each["from_ns"] // 1_000_000,
            "until_ms": None if each["until_ns"] is None else each["until_ns"] // 1_000_000,
        }
        for each in undated(connection)
    ]


def _cameras(connection: Connection) -> list[dict[str, Any]]:
    rows = last_events(connection, "camera-state")
    return [{"camera": row.camera, "since_ms": row.utc_ns // 1_000_000, **json.loads(row.data)} for row in rows]


def _history(connection: Connection) -> dict[str, int] | None:
    """Return when the oldest and the newest window began. How many there are is not counted here: that is a scan."""
    span = window_span_s(connection)
    return None if span is None else {"since_s": span[0], "until_s": span[1]}


def _outbox(connection: Connection, now_s: int) -> dict[str, Any]:
    depth = read_depth(connection)
    return {
        **_waiting(depth, now_s),
        "channels": {each.channel: _waiting(each, now_s) for each in depth.channels},
        "quarantined": depth.quarantined,
        "quarantine": [
            {
                "stream": each.stream,
                "seq": each.seq,
                "channel": each.channel,
                "created_ms": each.created_utc_ns // 1_000_000,
                "bytes": each.size_bytes,
                "reason": each.reason,
            }
            for each in read_quarantine(connection, limit=QUARANTINE_SHOWN)
        ],
    }


def _waiting(depth: Depth | ChannelDepth, now_s: int) -> dict[str, Any]:
    oldest_ns = depth.oldest_utc_ns
    return {
        "entries": depth.entries,
        "bytes": depth.size_bytes,
        "oldest_s": None if oldest_ns is None else max(0, now_s - oldest_ns // 1_000_000_000),
    }


def _link_today(connection: Connection, now_s: int) -> dict[str, Any]:
    """Return the bytes on the wire since midnight UTC; a running agent saves them every ten seconds."""
    today = read_usage(connection, now_s * 1000 // DAY_MS)
    return {"sent_bytes": today.sent_bytes, "received_bytes": today.received_bytes, "data_bytes": today.data_bytes}


def summary_lines(status: dict[str, Any]) -> list[str]:
    """Say the same for a person."""
    waiting, today = status["outbox"], status["link_today"]
    lines = [
        f"agent      {'running' if status['running'] else 'not running'}",
        f"database   {status['database_bytes'] / 1e6:.1f} MB, {_history_words(status['history'])}",
        f"outbox     {waiting['entries']} entries waiting"
        + (f", the oldest for {waiting['oldest_s']} s" if waiting["entries"] else "")
        + (f"; {waiting['quarantined']} set aside" if waiting["quarantined"] else ""),
        f"link       {today['sent_bytes'] / 1e3:.1f} kB sent, {today['received_bytes'] / 1e3:.1f} kB received today",
    ]
    lines += [_undated_line(each) for each in status["undated"]]
    lines += [_channel_line(channel, each) for channel, each in waiting["channels"].items()]
    lines += [f"set aside  {each['channel']} {each['seq']}: {each['reason']}" for each in waiting["quarantine"]]
    last_seen = "" if status["running"] else "last seen "
    lines += [
        f"camera     {camera['camera']}: {last_seen}{camera['state']} {camera['detail']}".rstrip()
        for camera in status["cameras"]
    ]
    lines += [_count_line(count) for count in status["last_hour"]]
    lines += [_measure_line(measure) for measure in status["last_hour_measures"]]
    return lines


def _undated_line(boot: dict[str, Any]) -> str:
    since, until = (None if ms is None else _moment(ms) for ms in (boot["from_ms"], boot["until_ms"]))
    if until is None:
        return f"clock      not set: times of boot {boot['boot']} are an estimate, from {since} on, until it is"
    return f"clock      was never set in boot {boot['boot']}: what it saw is of some time between {since} and {until}"


def _moment(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _history_words(history: dict[str, int] | None) -> str:
    if history is None:
        return "no history yet"
    return f"history since {_moment(history['since_s'] * 1000)}"


def _channel_line(channel: str, waiting: dict[str, Any]) -> str:
    return (
        f"waiting    {channel}: {waiting['entries']}, {waiting['bytes'] / 1e6:.1f} MB, "
        f"the oldest for {waiting['oldest_s']} s"
    )


def _where(row: dict[str, Any]) -> str:
    return row["camera"] if row["zone"] == "*" else f"{row['camera']}/{row['zone']}"


def _measure_line(measure: dict[str, Any]) -> str:
    """Say a count as a number, and anything else as the mean of its readings."""
    of = "" if measure["class"] == "*" else f" of {measure['class']}"
    where = f"last hour  {_where(measure)}: {measure['name']}{of}"
    if measure["total"] == measure["readings"]:  # each reading is 1: something was counted
        return f"{where} {measure['total']:g}"
    if measure["name"].startswith("row_count"):  # one reading a segment of the row
        return f"{where} {measure['total']:g} in {measure['readings']} segments"
    return f"{where} {measure['mean']:g} on average of {measure['readings']} readings"


def _count_line(count: dict[str, Any]) -> str:
    what = "all classes" if count["class"] == "*" else count["class"]
    rate = f", {count['frames'] / count['observed_s']:.1f} a second" if count["observed_s"] else ""
    return (
        f"last hour  {_where(count)}: {count['unique']} {what}, {count['occupancy_mean']:.1f} at once on average, "
        f"watched {count['observed_s']:.0f} s in {count['frames']} frames{rate}"
    )
