"""From one schema to the next, with rows in the tables."""

import json
from pathlib import Path

from sqlalchemy import create_engine, select, text

import cloud_sync.outbox.schema
from agent.store import DATABASE, open_store, schema
from agent.store.store import MIGRATIONS
from agent.types import Instant
from cloud_sync.migrate import migrate
from cloud_sync.outbox import Depth, append_event, read_depth, read_quarantine
from cloud_sync.outbox.schema import outbox
from cloud_sync.sqlite import open_sqlite

NOW = Instant(utc_ns=1_800_000_000_000_000_000, monotonic_ns=5_000_000_000, boot=0)
HOUR = 1_800_000_000 - 1_800_000_000 % 3600


def row(start: int, length: int = 60) -> list[object]:
    return ["north", "*", "*", start, length, 1, 60_000, 300, 4, 2.0, 5, 0.75, ""]


def reading(start: int, length: int = 60) -> list[object]:
    return ["north", "*", "*", "exg", start, length, 1, 3, 0.6, 0.1, 0.3]


def rollups(rows: list[list[object]], measures: list[list[object]]) -> bytes:
    return json.dumps({"rollups": rows, "measures": measures}).encode()


ENTRIES = {
    1: ("rollup", rollups([row(HOUR + 60), row(HOUR)], [reading(HOUR)])),
    2: ("event", b'{"kind":"e","camera":null,"at_ms":1,"data":{}}'),
    3: ("rollup", rollups([row(HOUR), row(HOUR + 3600)], [])),  # two hours
    4: ("rollup", rollups([], [reading(HOUR, 3600)])),
    5: ("rollup", rollups([row(HOUR)], [reading(HOUR, 3600)])),  # two lengths
    6: ("rollup", b"\xff not json"),
    7: ("alarm", b'{"kind":"a","camera":null,"at_ms":1,"data":{}}'),
    8: ("rollup", b"{}"),
}


def make_first(path: Path) -> None:
    """A database as version 0001 left it, with entries of all kinds, one of them set aside."""
    engine = open_sqlite(path, write=True)
    migrate(engine, MIGRATIONS, head="0001", landmark="outbox")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO stream VALUES ('0123456789abcdef0123456789abcdef', 10, 5)"))
        for seq, (channel, body) in ENTRIES.items():
            values = {"seq": seq, "channel": channel, "made": seq * 1000, "body": body}
            connection.execute(text("INSERT INTO outbox VALUES (:seq, :channel, 1, :made, :body)"), values)
        connection.execute(text("INSERT INTO outbox_quarantine VALUES (9, 'event', 1, 7, 'x', 'too large')"))
    engine.dispose()


def test_first_database_goes_on_with_its_entries(tmp_path: Path) -> None:
    """Entries of version 0001 keep number and body; their totals are right at once, and stay so."""
    make_first(tmp_path / DATABASE)
    with open_store(tmp_path, NOW) as store, store.write.begin() as connection:
        kept = {row.seq: (row.channel, row.body) for row in connection.execute(select(outbox))}
        assert kept == ENTRIES
        depth = read_depth(connection)
        sizes = {
            channel: [len(body) for other, body in ENTRIES.values() if other == channel]
            for channel in ("alarm", "event", "rollup")
        }
        assert {each.channel: (each.entries, each.size_bytes) for each in depth.channels} == {
            channel: (len(of), sum(of)) for channel, of in sizes.items()
        }
        assert (depth.entries, depth.oldest_utc_ns, depth.quarantined) == (8, 1000, 1)
        assert append_event(connection, {"kind": "e"}, boot=1, created_utc_ns=0) == 10
        assert read_depth(connection).entries == 9
        (aside,) = read_quarantine(connection, limit=5)
        assert (aside.stream, aside.seq, aside.reason) == ("0123456789abcdef0123456789abcdef", 9, "too large")


def test_first_database_knows_what_can_be_merged(tmp_path: Path) -> None:
    """Rollups of one hour and one length can be merged after the upgrade; others, and broken ones, are left alone."""
    make_first(tmp_path / DATABASE)
    with open_store(tmp_path, NOW) as store, store.read.connect() as connection:
        query = select(outbox.c.seq, outbox.c.window_start_s, outbox.c.window_s)
        windows = {row.seq: (row.window_start_s, row.window_s) for row in connection.execute(query)}
    assert {seq: window for seq, window in windows.items() if window != (None, None)} == {
        1: (HOUR, 60),
        4: (HOUR, 3600),
    }


def test_empty_first_database_is_brought_up(tmp_path: Path) -> None:
    """A box that has never stored anything upgrades as well."""
    engine = open_sqlite(tmp_path / DATABASE, write=True)
    migrate(engine, MIGRATIONS, head="0001", landmark="outbox")
    engine.dispose()
    with open_store(tmp_path, NOW) as store, store.read.connect() as connection:
        assert read_depth(connection) == Depth(0, 0, None, 0)


def triggers(path: Path) -> set[str]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        found = set(connection.execute(text("SELECT sql FROM sqlite_master WHERE type = 'trigger'")).scalars())
    engine.dispose()
    return found


def test_migrations_lead_to_the_same_triggers(tmp_path: Path) -> None:
    """A migrated database keeps its totals by the same triggers as one made from the schema."""
    make_first(tmp_path / DATABASE)
    open_store(tmp_path, NOW).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'fresh.db'}")
    schema.metadata.create_all(engine)
    cloud_sync.outbox.schema.metadata.create_all(engine)
    engine.dispose()
    assert len(triggers(tmp_path / DATABASE)) == 3
    assert triggers(tmp_path / DATABASE) == triggers(tmp_path / "fresh.db")
