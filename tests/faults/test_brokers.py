"""The broker is killed, replaced and frozen: it may forget whatever it has acknowledged."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.brokers import Mosquitto
from tests.faults.matrix import Result
from tests.faults.scale import times
from tests.faults.site import Site, dice_of
from tests.waiting import eventually


def test_killed(site: Site, result: Result) -> None:
    """Broker killed; it keeps nothing"""
    site.start_cloud()
    site.start_box()
    _kill_again_and_again(site, result)


@pytest.mark.parametrize("comes_back", ["as it was", "empty"])
def test_killed_with_persistence(
    make_mosquitto: Callable[..., Mosquitto],
    make_site: Callable[..., Site],
    tmp_path: Path,
    result: Result,
    comes_back: str,
) -> None:
    """Broker killed; it keeps messages and sessions, and comes back"""
    kept = tmp_path / "kept"
    kept.mkdir()
    lines = ("persistence true", f"persistence_location {kept}/", "autosave_on_changes true", "autosave_interval 1")
    site = make_site(make_mosquitto(*lines))
    site.start_cloud(session_expiry_s=3600)
    site.start_box()
    _kill_again_and_again(site, result, between=lambda: _empty(kept) if comes_back == "empty" else None)
    assert list(kept.iterdir()), "it kept nothing"


def _kill_again_and_again(site: Site, result: Result, *, between: Callable[[], None] = lambda: None) -> None:
    dice = dice_of("broker")
    for _ in range(times(3, long=30)):
        site.commit(30)
        time.sleep(dice.uniform(0.0, 0.2))
        site.broker.kill()
        between()
        site.commit(2)
        site.broker.start()
        result.faults += 1
    site.drain()
    site.check(result)


def _empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def test_frozen(
    mosquitto: Mosquitto,
    make_site: Callable[..., Site],
    result: Result,
) -> None:
    """Broker frozen: it keeps its connections and does nothing"""
    site = make_site(mosquitto)
    site.start_cloud()
    site.start_box()
    site.commit(10)
    site.drain()
    for _ in range(times(1, long=5)):
        mosquitto.signal(signal.SIGSTOP)
        site.commit(10)
        uplink = site.box.uplink
        assert uplink is not None
        eventually(lambda uplink=uplink: uplink.status().state != "online", within_s=30)
        mosquitto.signal(signal.SIGCONT)
        result.faults += 1
        site.drain()
    site.check(result)
