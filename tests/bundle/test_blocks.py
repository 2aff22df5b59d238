"""The bytes of a signed file, without databases."""

import re
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_sync.bundle.blocks import Block, BlockReader, BlockWriter, verify
from cloud_sync.bundle.errors import BundleError, CutError, ForgedError
from cloud_sync.bundle.keys import public_hex
from tests.bundle.carry import KEY, OTHER_KEY

BODIES = [b"header", b"", b"x" * 300, b"end"]
PUBLIC = public_hex(KEY)


def written(bodies: list[bytes] = BODIES, key=KEY) -> bytes:
    file = BytesIO()
    writer = BlockWriter(file, "bundle", key)
    for body in bodies:
        writer.write(b"M", body)
    assert writer.size_bytes == len(file.getvalue())
    return file.getvalue()


def blocks_of(content: bytes, public: str = PUBLIC) -> tuple[list[Block], BundleError]:
    """Read until an error, which always comes: at the latest the end of the file."""
    blocks: list[Block] = []
    try:
        reader = BlockReader(BytesIO(content), "bundle")
        while True:
            block = reader.read()
            verify(block, public)
            blocks.append(block)
    except BundleError as error:
        return blocks, error


def test_what_was_written_is_read():
    """Blocks come back as they were, in order; then the file is at its end."""
    blocks, error = blocks_of(written())
    assert [block.body for block in blocks] == BODIES
    assert isinstance(error, CutError)


def test_file_cut_at_any_byte():
    """Wherever a file is cut, the whole blocks before are good, and the rest is said to be cut."""
    whole = written()
    for size in range(len(whole)):
        blocks, error = blocks_of(whole[:size])
        bodies = [block.body for block in blocks]
        assert bodies == BODIES[: len(bodies)]
        assert len(bodies) < len(BODIES)
        assert "cut short" in str(error) or "is no hedgerow bundle" in str(error)


@given(st.data())
def test_any_byte_changed(data: st.DataObject):
    """Whatever byte is changed to whatever value: no block is read that was not written."""
    content = bytearray(written())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    blocks, _ = blocks_of(bytes(content))
    assert len(blocks) < len(BODIES)
    assert [block.body for block in blocks] == BODIES[: len(blocks)]


def test_blocks_taken_out_or_put_elsewhere():
    """A signed block is good only in its own place of its own file."""
    first = written([b"a", b"b", b"c"])
    size = (len(first) - len(written([]))) // 3
    start = len(written([]))
    one, two, three = (first[start + n * size : start + (n + 1) * size] for n in range(3))
    for spliced in (two + one + three, one + three, two, one + one):
        blocks, error = blocks_of(first[:start] + spliced)
        assert [block.body for block in blocks] == ([b"a"] if spliced.startswith(one) else [])
        assert isinstance(error, ForgedError)


def test_signed_by_somebody_else():
    """What another key signed is refused, and the message names the key that was expected."""
    blocks, error = blocks_of(written(key=OTHER_KEY))
    assert blocks == []
    assert isinstance(error, ForgedError)
    assert PUBLIC[:16] in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is no hedgerow bundle"),
        (b"SQLite format 3\0", "is no hedgerow bundle"),
        (b"hedgerow acks 1\n", "is no hedgerow bundle"),
        (b"hedgerow bundle 2\n", "version 2; this program knows 1"),
        (b"hedgerow bundle 1", "is no hedgerow bundle"),
        (b"hedgerow bundle 1\n", "cut short or damaged at byte 18"),
        (b"hedgerow bundle 1\nM\xff\xff\xff\xff" + b"x" * 100, "cut short or damaged at byte 18"),
        (b"hedgerow bundle 1\n" + b"\0" * 5000, "was changed|cut short or damaged"),
    ],
)
def test_files_of_another_kind(content: bytes, words: str):
    """What is no bundle, or one of a later version, is named in one line; a length out of range takes no memory."""
    blocks, error = blocks_of(content)
    assert blocks == []
    assert re.search(words, str(error))
