"""The wire's messages, rows and bytes."""

import contextlib
import json
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cloud_sync.wire import (
    DATA_CHANNELS,
    MOST_REFUSALS,
    AckMessage,
    Box,
    Channel,
    Envelope,
    EventMessage,
    EvidenceMessage,
    Refusal,
    RollupMessage,
    RollupRow,
    ShedMessage,
    WindowColumns,
    WindowRow,
    WireError,
    columns_of,
    decode,
    encode,
    parse_topic,
    rows_of,
    topic_filter,
    window_columns_of,
    window_rows_of,
)
from cloud_sync.wire.encoding import MAX_DECODED_BYTES

STREAM = "0123456789abcdef" * 2

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
count = st.integers(0, 2**53 - 1)
seqs = st.integers(1, 2**63 - 1)
moment = st.integers(-(2**40), 2**40)
number = st.floats(0, 1e12)
row = st.builds(
    RollupRow,
    camera=text,
    zone=text,
    class_name=text,
    start=moment,
    length=count,
    revision=count,
    observed_ms=count,
    frames=count,
    unique_tracks=count,
    occupancy_mean=number,
    occupancy_max=count,
    confidence_mean=st.none() | st.floats(0, 1),
    place=text,
)
scalar = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text


@given(st.lists(row, max_size=20))
def test_rows_survive_their_columns(rows: list[RollupRow]) -> None:
    """Rows come out of columns as they went in, in the same order."""
    assert rows_of(columns_of(rows)) == rows


@given(st.lists(row, max_size=50), st.integers(1, 2**62), st.integers(1, 1000))
def test_rollups_survive_the_wire(rows: list[RollupRow], seq: int, entries: int) -> None:
    """A rollup message comes off the wire as it went on, compressed or not."""
    message = RollupMessage(stream=STREAM, seq=seq, count=entries, boot=3, columns=columns_of(rows))
    encoded = encode(message)
    assert decode(Channel.ROLLUP, encoded.payload, encoded.encoding) == message


@given(text, st.none() | text, moment, st.dictionaries(text, scalar, max_size=5))
def test_events_survive_the_wire(kind: str, camera: str | None, at_ms: int, data: dict[str, object]) -> None:
    """An event comes off the wire as it went on, the types of its data included."""
    message = EventMessage(stream=STREAM, seq=1, boot=1, kind=kind, camera=camera, at_ms=at_ms, data=data)
    encoded = encode(message)
    decoded = decode(Channel.EVENT, encoded.payload, encoded.encoding)
    assert isinstance(decoded, EventMessage)
    assert decoded == message
    assert [type(value) for value in decoded.data.values()] == [type(value) for value in message.data.values()]


@given(st.sampled_from(Channel), st.binary(max_size=200), st.sampled_from([None, "zlib", "br"]))
def test_garbage_is_refused_by_name(channel: Channel, payload: bytes, encoding: str | None) -> None:
    """Whatever bytes arrive, they are a message or a WireError, nothing else."""
    with contextlib.suppress(WireError):
        decode(channel, payload, encoding)


json_value = st.recursive(scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))


@settings(max_examples=300)
@given(st.sampled_from(DATA_CHANNELS), st.data())
def test_wrong_fields_are_refused_by_name(channel: Channel, data: st.DataObject) -> None:
    """A message with any field replaced by any JSON is a message or a WireError, and every integer fits a database."""
    good = json.loads(encode(_example(channel)).payload)
    for name in data.draw(st.lists(st.sampled_from(sorted(good)), max_size=3)):
        good[name] = data.draw(json_value)
    try:
        message = decode(channel, json.dumps(good).encode())
    except WireError:
        return
    if isinstance(message, EventMessage):
        assert abs(message.at_ms) < 2**63


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": 2}, "v: Input should be 1"),
        ({"stream": "x"}, "stream: String should match"),
        ({"seq": 0}, "seq: Input should be greater than or equal to 1"),
        ({"seq": 2**63 - 2, "count": 2}, "leave the range of seq"),
        ({"boot": -1}, "boot: Input should be greater"),
        ({"columns": {}}, "columns.camera: Field required"),
    ],
)
def test_reason_names_the_field(changes: dict[str, object], reason: str) -> None:
    """What is wrong with a message is told by field and rule."""
    good = json.loads(encode(_example(Channel.ROLLUP)).payload)
    with pytest.raises(WireError, match=reason):
        decode(Channel.ROLLUP, json.dumps({**good, **changes}).encode())


def test_columns_of_different_length_are_refused() -> None:
    """Columns that do not fit together are no rows."""
    good = json.loads(encode(_example(Channel.ROLLUP)).payload)
    good["columns"]["frames"].append(1)
    with pytest.raises(WireError, match="columns differ in length"):
        decode(Channel.ROLLUP, json.dumps(good).encode())


