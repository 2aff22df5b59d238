"""The box's database. One commented schema; migrations lead to it, and a test compares the two."""

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, false

metadata = MetaData()

boot = Table(
    "boot",
    metadata,
    # Counts the boots of the machine that this database has seen, and within one each setting of its clock: monotonic
    # time and UTC go together as long as the number is the same.
    Column("id", Integer, primary_key=True),
    Column("kernel_boot_id", String(64), nullable=False),
    Column("first_utc_ns", BigInteger, nullable=False),
    Column("first_monotonic_ns", BigInteger, nullable=False),
    # The machine's clock was known to be wrong: UTC is an estimate, not before.
    Column("unset", Boolean, nullable=False, server_default=false()),
    Column("confirmed_utc_ns", BigInteger),  # when the kernel vouched for the clock last; null: it never did
    # By what its times were off, and the boot by whose clock its rows are told since; null: nothing was put right.
    # Windows are moved by whole windows, so that they stay in line with those of the true time.
    Column("shift_ms", BigInteger),
    Column("window_shift_s", BigInteger),
    Column("told_by", Integer),
    Column("to_move", Boolean, nullable=False, server_default=false()),  # some rows are where the old clock put them
    Column("cloud_told", String(8), nullable=False, server_default=""),  # unset or between
)

rollup = Table(
    "rollup",
    metadata,
    # Sums, so that a window interrupted by a restart adds up from its parts; each part raises the revision.
    Column("camera", String(63), primary_key=True),
    Column("zone", String(63), primary_key=True),  # "*": the whole picture
    Column("class_name", String(256), primary_key=True),  # "*": all classes; this row says how long it observed
    Column("window_start_s", BigInteger, primary_key=True),  # UTC
    Column("window_s", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("boot", Integer, nullable=False),  # by whose clock the window is told
    Column("monotonic_start_ns", BigInteger, nullable=False),
    Column("observed_ms", BigInteger, nullable=False),
    Column("frames", Integer, nullable=False),
    Column("unique_tracks", Integer, nullable=False),
    Column("presence", BigInteger, nullable=False),
    Column("occupancy_max", Integer, nullable=False),
    Column("score_sum", Float, nullable=False),
    Column("place", String(256), nullable=False),  # empty: not known, may be assigned later
    Index("rollup_by_time", "window_start_s"),
    sqlite_with_rowid=False,
)

measure = Table(
    "measure",
    metadata,
    # Readings of a quantity in a window: sums and extremes, as the rollups beside it.
    Column("camera", String(63), primary_key=True),
    Column("zone", String(63), primary_key=True),  # a zone's or line's name, or "*"
    Column("class_name", String(256), primary_key=True),
    Column("name", String(63), primary_key=True),  # says the unit: dwell_s, speed_m_s, crossed_in
    Column("window_start_s", BigInteger, primary_key=True),
    Column("window_s", Integer, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("boot", Integer, nullable=False),
    Column("readings", Integer, nullable=False),
    Column("total", Float, nullable=False),
    Column("least", Float, nullable=False),
    Column("most", Float, nullable=False),
    Index("measure_by_time", "window_start_s"),
    sqlite_with_rowid=False,
)

merged = Table(
    "merged",
    metadata,
    # Windows of a camera that hold all that was seen in them: shorter ones inside were merged, and what still comes
    # adds up here. The cloud was told, and takes no shorter window any more.
    Column("camera", String(63), primary_key=True),
    Column("window_start_s", BigInteger, primary_key=True),  # UTC, a multiple of window_s
    Column("window_s", Integer, primary_key=True),
    Index("merged_by_time", "window_start_s"),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("camera", String(63)),
    Column("utc_ns", BigInteger, nullable=False),
    Column("monotonic_ns", BigInteger, nullable=False),
    Column("boot", Integer, nullable=False),
    Column("data", String, nullable=False),  # JSON object
    Index("event_by_time", "utc_ns"),
    Index("event_by_camera", "kind", "camera"),
)
