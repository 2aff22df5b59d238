"""Bring a database to the schema that this version knows, with Alembic."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text


class SchemaTooNewError(Exception):
    """The database was written by a newer version; nothing was changed."""


def migrate(engine: Engine, scripts: Path, *, head: str) -> None:
    """Upgrade the database behind ``engine`` to revision ``head``; does nothing, and imports nothing, if it is there.

    Args:
        engine: For writing.
        scripts: Alembic folder with ``env.py`` and ``versions/``.
        head: Newest revision in that folder; the caller names it so that a normal start need not load Alembic.

    Raises:
        SchemaTooNewError: The database is at a revision that the folder does not know.
    """
    current = _current(engine)
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


def _current(engine: Engine) -> str | None:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return version
