"""The supervisor: dead threads start again, hanging ones are told, order of stopping is the caller's."""

import threading
import time

import agent.supervisor
from agent.supervisor import Supervisor


def wait_for(condition, timeout_s: float = 5.0, look=lambda: None) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        look()
        if condition():
            return True
        time.sleep(0.01)
    return False


def idle(stop: threading.Event, beat):
    while not stop.wait(0.02):
        beat()


def test_dead_thread_starts_again(monkeypatch):
    """A thread that raises is started anew, counted, and the others never notice."""
    monkeypatch.setattr(agent.supervisor, "RESTART_FIRST_S", 0.05)
    starts = []

    def fragile(stop, beat):
        starts.append(time.monotonic())
        if len(starts) < 3:
            raise OSError("the camera fell off")
        idle(stop, beat)

    supervisor = Supervisor()
    supervisor.start("fragile", fragile)
    supervisor.start("solid", idle)
    assert wait_for(lambda: len(starts) == 3, look=supervisor.look)
    assert supervisor.restarts == 2
    supervisor.stop("fragile", "solid", timeout_s=2)


def test_thread_that_returns_is_done(monkeypatch):
    """The end of a thread's work is no death: it does not start again."""
    starts = []
    supervisor = Supervisor()
    supervisor.start("short", lambda _stop, _beat: starts.append(1))
    assert wait_for(lambda: supervisor.finished("short"), look=supervisor.look)
    supervisor.look()
    assert starts == [1]
    supervisor.stop("short", timeout_s=1)


def test_hanging_thread_is_noticed_and_forgiven():
    """Without a heartbeat the box is not well, and so does not feed the watchdog; with one it is well again."""
    gate = threading.Event()

    def hangs(stop, beat):
        gate.wait(5)
        idle(stop, beat)

    supervisor = Supervisor()
    supervisor.start("hangs", hangs, hang_after_s=0.1)
    assert supervisor.look()
    assert wait_for(lambda: not supervisor.look())
    gate.set()
    assert wait_for(supervisor.look)
    supervisor.stop("hangs", timeout_s=2)


def test_stop_waits_and_gives_up_on_what_hangs():
    """Stopping takes no longer than it may, whatever a thread does."""
    release = threading.Event()
    supervisor = Supervisor()
    supervisor.start("stuck", lambda _stop, _beat: release.wait(10))
    started = time.monotonic()
    supervisor.stop("stuck", timeout_s=0.3)
    assert time.monotonic() - started < 3
    release.set()
