"""Each setting of the clock has a number of its own; what is known of it.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.rename_table("boot", "boot_before")
    op.create_table(
        "boot",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kernel_boot_id", sa.String(64), nullable=False),
        sa.Column("first_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("first_monotonic_ns", sa.BigInteger, nullable=False),
        sa.Column("unset", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("confirmed_utc_ns", sa.BigInteger),
        sa.Column("shift_ms", sa.BigInteger),
        sa.Column("window_shift_s", sa.BigInteger),
        sa.Column("told_by", sa.Integer),
        sa.Column("to_move", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("cloud_told", sa.String(8), nullable=False, server_default=""),
    )
    names = "id, kernel_boot_id, first_utc_ns, first_monotonic_ns"
    op.execute(f"INSERT INTO boot ({names}) SELECT {names} FROM boot_before")  # noqa: S608  names from this file
    op.drop_table("boot_before")
