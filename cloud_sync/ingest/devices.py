"""What boxes say of themselves: state, birth, health, and when they were last heard."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, select, tuple_, update

from cloud_sync.ingest.inbox import Incoming
from cloud_sync.ingest.schema import device
from cloud_sync.ingest.states import DAY_MS, Told, is_newer
from cloud_sync.ingest.tables import Columns
from cloud_sync.wire import BirthMessage, Box, HealthMessage, StateMessage


def last_seen(batch: Iterable[Incoming], now_ms: int) -> Columns:
    """Return the boxes of a batch in order, and when each was last heard: None if it said nothing itself.

    What the broker kept may be old, and a will is no sign of life.
    """
    seen: dict[tuple[str, str], int | None] = {}
    for item in batch:
        key = (item.box.site, item.box.device)
        if item.arrived.retain or (isinstance(item.message, StateMessage) and item.message.state == "offline"):
            seen.setdefault(key, None)
        else:
            seen[key] = now_ms
    boxes = sorted(seen)
    return {
        "site": [site for site, _ in boxes],
        "device": [name for _, name in boxes],
        "last_seen_ms": [seen[box] for box in boxes],
    }


def store_words(connection: Connection, batch: Iterable[Incoming], now_ms: int) -> None:
    """Store the newest state, birth and health of each box.

    Args:
        connection: Holds the locks of the boxes, whose rows are there.
        batch: In the order of arrival; data messages are passed over.
        now_ms: UTC.
    """
    births: list[Incoming] = []
    healths: dict[Box, str] = {}
    states: list[Incoming] = []
    for item in batch:
        match item.message:
            case BirthMessage():
                births.append(item)
            case HealthMessage():
                healths[item.box] = item.message.model_dump_json()
            case StateMessage(claiming=False):
                states.append(item)
            case _:
                pass
    _update(connection, _newest_births(connection, births, now_ms))
    _update(connection, {box: {"health": text} for box, text in healths.items()})
    _update(connection, _newest(connection, states, now_ms))


def _newest_births(connection: Connection, births: list[Incoming], now_ms: int) -> dict[Box, dict[str, Any]]:
    """Return the births that are newer than what is stored: each worker hears them all, and one may lag far behind."""
    if not births:
        return {}
    known = select(device.c.site, device.c.device, device.c.birth).where(_of({item.box for item in births}))
    told = {
        Box(row.site, row.device): BirthMessage.model_validate_json(row.birth).at_ms
        for row in connection.execute(known.where(device.c.birth.is_not(None)))
    }
    newest: dict[Box, dict[str, Any]] = {}
    for item in births:
        assert isinstance(item.message, BirthMessage)
        at_ms = item.message.at_ms
        if not _is_late(at_ms, told.get(item.box, at_ms), live=not item.arrived.retain, now_ms=now_ms):
            told[item.box] = at_ms
            newest[item.box] = {"birth": item.message.model_dump_json()}
    return newest


def _is_late(at_ms: int, stored_ms: int, *, live: bool, now_ms: int) -> bool:
    """Tell whether a birth is older than the stored one; where a clock is plainly wrong, the box itself is believed."""
    wrong = stored_ms > now_ms + DAY_MS or (live and at_ms < now_ms - DAY_MS)
    return at_ms < stored_ms and not wrong


def _newest(connection: Connection, states: list[Incoming], now_ms: int) -> dict[Box, dict[str, Any]]:
    if not states:
        return {}
    told = _told(connection, {item.box for item in states})
    newest: dict[Box, dict[str, Any]] = {}
    for item in states:
        message = item.message
        assert isinstance(message, StateMessage)
        this = Told(message.state, message.boot, message.since_ms, message.instance)
        before = told.get(item.box)
        if before is None or is_newer(this, before, live=not item.arrived.retain, now_ms=now_ms):
            told[item.box] = this
            newest[item.box] = {
                "state": message.state,
                "boot": message.boot,
                "state_since_ms": message.since_ms,
                "instance": message.instance,
                "next_contact_ms": message.next_contact_ms,
            }
    return newest


def _told(connection: Connection, boxes: Iterable[Box]) -> dict[Box, Told]:
    known = select(device).where(_of(boxes), device.c.state.is_not(None))
    return {
        Box(row.site, row.device): Told(row.state, row.boot, row.state_since_ms, row.instance)
        for row in connection.execute(known)
    }


def _of(boxes: Iterable[Box]) -> ColumnElement[bool]:
    return tuple_(device.c.site, device.c.device).in_([(box.site, box.device) for box in boxes])


def _update(connection: Connection, values: dict[Box, dict[str, Any]]) -> None:
    """Write the same columns of several boxes."""
    if not values:
        return
    names = next(iter(values.values()))
    this = update(device).where(device.c.site == bindparam("of_site"), device.c.device == bindparam("of_device"))
    rows = [{"of_site": box.site, "of_device": box.device, **row} for box, row in values.items()]
    connection.execute(this.values({name: bindparam(name) for name in names}), rows)