def test_start_times_that_add_up_too_far_are_refused() -> None:
    """Differences that are each in range cannot add up to a time that no database holds."""
    one = RollupRow("c", "*", "*", 2**52, 60, 1, 1, 1, 1, 0.0, 1, None)
    columns = columns_of([one, one]).model_dump(by_alias=True)
    columns["start"] = [2**52, 2**52]
    good = json.loads(encode(_example(Channel.ROLLUP)).payload)
    with pytest.raises(WireError, match="add up to a time out of range"):
        decode(Channel.ROLLUP, json.dumps({**good, "columns": columns}).encode())


def test_joined_events_are_refused() -> None:
    """An event claims one seq: one that claims more would have entries settled that never arrived."""
    with pytest.raises(WireError, match="count"):
        decode(Channel.EVENT, json.dumps({**json.loads(encode(_example(Channel.EVENT)).payload), "count": 2}).encode())


def test_zip_bomb_is_refused() -> None:
    """A small payload that grows beyond the limit is refused, whole or in part never unpacked."""
    bomb = zlib.compress(b" " * (MAX_DECODED_BYTES + 1), level=9)
    assert len(bomb) < 20_000
    with pytest.raises(WireError, match="grows beyond"):
        decode(Channel.ROLLUP, bomb, "zlib")


def test_cut_payload_is_refused() -> None:
    """A compressed payload that ends early is told from one that is no zlib at all."""
    packed = zlib.compress(b"{}" * 1000)
    with pytest.raises(WireError, match="cut short"):
        decode(Channel.ROLLUP, packed[:-4], "zlib")
    with pytest.raises(WireError, match="not zlib"):
        decode(Channel.ROLLUP, b"{}", "zlib")


def test_newer_box_may_say_more() -> None:
    """Unknown fields are ignored, so that a newer box is understood by an older cloud."""
    good = json.loads(encode(_example(Channel.EVENT)).payload)
    assert decode(Channel.EVENT, json.dumps({**good, "novelty": 1}).encode()) == _example(Channel.EVENT)


@pytest.mark.parametrize("ranges", [((5, 4),), ((1, 2),), ((6, 8), (7, 9)), ((8, 9), (6, 7))])
def test_ack_with_ranges_out_of_order_is_refused(ranges: tuple[tuple[int, int], ...]) -> None:
    """Ranges of an ack ascend beyond ``through``."""
    with pytest.raises(ValidationError, match="ranges do not ascend"):
        AckMessage(stream=STREAM, through=4, ranges=ranges)


@given(st.sets(st.tuples(seqs, seqs)), text)
def test_refusals_survive_the_wire(pairs: set[tuple[int, int]], reason: str) -> None:
    """What the cloud will never store arrives at the box with first and last seq and reason."""
    spans = sorted({(min(pair), max(pair)) for pair in pairs})[:MOST_REFUSALS]
    ack = AckMessage(stream=STREAM, through=3, refused=tuple(Refusal(*span, reason) for span in spans))
    encoded = encode(ack)
    assert decode(Channel.ACK, encoded.payload, encoded.encoding) == ack


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        ([[5, 4, "x"]], "refused do not ascend"),
        ([[5, 6, "x"], [4, 4, "x"]], "refused do not ascend"),
        ([[5, 5, "x"], [5, 5, "y"]], "refused do not ascend"),
        ([[0, 5, "x"]], "refused.0.0: Input should be greater"),
        ([[1, 2**63, "x"]], "refused.0.1: Input should be less"),
        ([[1, 2, "x" * 257]], "refused.0.2: String should have at most"),
        ([[1, 2]], "refused.0.2: Field required"),
        ([[number, number, ""] for number in range(1, MOST_REFUSALS + 2)], "refused: Tuple should have at most"),
    ],
)
def test_refusals_out_of_bounds_are_refused(refused: list[list[object]], words: str) -> None:
    """Refusals ascend, name seqs, give a reason of the length of a text, and are not endless."""
    plain = json.dumps({"stream": STREAM, "through": 0, "refused": refused}).encode()
    with pytest.raises(WireError, match=words):
        decode(Channel.ACK, plain)


def test_box_that_knows_no_refusals_reads_the_rest() -> None:
    """What an ack says beyond what a box knows is passed over, and an ack of an older cloud refuses nothing."""
    plain = {"stream": STREAM, "through": 3, "ranges": [[5, 6]]}
    assert decode(Channel.ACK, json.dumps({**plain, "novelty": [[4, 4, "x"]]}).encode()) == AckMessage(
        stream=STREAM, through=3, ranges=((5, 6),), refused=()
    )


