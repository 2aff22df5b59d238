"""The cloud's database: what boxes sent, and what of it has arrived."""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

device = Table(
    "device",
    metadata,
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("state", String(16)),  # online, offline, asleep; the broker says offline for a box that vanished
    Column("state_since_ms", BigInteger),  # by the box's clock
    Column("boot", BigInteger),
    Column("birth", String),  # JSON of the last birth message
    Column("health", String),  # JSON of the last health message
    Column("last_seen_ms", BigInteger),  # by our clock; a will or a retained message is no sign of life
)

stream = Table(
    "stream",
    metadata,
    # A stream belongs to the box that used it first: two boxes with one stream would have each other's rows confirmed.
    Column("id", String(32), primary_key=True),
    Column("site", String(63), nullable=False),
    Column("device", String(63), nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
)

received = Table(
    "received",
    metadata,
    # Seqs that are durable here, as few ranges as possible: what is between them is missing.
    Column("stream", String(32), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

rollup = Table(
    "rollup",
    metadata,
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("camera", String(256), primary_key=True),
    Column("zone", String(256), primary_key=True),  # "*": the whole picture
    Column("class_name", String(256), primary_key=True),  # "*": all classes; this row says how long it observed
    Column("start", BigInteger, primary_key=True),  # seconds since 1970, UTC
    Column("length", BigInteger, primary_key=True),  # seconds
    Column("revision", BigInteger, nullable=False),  # the highest wins
    Column("observed_ms", BigInteger, nullable=False),
    Column("frames", BigInteger, nullable=False),
    Column("unique_tracks", BigInteger, nullable=False),
    Column("occupancy_mean", Float, nullable=False),
    Column("occupancy_max", BigInteger, nullable=False),
    Column("confidence_mean", Float),  # null: nothing was there
    Column("place", String(256), nullable=False),  # empty: not known
    Column("stream", String(32), nullable=False),
    Column("boot", BigInteger, nullable=False),
    Index("rollup_by_time", "start"),
    sqlite_with_rowid=False,
)

measure = Table(
    "measure",
    metadata,
    # Readings of named quantities, which say their unit. The mean is total / readings; a count is in total.
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("camera", String(256), primary_key=True),
    Column("zone", String(256), primary_key=True),  # a zone's or line's name, or "*"
    Column("class_name", String(256), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("start", BigInteger, primary_key=True),  # seconds since 1970, UTC
    Column("length", BigInteger, primary_key=True),  # seconds
    Column("revision", BigInteger, nullable=False),  # the highest wins
    Column("readings", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
    Column("least", Float, nullable=False),
    Column("most", Float, nullable=False),
    Column("stream", String(32), nullable=False),
    Column("boot", BigInteger, nullable=False),
    Index("measure_by_time", "start"),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("stream", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("site", String(63), nullable=False),
    Column("device", String(63), nullable=False),
    Column("channel", String(16), nullable=False),  # event or alarm
    Column("kind", String(256), nullable=False),
    Column("camera", String(256)),
    Column("at_ms", BigInteger, nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("data", String, nullable=False),  # JSON object
    Index("event_by_time", "at_ms"),
)

quarantine = Table(
    "quarantine",
    metadata,
    # What is not of the wire, or not allowed. The same message again only counts: a box sends it until it is mended.
    Column("digest", String(64), primary_key=True),  # SHA-256 of topic and payload
    Column("topic", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # its beginning, if it is long
    Column("size_bytes", Integer, nullable=False),
    Column("encoding", String),
    Column("times", Integer, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Index("quarantine_by_time", "last_ms"),
)
