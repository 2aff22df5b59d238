"""What was shed, evidence, merged windows, streams with two histories; partitions by month on PostgreSQL.

Revision ID: 0002
Revises: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("device", sa.Column("instance", sa.String(256)))
    op.add_column("device", sa.Column("next_contact_ms", sa.BigInteger))
    op.add_column("stream", sa.Column("remint", sa.String))
    op.add_column("stream", sa.Column("births", sa.String, nullable=False, server_default="[]"))
    op.add_column("stream", sa.Column("run", sa.String))
    op.create_index("stream_by_device", "stream", ["site", "device"])
    op.create_index("event_by_device", "event", ["site", "device", "at_ms"])
    _renew("rollup", _rollup_columns())
    _renew("measure", _measure_columns())
    _create_merged_window()
    _create_evidence()
    _create_shed()
    for view in _views():
        op.execute(view)


def _renew(table: str, columns: list[sa.Column[Any]]) -> None:
    """Create a table of windows anew: a key that begins with camera and time, and partitions where there are any."""
    op.drop_index(f"{table}_by_time", table_name=table)
    op.rename_table(table, "old")
    if _on_postgresql():  # the first schema was never offered there; only the name of its key is in the way
        op.drop_table("old")
    op.create_table(table, *columns, sqlite_with_rowid=False, postgresql_partition_by="RANGE (start)")
    if not _on_postgresql():
        names = ", ".join(column.name for column in columns)
        op.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM old")  # noqa: S608  names from this file
        op.drop_table("old")
    op.create_index(f"{table}_by_time", table, ["start"], postgresql_using="brin")


def _window_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("site", sa.String(63), primary_key=True),
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("camera", sa.String(256), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.BigInteger, primary_key=True),
    ]


def _rollup_columns() -> list[sa.Column[Any]]:
    return [
        *_window_columns(),
        sa.Column("zone", sa.String(256), primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("observed_ms", sa.BigInteger, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("unique_tracks", sa.BigInteger, nullable=False),
        sa.Column("occupancy_mean", sa.Float, nullable=False),
        sa.Column("occupancy_max", sa.BigInteger, nullable=False),
        sa.Column("confidence_mean", sa.Float),
        sa.Column("place", sa.String(256), nullable=False),
        sa.Column("stream", sa.String(32), nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
    ]


def _measure_columns() -> list[sa.Column[Any]]:
    return [
        *_window_columns(),
        sa.Column("zone", sa.String(256), primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("readings", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("least", sa.Float, nullable=False),
        sa.Column("most", sa.Float, nullable=False),
        sa.Column("stream", sa.String(32), nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
    ]


def _create_merged_window() -> None:
    op.create_table(
        "merged_window",
        sa.Column("site", sa.String(63), primary_key=True),
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.BigInteger, primary_key=True),
        sa.Column("camera", sa.String(256), primary_key=True),
        sqlite_with_rowid=False,
    )


def _create_evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("site", sa.String(63), nullable=False),
        sa.Column("device", sa.String(63), nullable=False),
        sa.Column("camera", sa.String(256), nullable=False),
        sa.Column("kind", sa.String(256), nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
        sa.Column("width", sa.BigInteger, nullable=False),
        sa.Column("height", sa.BigInteger, nullable=False),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
        sa.Column("data", sa.String, nullable=False),
        postgresql_partition_by="RANGE (at_ms)",
    )
    op.create_index("evidence_by_device", "evidence", ["site", "device", "at_ms"])


def _create_shed() -> None:
    op.create_table(
        "shed",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("site", sa.String(63), nullable=False),
        sa.Column("device", sa.String(63), nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("became", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("detail", sa.String(256), nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("oldest_ms", sa.BigInteger, nullable=False),
        sa.Column("newest_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("shed_by_device", "shed", ["site", "device", "at_ms"])
    op.create_table(
        "shed_window",
        *_window_columns(),
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "shed_range",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True),
        sa.Column("last", sa.BigInteger, primary_key=True),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _views() -> list[str]:
    """Return sums an hour and a day. A mean is weighted by what it is a mean of: time watched, or objects in frames."""
    moment = "to_timestamp({0})" if _on_postgresql() else "datetime({0}, 'unixepoch')"
    return [_view(name, length_s, moment) for name, length_s in (("rollup_hourly", 3600), ("rollup_daily", 86_400))]


def _view(name: str, length_s: int, moment: str) -> str:
    start = f"start - start % {length_s}"
    seen = "occupancy_mean * frames"
    # A box whose clock is far off must not break the view for all others: its rows have no starts_at.
    return f"""CREATE VIEW {name} AS
SELECT site, device, camera, zone, class_name, {start} AS start,
    CASE WHEN {start} BETWEEN 0 AND 4102444800 THEN {moment.format(start)} END AS starts_at,
    sum(observed_ms) AS observed_ms, sum(frames) AS frames, sum(unique_tracks) AS unique_tracks,
    sum(occupancy_mean * observed_ms) / NULLIF(sum(observed_ms), 0) AS occupancy_mean,
    max(occupancy_max) AS occupancy_max,
    sum(confidence_mean * {seen}) / NULLIF(sum(CASE WHEN confidence_mean IS NULL THEN 0 ELSE {seen} END), 0)
        AS confidence_mean
FROM rollup WHERE length <= {length_s} GROUP BY site, device, camera, zone, class_name, {start}"""  # noqa: S608


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"
