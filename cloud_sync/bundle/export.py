"""From the outbox to files on a stick. Reads only; one snapshot, whatever the agent does meanwhile."""

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DatabaseError

from cloud_sync.bundle.contents import Header, pack_message
from cloud_sync.bundle.errors import BundleError
from cloud_sync.bundle.keys import public_hex
from cloud_sync.bundle.part import Part
from cloud_sync.outbox import Entry
from cloud_sync.outbox.schema import outbox, stream
from cloud_sync.uplink.parcel import Parcel, UnsendableError, pack
from cloud_sync.wire import BirthMessage, Box, Channel

READ_ENTRIES = 100
JOIN_ENTRIES = 100
JOIN_BYTES = 48 * 1024
"""As the uplink joins rollups: bodies together."""
MESSAGE_MOST_BYTES = 16 * 1024 * 1024
PART_BYTES = 1024 * 1024 * 1024
"""FAT32 takes files up to 4 GiB."""
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(slots=True)
class Exported:
    """What is on the stick now."""

    bundle: str
    stream: str
    parts: list[Path] = field(default_factory=list)
    entries: int = 0
    unsendable: int = 0  # stay in the outbox: the agent sets them aside when it is online
    through: int = 0  # last seq of the parts that are whole
    size_bytes: int = 0


def export_outbox(
    engine: Engine,
    out: Path,
    *,
    box: Box,
    key: Ed25519PrivateKey,
    birth: BirthMessage,
    now_ms: int,
    after: int = 0,
    part_bytes: int = PART_BYTES,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Exported:
    """Write all that waits into a folder, in parts. What waits stays in the outbox: the cloud's word settles it.

    Args:
        engine: Of the box's database, for reading.
        out: A folder; nothing in it is overwritten.
        box: Who sends it.
        key: The box's.
        birth: What the box said of itself last; its stream and key are put right.
        now_ms: UTC, for names.
        after: Entries beyond this seq only, to continue on another stick.
        part_bytes: How large a file may become.
        on_progress: Told how many entries are done, of how many.

    Raises:
        BundleError: The folder cannot be written to, the stick is full or gone, or the database cannot be read.
            Parts that were finished are whole, and of the last one what is there can be imported.
    """
    if not out.is_dir():
        raise BundleError(f"{out} is no folder; give the folder where the stick is mounted")
    try:
        with engine.connect() as connection:
            row = connection.execute(select(stream.c.id)).first()
            if row is None:
                raise BundleError("the box's database has no stream yet: its first start was cut short")
            # next_seq is of the moment of that birth: from a stick it would tell of the past.
            told = birth.model_copy(update={"stream": row.id, "key": public_hex(key), "next_seq": None})
            done = Exported(bundle=uuid4().hex, stream=row.id)
            work = _Export(connection, out, box, key, told, now_ms=now_ms, part_bytes=part_bytes, done=done)
            return work.run(after, on_progress)
    except DatabaseError as error:
        raise BundleError(f"cannot read the box's database: {error.orig}") from error


@dataclass(slots=True)
class _Export:
    connection: Connection
    out: Path
    box: Box
    key: Ed25519PrivateKey
    birth: BirthMessage
    now_ms: int
    part_bytes: int
    done: Exported
    part: Part | None = None

    def run(self, after: int, on_progress: Callable[[int, int], None]) -> Exported:
        waiting = select(func.count()).select_from(outbox).where(outbox.c.seq > after)
        total = self.connection.execute(waiting).scalar_one()
        try:
            for entries in _joined(self._entries(after)):
                for parcel in self._parcels(entries):
                    self._add(parcel, total)
                on_progress(self.done.entries + self.done.unsendable, total)
            if self.part is not None:
                self._finish(final=True)
        except OSError as error:
            raise self._explain(error, total) from error
        finally:
            if self.part is not None:
                self.part.abandon()
        return self.done

    def _entries(self, after: int) -> Iterator[Entry]:
        c = outbox.c
        columns = select(c.seq, c.channel, c.boot, c.created_utc_ns, c.body)
        query = columns.where(c.seq > after).order_by(c.seq)
        for row in self.connection.execute(query, execution_options={"yield_per": READ_ENTRIES}):
            yield Entry(row.seq, Channel(row.channel), row.boot, row.created_utc_ns, row.body)

    def _parcels(self, entries: list[Entry]) -> Iterator[Parcel]:
        """Make one message of all, or one of each where that is not possible; count what can never be sent."""
        try:
            yield pack(self.box, self.done.stream, entries, max_packet_bytes=MESSAGE_MOST_BYTES)
        except UnsendableError:
            if len(entries) == 1:
                self.done.unsendable += 1
                return
            for entry in entries:
                yield from self._parcels([entry])

    def _add(self, parcel: Parcel, total: int) -> None:
        message = pack_message(parcel.channel, parcel.message.encoded)
        if self.part is not None and not self.part.takes(message):
            self._finish(final=False)
        if self.part is None:
            self.part = self._begin(total)
        self.part.add(parcel, message)
        self.done.entries += parcel.last - parcel.first + 1

    def _begin(self, total: int) -> Part:
        number = len(self.done.parts) + 1
        header = Header(
            site=self.box.site,
            device=self.box.device,
            bundle=self.done.bundle,
            part=number,
            stream=self.done.stream,
            key=public_hex(self.key),
            made_ms=self.now_ms,
            entries=total,
            birth=self.birth,
        )
        made = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        name = f"{self.box.site}-{self.box.device}-{made:%Y%m%dT%H%M%SZ}-{self.done.bundle[:8]}-{number:03}"
        return Part(self.out / name, header, self.key, most_bytes=self.part_bytes)

    def _finish(self, *, final: bool) -> None:
        part = self.part
        assert part is not None
        part.finish(final=final)
        self.part = None
        self.done.parts.append(part.path)
        self.done.through = part.last
        self.done.size_bytes += part.path.stat().st_size

    def _explain(self, error: OSError, total: int) -> BundleError:
        """Say how far it came: another stick can go on there."""
        through = (self.part.last if self.part is not None else 0) or self.done.through
        if error.errno not in NO_ROOM:
            return BundleError(f"cannot write to {self.out}: {error.strerror}")
        if not through:
            return BundleError(f"{self.out} is full: nothing was written")
        return BundleError(
            f"{self.out} is full: what waits is on it up to seq {through} (of {total} entries); go on with another "
            f"stick and --after {through}"
        )


def _joined(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Group rollups with consecutive seqs and the same boot, as the uplink does; all else stays alone."""
    group: list[Entry] = []
    size_bytes = 0
    for entry in entries:
        size_bytes += len(entry.body)
        if group and not (_follows(group[-1], entry) and size_bytes <= JOIN_BYTES and len(group) < JOIN_ENTRIES):
            yield group
            group, size_bytes = [], len(entry.body)
        group.append(entry)
    if group:
        yield group


def _follows(before: Entry, entry: Entry) -> bool:
    rollups = before.channel is Channel.ROLLUP and entry.channel is Channel.ROLLUP
    return rollups and entry.seq == before.seq + 1 and entry.boot == before.boot
