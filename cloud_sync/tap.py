"""Prints what boxes send, decoded: ``mosquitto_sub`` for this wire. Boxes never notice it."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cloud_sync.errors import SyncFatalError
from cloud_sync.mqtt import (
    Arrived,
    Backoff,
    BrokerSettings,
    Closed,
    Connection,
    ConnectOptions,
    Opened,
    Subscribed,
    Wake,
)
from cloud_sync.wire import (
    AckMessage,
    BirthMessage,
    Box,
    Channel,
    ClockMessage,
    Envelope,
    EventMessage,
    EvidenceMessage,
    HealthMessage,
    MeasureRow,
    Message,
    RollupMessage,
    RollupRow,
    ShedMessage,
    StateMessage,
    WireError,
    decode,
    measure_rows_of,
    parse_topic,
    rows_of,
    topic_filter,
)

STEP_S = 0.25


@dataclass(frozen=True, slots=True)
class TapSettings:
    """What to listen to. Without a site: all of them."""

    broker: BrokerSettings
    site: str | None = None
    channels: tuple[Channel, ...] = tuple(Channel)
    as_json: bool = False
    count: int | None = None  # end after so many messages
    retry_most_s: float = 30.0

    def __post_init__(self) -> None:
        """Refuse what is no site.

        Raises:
            SyncFatalError: The name would break the subscription.
        """
        try:
            Box(self.site or "any", "any")
        except WireError as error:
            raise SyncFatalError(str(error)) from None


def run_tap(
    settings: TapSettings,
    stop: threading.Event,
    *,
    write: Callable[[str], None],
    utc_ms: Callable[[], int],
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Write one line a message until ``stop``.

    Args:
        settings: What to listen to.
        stop: Ends it within a second.
        write: Takes a line without its end.
        utc_ms: The wall clock, for the time of arrival.
        on_ready: Called at each subscription that was granted.

    Raises:
        SyncFatalError: The broker was never reached, or refuses. Once reached, it is waited for when it goes away.
    """
    _Tap(settings, write, utc_ms, on_ready).run(stop)


