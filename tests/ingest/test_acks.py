"""Acks of one stream, joined into one before they leave."""

from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.ingest.ledger import join
from cloud_sync.uplink.uplink import MAX_INCOMING_BYTES
from cloud_sync.wire import MOST_REFUSALS, AckMessage, Channel, Refusal, decode, encode
from tests.ingest.messages import STREAM

spans = st.sets(st.tuples(st.integers(1, 30), st.integers(0, 5)), max_size=8).map(
    lambda pairs: sorted({(first, first + more) for first, more in pairs})
)


def _ack(through: int, ranges: list[tuple[int, int]], refused: list[tuple[int, int]]) -> AckMessage:
    apart: list[tuple[int, int]] = []
    for first, last in ranges:
        if first > (apart[-1][1] if apart else through):
            apart.append((first, last))
    told = tuple(Refusal(first, last, "why") for first, last in refused)
    return AckMessage(stream=STREAM, through=through, ranges=tuple(apart), refused=told)


acks = st.builds(_ack, st.integers(0, 20), spans, spans)


@given(acks, acks)
def test_joined_acks_say_what_both_said(before: AckMessage, ack: AckMessage) -> None:
    """What either calls durable is durable in the joined one; a refusal stays unless its message is durable by now."""
    both = join(before, ack)
    assert decode(Channel.ACK, *_bytes(both)) == both
    for seq in range(1, 40):
        assert both.holds(seq, seq) == (before.holds(seq, seq) or ack.holds(seq, seq))
    told = {(first, last) for first, last, _ in (*before.refused, *ack.refused)}
    assert {(first, last) for first, last, _ in both.refused} == {span for span in told if not both.holds(*span)}


def test_refusals_in_one_ack_are_bounded() -> None:
    """However many messages are refused at once, the ack fits what a box takes; the rest is told another time."""
    joined = AckMessage(stream=STREAM, through=0)
    for seq in range(1, 3 * MOST_REFUSALS):
        refusal = Refusal(seq, seq, "".join(chr(0x1F300 + (seq * n) % 700) for n in range(256)))
        joined = join(joined, AckMessage(stream=STREAM, through=0, refused=(refusal,)))
    assert [refusal.first for refusal in joined.refused] == [*range(1, MOST_REFUSALS + 1)]
    assert len(encode(joined).payload) < MAX_INCOMING_BYTES / 2


def _bytes(ack: AckMessage) -> tuple[bytes, str | None]:
    encoded = encode(ack)
    return encoded.payload, encoded.encoding
