"""From files on a stick into the cloud's database, through the same store as messages of the broker."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError

from cloud_sync.bundle.blocks import Block, BlockReader, verify
from cloud_sync.bundle.contents import (
    BUNDLE,
    END,
    HEADER,
    MESSAGES,
    PARTIAL_SUFFIX,
    SUFFIX,
    Header,
    messages_of,
    parse_end,
    parse_header,
)
from cloud_sync.bundle.errors import BundleError
from cloud_sync.bundle.trust import Trust, check_owner, known_key
from cloud_sync.errors import SyncFatalError
from cloud_sync.ingest.committing import CannotStoreError, commit
from cloud_sync.ingest.database import one_line
from cloud_sync.ingest.inbox import Incoming, Refused, read
from cloud_sync.ingest.ledger import join
from cloud_sync.ingest.schema import received
from cloud_sync.ingest.store import Acks
from cloud_sync.mqtt import Arrived
from cloud_sync.ranges import merge
from cloud_sync.wire import MOST_REFUSALS, AckMessage, Box, Channel, Envelope, Refusal, encode

ATTEMPTS = 6
FIRST_WAIT_S = 0.1


@dataclass(slots=True)
class PartResult:
    """What became of one file."""

    path: Path
    problem: str = ""  # one line; empty: all of it is stored
    header: Header | None = None  # once it is believed
    final: bool = False  # the last part of its bundle
    entries: int = 0  # stored now or before
    fresh: int = 0  # of these, stored now
    aside: int = 0  # messages in the cloud's quarantine
    refusals: list[Refusal] = field(default_factory=list)  # the first of those that its database will never take
    last: int = 0  # highest seq


@dataclass(slots=True)
class Importer:
    """Takes in files one by one. A block is one transaction: what is stored of a file is whole blocks, in order."""

    engine: Engine
    trust: Trust
    utc_ms: Callable[[], int]
    on_bytes: Callable[[int], None] = lambda _size: None
    wait: Callable[[float], None] = time.sleep
    acks: dict[tuple[Box, str], AckMessage] = field(default_factory=dict)  # by box and stream

    def take(self, path: Path) -> PartResult:
        """Store one file, as far as it is good; whatever is wrong with it is in the result.

        Raises:
            SyncFatalError: The database cannot be used: nothing else can be stored either.
        """
        result = PartResult(path)
        try:
            with _open(path) as file:
                self._take(file, result)
        except BundleError as error:
            result.problem = f"{error}; {_kept(result)}"
        except OSError as error:
            result.problem = f"cannot be read: {error.strerror}; {_kept(result)}"
        return result

    def _take(self, file: BufferedReader, result: PartResult) -> None:
        reader = BlockReader(file, BUNDLE)
        header, key, news = self._believe(reader.read())
        result.header = header
        self.on_bytes(reader.offset)
        for block in _blocks(reader, key):
            if block.kind == END:
                result.final = parse_end(block.body).final
            elif block.kind == MESSAGES:
                self._store([*news, *messages_of(block.body, header.box)], header, result)
                news = []
            self.on_bytes(reader.offset - block.offset)

    def _believe(self, block: Block) -> tuple[Header, str, list[Arrived]]:
        """Return the header, the key that signs all of the file, and the birth message where the cloud lacks it."""
        if block.kind != HEADER:
            raise BundleError("has no header")
        header = parse_header(block.body)
        with self._reading() as connection:
            known = known_key(connection, header)
            key = self.trust.expected(header, known)
            verify(block, key)
            check_owner(connection, header)
        return header, key, [] if known else [_birth(header)]

    def _store(self, arrived: list[Arrived], header: Header, result: PartResult) -> None:
        batch = [read(message) for message in arrived]
        spans = [*_spans(batch)]
        known = self._known(header.stream, spans)
        acks = self._commit(batch)
        refused = [refusal for of_box in acks.values() for ack in of_box for refusal in ack.refused]
        apart = {(first, last) for first, last, _ in refused}
        stored = [span for span in spans if span not in apart]
        entries = sum(last - first + 1 for first, last in stored)
        result.entries += entries
        result.fresh += entries - _overlap(stored, known)
        result.aside += sum(isinstance(item, Refused) for item in batch) + len(refused)
        result.refusals += refused[: MOST_REFUSALS - len(result.refusals)]
        result.last = max([result.last, *(last for _, last in spans)])
        self._note(acks)

    def _commit(self, batch: list[Incoming | Refused]) -> Acks:
        attempt = 1
        while True:
            try:
                return commit(self.engine, batch, now_ms=self.utc_ms())
            except CannotStoreError as error:
                if attempt == ATTEMPTS:
                    raise SyncFatalError(f"the database cannot store now: {error}; try again later") from error
                self.wait(FIRST_WAIT_S * 2 ** (attempt - 1))
                attempt += 1

    def _known(self, stream_id: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the ranges around ``spans`` that are stored now."""
        if not spans:
            return []
        lowest, highest = min(first for first, _ in spans), max(last for _, last in spans)
        c = received.c
        query = select(c.first, c.last).where(c.stream == stream_id, c.first <= highest, c.last >= lowest)
        with self._reading() as connection:
            return [(row.first, row.last) for row in connection.execute(query)]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise SyncFatalError(f"cannot read the database: {one_line(error)}") from error

    def _note(self, acks: dict[Box, list[AckMessage]]) -> None:
        for box, of_box in acks.items():
            for ack in of_box:
                before = self.acks.get((box, ack.stream))
                self.acks[box, ack.stream] = ack if before is None else join(before, ack)