class _Tap:
    def __init__(
        self,
        settings: TapSettings,
        write: Callable[[str], None],
        utc_ms: Callable[[], int],
        on_ready: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._write = write
        self._utc_ms = utc_ms
        self._on_ready = on_ready
        self._left = settings.count
        self._wake = Wake()
        self._backoff = Backoff(first_s=1.0, most_s=settings.retry_most_s)
        self._reached = False
        # Its own id for each tap: the same one twice would throw the other out.
        self._options = ConnectOptions(client_id=f"hedgerow-tap-{uuid4().hex[:12]}")

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set() and self._left != 0:
            closed = self._listen(stop)
            if closed is None:
                return
            if not self._reached:
                raise SyncFatalError(closed.detail)
            stop.wait(self._backoff.delay_s())

    def _listen(self, stop: threading.Event) -> Closed | None:
        connection = Connection(self._settings.broker, self._options, self._wake)
        connection.open()
        try:
            while not stop.is_set() and self._left != 0:
                closed = self._round(connection)
                if closed is not None:
                    return closed
            return None
        finally:
            connection.close(goodbye=True)

    def _round(self, connection: Connection) -> Closed | None:
        for event in connection.poll(STEP_S):
            match event:
                case Closed():
                    return event
                case Opened():
                    site = self._settings.site or "+"
                    connection.subscribe(*(topic_filter(channel, site=site) for channel in self._settings.channels))
                case Subscribed(refused=refused):
                    if refused:
                        raise SyncFatalError(f"the broker refuses the subscription: {', '.join(refused)}")
                    self._reached = True
                    self._backoff.reset()
                    self._on_ready()
                case Arrived() if self._left != 0:
                    self._write(line_of(event, self._utc_ms(), as_json=self._settings.as_json))
                    self._left = None if self._left is None else self._left - 1
                case _:
                    pass
        return None


def line_of(arrived: Arrived, at_ms: int, *, as_json: bool) -> str:
    """Return the line for one message, also for one that is not of the wire.

    Args:
        arrived: The message.
        at_ms: UTC, when it arrived.
        as_json: One JSON object: ``topic``, ``at_ms``, ``retain``, and ``message`` or ``error``.
    """
    try:
        box, channel = parse_topic(arrived.topic)
        message = decode(channel, arrived.payload, arrived.encoding)
    except WireError as error:
        if as_json:
            return _json(arrived, at_ms, error=str(error), size_bytes=len(arrived.payload))
        return f"{_time(at_ms)} {arrived.topic} not understood ({len(arrived.payload)} bytes): {error}"
    if as_json:
        return _json(arrived, at_ms, message=_plain(message))
    retained = " (retained)" if arrived.retain else ""
    return f"{_time(at_ms)} {box.site}/{box.device} {channel}{retained} {_summary(message)}"


def _json(arrived: Arrived, at_ms: int, **more: Any) -> str:
    return json.dumps({"topic": arrived.topic, "at_ms": at_ms, "retain": arrived.retain, **more})


def _plain(message: Message) -> dict[str, Any]:
    """Return the fields of a message; a rollup's rows as rows."""
    if not isinstance(message, RollupMessage):
        return message.model_dump(mode="json", by_alias=True)
    return {
        **message.model_dump(mode="json", exclude={"columns", "measures"}),
        "rows": [_named(row) for row in rows_of(message.columns)],
        "measures": [_named(row) for row in measure_rows_of(message.measures)] if message.measures else [],
    }


def _named(row: RollupRow | MeasureRow) -> dict[str, Any]:
    """Return a row under the names of the wire."""
    return {"class" if name == "class_name" else name: value for name, value in row._asdict().items()}


def _summary(message: Message) -> str:
    match message:
        case RollupMessage():
            return f"{_seqs(message)}: {_counts(message)}"
        case EventMessage():
            about = " ".join([message.camera or "", *(f"{name}={value}" for name, value in message.data.items())])
            return f"{_seqs(message)}: {message.kind} {about.strip()}"
        case ShedMessage():
            what = f"{message.entries} {message.channel} entries became {message.became} ({message.reason})"
            return f"{_seqs(message)}: {what} {message.detail}".rstrip()
        case ClockMessage():
            return f"{_seqs(message)}: {_clock(message)}"
        case EvidenceMessage():
            size = f"{message.width}x{message.height}, {len(message.jpeg)} bytes"
            return f"{_seqs(message)}: {message.kind} {message.camera} {size}"
        case StateMessage():
            return f"{message.state} since {_time(message.since_ms)}, boot {message.boot}"
        case BirthMessage():
            versions = ", ".join(f"{name} {version}" for name, version in message.versions.items())
            return f"{versions}; model {message.model_name} on {message.backend}; cameras {', '.join(message.cameras)}"
        case HealthMessage():
            cameras = ", ".join(f"{camera.name} {camera.state}" for camera in message.cameras)
            disk = f"disk {_share_free(message)} free"
            return f"load {message.load_1m:.1f}, {disk}, outbox {message.outbox_depth}; {cameras}"
        case AckMessage():
            ranges = "".join(f", {first}-{last}" for first, last in message.ranges)
            refused = "".join(f"; refused {_span(first, last)}: {why}" for first, last, why in message.refused)
            return f"through {message.through}{ranges}{refused}"
        case _:
            return ""


def _clock(message: ClockMessage) -> str:
    times = f"times of boot {message.of_boot}"
    if message.state == "set":
        return f"{times} were off: {message.shift_ms / 1000:+.0f} s"
    until = f" to {_time(message.to_ms)}" if message.state == "between" else ""
    return f"{times} are an estimate: its clock was not set; from {_time(message.from_ms)}{until}"


def _seqs(message: Envelope) -> str:
    return f"seq {_span(message.seq, message.last_seq)}"


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _counts(message: RollupMessage) -> str:
    """Return what was counted, over the whole message, zones left out: they repeat the picture's."""
    rows = [row for row in rows_of(message.columns) if row.zone == "*" and row.class_name != "*"]
    unique: Counter[tuple[str, str]] = Counter()
    for row in rows:
        unique[row.camera, row.class_name] += row.unique_tracks
    counts = ", ".join(f"{camera} {name} {number}" for (camera, name), number in sorted(unique.items()))
    return f"{len(message.columns.camera)} rows; {counts or 'nothing counted'}"


def _share_free(message: HealthMessage) -> str:
    return f"{message.disk_free_bytes / max(1, message.disk_total_bytes):.0%}"


def _time(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"  # a box whose clock is far off
