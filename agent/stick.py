"""The box's end of a USB stick: its key, what it said of itself last, export of the outbox, answers taken in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from pydantic import ValidationError
from sqlalchemy import Engine

from agent.clock import SystemClock
from agent.config import Config
from agent.errors import ConfigError, FatalError
from agent.store import DATABASE
from cloud_sync.bundle import (
    BOX_KEY,
    BundleError,
    Exported,
    Settled,
    export_outbox,
    find_answers,
    load_key,
    mint_key,
    public_hex,
    read_answer,
    replace_file,
    settle,
)
from cloud_sync.sqlite import open_sqlite
from cloud_sync.wire import BirthMessage, Box

log = structlog.get_logger()

BIRTH = "birth.json"

Progress = Callable[[int, int], None]


def public_key(data_dir: Path) -> str | None:
    """Return the public half of the box's key, which is made at the first call and kept.

    None where that fails: the box works without, but its bundles would be nobody's.
    """
    try:
        return public_hex(mint_key(data_dir / BOX_KEY))
    except BundleError as error:
        log.error("no_bundles", reason=str(error))
        return None


def keep_birth(data_dir: Path, birth: BirthMessage) -> None:
    """Keep what the box says of itself, for a cloud that meets it on a stick first."""
    try:
        replace_file(data_dir / BIRTH, birth.model_dump_json().encode())
    except OSError as error:
        log.error("birth_not_kept", file=BIRTH, reason=error.strerror)


def export(config: Config, out: Path, *, after: int, part_bytes: int, on_progress: Progress) -> Exported:
    """Write what waits in the outbox to a folder; an agent may be running.

    Raises:
        FatalError: The agent was never started here.
        BundleError: See ``export_outbox``.
    """
    data_dir = config.storage.data_dir
    with _open(data_dir, write=False) as engine:
        return export_outbox(
            engine,
            out,
            box=Box(config.box.site, config.box.device),
            key=load_key(data_dir / BOX_KEY),
            birth=_load_birth(data_dir),
            now_ms=SystemClock().utc_ms(),
            after=after,
            part_bytes=part_bytes,
            on_progress=on_progress,
        )


def take_answers(config: Config, path: Path, *, on_progress: Progress) -> dict[Path, Settled | str]:
    """Let the outbox forget what the cloud has stored, by its signed word; an agent may be running.

    Args:
        config: Has the cloud's public key.
        path: One answer, or a folder with some.
        on_progress: Told how many seqs are done, of how many.

    Returns:
        For each answer what it came to, or why it was refused.

    Raises:
        ConfigError: No key is pinned: a forged answer could not be told from a true one.
        BundleError: There is no answer.
        FatalError: There is no database.
    """
    key = config.bundle.cloud_key
    if key is None:
        raise ConfigError("bundle.cloud_key is not set: without it an answer could be anybody's (hedgerow bundle key)")
    box = Box(config.box.site, config.box.device)
    results: dict[Path, Settled | str] = {}
    with _open(config.storage.data_dir, write=False) as read, _open(config.storage.data_dir, write=True) as write:
        for file in find_answers(path, box):
            try:
                answer = read_answer(file, key=key, box=box)
                results[file] = settle(read, write, answer, utc_ms=SystemClock().utc_ms, on_progress=on_progress)
            except BundleError as error:
                results[file] = str(error)
    return results


@contextmanager
def _open(data_dir: Path, *, write: bool) -> Iterator[Engine]:
    path = data_dir / DATABASE
    if not path.is_file():
        raise FatalError(f"no box has stored anything in {data_dir}: there is no {DATABASE}")
    engine = open_sqlite(path, write=write)
    try:
        yield engine
    finally:
        engine.dispose()


def _load_birth(data_dir: Path) -> BirthMessage:
    path = data_dir / BIRTH
    try:
        return BirthMessage.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise FatalError(f"there is no {path}; start the agent once: it writes it") from None
    except OSError as error:
        raise FatalError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError:
        raise FatalError(f"{path} is damaged; start the agent once: it writes it anew") from None
