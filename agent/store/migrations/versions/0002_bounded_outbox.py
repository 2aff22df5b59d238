"""Totals of the outbox, windows of its rollups, streams of what is set aside, the link's usage, merged windows.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TRIGGERS = (
    """CREATE TRIGGER outbox_counts_in AFTER INSERT ON outbox BEGIN
    INSERT INTO outbox_total (channel, entries, size_bytes) VALUES (new.channel, 1, length(new.body))
    ON CONFLICT (channel) DO UPDATE SET entries = entries + 1, size_bytes = size_bytes + length(new.body);
END""",
    """CREATE TRIGGER outbox_counts_out AFTER DELETE ON outbox BEGIN
    UPDATE outbox_total SET entries = entries - 1, size_bytes = size_bytes - length(old.body)
    WHERE channel = old.channel;
END""",
    """CREATE TRIGGER outbox_counts_change AFTER UPDATE OF body ON outbox BEGIN
    UPDATE outbox_total SET size_bytes = size_bytes - length(old.body) + length(new.body) WHERE channel = new.channel;
END""",
)

# A rollup is [camera, zone, class, start, length, ...], a measure [camera, zone, class, name, start, length, ...].
WINDOWS_OF_ENTRIES = """
WITH row (seq, start, length) AS (
    SELECT seq, json_extract(value, '$[3]'), json_extract(value, '$[4]')
    FROM outbox, json_each(CAST(body AS TEXT), '$.rollups')
    WHERE channel = 'rollup' AND json_valid(CAST(body AS TEXT))
    UNION ALL
    SELECT seq, json_extract(value, '$[4]'), json_extract(value, '$[5]')
    FROM outbox, json_each(CAST(body AS TEXT), '$.measures')
    WHERE channel = 'rollup' AND json_valid(CAST(body AS TEXT))
)
UPDATE outbox SET window_start_s = entry.start, window_s = entry.length
FROM (
    SELECT seq, min(start) AS start, min(length) AS length FROM row GROUP BY seq
    HAVING min(length) = max(length) AND min(start) >= 0 AND min(start) / 3600 = max(start) / 3600
) AS entry
WHERE outbox.seq = entry.seq
"""


def upgrade() -> None:
    op.add_column("outbox", sa.Column("window_start_s", sa.BigInteger))
    op.add_column("outbox", sa.Column("window_s", sa.Integer))
    op.execute(WINDOWS_OF_ENTRIES)
    op.create_index(
        "outbox_by_window",
        "outbox",
        ["window_start_s", "window_s"],
        sqlite_where=sa.text("window_start_s IS NOT NULL"),
    )
    op.create_table(
        "outbox_total",
        sa.Column("channel", sa.String(16), primary_key=True),
        sa.Column("entries", sa.BigInteger, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO outbox_total SELECT channel, count(*), sum(length(body)) FROM outbox GROUP BY channel")
    for trigger in TRIGGERS:
        op.execute(trigger)
    op.add_column("stream", sa.Column("runs", sa.String, nullable=False, server_default=""))
    _quarantine_with_streams()
    op.create_table(
        "link_usage",
        sa.Column("day", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sent_bytes", sa.BigInteger, nullable=False),
        sa.Column("received_bytes", sa.BigInteger, nullable=False),
        sa.Column("data_bytes", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "merged",
        sa.Column("camera", sa.String(63), primary_key=True),
        sa.Column("window_start_s", sa.BigInteger, primary_key=True),
        sa.Column("window_s", sa.Integer, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("merged_by_time", "merged", ["window_start_s"])


def _quarantine_with_streams() -> None:
    op.rename_table("outbox_quarantine", "outbox_quarantine_before")
    op.create_table(
        "outbox_quarantine",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("stream", sa.String(32), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("boot", sa.Integer, nullable=False),
        sa.Column("created_utc_ns", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
    )
    op.create_index("outbox_quarantine_by_seq", "outbox_quarantine", ["stream", "seq"], unique=True)
    op.execute(
        "INSERT INTO outbox_quarantine (stream, seq, channel, boot, created_utc_ns, body, reason)"
        " SELECT stream.id, seq, channel, boot, outbox_quarantine_before.created_utc_ns, body, reason"
        " FROM outbox_quarantine_before, stream ORDER BY seq"
    )
    op.drop_table("outbox_quarantine_before")
