"""Tables of the outbox, in the box's own database.

They live beside the data so that a row and the promise to send it commit in one transaction.
"""

from sqlalchemy import DDL, BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, event

metadata = MetaData()

stream = Table(
    "stream",
    metadata,
    # Minted once per database: a box with a new disk starts a new stream, and the cloud sees the difference.
    Column("id", String(32), primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
    Column("created_utc_ns", BigInteger, nullable=False),
    Column("runs", String, nullable=False, server_default=""),  # of the agent, that were online with it; newest last
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("channel", String(16), nullable=False),
    Column("boot", Integer, nullable=False),
    Column("created_utc_ns", BigInteger, nullable=False),
    # JSON: the message without its envelope; the uplink adds that, and may join consecutive rollups into one message.
    Column("body", LargeBinary, nullable=False),
    # Of rollups whose windows have one length and begin in one hour: the earliest start, UTC seconds, and that length.
    # Such entries can be merged into longer windows. Of a shed record: what was merged. Null for everything else.
    Column("window_start_s", BigInteger),
    Column("window_s", Integer),
    # An alarm is looked for behind a backlog of weeks.
    Index("outbox_by_channel", "channel", "seq"),
)
Index(
    "outbox_by_window",
    outbox.c.window_start_s,
    outbox.c.window_s,
    sqlite_where=outbox.c.window_start_s.is_not(None),
)

channel_by_window = outbox.c.channel.concat("")
"""The channel, where entries are looked for by their windows: compared plainly, it would have SQLite go through all
entries of the channel, by the other index."""

total = Table(
    "outbox_total",
    metadata,
    # What waits, kept by triggers in the transaction that changes it: counting a million rows takes a second.
    Column("channel", String(16), primary_key=True),
    Column("entries", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),  # of the bodies
    sqlite_with_rowid=False,
)

quarantine = Table(
    "outbox_quarantine",
    metadata,
    # What can never be sent, with the reason: listed and counted, never in the way of the rest.
    Column("id", Integer, primary_key=True),
    Column("stream", String(32), nullable=False),  # a seq says nothing without it: streams are minted anew
    Column("seq", BigInteger, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("boot", Integer, nullable=False),
    Column("created_utc_ns", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", String, nullable=False),
    Index("outbox_quarantine_by_seq", "stream", "seq", unique=True),
)

usage = Table(
    "link_usage",
    metadata,
    # What the link carried on each day, measured on the wire: the budget of a day outlives a restart.
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970, UTC
    Column("sent_bytes", BigInteger, nullable=False),
    Column("received_bytes", BigInteger, nullable=False),
    Column("data_bytes", BigInteger, nullable=False),  # of those sent, what carried entries of the outbox
)

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
"""They keep ``outbox_total``. A channel never changes."""

for _trigger in TRIGGERS:
    event.listen(total, "after_create", DDL(_trigger))  # type: ignore[no-untyped-call]
