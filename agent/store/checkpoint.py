"""Windows that are still open, noted in a file beside the database: a power cut costs seconds of them, not a minute."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import structlog
from sqlalchemy import Engine, select
from sqlalchemy.exc import DatabaseError

from agent.files import write_atomically
from agent.store.boots import corrections
from agent.store.dating import dated
from agent.store.schema import rollup as rollup_table
from agent.types import ANY, MeasureRollup, Rollup

log = structlog.get_logger()

FILE = "open-windows.json"

Window = tuple[str, int, int, int]
"""Camera, start (UTC seconds), length (seconds), and the boot by whose clock that is."""

Part = Rollup | MeasureRollup


class Checkpoint:
    """Keeps the parts that are not in the database yet, each window with the revision that the database had of it.

    A window whose revision has changed since was written with all that the note says of it. So what is taken up at the
    next start is neither lost nor counted twice, wherever the power went away. No row of the database and no byte on
    the link is spent on it.
    """

    def __init__(self, data_dir: Path, read: Engine) -> None:
        """Take the box's data directory and its database."""
        self._path = data_dir / FILE
        self._read = read
        self._failed = False

    def write(self, parts: Sequence[Part]) -> None:
        """Note the parts in place of those before.

        Args:
            parts: Not in the database, and not on the way there.

        Raises:
            DatabaseError: The database cannot be read now; the old note stays.
        """
        revisions = self._revisions(parts)
        content = {
            "windows": [[*window, revision] for window, revision in revisions.items()],
            "rollups": [asdict(part) for part in parts if isinstance(part, Rollup)],
            "measures": [asdict(part) for part in parts if isinstance(part, MeasureRollup)],
        }
        try:
            write_atomically(self._path, json.dumps(content).encode())
        except OSError as error:
            if not self._failed:
                log.warning("open_windows_not_noted", file=self._path.name, reason=error.strerror)
            self._failed = True
        else:
            self._failed = False

    def take(self) -> list[Part]:
        """Return what the last run noted and the database does not have. A file that cannot be read says nothing."""
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            noted = {(str(camera), *map(int, window)): rev for camera, *window, rev in content["windows"]}
            parts: list[Part] = [Rollup(**fields) for fields in content["rollups"]]
            parts += [MeasureRollup(**fields) for fields in content["measures"]]
            known = self._revisions(parts)
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError, DatabaseError) as error:
            log.warning("open_windows_unreadable", file=self._path.name, reason=str(error))
            return []
        return [part for part in parts if noted.get(_window_of(part)) == known.get(_window_of(part))]

    def _revisions(self, parts: Iterable[Part]) -> dict[Window, int]:
        """Return what revision the database has of each window, 0 where it has none.

        A window of a clock that was put right is where it belongs, or still waits to be moved there.
        """
        c = rollup_table.c
        with self._read.connect() as connection:
            known = corrections(connection)
            places = {_window_of(part): _window_of(dated(part, known)) for part in parts}
            starts = {start for pair in places.items() for _, start, _, _ in pair}
            query = select(c.camera, c.window_start_s, c.window_s, c.boot, c.revision).where(
                c.zone == ANY, c.class_name == ANY, c.window_start_s.in_(starts)
            )
            rows = [tuple(row) for row in connection.execute(query)]
        unmoved = {row[:4]: row[4] for row in rows}
        there = {row[:3]: row[4] for row in rows}
        return {window: unmoved.get(window, there.get(place[:3], 0)) for window, place in places.items()}


def _window_of(part: Part) -> Window:
    return part.camera, part.window_start_s, part.window_s, part.boot
