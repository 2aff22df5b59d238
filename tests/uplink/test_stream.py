"""The socket that paho and we share, at the far end of which somebody reads slowly."""

import random
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from select import POLLIN, POLLOUT, poll

import pytest

from cloud_sync.mqtt import Delivered
from cloud_sync.mqtt.stream import SEGMENT_BYTES, Stream
from tests.uplink.authority import Authority


class FarEnd:
    """Takes what is sent, at leisure."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self._listener.getsockname()[1]
        self.taken = bytearray()
        self._dice = random.Random(1)
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self) -> None:
        sock, _ = self._listener.accept()
        if self._context is not None:
            sock = self._context.wrap_socket(sock, server_side=True)
        with sock:
            while piece := sock.recv(self._dice.choice((1, 100, 3000))):
                self.taken += piece

    def join(self) -> bytes:
        self._thread.join(30)
        assert not self._thread.is_alive()
        self._listener.close()
        return bytes(self.taken)


def dial(port: int, context: ssl.SSLContext | None = None) -> Stream:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    sock.connect(("127.0.0.1", port))
    if context is not None:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    sock.setblocking(False)
    return Stream(sock, modern=True)


@pytest.fixture(params=["plain", "tls"])
def ends(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[FarEnd, Stream]:
    if request.param == "plain":
        far = FarEnd()
        return far, dial(far.port)
    authority = Authority(tmp_path, "ca")
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    serving.load_cert_chain(*authority.issue("broker"))
    far = FarEnd(serving)
    return far, dial(far.port, ssl.create_default_context(cafile=authority.file))


def test_packets_arrive_whole_and_in_order(ends: tuple[FarEnd, Stream]) -> None:
    """However little the socket takes at a time, and whether held back or not, no packet lies within another."""
    far, stream = ends
    dice = random.Random(2)
    sent = [dice.randbytes(dice.choice((1, 2, 200, 1448, 5000, 40_000))) for _ in range(300)]
    waits = 0
    for number, packet in enumerate(sent):
        if number % 20 == 0:
            stream.hold(on=dice.random() < 0.7)
        if dice.random() < 0.5:
            stream.write(packet)
        else:
            assert stream.send(packet) == len(packet), "paho hands over whole packets"
        if stream.full and dice.random() < 0.2:
            waits += 1
            wait(stream, POLLOUT)
            stream.writable()
    stream.hold(on=False)
    while stream.full:
        wait(stream, POLLOUT)
        stream.writable()
    assert stream.receive() == [], "what TLS says to begin with; unread, it would have the close reset the connection"
    stream.sock.shutdown(socket.SHUT_WR)
    assert far.join() == b"".join(sent)
    assert waits > 3
    stream.close()


def wait(stream: Stream, what: int) -> None:
    poller = poll()
    poller.register(stream, what)
    assert poller.poll(10_000)


@pytest.fixture
def pair() -> Iterator[tuple[Stream, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sock = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    sock.setblocking(False)
    with closing(Stream(sock, modern=True)) as stream, far:
        far.settimeout(5)
        yield stream, far


def test_what_fills_an_ip_packet_is_not_held_back(pair: tuple[Stream, socket.socket]) -> None:
    """While packets are held back whole segments go at once, and the rest when they are let go."""
    stream, far = pair
    stream.hold(on=True)
    for _ in range(10):
        stream.write(b"x" * 500)
    whole_bytes = 5000 // SEGMENT_BYTES * SEGMENT_BYTES
    assert len(far.recv(whole_bytes, socket.MSG_WAITALL)) == whole_bytes
    far.setblocking(False)
    with pytest.raises(BlockingIOError):
        far.recv(1)
    far.settimeout(5)
    stream.hold(on=False)
    assert len(far.recv(5000 - whole_bytes, socket.MSG_WAITALL)) == 5000 - whole_bytes


def test_last_words_come_before_the_end(pair: tuple[Stream, socket.socket]) -> None:
    """A broker that says why and hangs up is heard, though what is sent to it meanwhile breaks."""
    stream, far = pair
    far.sendall(b"\x40\x02\x80\x01\xe0\x02\x95\x00")
    far.shutdown(socket.SHUT_RDWR)
    far.close()
    for _ in range(100):
        stream.write(b"x" * 1000)
        if stream.broken:
            break
    assert stream.broken
    wait(stream, POLLIN)
    assert stream.receive() == [Delivered(0x8001, 0), b"\xe0\x02\x95\x00"]
    stream.lend(b"\xe0\x02\x95\x00")
    assert (stream.recv(1), stream.recv(1), stream.recv(2)) == (b"\xe0", b"\x02", b"\x95\x00")
    with pytest.raises(BlockingIOError):
        stream.recv(1)
    assert stream.receive() == []
    assert stream.ended


def test_paho_learns_of_what_broke(pair: tuple[Stream, socket.socket]) -> None:
    """A connection that is reset ends for paho with the error of the socket."""
    stream, far = pair
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # close resets
    far.close()
    wait(stream, POLLIN)
    assert stream.receive() == []
    assert stream.ended
    with pytest.raises(ConnectionResetError):
        stream.recv(1)


def test_what_can_no_more_be_sent_ends_it(pair: tuple[Stream, socket.socket]) -> None:
    """A connection that breaks in writing alone ends for paho too, once all that came is read."""
    stream, far = pair
    stream.sock.shutdown(socket.SHUT_WR)
    far.sendall(b"\xd0\x00")
    stream.write(b"x")
    wait(stream, POLLIN)
    assert (stream.receive(), stream.ended) == ([b"\xd0\x00"], False)
    assert (stream.receive(), stream.ended) == ([], True)
    with pytest.raises(BrokenPipeError):
        stream.recv(1)