@given(st.lists(st.builds(WindowRow, text, moment, count), max_size=20))
def test_what_was_shed_survives_the_wire(windows: list[WindowRow]) -> None:
    """A shed record comes off the wire as it went on, its windows in the same order."""
    message = _shed(ranges=((1, 2), (4, 9)), windows=window_columns_of(windows))
    encoded = encode(message)
    decoded = decode(Channel.SHED, encoded.payload, encoded.encoding)
    assert isinstance(decoded, ShedMessage)
    assert decoded == message
    assert decoded.windows is not None
    assert window_rows_of(decoded.windows) == windows


@pytest.mark.parametrize("ranges", [(), ((5, 4),), ((3, 4), (1, 2))])
def test_shed_ranges_out_of_order_are_refused(ranges: tuple[tuple[int, int], ...]) -> None:
    """A shed record says which seqs never come, in order; one that says none is no record."""
    with pytest.raises(ValidationError, match="ranges"):
        _shed(ranges=ranges)


@given(st.binary(max_size=3000))
def test_evidence_survives_the_wire(jpeg: bytes) -> None:
    """A picture comes off the wire byte by byte."""
    message = EvidenceMessage(stream=STREAM, seq=1, boot=1, kind="k", camera="c", at_ms=1, width=1, height=1, jpeg=jpeg)
    encoded = encode(message)
    assert decode(Channel.EVIDENCE, encoded.payload, encoded.encoding) == message


def test_compressed_payload_is_known_without_a_property() -> None:
    """MQTT 3.1.1 carries no properties: a compressed payload is told by its first byte."""
    row = RollupRow("c", "*", "*", 1_700_000_000, 60, 1, 60_000, 300, 7, 0.5, 2, 0.75)
    message = RollupMessage(stream=STREAM, seq=1, boot=1, columns=columns_of([row] * 100))
    encoded = encode(message)
    assert encoded.encoding == "zlib"
    assert decode(Channel.ROLLUP, encoded.payload, None) == message


@given(st.text())
def test_topics_are_ours_or_refused(topic: str) -> None:
    """Any topic is one of ours, and then comes back the same, or a WireError."""
    try:
        box, channel = parse_topic(topic)
    except WireError:
        return
    assert box.topic(channel) == topic


def test_topics_come_back() -> None:
    """A box's topics name it and the channel."""
    box = Box("north-field", "box_1")
    for channel in Channel:
        assert parse_topic(box.topic(channel)) == (box, channel)
    assert topic_filter(Channel.EVENT, share="g") == "$share/g/hedgerow/v1/+/+/event"


@pytest.mark.parametrize("name", ["", "A", "a/b", "a+", "#", "-a", "a" * 64, "a\n"])
def test_names_that_break_topics_are_refused(name: str) -> None:
    """No site or device has a name that a topic would misread."""
    with pytest.raises(WireError, match="no site or device name"):
        Box("site", name)


def _example(channel: Channel) -> Envelope:
    if channel is Channel.SHED:
        return _shed(ranges=((1, 2), (4, 4)))
    if channel is Channel.EVIDENCE:
        return EvidenceMessage(
            stream=STREAM, seq=1, boot=1, kind="k", camera="c", at_ms=1, width=2, height=1, jpeg=b"\xff\xd8"
        )
    if channel in (Channel.EVENT, Channel.ALARM):
        return EventMessage(stream=STREAM, seq=1, boot=1, kind="k", camera="c", at_ms=1, data={"a": 1})
    one = RollupRow("c", "*", "*", 1_700_000_000, 60, 1, 60_000, 300, 7, 0.5, 2, 0.75)
    return RollupMessage(stream=STREAM, seq=1, boot=1, columns=columns_of([one]))


def _shed(ranges: tuple[tuple[int, int], ...], windows: WindowColumns | None = None) -> ShedMessage:
    return ShedMessage(
        stream=STREAM,
        seq=20,
        boot=1,
        at_ms=1,
        channel="rollup",
        became="hours",
        reason="rows",
        entries=3,
        size_bytes=300,
        oldest_ms=0,
        newest_ms=1,
        ranges=ranges,
        windows=windows,
    )


@pytest.mark.parametrize(("text", "allowed"), [("a\0", False), ("\0", False), (r"\u0000", True), ("\\\0", False)])
def test_nul_is_refused_by_both_ends(text: str, *, allowed: bool) -> None:
    """A text with NUL in it can neither be sent nor be read; one that spells its escape can."""
    message = EventMessage(stream="0" * 32, seq=1, boot=1, kind="x", at_ms=1, data={"text": text})
    plain = message.model_dump_json().encode()
    if allowed:
        assert decode(Channel.EVENT, encode(message).payload) == message
        return
    with pytest.raises(WireError, match="NUL"):
        encode(message)
    with pytest.raises(WireError, match="NUL"):
        decode(Channel.EVENT, plain)
