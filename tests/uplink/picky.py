"""A broker that answers each message with the reason code that a test wants: the real ones never give most of them."""

import contextlib
import json
import socket
import threading
import zlib
from collections.abc import Callable
from typing import Self

CONNECT, PUBLISH, SUBSCRIBE, PINGREQ = 1, 3, 8, 12

TOO_LARGE = 0x95  # ends the connection, as the protocol has it


class PickyBroker:
    """Speaks as much MQTT 5 as one box needs. ``judge`` gets each data payload, inflated, and returns a reason."""

    def __init__(self, judge: Callable[[bytes], int]) -> None:
        self._judge = judge
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self.url = f"mqtt://127.0.0.1:{self._listener.getsockname()[1]}"
        self._seen: list[tuple[bytes, int]] = []
        self._closing = threading.Event()
        self._end: socket.socket | None = None  # of the box that is served
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._closing.set()
        self._thread.join(10)
        self._listener.close()

    def asked(self, text: bytes) -> int:
        """How often a payload with this text came."""
        return sum(text in payload for payload, _ in self._seen)

    def accepted(self, text: bytes) -> int:
        """How often it was taken."""
        return sum(text in payload and code == 0 for payload, code in self._seen)

    def say(self, topic: str, payload: bytes) -> None:
        """Send the box a short message, at once; for a judge, before the message that it judges is answered."""
        assert self._end is not None
        body = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00" + payload
        length = bytes([len(body) % 128 | 0x80, len(body) // 128])
        self._end.sendall(b"\x30" + length + body)

    @staticmethod
    def holds(payload: bytes, seq: int) -> bool:
        """Tell whether a rollup message carries the entry of a seq."""
        message = json.loads(payload)
        return "columns" in message and message["seq"] <= seq < message["seq"] + message["count"]

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                end, _ = self._listener.accept()
            except TimeoutError:
                continue
            end.settimeout(0.1)
            with end, contextlib.suppress(ConnectionError):
                self._serve(end)

    def _serve(self, end: socket.socket) -> None:
        data = b""
        self._end = end
        while not self._closing.is_set():
            try:
                more = end.recv(65536)
            except TimeoutError:
                continue
            if not more:
                return
            data += more
            while (packet := _packet(data)) is not None:
                kind, body, data = packet
                self._answer(end, kind, body)

    def _answer(self, end: socket.socket, kind: int, body: bytes) -> None:
        if kind == CONNECT:
            end.sendall(b"\x20\x03\x00\x00\x00")
        elif kind == SUBSCRIBE:
            end.sendall(b"\x90\x04" + body[:2] + b"\x00\x01")
        elif kind == PINGREQ:
            end.sendall(b"\xd0\x00")
        elif kind == PUBLISH:
            length = int.from_bytes(body[:2], "big")
            topic, mid, rest = body[2 : 2 + length], body[2 + length : 4 + length], body[4 + length :]
            payload = rest[1 + rest[0] :]  # the properties are shorter than 128 bytes
            payload = zlib.decompress(payload) if payload[:1] == b"\x78" else payload
            about_box = topic.rpartition(b"/")[2] in (b"state", b"birth", b"health")
            code = 0 if about_box else self._judge(payload)
            self._seen.append((payload, code))
            if code == TOO_LARGE:
                end.sendall(bytes([0xE0, 2, code, 0]))
                raise ConnectionAbortedError
            end.sendall(b"\x40\x02" + mid if code == 0 else b"\x40\x03" + mid + bytes([code]))


def _packet(data: bytes) -> tuple[int, bytes, bytes] | None:
    """Take one packet off: its type, its body, and what is left; None while it is not whole."""
    length, shift = 0, 0
    for index, byte in enumerate(data[1:5], start=1):
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            end = 1 + index + length
            return (data[0] >> 4, data[1 + index : end], data[end:]) if len(data) >= end else None
    return None
