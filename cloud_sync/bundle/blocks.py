r"""The bytes of a signed file: a line that says what it is, then blocks, each checksummed, signed and chained.

    line    "hedgerow bundle 1\n"
    block   kind (1 byte), length of body (4, big endian), body, CRC-32 of these (4), Ed25519 signature (64)

What is signed is the chain: SHA-256 of (chain before, kind, length, body), which begins with SHA-256 of the line. So a
block is good only in its own file and place, and a file that is cut is good up to there.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from cloud_sync.bundle.errors import BundleError, CutError, ForgedError
from cloud_sync.bundle.files import RawFile, write_all

VERSION = 1
HEAD = struct.Struct(">cI")
CRC = struct.Struct(">I")
SIGNATURE_BYTES = 64
OVERHEAD_BYTES = HEAD.size + CRC.size + SIGNATURE_BYTES
BLOCK_MOST_BYTES = 32 * 1024 * 1024
LINE_MOST_BYTES = 64


@dataclass(frozen=True, slots=True)
class Block:
    """One block, whose checksum is good; ``verify`` tells whether its signature is."""

    kind: bytes
    body: bytes
    chain: bytes
    signature: bytes
    offset: int  # of its first byte in the file


class BlockWriter:
    """Appends blocks to a file."""

    def __init__(self, file: RawFile, label: str, key: Ed25519PrivateKey) -> None:
        """Write the first line.

        Args:
            file: New, unbuffered: what was written is where ``size_bytes`` says.
            label: What the file is, as "bundle".
            key: Signs.
        """
        self._file = file
        self._key = key
        line = _line(label, VERSION)
        write_all(file, line)
        self._chain = sha256(line).digest()
        self.size_bytes = len(line)

    def write(self, kind: bytes, body: bytes) -> None:
        """Append one block; after an error the file holds the blocks before it, and a piece of this one."""
        head = HEAD.pack(kind, len(body))
        chain = sha256(self._chain + head + body).digest()
        content = head + body + CRC.pack(zlib.crc32(body, zlib.crc32(head))) + self._key.sign(chain)
        write_all(self._file, content)
        self._chain = chain
        self.size_bytes += len(content)


class BlockReader:
    """Reads blocks one after the other."""

    def __init__(self, file: BinaryIO, label: str) -> None:
        """Read the first line.

        Raises:
            BundleError: The file is something else, or of a version that is not known.
        """
        self._file = file
        line = file.readline(LINE_MOST_BYTES)
        match = re.fullmatch(rb"hedgerow ([a-z]+) (\d{1,9})\n", line)
        if match is None or match[1].decode() != label:
            raise BundleError(f"is no hedgerow {label}")
        if int(match[2]) != VERSION:
            raise BundleError(f"is a {label} of version {int(match[2])}; this program knows {VERSION}")
        self._chain = sha256(line).digest()
        self.offset = len(line)

    def read(self) -> Block:
        """Return the next block.

        Raises:
            CutError: The file ends here or in the middle of the block, or the block's checksum is wrong.
        """
        head = self._take(HEAD.size)
        kind, length = HEAD.unpack(head)
        if length > BLOCK_MOST_BYTES:
            raise self._cut()
        body = self._take(length)
        (crc,) = CRC.unpack(self._take(CRC.size))
        signature = self._take(SIGNATURE_BYTES)
        if crc != zlib.crc32(body, zlib.crc32(head)):
            raise self._cut()
        self._chain = sha256(self._chain + head + body).digest()
        block = Block(kind, body, self._chain, signature, self.offset)
        self.offset += length + OVERHEAD_BYTES
        return block

    def _take(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) < size:
            raise self._cut()
        return content

    def _cut(self) -> CutError:
        return CutError(f"is cut short or damaged at byte {self.offset}")


def verify(block: Block, public_hex: str) -> None:
    """Check who signed a block.

    Raises:
        ForgedError: Not this key, or not this block in this place.
    """
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex)).verify(block.signature, block.chain)
    except InvalidSignature:
        raise ForgedError(
            f"was changed, or not signed with the key {public_hex[:16]}..., at byte {block.offset}"
        ) from None


def _line(label: str, version: int) -> bytes:
    return f"hedgerow {label} {version}\n".encode()
