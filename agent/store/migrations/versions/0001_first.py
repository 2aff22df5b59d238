"""First schema: boots, rollups, events, and the outbox beside them.

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
        "boot",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kernel_boot_id", sa.String(64), nullable=False, unique=True),
        sa.Column("first_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("first_monotonic_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "rollup",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("zone", sa.String(63), primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("window_start_s", sa.BigInteger, primary_key=True),
        sa.Column("window_s", sa.Integer, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("boot", sa.Integer, nullable=False),
        sa.Column("monotonic_start_ns", sa.BigInteger, nullable=False),
        sa.Column("observed_ms", sa.BigInteger, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("unique_tracks", sa.Integer, nullable=False),
        sa.Column("presence", sa.BigInteger, nullable=False),
        sa.Column("occupancy_max", sa.Integer, nullable=False),
        sa.Column("score_sum", sa.Float, nullable=False),
        sa.Column("place", sa.String(256), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("rollup_by_time", "rollup", ["window_start_s"])
    op.create_table(
        "measure",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("zone", sa.String(63), primary_key=True),
        sa.Column("class_name", sa.String(256), primary_key=True),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("window_start_s", sa.BigInteger, primary_key=True),
        sa.Column("window_s", sa.Integer, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("boot", sa.Integer, nullable=False),
        sa.Column("readings", sa.Integer, nullable=False),
        sa.Column("total", sa.Float, nullable=False),
        sa.Column("least", sa.Float, nullable=False),
        sa.Column("most", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("measure_by_time", "measure", ["window_start_s"])
    op.create_table(
        "event",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("camera", sa.String(63)),
        sa.Column("utc_ns", sa.BigInteger, nullable=False),
        sa.Column("monotonic_ns", sa.BigInteger, nullable=False),
        sa.Column("boot", sa.Integer, nullable=False),
        sa.Column("data", sa.String, nullable=False),
    )
    op.create_index("event_by_time", "event", ["utc_ns"])
    op.create_table(
        "stream",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("next_seq", sa.BigInteger, nullable=False),
        sa.Column("created_utc_ns", sa.BigInteger, nullable=False),
    )
    for name, extra in (("outbox", ()), ("outbox_quarantine", (sa.Column("reason", sa.String, nullable=False),))):
        op.create_table(
            name,
            sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
            sa.Column("channel", sa.String(16), nullable=False),
            sa.Column("boot", sa.Integer, nullable=False),
            sa.Column("created_utc_ns", sa.BigInteger, nullable=False),
            sa.Column("body", sa.LargeBinary, nullable=False),
            *extra,
        )
    op.create_index("outbox_by_channel", "outbox", ["channel", "seq"])
