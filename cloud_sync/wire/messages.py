"""The messages of wire version 1, as both ends see them.

All are JSON objects, validated on the way out and on the way in: what is here has the right types and ranges, and
fits the 64 bits of a database's integer.
Times are integers in UTC: seconds for windows, milliseconds elsewhere.
"""

from itertools import accumulate
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Count = Annotated[int, Field(ge=0, lt=2**53)]
Moment = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Seq = Annotated[int, Field(ge=1, lt=2**63)]
Text = Annotated[str, Field(max_length=256)]
RUNS_TOLD = 32
Scalar = str | int | float | bool | None


class Message(BaseModel):
    """Base of all messages. Unknown fields are ignored: a newer box may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False)

    v: Literal[1] = 1


class Envelope(Message):
    """What every data message carries.

    ``stream`` is minted once per database of a box; ``seq`` is gapless per stream. A message may carry ``count``
    consecutive outbox entries: ``seq`` to ``seq + count - 1``.
    """

    stream: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    seq: Seq
    count: Annotated[int, Field(ge=1, le=100_000)] = 1
    boot: Count

    @model_validator(mode="after")
    def _last_seq_in_range(self) -> Self:
        if self.last_seq >= 2**63 - 1:
            raise ValueError(f"seq {self.seq} and {self.count - 1} more leave the range of seq")
        return self

    @property
    def last_seq(self) -> int:
        """Return the last seq that this message covers."""
        return self.seq + self.count - 1


class Columns(BaseModel):
    """Rows, a column at a time; row i is the i-th value of each.

    ``start`` is delta-coded: the first value is seconds since 1970, each further one the difference to the one before.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, allow_inf_nan=False)

    camera: tuple[Text, ...]
    zone: tuple[Text, ...]  # "*": the whole picture
    class_name: tuple[Text, ...] = Field(alias="class")  # "*": all classes
    start: tuple[Moment, ...]
    length: tuple[Count, ...]  # seconds
    revision: tuple[Count, ...]  # the highest wins

    @model_validator(mode="after")
    def _starts_in_range(self) -> Self:
        if any(abs(start) >= 2**53 for start in accumulate(self.start)):
            raise ValueError("start: the differences add up to a time out of range")
        return self

    @model_validator(mode="after")
    def _same_length(self) -> Self:
        lengths = {name: len(getattr(self, name)) for name in type(self).model_fields}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns differ in length: {lengths}")
        return self


class RollupColumns(Columns):
    """Rollup rows. Key of a row: (box, camera, zone, class, start, length).

    The row of zone ``*`` and class ``*`` says how long the camera observed.
    """

    observed_ms: tuple[Count, ...]
    frames: tuple[Count, ...]
    unique_tracks: tuple[Count, ...]
    occupancy_mean: tuple[Annotated[float, Field(ge=0)], ...]
    occupancy_max: tuple[Count, ...]
    confidence_mean: tuple[Annotated[float, Field(ge=0, le=1)] | None, ...]  # None: nothing was there
    place: tuple[Text, ...]  # where the camera was for most of the window; empty: not known


class MeasureColumns(Columns):
    """Readings of named quantities. Key of a row: (box, camera, zone, class, name, start, length).

    The mean is ``total / readings``; what is counted, as objects that crossed a line, has its count in ``total``.
    """

    name: tuple[Text, ...]  # says the unit: dwell_s, speed_m_s, crossed_in
    readings: tuple[Count, ...]
    total: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]


class RollupMessage(Envelope):
    """A batch of rollup rows, and of the measures beside them."""

    columns: RollupColumns
    measures: MeasureColumns | None = None


class EventMessage(Envelope):
    """One event or alarm: something that happened once. Never joined with others: ``count`` is 1."""

    count: Literal[1] = 1

    kind: Text
    camera: Text | None = None
    at_ms: Moment
    data: dict[Text, Scalar] = {}


