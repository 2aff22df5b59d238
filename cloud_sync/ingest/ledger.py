"""Which seqs of a stream are durable here, and what its box may forget."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection

from cloud_sync.ingest.quarantine import plain
from cloud_sync.ingest.schema import received
from cloud_sync.ingest.tables import Clash, Range, Tables
from cloud_sync.ranges import merge
from cloud_sync.wire import MOST_REFUSALS, AckMessage, Envelope, Refusal

REASON_CHARACTERS = 200
"""Of the reason of a refusal: its box puts a word before it, and tells it in a record of its own."""

Held = Mapping[str, Sequence[tuple[int, int]]]
"""By stream: rows of ``received``, ascending and apart from each other."""


def merged(ranges: Iterable[Range]) -> list[Range]:
    """Return the same seqs in as few ranges as possible, in order."""
    by_stream: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for stream, first, last in ranges:
        by_stream[stream].append((first, last))
    return [Range(stream, *pair) for stream in sorted(by_stream) for pair in merge(by_stream[stream])]


def holds(held: Iterable[Range], stream: str, seq: int) -> bool:
    """Return whether a seq is in ranges that ``Tables.touching`` gave for it."""
    return any(of == stream and first <= seq <= last for of, first, last in held)


def add(connection: Connection, tables: Tables, ranges: Sequence[Range], held: Sequence[Range]) -> Held:
    """Note that seqs are stored, in the transaction that stores them; return what is held now in their neighbourhood.

    Args:
        connection: Holds the locks of the boxes that the streams belong to.
        tables: Of that connection.
        ranges: As ``merged`` gives them.
        held: What ``Tables.touching`` says of them.
    """
    after = merged([*ranges, *held])
    there, wanted = set(held), set(after)
    fresh = sorted(wanted - there)
    beginnings = {(stream, first) for stream, first, _ in fresh}
    tables.remove_ranges(connection, [row for row in held if row not in wanted and row[:2] not in beginnings])
    columns = {name: [getattr(row, name) for row in fresh] for name in Range._fields}
    tables.put(connection, received, columns, Clash.REPLACE)
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for stream, first, last in after:
        found[stream].append((first, last))
    return found


def ack(stream: str, held: Sequence[tuple[int, int]], seqs: Iterable[int]) -> AckMessage:
    """Return what a box may forget.

    Args:
        stream: The box's.
        held: What ``add`` returned for it.
        seqs: One of each message that the batch brought: the ranges beyond ``through`` that hold these are told, no
            others, so that the ack stays small however many holes a stream has.
    """
    through = held[0][1] if held[0][0] == 1 else 0
    beyond = [pair for pair in held if pair[0] > through + 1]
    brought = sorted(seqs)
    told = tuple(pair for pair in beyond if any(pair[0] <= seq <= pair[1] for seq in brought))
    return AckMessage(stream=stream, through=through, ranges=told)


def refusal(message: Envelope, reason: str) -> AckMessage:
    """Return the ack that settles nothing and says that one message was set aside, and will be whenever it comes."""
    refused = Refusal(message.seq, message.last_seq, plain(reason)[:REASON_CHARACTERS])
    return AckMessage(stream=message.stream, through=0, refused=(refused,))


def join(before: AckMessage, ack: AckMessage) -> AckMessage:
    """Return what both say of one stream.

    A refusal of what is durable meanwhile is left out, and so are more than one ack may hold: those come again.
    """
    through = max(before.through, ack.through)
    beyond = merge((max(first, through + 1), last) for first, last in (*before.ranges, *ack.ranges) if last > through)
    both = AckMessage(stream=ack.stream, through=through, ranges=tuple(beyond), remint=ack.remint or before.remint)
    newest = {(first, last): why for first, last, why in (*before.refused, *ack.refused)}
    refused = [
        Refusal(first, last, why) for (first, last), why in sorted(newest.items()) if not both.holds(first, last)
    ]
    return both.model_copy(update={"refused": tuple(refused[:MOST_REFUSALS])})
