"""Messages that can never be sent or stored: kept aside, told, and in nobody's way."""

import json
import random
import zlib

import pytest

from cloud_sync.ingest import schema
from cloud_sync.outbox import append_rollups
from cloud_sync.wire import Channel
from tests.faults.ends import BOX, rollup_row
from tests.faults.listener import Listener
from tests.faults.matrix import Result
from tests.faults.scale import times
from tests.faults.site import Site, dice_of
from tests.waiting import eventually


def _event(**data: str) -> bytes:
    return json.dumps({"kind": "x", "camera": None, "at_ms": 1, "data": data}).encode()


UNSENDABLE = {
    "no JSON": (Channel.EVENT, b"\xff\xfe nothing"),
    "no rows": (Channel.ROLLUP, b'{"rollups":[[1,2]],"measures":[]}'),
    "an alarm without a kind": (Channel.ALARM, b'{"camera":null,"at_ms":1,"data":{}}'),
    "an envelope of its own": (Channel.EVENT, b'{"seq":7,"kind":"x","camera":null,"at_ms":1,"data":{}}'),
    "too large": (Channel.EVENT, _event(hex=random.Random(1).randbytes(200_000).hex())),
}

POISON = {
    "no JSON": b"\x00\x01\x02",
    "a bomb": zlib.compress(bytes(50_000_000)),
    "cut zlib": zlib.compress(b"x" * 5000)[:20],
    "a later version": b'{"v":2}',
}


_ROW = rollup_row(0)._replace(zone="z", place="p")
EXTREMES = {
    "times": [_ROW._replace(start=start) for start in (2**53 - 1, -(2**53) + 1, 253_402_300_800, -62_135_596_801, 0)],
    "lengths": [_ROW._replace(length=length) for length in (0, 1, 59, 2**53 - 1)],
    "texts": [
        _ROW._replace(zone=text, place=text, camera=text)
        for text in ("", "\0", 256 * "\U0001f34e", "a\"\\b,{}'\n", "\ud800", "NULL")
    ],
    "numbers": [
        _ROW._replace(frames=2**53 - 1, unique_tracks=2**53 - 1, occupancy_mean=1.7e308),
        _ROW._replace(start=60, occupancy_mean=5e-324, confidence_mean=0.1 + 0.2),
    ],
}


def test_entries_that_cannot_be_sent(site: Site, result: Result) -> None:
    """Entries that can never be sent, among others"""
    site.start_cloud()
    site.start_box()
    for _ in range(times(1, long=10)):
        for channel, body in UNSENDABLE.values():
            site.commit(3)
            site.box.add_raw(channel, body).result(10)
            result.faults += 1
    site.drain()
    assert len(site.box.quarantined()) == result.faults
    site.check(result)
    told = [row.reason for row in site.cloud.rows(schema.shed)]
    assert told == ["rejected"] * result.faults


def test_poison_in_the_broker(site: Site, result: Result) -> None:
    """Messages that nobody can store, from a stranger, under a box's name"""
    dice = dice_of("poison")
    site.start_cloud()
    site.start_box()
    with Listener(site.broker.url, BOX.topic(Channel.ACK)) as stranger:
        for _ in range(times(1, long=10)):
            for payload in (*POISON.values(), dice.randbytes(300)):
                for channel in (Channel.EVENT, Channel.ROLLUP, Channel.STATE):
                    stranger.publish(BOX.topic(channel), payload)
                    result.faults += 1
                site.commit(5)
            stranger.publish("hedgerow/v1/orchard/box-1/alarm", b"")
        site.drain()
        eventually(lambda: site.cloud.count(schema.quarantine) > len(POISON))
    site.check(result)


@pytest.mark.parametrize("name", EXTREMES)
def test_values_at_the_ends(site: Site, result: Result, name: str) -> None:
    """Records with values at the ends of what the wire allows: stored as they are, or set aside and told"""
    site.start_cloud()
    site.start_box()
    site.commit(3)
    for number, row in enumerate(EXTREMES[name]):
        site.box.writer.submit(
            lambda connection, row=row: append_rollups(connection, [row], boot=1, created_utc_ns=0)
        ).result(10)
        fields = {"kind": row.zone, "camera": row.camera, "at_ms": row.start, "data": {row.zone: number}}
        site.box.add_raw(Channel.EVENT, json.dumps(fields).encode()).result(10)
        fields |= {"width": 1, "height": 1, "jpeg": ""}
        site.box.add_raw(Channel.EVIDENCE, json.dumps(fields).encode()).result(10)
        result.faults += 3
    site.commit(3)
    site.drain()
    site.check(result)
