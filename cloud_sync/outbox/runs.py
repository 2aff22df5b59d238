"""Which runs of the agent were online with this database: a restored copy does not know of the last ones."""

from sqlalchemy import Connection, select, update

from cloud_sync.outbox.schema import stream
from cloud_sync.wire import RUNS_TOLD


def note_run(connection: Connection, run: str) -> None:
    """Put this run behind the others, in the caller's write transaction, before the cloud hears of it.

    Args:
        connection: In a write transaction.
        run: Eight hexadecimal digits, of this run alone.
    """
    runs = [*(one for one in read_runs(connection) if one != run), run][-RUNS_TOLD:]
    connection.execute(update(stream).values(runs=" ".join(runs)))


def read_runs(connection: Connection) -> tuple[str, ...]:
    """Return the last runs, newest last."""
    runs: str = connection.execute(select(stream.c.runs)).scalar_one()
    return tuple(runs.split())
