"""Pieces of SQL that both kinds of database understand. Every name in them comes from the schema."""

from sqlalchemy import Table

from cloud_sync.ingest.tables import Clash, Window


def key_of(table: Table) -> tuple[str, ...]:
    """Return the names of a table's key."""
    return tuple(column.name for column in table.primary_key)


def clash_clause(table: Table, names: tuple[str, ...], clash: Clash) -> str:
    """Return what follows ON CONFLICT (key), for rows with these columns."""
    if clash is Clash.KEEP:
        return "DO NOTHING"
    rest = [name for name in names if name not in key_of(table)]
    change = f"DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in rest)}"
    return f"{change} WHERE excluded.revision > {table.name}.revision" if clash is Clash.REVISE else change


def replaced_condition(table: Table, form: str) -> str:
    """Return when a row ``short`` has been replaced by one of a longer window.

    The longer one holds what its database held. What came of another database of the box, before a new disk, is not in
    it, and stays: the database is a part of the key.

    Args:
        table: Of windows.
        form: How a value of the window is written, as in ``w.{}``.
    """
    site, device, start, length, camera = (form.format(name) for name in Window._fields)
    beside = [name for name in key_of(table) if name not in Window._fields]
    same = " AND ".join(f"long.{name} = short.{name}" for name in beside)
    return f"""short.site = {site} AND short.device = {device} AND short.camera = {camera}
AND short.start >= {start} AND short.start < {start} + {length}
AND short.length < {length} AND short.start + short.length <= {start} + {length}
AND EXISTS (SELECT 1 FROM {table.name} AS long WHERE long.site = {site} AND long.device = {device}
    AND long.camera = {camera} AND long.start = {start} AND long.length = {length} AND {same})"""  # noqa: S608
