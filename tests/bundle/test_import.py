"""What a stick brings into the cloud's database, of both kinds."""

import os
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, select

from cloud_sync.bundle import BundleError, Importer, Trust, absent_parts, public_hex
from cloud_sync.bundle import export as export_module
from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest import open_database, schema
from cloud_sync.ingest.inbox import read
from cloud_sync.ingest.store import store
from cloud_sync.mqtt import Arrived
from cloud_sync.sqlite import open_sqlite
from cloud_sync.uplink.parcel import pack
from cloud_sync.wire import DATA_CHANNELS, Box, RollupRow
from tests.bundle.carry import KEY, NOW_MS, OTHER_KEY, contents, export, fill, many, take
from tests.faults.ends import BoxEnd, expected_rollups
from tests.ingest.forbidding import FORBIDDEN, forbid


def by_stick(_of: BoxEnd, tmp_path: Path, stick: Path, **more) -> list[Path]:
    return export(tmp_path / "box.db", stick, **more).parts


def tables(database: Engine) -> dict[str, int]:
    return {name: len(rows) for name, rows in contents(database).items()}


def test_everything_that_waits_arrives(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """Each channel's entries arrive by stick as by network, and the outbox keeps them until they are answered for."""
    fill(box)
    [part] = by_stick(box, tmp_path, stick)
    [result] = take(database, stick)
    assert (result.problem, result.entries, result.fresh, result.aside, result.final) == ("", 34, 34, 0, True)
    assert tables(database) == {"rollup": 60, "measure": 0, "event": 2, "evidence": 1, "shed": 1, "received": 1}
    with database.connect() as connection:
        rows = connection.execute(select(schema.rollup)).all()
        assert {RollupRow(*(getattr(row, name) for name in RollupRow._fields)) for row in rows} == set(
            expected_rollups(30)
        )
        assert connection.execute(select(schema.evidence.c.jpeg)).scalar_one() == b"\xff\xd8jpeg\xff\xd9"
        assert connection.execute(select(schema.device.c.last_seen_ms)).scalar_one() is None, (
            "a stick is no sign of life"
        )
    assert box.waiting() == [*range(1, 34), 35]
    assert part.name == f"orchard-box-1-20231114T221320Z-{result.header.bundle[:8]}-001.hedgerow"


def test_replayed_bundle_changes_nothing(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """The same bundle again, and a second export of the same rows, change nothing and are said to bring nothing new."""
    fill(box)
    by_stick(box, tmp_path, stick)
    take(database, stick)
    before = contents(database)
    by_stick(box, tmp_path, stick)
    results = take(database, stick)
    assert [(result.problem, result.entries, result.fresh) for result in results] == [("", 34, 0)] * 2
    assert contents(database) == before


@pytest.mark.parametrize("seed", range(3))
def test_parts_in_any_order(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path, seed: int):
    """A bundle in parts arrives whole in whatever order the parts are taken; each is within its size."""
    box.add_event("first")
    many(box, 600)
    parts = by_stick(box, tmp_path, stick, part_bytes=50_000)
    assert len(parts) > 3
    assert all(part.stat().st_size <= 50_000 for part in parts)
    Random(seed).shuffle(parts)
    results = take(database, *parts)
    assert {result.problem for result in results} == {""}
    assert absent_parts(results) == []
    assert sum(result.fresh for result in results) == 601
    assert tables(database)["event"] == 601
    with database.connect() as connection:
        assert [tuple(row[1:]) for row in connection.execute(select(schema.received))] == [(1, 601)]


def test_absent_parts_are_named(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """Parts that are on no stick at hand are named: they may be on another."""
    many(box, 600)
    parts = by_stick(box, tmp_path, stick, part_bytes=50_000)
    [line] = absent_parts(take(database, parts[0], parts[2]))
    assert line.endswith("are not whole: 2, those after 3")


def test_stick_and_network_in_any_order(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A bundle of which the network has brought a part adds the rest; what comes by network later adds nothing."""
    fill(box)
    by_stick(box, tmp_path, stick)
    messages = [read(message) for message in by_network(box)]
    with database.begin() as connection:
        store(connection, messages[1:], now_ms=NOW_MS)
    [result] = take(database, stick)
    assert (result.entries, result.fresh) == (34, 1)
    before = contents(database)
    with database.begin() as connection:
        store(connection, messages, now_ms=NOW_MS)
    assert contents(database) == before


def by_network(box: BoxEnd) -> list[Arrived]:
    """Each entry as a message of its own."""
    arrived = []
    for entry in box.outbox.read(DATA_CHANNELS, after_seq=0, limit=1000):
        parcel = pack(box.box, box.outbox.stream, [entry], max_packet_bytes=10**6)
        encoded = parcel.message.encoded
        arrived.append(Arrived(1, 1, parcel.message.topic, encoded.payload, False, encoded.encoding))
    return arrived


def test_cut_file_is_used_as_far_as_it_goes(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A file cut anywhere brings whole blocks, each once, and says up to where; the whole file brings the rest."""
    many(box, 600)
    [part] = by_stick(box, tmp_path, stick)
    whole = part.read_bytes()
    brought = 0
    for size in [*range(0, len(whole), len(whole) // 12), len(whole) - 1]:
        part.write_bytes(whole[:size])
        [result] = take(database, stick)
        assert result.problem
        brought = max(brought, result.entries)
        assert tables(database)["event"] == brought
        if result.entries:
            assert result.problem.endswith(f"; what is before it, up to seq {result.last}, is stored")
        else:
            assert result.problem.endswith("; nothing is stored")
    assert 0 < brought <= 600
    part.write_bytes(whole)
    [result] = take(database, stick)
    assert (result.problem, result.entries) == ("", 600)
    assert tables(database)["event"] == 600


def test_tampered_file(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A changed byte in a later block: the blocks before are stored, that one and what follows are refused."""
    many(box, 600)
    [part] = by_stick(box, tmp_path, stick)
    content = bytearray(part.read_bytes())
    content[-200] ^= 1
    part.write_bytes(bytes(content))
    [result] = take(database, stick)
    assert "damaged at byte" in result.problem
    assert 0 < tables(database)["event"] == result.entries < 600


def test_box_that_is_not_known(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A box without a known key is refused until somebody vouches for it; believed once, it is known."""
    fill(box)
    by_stick(box, tmp_path, stick)
    [result] = take(database, stick, trust=Trust())
    assert "whose key is not known here; give --key, or --trust-first-use" in result.problem
    assert tables(database)["event"] == 0
    [result] = take(database, stick, trust=Trust(public_hex(OTHER_KEY)))
    assert "but orchard/box-1 has the key" in result.problem
    [result] = take(database, stick, trust=Trust(public_hex(KEY)))
    assert (result.problem, result.fresh) == ("", 34)
    [result] = take(database, stick, trust=Trust())
    assert (result.problem, result.fresh) == ("", 0)


def test_known_box_with_another_key(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """Who signs in the name of a known box with another key is refused, first use or not."""
    fill(box)
    [first] = by_stick(box, tmp_path, stick)
    take(database, first)
    [forged] = by_stick(box, tmp_path, stick, key=OTHER_KEY)
    [result] = take(database, forged, trust=Trust(first_use=True))
    assert "but orchard/box-1 has the key" in result.problem
    assert result.entries == 0


def test_header_that_names_a_key_it_was_not_signed_with(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """The true key in the header does not help who cannot sign with it."""
    fill(box)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export_module, "public_hex", lambda _key: public_hex(KEY))
        by_stick(box, tmp_path, stick, key=OTHER_KEY)
    [result] = take(database, stick, trust=Trust(public_hex(KEY)))
    assert "was changed, or not signed with the key" in result.problem
    assert tables(database)["event"] == 0


def test_stream_of_another_box(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A stream that another box used first is refused: answers would empty the wrong outbox."""
    fill(box)
    by_stick(box, tmp_path, stick)
    take(database, stick)
    thief = tmp_path / "thief"
    thief.mkdir()
    by_stick(box, tmp_path, thief, box=Box("orchard", "box-2"), key=OTHER_KEY)
    before = contents(database)
    [result] = take(database, thief)
    assert "belongs to orchard/box-1" in result.problem
    assert contents(database) == before


def test_birth_on_the_stick_replaces_none(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A box that was never online is known by its bundle; a later birth message stays when the bundle comes again."""
    fill(box)
    by_stick(box, tmp_path, stick)
    take(database, stick)
    with database.begin() as connection:
        birth = connection.execute(select(schema.device.c.birth)).scalar_one()
        newer = birth.replace('"orchard"', '"newer"')
        connection.execute(schema.device.update().values(birth=newer))
    assert public_hex(KEY) in birth
    take(database, stick)
    with database.connect() as connection:
        assert connection.execute(select(schema.device.c.birth)).scalar_one() == newer


def test_what_the_database_refuses_does_not_stop_the_rest(box: BoxEnd, database: Engine, stick: Path, tmp_path: Path):
    """A message that the cloud's database will never take is named with the reason and not counted as stored."""
    forbid(database)
    box.add_event("first")
    box.add_event(FORBIDDEN)
    box.add_rollups(0, 4)
    box.add_event("last").result(10)
    by_stick(box, tmp_path, stick)
    for fresh in (6, 0):
        [result] = take(database, stick)
        assert (result.problem, result.entries, result.fresh, result.aside, result.last) == ("", 6, fresh, 1, 7)
        [refusal] = result.refusals
        assert refusal[:2] == (2, 2)
        assert "no_event" in refusal.reason
    with database.connect() as connection:
        assert list(connection.execute(select(schema.event.c.kind)).scalars()) == ["first", "last"]


def test_paths_without_a_bundle(database: Engine, stick: Path):
    """An empty stick, an absent path and what is no file are one line each; a pipe is not waited for."""
    with pytest.raises(BundleError, match="holds no bundle"):
        take(database, stick)
    os.mkfifo(stick / "pipe.hedgerow")
    for path in (stick / "no.hedgerow", stick):
        [result] = take(database, path)
        assert result.problem == "is no file; nothing is stored"


def test_database_that_cannot_store(box: BoxEnd, stick: Path, tmp_path: Path):
    """A database that is away ends the import with one line; nothing is taken for stored."""
    fill(box)
    by_stick(box, tmp_path, stick)
    open_database(f"sqlite:///{tmp_path / 'cloud.db'}").dispose()
    engine = open_sqlite(tmp_path / "cloud.db", write=False)
    waits: list[float] = []
    importer = Importer(engine, Trust(first_use=True), utc_ms=lambda: NOW_MS, wait=waits.append)
    with pytest.raises(SyncFatalError, match="the database cannot store now"):
        importer.take(next(stick.iterdir()))
    assert len(waits) == 5
    assert importer.acks == {}
