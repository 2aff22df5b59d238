"""Bring a database to the schema that this version knows, with Alembic."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text


class SchemaTooNewError(Exception):
    """The database was written by a newer version; nothing was changed."""


class ForeignDatabaseError(Exception):
    """The database belongs to another program of ours; nothing was changed."""


def migrate(engine: Engine, scripts: Path, *, head: str, landmark: str) -> None:
    """Upgrade the database behind ``engine`` to revision ``head``; does nothing, and imports nothing, if it is there.

    Args:
        engine: For writing.
        scripts: Alembic folder with ``env.py`` and ``versions/``.
        head: Newest revision in that folder; the caller names it so that a normal start need not load Alembic.
        landmark: A table of every revision, and of no other database of ours: both ends count revisions from 0001.

    Raises:
        ForeignDatabaseError: There is a schema, but not that table.
        SchemaTooNewError: The database is at a revision that the folder does not know.
    """
    current = current_revision(engine)
    if current is not None and not has_table(engine, landmark):
        raise ForeignDatabaseError(f"database has a schema, but no table {landmark!r}")
    if current == head:
        return
    from alembic import command  # noqa: PLC0415  only when there is something to migrate: it costs 0.2 s of start
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(scripts))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaTooNewError(f"database is at schema {current}, which this version does not know (newest: {head})")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, head)


def has_table(engine: Engine, name: str) -> bool:
    """Tell whether a database has a table."""
    with engine.connect() as connection:
        return inspect(connection).has_table(name)


def current_revision(engine: Engine) -> str | None:
    """Return the revision that a database is at; None where there is no schema of ours."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version
