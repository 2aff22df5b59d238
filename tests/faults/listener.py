"""A plain MQTT client that remembers what it heard: the site's own subscriber."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from cloud_sync.mqtt import Arrived, BrokerSettings, Connection, ConnectOptions, Opened, Outgoing, Subscribed, Wake
from cloud_sync.wire import Channel, Encoded, Message, decode, encode, parse_topic


class Listener:
    """Subscribes to filters in a thread of its own, and publishes what it is told."""

    def __init__(self, url: str, *filters: str, ca_file: Path | None = None) -> None:
        self.heard: list[Arrived] = []
        self._wake = Wake()
        settings = BrokerSettings(url, ca_file=ca_file)
        self._connection = Connection(settings, ConnectOptions(f"listener-{uuid4().hex}"), self._wake)
        self._filters = filters
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._todo: list[Callable[[], object]] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop.set()
        self._wake.set()
        self._thread.join(5)

    def publish(self, topic: str, message: Message | bytes, *, retain: bool = False) -> None:
        encoded = Encoded(message, None) if isinstance(message, bytes) else encode(message)
        self._todo.append(lambda: self._connection.publish(Outgoing(topic, encoded, retain)))
        self._wake.set()

    def messages(self, channel: Channel) -> list[Any]:
        """Return the messages that came on a channel, each of the class of its channel."""
        return [
            decode(channel, arrived.payload, arrived.encoding)
            for arrived in self.heard
            if parse_topic(arrived.topic)[1] is channel
        ]

    def _run(self) -> None:
        self._connection.open()
        while not self._stop.is_set():
            for event in self._connection.poll(0.2):
                match event:
                    case Opened():
                        self._connection.subscribe(*self._filters)
                    case Subscribed():
                        self._ready.set()
                    case Arrived():
                        self.heard.append(event)
            while self._todo:
                self._todo.pop(0)()
        deadline = time.monotonic() + 0.2
        while time.monotonic() < deadline:
            self._connection.poll(0.05)
        self._connection.close(goodbye=True)
