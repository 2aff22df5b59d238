"""Which box a stream belongs to, and whether it has more than one history.

A stream is a box's own numbering. When the disk of a box is copied for another, or restored from an old copy, the same
numbers come twice with different content, and an acknowledgement would make a box forget what nobody has. Such a stream
is marked, and its box is asked to begin a new one.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, case, func, select, tuple_, update

from cloud_sync.ingest.schema import device, received, stream
from cloud_sync.ingest.tables import Clash, Columns, Tables
from cloud_sync.wire import AckMessage, BirthMessage, Box

COPIED = "another box uses this stream: this database is a copy of that one's"
RESTORED = "this stream went further once: the database was restored from an older copy"
DIFFERENT = "a message of this stream had another content once: the database was restored from an older copy"

DAY_MS = 86_400_000
BIRTHS_KEPT = 16
"""Birth messages that are remembered for each stream. What a worker hears that lags further behind is told by its time:
a box is not restored into the past. One whose clock stands there is judged when it connects with the right time."""


@dataclass(slots=True)
class Stream:
    """What is known of a stream."""

    id: str
    owner: Box
    database: int  # of the box, counted from 0
    remint: str | None  # why its box shall begin a new one
    run: str | None  # of the agent, by the newest birth
    births: list[tuple[int, str]]  # when each was made, at most a day ahead of us, and its digest; the newest last


def claim(connection: Connection, tables: Tables, users: dict[str, Box], now_ms: int) -> dict[str, Stream]:
    """Return the streams, each with the box that it belongs to: the one that used it first.

    Args:
        connection: Holds the locks of the boxes.
        tables: Of that connection.
        users: The box that uses each stream now.
        now_ms: UTC.
    """
    known = read(connection, users)
    fresh = sorted(set(users) - set(known))
    if fresh:
        columns: Columns = {
            "id": fresh,
            "site": [users[one].site for one in fresh],
            "device": [users[one].device for one in fresh],
            "first_seen_ms": [now_ms] * len(fresh),
            "database": _databases(connection, [users[one] for one in fresh]),
        }
        tables.put(connection, stream, columns, Clash.KEEP)
        begun = read(connection, fresh)  # not what was put: another box may have been quicker
        for one in begun.values():
            _recall_birth(connection, one, now_ms)
        known |= begun
    return known


def _databases(connection: Connection, owners: Sequence[Box]) -> list[int]:
    """Return for each new stream, by its box, which database of the box it is of.

    The last one goes on where the box was asked to leave all of its streams, and has not begun another yet. Else the
    box has a new database, whose part of a window is none that the last one knows.
    """
    box, number = tuple_(stream.c.site, stream.c.device), stream.c.database
    left = func.min(case((stream.c.remint.is_(None), 0), else_=1))
    query = select(stream.c.site, stream.c.device, number, left).where(
        box.in_([(one.site, one.device) for one in owners])
    )
    by_age = query.group_by(stream.c.site, stream.c.device, number).order_by(number)
    following = {Box(site, name): last + (not left) for site, name, last, left in connection.execute(by_age)}
    found = []
    for owner in owners:
        found.append(following.get(owner, 0))
        following[owner] = found[-1] + 1
    return found


def read(connection: Connection, ids: Iterable[str]) -> dict[str, Stream]:
    """Return those of the streams that are known."""
    statement = select(stream).where(stream.c.id.in_(list(ids)))
    return {
        row.id: Stream(row.id, Box(row.site, row.device), row.database, row.remint, row.run, _births(row.births))
        for row in connection.execute(statement)
    }


def _recall_birth(connection: Connection, known: Stream, now_ms: int) -> None:
    """Let a new stream know of the birth that the broker had kept when nothing of the stream had come yet."""
    of_box = (device.c.site == known.owner.site, device.c.device == known.owner.device)
    text = connection.execute(select(device.c.birth).where(*of_box)).scalar()
    birth = BirthMessage.model_validate_json(text) if text else None
    if birth is not None and birth.stream == known.id:
        hear_birth(connection, known, birth, now_ms)


def hear_birth(connection: Connection, known: Stream, birth: BirthMessage, now_ms: int) -> None:
    """Compare what a box says it will number next with what it has sent.

    Call it for birth messages before data that came later is stored, also for those that the broker kept. The same
    birth reaches every worker: it counts the first time, because by the second another one may have stored what the box
    sent since. A worker that has just begun hears it from what the broker kept, before it is given data.
    """
    told = f"{birth.stream} {birth.boot} {birth.at_ms} {birth.next_seq}"
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    if birth.next_seq is None or any(digest == heard for _, heard in known.births):
        return
    if len(known.births) == BIRTHS_KEPT and birth.at_ms < min(at_ms for at_ms, _ in known.births):
        return
    is_newest = all(birth.at_ms >= at_ms for at_ms, _ in known.births)
    made_ms = min(birth.at_ms, now_ms + DAY_MS)  # a clock that was far ahead must not hide honest ones for years
    known.births = [*known.births, (made_ms, digest)][-BIRTHS_KEPT:]
    this = update(stream).where(stream.c.id == birth.stream)
    connection.execute(this.values(births=json.dumps(known.births)))
    highest = select(func.max(received.c.last)).where(received.c.stream == birth.stream)
    went_further = (connection.execute(highest).scalar() or 0) >= birth.next_seq
    if went_further or (is_newest and _run_is_gone(connection, known, birth)):
        mark(connection, birth.stream, known, RESTORED)


def _run_is_gone(connection: Connection, known: Stream, birth: BirthMessage) -> bool:
    """Tell whether the run that spoke last is none of those that the box's database knows; the newest speaks now."""
    if not birth.runs:
        return False
    gone = known.run is not None and known.run not in birth.runs
    known.run = birth.runs[-1]
    connection.execute(update(stream).where(stream.c.id == known.id).values(run=known.run))
    return gone


def _births(text: str) -> list[tuple[int, str]]:
    return [(at_ms, digest) for at_ms, digest in json.loads(text)]


def mark(connection: Connection, stream_id: str, known: Stream, reason: str) -> None:
    """Note that a stream has two histories: from now on its box hears nothing but that."""
    if known.remint is None:
        known.remint = reason
        connection.execute(update(stream).where(stream.c.id == stream_id).values(remint=reason))


def ask_for_new(stream_id: str, reason: str) -> AckMessage:
    """Return the ack that settles nothing and asks for a new stream."""
    return AckMessage(stream=stream_id, through=0, remint=reason)


def with_several(connection: Connection, boxes: Iterable[Box]) -> set[Box]:
    """Return those of the boxes that have used more than one stream."""
    box = tuple_(stream.c.site, stream.c.device)
    statement = select(stream.c.site, stream.c.device).where(box.in_([(one.site, one.device) for one in boxes]))
    several = statement.group_by(stream.c.site, stream.c.device).having(func.count() > 1)
    return {Box(row.site, row.device) for row in connection.execute(several)}
