"""The way to a real broker, and each step on which it can fail."""

import socket
import subprocess

import pytest

from agent.doctor.broker import look_at_broker
from agent.doctor.finding import Level


def levels(found) -> dict[str, Level]:
    return {finding.check: finding.level for finding in found}


def test_without_a_broker_all_is_well(configured):
    """A box that keeps everything to itself has nothing to check."""
    (finding,) = look_at_broker(configured())
    assert (finding.level, finding.advice) == (Level.OK, "")


def test_an_open_broker_grants_everything(configured, make_mosquitto):
    """Against a broker without rules each step succeeds."""
    found = look_at_broker(configured(sync={"broker": make_mosquitto().url}))
    assert levels(found) == dict.fromkeys(["broker", "broker login", "broker publish", "broker subscribe"], Level.OK)


def test_an_old_broker_grants_what_it_can_tell(configured, make_mosquitto):
    """Over MQTT 3.1.1 all steps succeed, and it is said that refusals stay untold."""
    found = look_at_broker(configured(sync={"broker": make_mosquitto().url, "protocol": "3.1.1"}))
    assert set(levels(found).values()) == {Level.OK}
    assert "3.1.1" in found[1].text


def test_nobody_listening_is_told(configured, free_port):
    """A refused connection names the address and is the only finding."""
    (finding,) = look_at_broker(configured(sync={"broker": f"mqtt://127.0.0.1:{free_port}"}))
    assert finding.level is Level.FAIL
    assert f"127.0.0.1:{free_port}" in finding.text
    assert "refused" in finding.text


def test_a_silent_server_is_given_up(configured, monkeypatch):
    """A server that accepts and says nothing fails the login by its time limit."""
    monkeypatch.setattr("agent.doctor.broker._STEP_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = look_at_broker(configured(sync={"broker": f"mqtt://127.0.0.1:{server.getsockname()[1]}"}))
    assert levels(found) == {"broker": Level.OK, "broker login": Level.FAIL}
    assert "no answer within 0.5 s" in found[1].text or "fallen silent" in found[1].text


@pytest.fixture
def guarded(make_mosquitto, tmp_path):
    """A broker that lets the user "box" write rollups of its own only, and the user "all" do everything below it."""
    passwords = tmp_path / "passwords"
    passwords.touch(mode=0o600)
    for user in ("box", "all"):
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), user, "secret"], check=True, capture_output=True)
    rules = tmp_path / "rules"
    rules.write_text(
        "user box\ntopic write hedgerow/v1/farm/box-1/rollup\n\nuser all\ntopic readwrite hedgerow/v1/farm/box-1/#\n",
        encoding="ascii",
    )
    rules.chmod(0o600)
    return make_mosquitto("allow_anonymous false", f"password_file {passwords}", f"acl_file {rules}")


def as_user(configured, broker, tmp_path, user: str, password: str):
    (tmp_path / "password").write_text(password, encoding="ascii")
    sync = {"broker": broker.url, "username": user, "password_file": tmp_path / "password"}
    return look_at_broker(configured(sync=sync))


def test_a_wrong_password_fails_the_login(configured, guarded, tmp_path):
    """The broker's refusal is told, and never the password."""
    found = as_user(configured, guarded, tmp_path, "all", "guess")
    assert levels(found) == {"broker": Level.OK, "broker login": Level.FAIL}
    assert "guess" not in "".join(finding.text + finding.advice for finding in found)


def test_missing_rights_are_named(configured, guarded, tmp_path):
    """A user who may not write below the box's prefix learns which rule is missing; one who may passes."""
    found = as_user(configured, guarded, tmp_path, "box", "secret")
    assert levels(found)["broker publish"] is Level.FAIL
    assert "hedgerow/v1/farm/box-1/#" in next(each for each in found if each.check == "broker publish").advice
    assert set(levels(as_user(configured, guarded, tmp_path, "all", "secret")).values()) == {Level.OK}


def test_tls_to_a_plain_port_is_told(configured, make_mosquitto):
    """mqtts:// to a port without TLS fails at the handshake, with a hint."""
    (finding,) = look_at_broker(configured(sync={"broker": make_mosquitto().url.replace("mqtt:", "mqtts:")}))
    assert finding.level is Level.FAIL
    assert finding.advice


@pytest.fixture
def certificate(require, tmp_path):
    """A certificate for localhost that its own file vouches for, and its key."""
    certificate, key = tmp_path / "box.crt", tmp_path / "box.key"
    command = [require("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    key.chmod(0o644)  # the broker's own user may have to read it
    return certificate, key


def test_tls_is_shaken_and_certificates_are_judged(configured, make_mosquitto, certificate):
    """With the right authority all steps succeed over TLS; without it the certificate is refused in words."""
    broker = make_mosquitto(f"certfile {certificate[0]}", f"keyfile {certificate[1]}")
    url = f"mqtts://localhost:{broker.port}"
    found = look_at_broker(configured(sync={"broker": url, "ca_file": certificate[0]}))
    assert set(levels(found).values()) == {Level.OK}
    assert "TLSv1." in found[0].text
    (finding,) = look_at_broker(configured(sync={"broker": url}))
    assert finding.level is Level.FAIL
    assert "is not accepted" in finding.text
