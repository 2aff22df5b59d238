"""The cloud's database: what boxes sent, and what of it has arrived. The same tables on PostgreSQL and on SQLite.

On PostgreSQL ``rollup``, ``measure`` and ``evidence`` are partitioned by month (``partitions.py``).
"""

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

HOUR_S = 3600
DAY_S = 86_400
LONG_S = (HOUR_S, DAY_S)
"""Windows so long are made by merging, on a box that was short of room: each holds all that shorter ones in it hold."""

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
    Column("instance", String(256)),  # the run of the agent that told the state
    Column("next_contact_ms", BigInteger),  # asleep until then
)

stream = Table(
    "stream",
    metadata,
    # A stream belongs to the box that used it first: two boxes with one stream would have each other's rows confirmed.
    Column("id", String(32), primary_key=True),
    Column("site", String(63), nullable=False),
    Column("device", String(63), nullable=False),
    Column("first_seen_ms", BigInteger, nullable=False),
    # Why the box shall begin a new stream: this one has two histories. From then on nothing of it is confirmed.
    Column("remint", String),
    Column(
        "births", String, nullable=False, server_default="[]"
    ),  # JSON: time and digest of the last birth messages, newest last
    Column("run", String),  # of the agent, by the newest birth: later births name it among theirs
    # Which of its box's databases it numbers, counted from 0: a stream that the box was asked to leave and the next are
    # of one; a stream that begins by itself is of a new disk, or of the file after a damaged one.
    Column("database", BigInteger, nullable=False, server_default="0"),
    Index("stream_by_device", "site", "device"),
)

received = Table(
    "received",
    metadata,
    # Seqs that are durable here, or given up by the box, as few ranges as possible: what is between them is missing.
    Column("stream", String(32), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

shed_range = Table(
    "shed_range",
    metadata,
    # Seqs that never come: the box gave them up, and ``shed`` says why. They count as received.
    Column("stream", String(32), primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("last", BigInteger, primary_key=True),
    Column("seq", BigInteger, nullable=False),  # of the record in ``shed``
    sqlite_with_rowid=False,
)

rollup = Table(
    "rollup",
    metadata,
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("camera", String(256), primary_key=True),
    Column("start", BigInteger, primary_key=True),  # seconds since 1970, UTC
    Column("length", BigInteger, primary_key=True),  # seconds
    Column("zone", String(256), primary_key=True),  # "*": the whole picture
    Column("class_name", String(256), primary_key=True),  # "*": all classes; this row says how long it observed
    # As in ``stream``: where a disk was replaced within a window, each counted its own part, and both count.
    Column("database", BigInteger, primary_key=True, autoincrement=False),
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
    Index("rollup_by_time", "start", postgresql_using="brin"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (start)",
)

measure = Table(
    "measure",
    metadata,
    # Readings of named quantities, which say their unit. The mean is total / readings; a count is in total.
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("camera", String(256), primary_key=True),
    Column("start", BigInteger, primary_key=True),  # seconds since 1970, UTC
    Column("length", BigInteger, primary_key=True),  # seconds
    Column("zone", String(256), primary_key=True),  # a zone's or line's name, or "*"
    Column("class_name", String(256), primary_key=True),
    Column("name", String(256), primary_key=True),
    Column("database", BigInteger, primary_key=True, autoincrement=False),  # as in ``rollup``
    Column("revision", BigInteger, nullable=False),  # the highest wins
    Column("readings", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
    Column("least", Float, nullable=False),
    Column("most", Float, nullable=False),
    Column("stream", String(32), nullable=False),
    Column("boot", BigInteger, nullable=False),
    Index("measure_by_time", "start", postgresql_using="brin"),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (start)",
)

merged_window = Table(
    "merged_window",
    metadata,
    # Long windows that arrived. A shorter one inside goes as soon as its row of the same zone and class is there.
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("length", BigInteger, primary_key=True),
    Column("camera", String(256), primary_key=True),
    sqlite_with_rowid=False,
)

clock = Table(
    "clock",
    metadata,
    # What boxes said of their clocks, by boot: the newest word. What has such a boot is put right as it comes.
    Column("stream", String(32), primary_key=True),
    Column("boot", BigInteger, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("site", String(63), nullable=False),
    Column("device", String(63), nullable=False),
    Column("state", String(16), nullable=False),  # unset, set or between: see the wire's ``ClockMessage``
    Column("at_ms", BigInteger, nullable=False),
    Column("from_ms", BigInteger, nullable=False),
    Column("to_ms", BigInteger, nullable=False),
    Column("shift_ms", BigInteger, nullable=False),  # what was added to moments of this boot, and to starts of windows
    Column("window_shift_s", BigInteger, nullable=False),
    Index("clock_by_device", "site", "device"),
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
    Index("event_by_device", "site", "device", "at_ms"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("stream", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, primary_key=True, autoincrement=False),  # in the key for the partitions alone
    Column("site", String(63), nullable=False),
    Column("device", String(63), nullable=False),
    Column("camera", String(256), nullable=False),
    Column("kind", String(256), nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("width", BigInteger, nullable=False),
    Column("height", BigInteger, nullable=False),
    Column("jpeg", LargeBinary, nullable=False),
    Column("data", String, nullable=False),  # JSON object
    Index("evidence_by_device", "site", "device", "at_ms"),
    postgresql_partition_by="RANGE (at_ms)",
)

shed = Table(
    "shed",
    metadata,
    # What boxes gave up, by their own record.
    Column("stream", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("site", String(63), nullable=False),
    Column("device", String(63), nullable=False),
    Column("boot", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("channel", String(16), nullable=False),  # event, rollup or evidence
    Column("became", String(16), nullable=False),  # nothing, hours or days
    Column("reason", String(16), nullable=False),  # rows, bytes, disk or rejected
    Column("detail", String(256), nullable=False),
    Column("entries", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("oldest_ms", BigInteger, nullable=False),  # when the entries were made
    Column("newest_ms", BigInteger, nullable=False),
    Index("shed_by_device", "site", "device", "at_ms"),
)

shed_window = Table(
    "shed_window",
    metadata,
    # Windows of cameras that a record in ``shed`` names: gone, or merged into a window so long.
    Column("site", String(63), primary_key=True),
    Column("device", String(63), primary_key=True),
    Column("camera", String(256), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("length", BigInteger, primary_key=True),
    Column("stream", String(32), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
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
