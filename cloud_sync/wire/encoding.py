"""Bytes of a message: JSON, and zlib where that saves something.

The user property ``content-encoding`` says ``zlib`` where the payload is compressed.
"""

import re
import zlib
from dataclasses import dataclass

from pydantic import ValidationError

from cloud_sync.wire.errors import WireError
from cloud_sync.wire.messages import (
    AckMessage,
    BirthMessage,
    ClockMessage,
    EventMessage,
    EvidenceMessage,
    HealthMessage,
    Message,
    RollupMessage,
    ShedMessage,
    StateMessage,
)
from cloud_sync.wire.topics import Channel

CONTENT_TYPE = "application/json"
ENCODING_PROPERTY = "content-encoding"
ZLIB = "zlib"
ZLIB_FIRST_BYTE = b"\x78"

_NUL_ESCAPE = b"\\u0000"
_NUL = re.compile(
    rb"(?<!\\)(?:\\\\)*\\u0000"
)  # behind an odd number of backslashes: else it is a backslash and five more

COMPRESS_ABOVE_BYTES = 1024
MAX_DECODED_BYTES = 16 * 1024 * 1024
"""A compressed message that grows beyond this is refused: no honest box sends one."""

MESSAGE_OF_CHANNEL: dict[Channel, type[Message]] = {
    Channel.STATE: StateMessage,
    Channel.BIRTH: BirthMessage,
    Channel.HEALTH: HealthMessage,
    Channel.EVENT: EventMessage,
    Channel.ALARM: EventMessage,
    Channel.ROLLUP: RollupMessage,
    Channel.CLOCK: ClockMessage,
    Channel.SHED: ShedMessage,
    Channel.EVIDENCE: EvidenceMessage,
    Channel.ACK: AckMessage,
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A payload, and the value of its ``content-encoding`` user property (None: plain)."""

    payload: bytes
    encoding: str | None


def encode(message: Message) -> Encoded:
    """Return the bytes of a message.

    Raises:
        WireError: A text in it has the character NUL.
    """
    return encode_json(message.model_dump_json(by_alias=True, exclude_defaults=False).encode())


def encode_json(plain: bytes) -> Encoded:
    """Return the bytes of a message that is JSON already.

    Raises:
        WireError: A text in it has the character NUL.
    """
    _refuse_nul(plain)
    if len(plain) <= COMPRESS_ABOVE_BYTES:
        return Encoded(plain, None)
    return Encoded(zlib.compress(plain, level=9), ZLIB)


def decode(channel: Channel, payload: bytes, encoding: str | None = None) -> Message:
    """Return the message of a payload; its type is that of the channel (``MESSAGE_OF_CHANNEL``).

    Raises:
        WireError: The bytes are not such a message: unknown encoding, broken or oversized zlib, no JSON, wrong fields,
            the character NUL.
    """
    if encoding not in (None, ZLIB):
        raise WireError(f"content-encoding {encoding[:40]!r} is not known; known: {ZLIB}")
    # MQTT 3.1.1 has no user properties: there the first byte tells, which in JSON is never this one.
    plain = _inflate(payload) if encoding == ZLIB or payload[:1] == ZLIB_FIRST_BYTE else payload
    try:
        message = MESSAGE_OF_CHANNEL[channel].model_validate_json(plain)
        _refuse_nul(plain)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "message"
        raise WireError(f"{channel}: {where}: {first['msg']} ({error.error_count()} problems)") from None
    return message


def _refuse_nul(plain: bytes) -> None:
    """JSON can say NUL only by its escape. PostgreSQL has no text with it: it must not leave the box."""
    if _NUL_ESCAPE in plain and _NUL.search(plain):
        raise WireError("a text has the character NUL in it, which no database of ours can hold")


def _inflate(payload: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(payload, MAX_DECODED_BYTES)
    except zlib.error as error:
        raise WireError(f"payload is not zlib: {error}") from None
    if inflater.unconsumed_tail:
        raise WireError(f"payload grows beyond {MAX_DECODED_BYTES} bytes")
    if not inflater.eof:
        raise WireError("zlib payload is cut short")
    return plain
