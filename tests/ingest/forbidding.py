"""Databases that refuse some rows for good: a rule of their own, and names too long for an index."""

from random import Random

from sqlalchemy import Engine, text

from cloud_sync.wire import RollupRow
from tests.faults.ends import rollup_row

FORBIDDEN = "forbidden"
"""The kind of an event, and the camera of a window, that ``forbid`` is about."""


def forbid(database: Engine) -> None:
    """Add a rule to the cloud's database that it keeps for ever."""
    rules = (("event", "kind"), ("rollup", "camera"))
    with database.begin() as connection:
        for table, column in rules:
            if database.dialect.name == "sqlite":
                rule = (
                    f"CREATE TRIGGER no_{table} BEFORE INSERT ON {table} WHEN NEW.{column} = '{FORBIDDEN}'"
                    f" BEGIN SELECT RAISE(ABORT, 'rule no_{table}'); END"
                )
            else:
                rule = f"ALTER TABLE {table} ADD CONSTRAINT no_{table} CHECK ({column} <> '{FORBIDDEN}')"
            connection.execute(text(rule))


def forbidden_row() -> RollupRow:
    """A window that the rule is about."""
    return rollup_row(0)._replace(camera=FORBIDDEN)


def row_beyond_an_index() -> RollupRow:
    """A row as the wire has it, whose names together are more than PostgreSQL can put into an index."""
    dice = Random(1)
    camera, zone, class_name = ("".join(chr(dice.randrange(0x20000, 0x2A000)) for _ in range(256)) for _ in range(3))
    return rollup_row(0)._replace(camera=camera, zone=zone, class_name=class_name)
