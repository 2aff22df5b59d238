"""The way back: what lets a box forget, and what does not."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.bundle import BundleError, Importer, Settled, Trust, public_hex, read_answer, settle, write_answer
from cloud_sync.bundle.answers import SEQS_AT_ONCE, _portions, find_answers
from cloud_sync.ingest import open_database
from cloud_sync.ranges import merge
from cloud_sync.sqlite import open_sqlite
from cloud_sync.uplink.status import LinkState
from cloud_sync.wire import AckMessage, Box, Refusal
from tests.bundle.carry import KEY, NOW_MS, OTHER_KEY, export, fill, many
from tests.faults.ends import BOX, BoxEnd, fast_settings
from tests.waiting import eventually

CLOUD_KEY = OTHER_KEY
PUBLIC = public_hex(CLOUD_KEY)


def answered(box: BoxEnd, stick: Path, *, through: int, ranges=(), of: Box = BOX, key=CLOUD_KEY, **more) -> Path:
    ack = AckMessage(**({"stream": box.outbox.stream, "through": through, "ranges": ranges} | more))
    return write_answer(stick, of, ack, key, now_ms=NOW_MS)


def forget(tmp_path: Path, path: Path, *, key: str = PUBLIC) -> Settled:
    read, write = (open_sqlite(tmp_path / "box.db", write=write) for write in (False, True))
    try:
        return settle(read, write, read_answer(path, key=key, box=BOX), utc_ms=lambda: NOW_MS)
    finally:
        read.dispose()
        write.dispose()


def test_there_and_back(box: BoxEnd, stick: Path, tmp_path: Path):
    """What the cloud has stored from a stick leaves the outbox by its signed answer; what came later stays."""
    fill(box)
    export(tmp_path / "box.db", stick)
    box.add_event("later").result(10)
    database = open_database(f"sqlite:///{tmp_path / 'cloud.db'}")
    importer = Importer(database, Trust(first_use=True), utc_ms=lambda: NOW_MS)
    importer.take(next(stick.iterdir()))
    database.dispose()
    [((of, _), ack)] = importer.acks.items()
    path = write_answer(stick, of, ack, CLOUD_KEY, now_ms=NOW_MS)
    assert find_answers(stick, BOX) == [path]
    assert forget(tmp_path, path) == Settled(entries=34, waiting=1)
    assert box.waiting() == [36]
    assert forget(tmp_path, path) == Settled(entries=0, waiting=1)


def test_answer_covers_what_has_arrived_and_nothing_else(box: BoxEnd, stick: Path, tmp_path: Path):
    """With holes before and between, only what is durable leaves."""
    many(box, 20)
    assert forget(tmp_path, answered(box, stick, through=3, ranges=((6, 8), (15, 15)))).entries == 7
    assert box.waiting() == [4, 5, *range(9, 15), *range(16, 21)]


def test_what_the_cloud_refuses_is_laid_aside(box: BoxEnd, stick: Path, tmp_path: Path):
    """A single entry that the cloud refuses leaves by its answer, with the reason and once; joined ones wait."""
    many(box, 10)
    refused = (Refusal(2, 2, "durable meanwhile"), Refusal(5, 5, "a rule"), Refusal(7, 9, "an index"))
    path = answered(box, stick, through=3, refused=refused)
    assert forget(tmp_path, path) == Settled(entries=3, waiting=7, laid_aside=1)
    assert box.quarantined() == {5: "the cloud refuses it for good: a rule"}
    assert box.waiting() == [4, *range(6, 12)], "11 tells that 5 never comes"
    assert forget(tmp_path, path) == Settled(entries=0, waiting=7)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": KEY}, "was changed, or not signed with the key"),
        ({"of": Box("orchard", "box-2")}, "is for orchard/box-2, and this box is orchard/box-1"),
        ({"stream": "f" * 32}, "is for stream ffff"),
        ({"through": 21}, "covers seq 21, and this box has made only up to 20"),
        ({"refused": (Refusal(21, 22, "a rule"),)}, "covers seq 22, and this box has made only up to 20"),
        ({"ranges": ((30, 40),)}, "covers seq 40, and this box has made only up to 20"),
        ({"remint": "two histories"}, "asks this box for a new stream: two histories"),
    ],
)
def test_answers_that_are_refused(box: BoxEnd, stick: Path, tmp_path: Path, change: dict, words: str):
    """Forged, of another box, of another stream or of a future: one line each, and the outbox keeps everything."""
    many(box, 20)
    path = answered(box, stick, **({"through": 5} | change))
    with pytest.raises(BundleError, match=words):
        forget(tmp_path, path)
    assert len(box.waiting()) == 20


def test_answer_cut_or_changed_anywhere(box: BoxEnd, stick: Path, tmp_path: Path):
    """An answer of which any byte is missing or changed lets nothing go."""
    many(box, 20)
    path = answered(box, stick, through=5)
    whole = path.read_bytes()
    for at in range(len(whole)):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]):
            path.write_bytes(content)
            with pytest.raises(BundleError):
                read_answer(path, key=PUBLIC, box=BOX)


def test_bundle_is_no_answer(box: BoxEnd, stick: Path, tmp_path: Path):
    """What is signed as one thing is not taken for another, whoever signed it."""
    fill(box)
    [part] = export(tmp_path / "box.db", stick, key=CLOUD_KEY).parts
    with pytest.raises(BundleError, match="is no hedgerow acks"):
        read_answer(part, key=PUBLIC, box=BOX)
    with pytest.raises(BundleError, match="holds no answer for orchard/box-1"):
        find_answers(stick, BOX)


def test_new_stream_between_look_and_write(box: BoxEnd, stick: Path, tmp_path: Path):
    """A box that begins a new stream while an answer is taken in loses none of its renumbered entries."""
    many(box, 20)
    box.outbox.settle(through=10).result(10)
    answer = read_answer(answered(box, stick, through=15), key=PUBLIC, box=BOX)
    read, write = (open_sqlite(tmp_path / "box.db", write=write) for write in (False, True))
    begin = write.begin
    reminted: list[str] = []

    def remint_first():
        if not reminted:
            reminted.append(box.outbox.remint("a test").result(10))
        return begin()

    write.begin = remint_first
    with pytest.raises(BundleError, match="is for stream"):
        settle(read, write, answer, utc_ms=lambda: NOW_MS)
    assert box.waiting() == list(range(1, 11))
    read.dispose()
    write.dispose()


def test_running_uplink_goes_on(box: BoxEnd, cloud, stick: Path, tmp_path: Path, mosquitto):
    """Entries that leave by an answer while the uplink sends are no trouble to it; the rest arrives by network."""
    many(box, 300)
    box.start_uplink(fast_settings(mosquitto.url))
    eventually(lambda: box.uplink.status().state is LinkState.ONLINE)
    forget(tmp_path, answered(box, stick, through=100))
    assert min(box.waiting(), default=101) > 100
    box.add_event("later").result(10)
    cloud.start(mosquitto.url)
    eventually(lambda: box.waiting() == [], within_s=20)
    assert {seq for first, last in cloud.received() for seq in range(first, last + 1)} >= set(range(101, 302))


@given(
    st.integers(0, 30_000),
    st.integers(0, 30_000),
    st.lists(st.tuples(st.integers(1, 40_000), st.integers(0, 12_000)), max_size=5),
)
def test_portions_are_the_whole(settled: int, through: int, spans: list[tuple[int, int]]):
    """An answer is taken in by small portions that together are exactly the answer."""
    ranges = merge((through + 1 + first, through + 1 + first + size) for first, size in spans)
    ack = AckMessage(stream="0" * 32, through=through, ranges=tuple(ranges))
    portions = list(_portions(ack, settled))
    assert merge(pair for _, pieces in portions for pair in pieces) == ranges
    steps = [settled, *(step for step, _ in portions)]
    assert max(steps[1:]) == through
    assert all(later - earlier <= SEQS_AT_ONCE for earlier, later in pairwise(steps))
    assert all(sum(last - first + 1 for first, last in pieces) <= SEQS_AT_ONCE for _, pieces in portions)
