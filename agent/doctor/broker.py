"""The way to the broker, step by step: name and TCP, TLS, CONNECT, and the rights that the box needs."""

import secrets
import socket
import ssl
import time
from dataclasses import fields
from typing import TypeVar

from agent.config import Config
from agent.doctor.finding import Finding, Level
from cloud_sync.mqtt import (
    BrokerSettings,
    Closed,
    Connection,
    ConnectOptions,
    Delivered,
    Opened,
    Outgoing,
    Subscribed,
    Wake,
)
from cloud_sync.wire import Box, Channel, Encoded

_STEP_S = 8.0  # for each step
_REFUSED = 0x80
_SETTINGS = {field.name for field in fields(BrokerSettings)} - {"url", "connect_timeout_s"}
"""What the configuration's section has under the same names."""

Event = TypeVar("Event", Opened, Delivered, Subscribed)


class _LostError(Exception):
    """The connection ended, or an answer did not come."""


def look_at_broker(config: Config) -> list[Finding]:
    """Go the way that the uplink goes, under a client id of its own, so that a running agent is not thrown out."""
    sync = config.sync
    if sync.broker is None:
        return [Finding("broker", Level.OK, "none is set: everything stays on this box")]
    settings = BrokerSettings(**sync.model_dump(include=_SETTINGS), url=sync.broker, connect_timeout_s=_STEP_S)
    reached = _reach(settings)
    if reached.level is Level.FAIL:
        return [reached]
    return [reached, *_talk(settings, Box(config.box.site, config.box.device))]


def _reach(settings: BrokerSettings) -> Finding:
    """Open a TCP connection and, where the address asks for it, shake hands by TLS."""
    address = settings.address
    started = time.perf_counter()
    try:
        with socket.create_connection((address.host, address.port), timeout=_STEP_S) as plain:
            tcp_ms = (time.perf_counter() - started) * 1000
            context = settings.tls_context()
            if context is None:
                text = f"{address} answers in {tcp_ms:.0f} ms; without TLS"
                return Finding("broker", Level.OK, text)
            with context.wrap_socket(plain, server_hostname=address.host) as secured:
                return Finding("broker", Level.OK, f"{address} answers in {tcp_ms:.0f} ms, {secured.version()}")
    except ssl.SSLCertVerificationError as error:
        text = f"certificate of {address} is not accepted: {error.verify_message}"
        return Finding("broker", Level.FAIL, text, "give the right sync.ca_file, and set the clock")
    except ssl.SSLError as error:
        text = f"TLS with {address} fails: {error.reason or error}"
        return Finding(
            "broker", Level.FAIL, text, "is it an mqtts:// port, and do cert_file and key_file fit together?"
        )
    except TimeoutError:
        text = f"{address} does not answer within {_STEP_S:g} s"
        return Finding("broker", Level.FAIL, text, "is there a link, and does a firewall let this port through?")
    except socket.gaierror as error:
        return Finding("broker", Level.FAIL, f"cannot find {address}: {error.strerror}", "check the name, and the link")
    except OSError as error:
        text = f"cannot reach {address}: {error.strerror or error}" + (f" ({error.filename})" if error.filename else "")
        return Finding("broker", Level.FAIL, text, "is the broker running, and are address and port right?")


def _talk(settings: BrokerSettings, box: Box) -> list[Finding]:
    """Connect, publish and subscribe as the box does."""
    connection = Connection(
        settings, ConnectOptions(f"hedgerow-{box.site}-{box.device}-{secrets.token_hex(4)}"), Wake()
    )
    connection.open()
    try:
        _await(connection, Opened)
    except _LostError as lost:
        advice = f"check sync.username, the password file, and that the broker speaks MQTT {settings.protocol}"
        return [Finding("broker login", Level.FAIL, str(lost), advice)]
    found = [Finding("broker login", Level.OK, f"accepted, MQTT {settings.protocol}")]
    try:
        return [*found, _may_publish(connection, box, settings), _may_subscribe(connection, box)]
    except _LostError as lost:
        rule = f"the broker's rules must let this user write and read {_prefix(box)}/#"
        return [*found, Finding("broker rights", Level.FAIL, f"the broker ends the talk: {lost}", rule)]
    finally:
        connection.close(goodbye=True)


def _may_publish(connection: Connection, box: Box, settings: BrokerSettings) -> Finding:
    """Publish under the box's prefix, on a topic that no ingest listens to."""
    connection.publish(Outgoing(f"{_prefix(box)}/doctor", Encoded(b"{}", None), expiry_s=1))
    answer = _await(connection, Delivered)
    if answer.code >= _REFUSED:
        text = f"publishing under {_prefix(box)} is refused: {answer.text}"
        return Finding("broker publish", Level.FAIL, text, f"let this user write {_prefix(box)}/#")
    if settings.protocol != "5":
        return Finding("broker publish", Level.OK, f"taken under {_prefix(box)}; MQTT 3.1.1 does not tell of refusals")
    return Finding("broker publish", Level.OK, f"allowed under {_prefix(box)}")


def _may_subscribe(connection: Connection, box: Box) -> Finding:
    topic = box.topic(Channel.ACK)
    connection.subscribe(topic, box.topic(Channel.STATE))  # its own state, to notice a second box of its name
    answer = _await(connection, Subscribed)
    if answer.refused:
        text = f"subscribing to {topic} or its state is refused: {', '.join(answer.refused)}"
        return Finding(
            "broker subscribe", Level.FAIL, text, f"let this user read {_prefix(box)}/#, or nothing is ever confirmed"
        )
    return Finding("broker subscribe", Level.OK, f"allowed to {topic}")


def _await(connection: Connection, wanted: type[Event]) -> Event:
    """Poll until the wanted event comes. Raises _LostError."""
    deadline = time.monotonic() + _STEP_S
    while (left_s := deadline - time.monotonic()) > 0:
        for event in connection.poll(left_s):
            if isinstance(event, wanted):
                return event
            if isinstance(event, Closed):
                raise _LostError(event.detail)
    raise _LostError(f"no answer within {_STEP_S:g} s")


def _prefix(box: Box) -> str:
    return box.topic(Channel.STATE).rpartition("/")[0]
