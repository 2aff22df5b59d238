"""What the blocks of a bundle hold: a header, messages as the uplink would send them, and an end."""

import struct
from collections.abc import Iterator
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cloud_sync.bundle.errors import BundleError
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import AckMessage, BirthMessage, Box, Channel, Encoded, WireError
from cloud_sync.wire.encoding import ZLIB

BUNDLE = "bundle"
ACKS = "acks"

HEADER = b"H"
MESSAGES = b"M"
END = b"E"
ACK = b"A"

SUFFIX = ".hedgerow"
PARTIAL_SUFFIX = ".hedgerow-partial"
ACKS_SUFFIX = ".hedgerow-acks"

_MESSAGE = struct.Struct(">B?I")  # length of the channel's name, compressed, length of the payload

Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
PublicHex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Number = Annotated[int, Field(ge=0, lt=2**63)]


class _Content(BaseModel):
    """Unknown fields are ignored: a newer box may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _OfBox(_Content):
    site: str
    device: str

    @property
    def box(self) -> Box:
        """Return whose it is."""
        return Box(self.site, self.device)


T = TypeVar("T", bound=_Content)


class Header(_OfBox):
    """First block of each part."""

    bundle: Hex32  # minted for each export
    part: Annotated[int, Field(ge=1, lt=2**31)]
    stream: Hex32
    key: PublicHex
    made_ms: int
    entries: Number  # in all parts, as far as was known
    birth: BirthMessage


class End(_Content):
    """Last block of a part that was finished."""

    entries: Number
    first: Number  # seqs
    last: Number
    final: bool  # no further part


class Answer(_OfBox):
    """What the cloud has, for the box to forget."""

    made_ms: int
    ack: AckMessage


def parse_header(body: bytes) -> Header:
    """Read a header.

    Raises:
        BundleError: It is none.
    """
    return _parse(Header, body)


def parse_end(body: bytes) -> End:
    """Read an end.

    Raises:
        BundleError: It is none.
    """
    return _parse(End, body)


def parse_answer(body: bytes) -> Answer:
    """Read what the cloud has.

    Raises:
        BundleError: It is none.
    """
    return _parse(Answer, body)


def _parse(kind: type[T], body: bytes) -> T:
    try:
        content = kind.model_validate_json(body)
        if isinstance(content, _OfBox):
            _ = content.box
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "content"
        raise BundleError(f"has a wrong {kind.__name__.lower()}: {where}: {first['msg']}") from None
    except WireError as error:
        raise BundleError(f"has a wrong {kind.__name__.lower()}: {error}") from None
    return content


def pack_message(channel: Channel, encoded: Encoded) -> bytes:
    """Return the bytes of one message in a block."""
    name = channel.encode()
    head = _MESSAGE.pack(len(name), encoded.encoding == ZLIB, len(encoded.payload))
    return head + name + encoded.payload


def messages_of(body: bytes, box: Box) -> Iterator[Arrived]:
    """Yield the messages of a block, as a broker that kept them: they say nothing of how the box does now.

    Raises:
        BundleError: The block is not what it says; only a faulty writer with the right key makes such.
    """
    at = 0
    while at < len(body):
        if at + _MESSAGE.size > len(body):
            raise BundleError("has a block whose messages do not fit")
        name_bytes, compressed, size = _MESSAGE.unpack_from(body, at)
        begin = at + _MESSAGE.size + name_bytes
        at = begin + size
        if at > len(body):
            raise BundleError("has a block whose messages do not fit")
        channel = body[begin - name_bytes : begin].decode("ascii", errors="replace")
        topic = f"{box.topic(Channel.EVENT).removesuffix(Channel.EVENT)}{channel}"
        yield Arrived(0, 1, topic, body[begin:at], True, ZLIB if compressed else None)