def _open(path: Path) -> BufferedReader:
    if not path.is_file():
        raise BundleError("is no file")  # a pipe would be waited for
    return path.open("rb")


def _kept(result: PartResult) -> str:
    return f"what is before it, up to seq {result.last}, is stored" if result.entries else "nothing is stored"


def _spans(batch: Iterable[Incoming | Refused]) -> Iterator[tuple[int, int]]:
    """Yield first and last seq of each message that carries data."""
    for item in batch:
        if isinstance(item, Incoming) and isinstance(item.message, Envelope):
            yield item.message.seq, item.message.last_seq


def _overlap(spans: Iterable[tuple[int, int]], known: list[tuple[int, int]]) -> int:
    """Count the seqs in both."""
    return sum(max(0, min(last, end) - max(first, start) + 1) for first, last in merge(spans) for start, end in known)


def _blocks(reader: BlockReader, key: str) -> Iterator[Block]:
    """Yield what follows the header, each block verified, up to the end.

    Raises:
        CutError: There is no end.
        ForgedError: A block is not signed with the key.
    """
    block = None
    while block is None or block.kind != END:
        block = reader.read()
        verify(block, key)
        yield block


def _birth(header: Header) -> Arrived:
    """Return the birth message as the broker would keep it: no sign of life."""
    encoded = encode(header.birth)
    return Arrived(0, 1, header.box.topic(Channel.BIRTH), encoded.payload, True, encoded.encoding)


def find_parts(given: Iterable[Path]) -> list[Path]:
    """Return the files to import: those given, and of folders those that are of a bundle.

    Raises:
        BundleError: A folder holds none.
    """
    found: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = [*path.glob(f"*{SUFFIX}"), *path.glob(f"*{PARTIAL_SUFFIX}")]
            if not inside:
                raise BundleError(f"{path} holds no bundle (*{SUFFIX})")
            found += sorted(inside)
        else:
            found.append(path)
    return found


def absent_parts(results: Iterable[PartResult]) -> list[str]:
    """Return a line for each bundle of which parts were not given: they may be on another stick."""
    of_bundle: dict[str, list[PartResult]] = {}
    for result in results:
        if result.header is not None:
            of_bundle.setdefault(result.header.bundle, []).append(result)
    lines = []
    for bundle, parts in of_bundle.items():
        numbers = {part.header.part for part in parts if part.header is not None}
        absent = [str(number) for number in range(1, max(numbers)) if number not in numbers]
        absent += [] if any(part.final for part in parts) else [f"those after {max(numbers)}"]
        if absent:
            lines.append(f"of bundle {bundle[:8]} these parts were not given, or are not whole: {', '.join(absent)}")
    return lines
