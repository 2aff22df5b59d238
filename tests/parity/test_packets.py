"""The two packets that we make and read ourselves, against paho's own: the same bytes out, the same words in."""

import random
import select
import socket
from collections.abc import Iterator

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from cloud_sync.mqtt import Delivered, Outgoing
from cloud_sync.mqtt.packets import Inbox, encoded_length
from cloud_sync.wire import Encoded
from tests.faults.packets import Splitter
from tests.faults.scripted import CONNACK

PUBACK_REASONS = (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
SIZES = (0, 1, 90, 127, 128, 300, 16_300, 16_384, 70_000)


class Peer:
    """A client of paho's, and the other end of its connection."""

    def __init__(self, *, modern: bool) -> None:
        self.modern = modern
        version = MQTTProtocolVersion.MQTTv5 if modern else MQTTProtocolVersion.MQTTv311
        self.client = Client(CallbackAPIVersion.VERSION2, client_id="peer", protocol=version)
        self.client.max_inflight_messages_set(0)
        self.heard: list[Delivered] = []
        self.client.on_publish = lambda _c, _u, mid, reason, _p: self.heard.append(Delivered(mid, reason.value))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client.connect("127.0.0.1", listener.getsockname()[1])
            self.end, _ = listener.accept()
        self.end.recv(65536)
        self.say(CONNACK if modern else b"\x20\x02\x00\x00")

    def say(self, data: bytes) -> MQTTErrorCode:
        """Have paho read some bytes; return what it makes of them."""
        self.end.sendall(data)
        while (sock := self.client.socket()) is not None and select.select([sock], [], [], 0.05)[0]:
            if code := self.client.loop_read():
                return code
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def publish(self, message: Outgoing) -> bytes:
        """Have paho send a message; return the packet."""
        properties = message.properties() if self.modern else None
        self.client.publish(message.topic, message.encoded.payload, 1, message.retain, properties)
        splitter, packets = Splitter(), []
        while not packets:
            self.client.loop_write()
            packets += splitter.feed(self.end.recv(1 << 20))
        [packet] = packets
        return packet.data


@pytest.fixture(params=[True, False], ids=["MQTT 5", "MQTT 3.1.1"])
def peer(request: pytest.FixtureRequest) -> Iterator[Peer]:
    peer = Peer(modern=request.param)
    yield peer
    peer.end.close()


def messages(dice: random.Random) -> Iterator[Outgoing]:
    for size_bytes in SIZES:
        for encoding in (None, "zlib"):
            for retain, expiry_s in ((False, None), (True, None), (False, 180), (True, 1)):
                topic = "hedgerow/v1/obstgarten/süd-" + "x" * dice.randrange(100)
                yield Outgoing(topic, Encoded(dice.randbytes(size_bytes), encoding), retain, expiry_s)


def test_messages_go_out_as_paho_sends_them(peer: Peer) -> None:
    """A message has the same bytes as paho's for it, whatever its size, topic, properties and flags."""
    for mid, message in enumerate(messages(random.Random(1)), start=1):
        assert message.packet(mid, modern=peer.modern) == peer.publish(message)


def puback(mid: int, code: int | None, properties: Properties | None = None) -> bytes:
    body = mid.to_bytes(2, "big")
    if code is not None:
        body += ReasonCode(PacketTypes.PUBACK, identifier=code).pack()
    if properties is not None:
        body += properties.pack()
    return b"\x40" + encoded_length(len(body)) + body


def reasons(dice: random.Random) -> Properties:
    properties = Properties(PacketTypes.PUBACK)
    properties.ReasonString = "because " + "x" * dice.choice((0, 5, 100, 118, 119, 200, 20_000))
    for _ in range(dice.randrange(3)):
        properties.UserProperty = ("name", "value" * dice.randrange(40))
    return properties


def pubacks(dice: random.Random, *, modern: bool) -> Iterator[bytes]:
    """A PUBACK of each kind, for the messages 1, 2, 3..."""
    kinds: list[tuple[int | None, Properties | None]] = [(None, None)] * 20
    if modern:
        kinds += [(code, None) for code in PUBACK_REASONS] + [
            (code, Properties(PacketTypes.PUBACK)) for code in (0, 16)
        ]
        kinds += [(dice.choice(PUBACK_REASONS), reasons(dice)) for _ in range(60)]
    dice.shuffle(kinds)
    for mid, (code, properties) in enumerate(kinds, start=1):
        yield puback(mid, code, properties)


@pytest.mark.parametrize("seed", range(3))
def test_pubacks_are_read_as_paho_reads_them(peer: Peer, seed: int) -> None:
    """PUBACKs of every length, reason and property, cut at any byte, say what they say to paho."""
    dice = random.Random(seed)
    said = list(pubacks(dice, modern=peer.modern))
    for _ in said:
        peer.publish(Outgoing("a", Encoded(b"", None)))
    peer.say(b"".join(said))
    assert len(peer.heard) == len(said)
    for sizes in ((1,), (1, 2, 3), (1, 7, 100, 5000)):
        assert read(b"".join(said), sizes, dice, modern=peer.modern) == peer.heard


def read(data: bytes, sizes: tuple[int, ...], dice: random.Random, *, modern: bool) -> list[Delivered | bytes]:
    """Give bytes to an inbox in pieces of these sizes."""
    inbox, packets, at = Inbox(modern=modern), list[Delivered | bytes](), 0
    while at < len(data):
        size_bytes = dice.choice(sizes)
        inbox.add(data[at : at + size_bytes])
        packets += inbox.take()
        at += size_bytes
    return packets


@pytest.mark.parametrize(
    "broken",
    [
        b"\x40\x00",  # no id
        b"\x40\x01\x07",
        b"\x40\x05\x00\x01\x00\x09\x1f",  # properties that are longer than the packet
        b"\x40\xff\xff\xff\xff\x7f",  # a length that does not end
    ],
)
def test_what_paho_does_not_take_is_left_to_it(broken: bytes) -> None:
    """A PUBACK that is none reaches paho as it is, which ends the connection over it."""
    peer = Peer(modern=True)
    inbox = Inbox(modern=True)
    inbox.add(broken)
    assert b"".join(packet for packet in inbox.take() if isinstance(packet, bytes)) == broken
    assert peer.say(broken) == MQTTErrorCode.MQTT_ERR_PROTOCOL
    peer.end.close()


def test_mqtt_3_knows_no_reasons() -> None:
    """In MQTT 3.1.1 a PUBACK of another length than two is left to paho, which ends the connection over it."""
    peer = Peer(modern=False)
    broken = puback(1, 0x10)
    inbox = Inbox(modern=False)
    inbox.add(broken)
    assert inbox.take() == [broken]
    assert peer.say(broken) == MQTTErrorCode.MQTT_ERR_PROTOCOL
    peer.end.close()
