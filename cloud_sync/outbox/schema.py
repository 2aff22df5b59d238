"""Tables of the outbox, in the box's own database.

They live beside the data so that a row and the promise to send it commit in one transaction.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

stream = Table(
    "stream",
    metadata,
    # Minted once per database: a box with a new disk starts a new stream, and the cloud sees the difference.
    Column("id", String(32), primary_key=True),
    Column("next_seq", BigInteger, nullable=False),
    Column("created_utc_ns", BigInteger, nullable=False),
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
    # An alarm is looked for behind a backlog of weeks.
    Index("outbox_by_channel", "channel", "seq"),
)

quarantine = Table(
    "outbox_quarantine",
    metadata,
    # What can never be sent, with the reason: listed and counted, never in the way of the rest.
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("channel", String(16), nullable=False),
    Column("boot", Integer, nullable=False),
    Column("created_utc_ns", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("reason", String, nullable=False),
)
