"""TLS, client certificates and passwords with a real mosquitto: what works, and one clear line for what does not."""

import random
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from cloud_sync.mqtt import BrokerSettings
from cloud_sync.uplink import LinkState, Uplink
from cloud_sync.wire import Channel, EventMessage
from tests.faults.brokers import Mosquitto
from tests.faults.ends import BoxEnd, fast_settings
from tests.faults.listener import Listener
from tests.uplink.authority import Authority
from tests.waiting import eventually

MakeMosquitto = Callable[..., Mosquitto]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "farm-ca")


def start(box: BoxEnd, broker: Mosquitto, **secrets: Path) -> Uplink:
    url = f"mqtts://localhost:{broker.port}"
    return box.start_uplink(fast_settings(url, broker=BrokerSettings(url, **secrets)))  # type: ignore[arg-type]


def why(uplink: Uplink) -> str:
    """The reason for which it is offline; one line."""
    eventually(lambda: uplink.status().state is LinkState.OFFLINE and uplink.status().detail)
    assert "\n" not in uplink.status().detail
    return uplink.status().detail


def serving(make: MakeMosquitto, files: tuple[Path, Path], *lines: str) -> Mosquitto:
    return make(f"certfile {files[0]}", f"keyfile {files[1]}", *lines)


def test_client_certificate_opens_the_door(make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd) -> None:
    """With both certificates the box is online, and the bytes of TLS count as spent."""
    rules = (f"cafile {authority.file}", "require_certificate true")
    broker = serving(make_mosquitto, authority.issue("broker"), *rules)
    certificate, key = authority.issue("box")
    uplink = start(box, broker, ca_file=authority.file, cert_file=certificate, key_file=key)
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
    assert uplink.status().today_bytes > 2000


def test_missing_client_certificate_is_told(make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd) -> None:
    """A broker that asks for a client certificate is named, with the keys to set."""
    rules = (f"cafile {authority.file}", "require_certificate true")
    broker = serving(make_mosquitto, authority.issue("broker"), *rules)
    assert "client certificate" in why(start(box, broker, ca_file=authority.file))


def test_client_certificate_of_a_stranger_is_told(
    make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd, tmp_path: Path
) -> None:
    """One that another authority signed is refused, and it is the client's that is named."""
    rules = (f"cafile {authority.file}", "require_certificate true")
    broker = serving(make_mosquitto, authority.issue("broker"), *rules)
    certificate, key = Authority(tmp_path, "strange-ca").issue("box")
    told = why(start(box, broker, ca_file=authority.file, cert_file=certificate, key_file=key))
    assert "client certificate" in told


def test_wrong_authority_is_told(
    make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd, tmp_path: Path
) -> None:
    """A broker whose authority the box does not know is not talked to."""
    broker = serving(make_mosquitto, authority.issue("broker"))
    told = why(start(box, broker, ca_file=Authority(tmp_path, "strange-ca").file))
    assert "is not accepted" in told


def test_expired_certificate_is_told(make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd) -> None:
    """The line says that it has expired, and what the clock of the box says."""
    broker = serving(make_mosquitto, authority.issue("broker", ends=-timedelta(hours=1)))
    told = why(start(box, broker, ca_file=authority.file))
    assert "certificate has expired" in told
    assert f"{time.strftime('%Y-%m-%d', time.gmtime())}" in told


def test_certificate_of_tomorrow_is_a_matter_of_the_clock(
    make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd
) -> None:
    """To a box whose clock is in 1970 every certificate is not yet valid: the line asks for the clock."""
    broker = serving(make_mosquitto, authority.issue("broker", begins=timedelta(hours=1)))
    box.clock_error_ms = -time.time_ns() // 1_000_000  # the line names the box's own clock
    told = why(start(box, broker, ca_file=authority.file))
    assert "certificate is not yet valid; the clock of this machine says 1970-01-01" in told
    assert "is it set?" in told


def test_plain_broker_is_told(mosquitto: Mosquitto, authority: Authority, box: BoxEnd) -> None:
    """TLS to a port that speaks none gives a reason, not a riddle."""
    told = why(start(box, mosquitto, ca_file=authority.file))
    assert told.startswith(
        (f"TLS with localhost:{mosquitto.port} fails", f"cannot connect to localhost:{mosquitto.port}")
    )


def test_key_of_another_certificate_is_told(make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd) -> None:
    """Certificate and key that do not belong together are named as that."""
    broker = serving(make_mosquitto, authority.issue("broker"))
    certificate, (_, other_key) = authority.issue("box")[0], authority.issue("other")
    told = why(start(box, broker, ca_file=authority.file, cert_file=certificate, key_file=other_key))
    assert "do not belong together" in told


def test_password_changed_while_running(
    make_mosquitto: MakeMosquitto, require: Callable[[str], str], box: BoxEnd, tmp_path: Path
) -> None:
    """A changed password needs no restart: each connection reads the file again, and until then the reason is told."""
    passwords, secret = tmp_path / "passwords", tmp_path / "secret"
    set_password = [require("mosquitto_passwd"), "-b", "-c", str(passwords), "box"]
    subprocess.run([*set_password, "first"], check=True)
    passwords.chmod(0o600)
    secret.write_text("first\n", encoding="utf-8")
    broker = make_mosquitto(f"password_file {passwords}", "allow_anonymous false")
    settings = BrokerSettings(broker.url, username="box", password_file=secret)
    uplink = box.start_uplink(fast_settings(broker.url, broker=settings))
    eventually(lambda: uplink.status().state is LinkState.ONLINE)
    subprocess.run([*set_password, "second"], check=True)
    passwords.chmod(0o600)
    broker.kill()
    broker.start()
    assert "refuses the connection" in why(uplink) or "is lost" in why(uplink)
    eventually(lambda: "refuses the connection: Not authorized" in uplink.status().detail)
    secret.write_text("second\n", encoding="utf-8")
    eventually(lambda: uplink.status().state is LinkState.ONLINE)


def test_backlog_goes_over_tls(make_mosquitto: MakeMosquitto, authority: Authority, box: BoxEnd) -> None:
    """Small and large messages, more than a record of TLS or the socket holds, all arrive and are acknowledged."""
    broker = serving(make_mosquitto, authority.issue("broker"), f"cafile {authority.file}")
    picture = {"kind": "snapshot", "camera": "north", "at_ms": 1, "width": 1, "height": 1}
    for number in range(150):
        box.add_event(f"event {number}")
    for _ in range(5):
        box.add_evidence(picture, random.Random(1).randbytes(80_000)).result(5)
    url = f"mqtts://localhost:{broker.port}"
    with Listener(url, "hedgerow/v1/#", ca_file=authority.file) as cloud:
        settings = BrokerSettings(url, ca_file=authority.file)
        box.start_uplink(fast_settings(url, broker=settings, confirm="broker"))
        eventually(lambda: box.waiting() == [])
        events = [message.kind for message in cloud.messages(Channel.EVENT) if isinstance(message, EventMessage)]
    assert events == [f"event {number}" for number in range(150)]