class WindowColumns(BaseModel):
    """Windows of cameras; row i is the i-th value of each. ``start`` is delta-coded as in ``Columns``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    camera: tuple[Text, ...]
    start: tuple[Moment, ...]
    length: tuple[Count, ...]  # seconds

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if not len(self.camera) == len(self.start) == len(self.length):
            raise ValueError("columns differ in length")
        if any(abs(start) >= 2**53 for start in accumulate(self.start)):
            raise ValueError("start: the differences add up to a time out of range")
        return self


class ShedMessage(Envelope):
    """What the box gave up: entries of its outbox that never come, and what became of them.

    ``became = "hours"`` or ``"days"``: their rows were merged. Each of ``windows`` is one row a camera, zone and class
    now, which travels in an ordinary rollup message and holds all that the box observed in it: shorter windows inside
    it are superseded, those that arrived before and those that come later. ``"nothing"``: they are gone; of rollups,
    ``windows`` says which.
    """

    count: Literal[1] = 1

    at_ms: Moment
    # An alarm, or word of a clock, only if it could never be sent.
    channel: Literal["alarm", "clock", "event", "rollup", "evidence"]
    became: Literal["nothing", "hours", "days"]
    reason: Literal["rows", "bytes", "disk", "rejected"]  # which limit was met; rejected: it could never be sent
    detail: Text = ""
    entries: Count
    size_bytes: Count
    oldest_ms: Moment  # when they were made
    newest_ms: Moment
    ranges: Annotated[tuple[tuple[Seq, Seq], ...], Field(min_length=1, max_length=10_000)]  # their seqs, ascending
    windows: WindowColumns | None = None

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        ends = [end for pair in self.ranges for end in pair]
        if ends != sorted(ends):
            raise ValueError("ranges do not ascend")
        return self


class ClockMessage(Envelope):
    """What is known of the clock by which the times of a boot were told: the data messages with that ``boot``.

    ``unset``: it was known to be wrong; times are an estimate, from ``from_ms`` on. ``set``: they were off. Add
    ``shift_ms`` to moments and ``window_shift_s`` to starts of windows, of all messages of the boot, sent before or
    after this one; of several such words the one with the highest seq counts, and it is no addition to those before.
    ``from_ms`` and ``to_ms``: between these are the times as they were told. ``between``: it was never set; what was
    told is of some time from ``from_ms`` to ``to_ms``.
    """

    count: Literal[1] = 1

    of_boot: Count
    state: Literal["unset", "set", "between"]
    at_ms: Moment
    from_ms: Moment
    to_ms: Moment
    shift_ms: Moment = 0
    window_shift_s: Moment = 0


class EvidenceMessage(Envelope):
    """A picture that shows why something was reported; small enough for one packet."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    count: Literal[1] = 1

    kind: Text
    camera: Text
    at_ms: Moment
    width: Count
    height: Count
    jpeg: bytes  # base64 in JSON
    data: dict[Text, Scalar] = {}


class StateMessage(Message):
    """Retained; the broker publishes ``offline`` for a box that vanished.

    ``instance`` names one run of one agent: two boxes with one name differ in it. ``claiming`` is asked, not retained:
    "is another one online under this name?" Whoever is answers with its own state.
    """

    state: Literal["online", "offline", "asleep"]
    boot: Count
    since_ms: Moment
    next_contact_ms: Moment | None = None
    stream: Text | None = None
    instance: Text | None = None
    claiming: bool = False


class BirthMessage(Message):
    """Retained: what this box is and runs."""

    stream: str
    boot: Count
    at_ms: Moment
    versions: dict[str, str]
    model_name: str
    model_sha256: str
    backend: str
    classes: tuple[str, ...]
    cameras: tuple[str, ...]
    zones: tuple[str, ...] = ()
    config_sha256: str
    # Runs of the agent that were online with this database, newest last. Where the cloud has heard of a later one that
    # is not among them, the database was restored from an old copy.
    runs: Annotated[tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")], ...], Field(max_length=RUNS_TOLD)] = ()
    next_seq: Seq | None = None  # the seq that its stream gives next: what the cloud has beyond it, another box sent
    key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None  # Ed25519: it signs this box's bundles


class CameraHealth(BaseModel):
    """One camera, in a health message."""

    name: str
    state: str
    frames: Count
    dropped: Count
    still: Count = 0
    late: Count = 0
    sight: str = ""
    reconnects: Count


class HealthMessage(Message):
    """How the box does; expires, is not kept in the outbox."""

    at_ms: Moment
    boot: Count
    uptime_s: Count
    load_1m: float
    memory_bytes: Count
    temperature_c: float | None
    disk_free_bytes: Count
    disk_total_bytes: Count
    cameras: tuple[CameraHealth, ...]
    outbox_depth: Count
    oldest_unsent_s: Count | None


MOST_REFUSALS = 100
"""In one ack: with the longest reasons still below what a box takes in one packet."""


class Refusal(NamedTuple):
    """A data message that the cloud will never store, by its first and last seq; an array on the wire."""

    first: Seq
    last: Seq
    reason: Text


class AckMessage(Message):
    """From the cloud: everything up to ``through`` is durable there, and the ranges beyond it, both ends included.

    ``refused`` names messages that came whole and that its database will never take: to send them again is no use. Of
    a joined one only some entries are at fault. Where a seq is durable and refused (in another message), it is durable.
    """

    stream: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    through: Annotated[int, Field(ge=0, lt=2**63)]
    ranges: tuple[tuple[Seq, Seq], ...] = ()
    refused: Annotated[tuple[Refusal, ...], Field(max_length=MOST_REFUSALS)] = ()  # ascending
    # Why this box cannot go on with its stream (a copy of a database, a restored backup): start a new one.
    remint: Text | None = None

    @model_validator(mode="after")
    def _ranges_ascend(self) -> Self:
        ends = [self.through, *(end for pair in self.ranges for end in pair)]
        if any(first > last for first, last in self.ranges) or ends != sorted(ends):
            raise ValueError("ranges do not ascend from through")
        return self

    @model_validator(mode="after")
    def _refused_ascend(self) -> Self:
        spans = [(first, last) for first, last, _ in self.refused]
        if any(first > last for first, last in spans) or spans != sorted(set(spans)):
            raise ValueError("refused do not ascend")
        return self

    @property
    def last_seq(self) -> int:
        """Return the highest seq that this ack speaks of."""
        return max([self.through, *(last for _, last in self.ranges), *(last for _, last, _ in self.refused)])

    def holds(self, first: int, last: int) -> bool:
        """Tell whether this ack says that all seqs from ``first`` to ``last`` are durable."""
        return last <= self.through or any(start <= first and last <= end for start, end in self.ranges)
