"""The contract of both ends: topics, messages, encodings."""

from cloud_sync.wire.encoding import CONTENT_TYPE, ENCODING_PROPERTY, MESSAGE_OF_CHANNEL, Encoded, decode, encode
from cloud_sync.wire.errors import WireError
from cloud_sync.wire.messages import (
    AckMessage,
    BirthMessage,
    CameraHealth,
    Envelope,
    EventMessage,
    HealthMessage,
    MeasureColumns,
    Message,
    RollupColumns,
    RollupMessage,
    StateMessage,
)
from cloud_sync.wire.rollups import (
    MeasureRow,
    RollupRow,
    columns_of,
    measure_columns_of,
    measure_rows_of,
    rows_of,
)
from cloud_sync.wire.topics import DATA_CHANNELS, ROOT, Box, Channel, parse_topic, topic_filter

__all__ = [
    "CONTENT_TYPE",
    "DATA_CHANNELS",
    "ENCODING_PROPERTY",
    "MESSAGE_OF_CHANNEL",
    "ROOT",
    "AckMessage",
    "BirthMessage",
    "Box",
    "CameraHealth",
    "Channel",
    "Encoded",
    "Envelope",
    "EventMessage",
    "HealthMessage",
    "MeasureColumns",
    "MeasureRow",
    "Message",
    "RollupColumns",
    "RollupMessage",
    "RollupRow",
    "StateMessage",
    "WireError",
    "columns_of",
    "decode",
    "encode",
    "measure_columns_of",
    "measure_rows_of",
    "parse_topic",
    "rows_of",
    "topic_filter",
]
