"""Windows are told apart by the database of the box that they came of: a new disk counts its own part of a minute.

Revision ID: 0003
Revises: 0002
"""

from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stream", sa.Column("database", sa.BigInteger, nullable=False, server_default="0"))
    _number_databases()
    if op.get_bind().dialect.name == "postgresql":
        op.execute("SET LOCAL statement_timeout = 0")  # years of rows get a new index
        for table in ("rollup", "measure"):
            _extend_key(table)
    else:
        _renew_tables()


def _number_databases() -> None:
    """Number the databases of each box: a stream that it was asked to leave and the next one are of the same."""
    query = "SELECT site, device, id, remint FROM stream ORDER BY site, device, first_seen_ms, id"
    streams = op.get_bind().execute(sa.text(query)).all()
    for _, of_box in groupby(streams, key=lambda row: (row.site, row.device)):
        number, before = 0, None
        for row in of_box:
            number += before is not None and before.remint is None
            before = row
            if number:
                this = sa.text("UPDATE stream SET database = :number WHERE id = :id")
                op.get_bind().execute(this, {"number": number, "id": row.id})


def _extend_key(table: str) -> None:
    """On PostgreSQL: no row is written anew but those of boxes that had a new disk."""
    key = sa.inspect(op.get_bind()).get_pk_constraint(table)
    columns = ", ".join([*key["constrained_columns"], "database"])
    op.execute(f"ALTER TABLE {table} ADD COLUMN database BIGINT NOT NULL DEFAULT 0")
    op.execute(f"ALTER TABLE {table} ALTER COLUMN database DROP DEFAULT")
    op.execute(_renumber(table))
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {key['name']}")
    op.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({columns})")


def _renew_tables() -> None:
    """On SQLite a key cannot be changed; views stand in the way of a new name, and are made again as they were."""
    views = op.get_bind().execute(sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'view'")).all()
    for view in views:
        op.execute(f"DROP VIEW {view.name}")
    for table, columns in (("rollup", _rollup_columns()), ("measure", _measure_columns())):
        names = ", ".join(column.name for column in columns if column.name != "database")
        op.drop_index(f"{table}_by_time", table_name=table)
        op.rename_table(table, "old")
        op.create_table(table, *columns, sqlite_with_rowid=False)
        op.execute(f"INSERT INTO {table} ({names}, database) SELECT {names}, 0 FROM old")  # noqa: S608  names from here
        op.drop_table("old")
        op.create_index(f"{table}_by_time", table, ["start"])
        op.execute(_renumber(table))
    for view in views:
        op.execute(view.sql)


def _renumber(table: str) -> str:
    return f"""UPDATE {table} SET database = stream.database FROM stream
WHERE stream.id = {table}.stream AND stream.database > 0"""  # noqa: S608  names from here


def _key(*more: str) -> list[sa.Column[Any]]:
    return [
        sa.Column("site", sa.String(63), primary_key=True),
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("camera", sa.String(256), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.BigInteger, primary_key=True),
        *(sa.Column(name, sa.String(256), primary_key=True) for name in ("zone", "class_name", *more)),
        sa.Column("database", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    ]


def _rollup_columns() -> list[sa.Column[Any]]:
    return [
        *_key(),
        sa.Column("observed_ms", sa.BigInteger, nullable=False),
        sa.Column("frames", sa.BigInteger, nullable=False),
        sa.Column("unique_tracks", sa.BigInteger, nullable=False),
        sa.Column("occupancy_mean", sa.Float, nullable=False),
        sa.Column("occupancy_max", sa.BigInteger, nullable=False),
        sa.Column("confidence_mean", sa.Float),
        sa.Column("place", sa.String(256), nullable=False),
        *_origin(),
    ]


def _measure_columns() -> list[sa.Column[Any]]:
    return [
        *_key("name"),
        sa.Column("readings", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("least", sa.Float, nullable=False),
        sa.Column("most", sa.Float, nullable=False),
        *_origin(),
    ]


def _origin() -> list[sa.Column[Any]]:
    return [
        sa.Column("stream", sa.String(32), nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
    ]
