"""First schema: boxes, their streams, what arrived, and what was refused.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "device",
        sa.Column("site", sa.String(63), primary_key=True),
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("state", sa.String(16)),
        sa.Column("state_since_ms", sa.BigInteger),
        sa.Column("boot", sa.BigInteger),
        sa.Column("birth", sa.String),
        sa.Column("health", sa.String),
        sa.Column("last_seen_ms", sa.BigInteger),
    )
    op.create_table(
        "stream",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("site", sa.String(63), nullable=False),
        sa.Column("device", sa.String(63), nullable=False),
        sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "received",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("first", sa.BigInteger, primary_key=True),
        sa.Column("last", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    _create_data()
    op.create_table(
        "quarantine",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("topic", sa.String, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("encoding", sa.String),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("first_ms", sa.BigInteger, nullable=False),
        sa.Column("last_ms", sa.BigInteger, nullable=False),
    )
    op.create_index("quarantine_by_time", "quarantine", ["last_ms"])


def _create_data() -> None:
    op.create_table(
        "rollup",
        sa.Column("site", sa.String(63), primary_key=True),
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("camera", sa.String(256), primary_key=True),
        sa.Column("zone", sa.String(256), primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.BigInteger, primary_key=True),
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
        sqlite_with_rowid=False,
    )
    op.create_index("rollup_by_time", "rollup", ["start"])
    op.create_table(
        "measure",
        sa.Column("site", sa.String(63), primary_key=True),
        sa.Column("device", sa.String(63), primary_key=True),
        sa.Column("camera", sa.String(256), primary_key=True),
        sa.Column("zone", sa.String(256), primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("name", sa.String(256), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("length", sa.BigInteger, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("readings", sa.BigInteger, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("least", sa.Float, nullable=False),
        sa.Column("most", sa.Float, nullable=False),
        sa.Column("stream", sa.String(32), nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("measure_by_time", "measure", ["start"])
    op.create_table(
        "event",
        sa.Column("stream", sa.String(32), primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("site", sa.String(63), nullable=False),
        sa.Column("device", sa.String(63), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(256), nullable=False),
        sa.Column("camera", sa.String(256)),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("boot", sa.BigInteger, nullable=False),
        sa.Column("data", sa.String, nullable=False),
    )
    op.create_index("event_by_time", "event", ["at_ms"])
