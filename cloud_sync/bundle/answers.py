"""The way back: a signed file that tells a box what the cloud has, so that it may forget it."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DatabaseError, NoResultFound

from cloud_sync.bundle.blocks import BlockReader, BlockWriter, verify
from cloud_sync.bundle.contents import ACK, ACKS, ACKS_SUFFIX, Answer, parse_answer
from cloud_sync.bundle.errors import BundleError
from cloud_sync.bundle.files import replace_file
from cloud_sync.outbox import Outbox
from cloud_sync.outbox.schema import stream
from cloud_sync.wire import AckMessage, Box

T = TypeVar("T")

SEQS_AT_ONCE = 5000
RANGES_AT_ONCE = 500
"""In one transaction: a running agent waits for it."""


def write_answer(folder: Path, box: Box, ack: AckMessage, key: Ed25519PrivateKey, *, now_ms: int) -> Path:
    """Write what the cloud has of one stream, in place of an earlier answer.

    Args:
        folder: On the stick.
        box: Whose stream it is.
        ack: What is durable; committed before.
        key: The cloud's; the box has its public half in its configuration.
        now_ms: UTC.

    Raises:
        BundleError: It cannot be written.
    """
    path = folder / f"{box.site}-{box.device}-{ack.stream[:8]}{ACKS_SUFFIX}"
    content = BytesIO()
    answer = Answer(site=box.site, device=box.device, made_ms=now_ms, ack=ack)
    BlockWriter(content, ACKS, key).write(ACK, answer.model_dump_json().encode())
    try:
        replace_file(path, content.getvalue())
    except OSError as error:
        raise BundleError(f"cannot write {path}: {error.strerror}") from error
    return path


def read_answer(path: Path, *, key: str, box: Box) -> Answer:
    """Return what a file says, if the cloud of this box wrote it.

    Args:
        path: The file.
        key: The cloud's public key.
        box: This one.

    Raises:
        BundleError: It cannot be read, is cut, forged, or for another box.
    """
    try:
        with path.open("rb") as file:
            reader = BlockReader(file, ACKS)
            block = reader.read()
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}") from error
    except BundleError as error:
        raise BundleError(f"{path} {error}") from None
    try:
        verify(block, key)
        answer = parse_answer(block.body)
    except BundleError as error:
        raise BundleError(f"{path} {error}; nothing was forgotten") from None
    if answer.box != box:
        raise BundleError(
            f"{path} is for {answer.site}/{answer.device}, and this box is {box.site}/{box.device}; "
            "nothing was forgotten"
        )
    return answer


def find_answers(path: Path, box: Box) -> list[Path]:
    """Return the answer that was given, or those for this box in a folder.

    Raises:
        BundleError: There are none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(path.glob(f"{box.site}-{box.device}-*{ACKS_SUFFIX}"))
    if not found:
        raise BundleError(f"{path} holds no answer for {box.site}/{box.device} (*{ACKS_SUFFIX})")
    return found


@dataclass(frozen=True, slots=True)
class Settled:
    """What an answer came to."""

    entries: int  # left the outbox now
    waiting: int  # still in it
    laid_aside: int = 0  # into the box's quarantine, because the cloud will never take them


def settle(
    read: Engine,
    write: Engine,
    answer: Answer,
    *,
    utc_ms: Callable[[], int],
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Settled:
    """Drop from the outbox what the cloud has, in small transactions: an agent may be running beside it.

    Single entries that the cloud refuses for good are laid aside. Of a joined message that it refuses the entries wait:
    which of them is at fault shows when the box sends parts of it by network.

    Args:
        read: Of the box's database.
        write: Of the same.
        answer: Verified.
        utc_ms: The wall clock.
        on_progress: Told how many seqs are done, of how many.

    Raises:
        BundleError: The answer is for another stream or covers what was never sent, or the database cannot be used.
    """
    ack = answer.ack
    try:
        outbox = Outbox(read, _Direct(write, ack.stream), utc_ms=utc_ms)
        _check(outbox, ack)
        settled, total = 0, max([ack.through, *(last for _, last in ack.ranges)])
        for through, ranges in _portions(ack, outbox.settled_through()):
            settled += outbox.settle(through=through, ranges=ranges).result()
            on_progress(max([through, *(last for _, last in ranges)]), total)
        laid_aside = sum(
            outbox.quarantine(first, f"the cloud refuses it for good: {why}").result()
            for first, last, why in ack.refused
            if first == last and not ack.holds(first, last)
        )
        return Settled(settled, outbox.depth().entries, laid_aside)
    except NoResultFound:
        raise BundleError("the box's database has no stream yet: its first start was cut short") from None
    except DatabaseError as error:
        raise BundleError(f"the box's database cannot be used now: {error.orig}") from error


def _check(outbox: Outbox, ack: AckMessage) -> None:
    if ack.remint is not None:
        raise BundleError(f"the cloud asks this box for a new stream: {ack.remint}; that needs a link")
    if ack.stream != outbox.stream:
        raise _of_another_stream(ack.stream, outbox.stream)
    if ack.last_seq > outbox.last_seq():
        raise BundleError(
            f"the answer covers seq {ack.last_seq}, and this box has made only up to {outbox.last_seq()}: "
            "its database is older than the answer; nothing was forgotten"
        )


def _of_another_stream(answered: str, own: str) -> BundleError:
    return BundleError(f"the answer is for stream {answered}, and this box is at {own} now; nothing was forgotten")


def _portions(ack: AckMessage, settled_through: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Cut an ack into ones of which none drops more than some thousands of entries: between them progress is told."""
    for through in range(settled_through + SEQS_AT_ONCE, ack.through, SEQS_AT_ONCE):
        yield through, []
    yield ack.through, []
    portion: list[tuple[int, int]] = []
    size = 0
    for first, last in _pieces(ack.ranges):
        if size + last - first + 1 > SEQS_AT_ONCE or len(portion) == RANGES_AT_ONCE:
            yield ack.through, portion
            portion, size = [], 0
        portion.append((first, last))
        size += last - first + 1
    if portion:
        yield ack.through, portion


def _pieces(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for first, last in ranges:
        for begin in range(first, last + 1, SEQS_AT_ONCE):
            yield begin, min(last, begin + SEQS_AT_ONCE - 1)


class _Direct:
    """Writes at once, in this thread; refuses when the agent began a new stream meanwhile."""

    def __init__(self, engine: Engine, stream_id: str) -> None:
        self._engine = engine
        self._stream = stream_id

    def submit(self, work: Callable[[Connection], T]) -> "Future[T]":
        future: Future[T] = Future()
        with self._engine.begin() as connection:
            now = connection.execute(select(stream.c.id)).scalar_one()
            if now != self._stream:
                raise _of_another_stream(self._stream, now)
            result = work(connection)
        future.set_result(result)
        return future
