"""Turns at the detector, on a simulated clock: nobody starves, weights hold, pictures stay new."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.turns import Share, Turns, water_fill

STEP_NS = 1_000_000


@dataclass
class Camera:
    """One that sends at a steady rate, with a newest-frame slot."""

    share: Share
    cost_s: float
    sends_fps: float
    away: tuple[float, float] = (0.0, 0.0)  # from, until, in seconds
    jitter: float = 0.0  # of the interval
    slot_ns: int | None = None
    arrived: int = 0
    next_ns: float = 0.0


@dataclass
class Run:
    """What came of a simulation."""

    analysed: Counter = field(default_factory=Counter)
    ages_s: dict[str, list[float]] = field(default_factory=dict)
    busy_s: Counter = field(default_factory=Counter)


def simulate(cameras: list[Camera], seconds: float, *, warm_up_s: float = 5.0) -> Run:
    """Let one thread serve the cameras; what happens in the first seconds is not counted."""
    random = np.random.default_rng(1)
    turns, now_ns, run = Turns([camera.share for camera in cameras]), 0, Run()
    by_name = {camera.share.camera: camera for camera in cameras}
    run.ages_s = {name: [] for name in by_name}
    for index, camera in enumerate(cameras):
        camera.next_ns = index * 7e6

    def arrive() -> None:
        for camera in cameras:
            while camera.next_ns <= now_ns:
                if not camera.away[0] <= camera.next_ns / 1e9 < camera.away[1]:
                    camera.slot_ns, camera.arrived = round(camera.next_ns), camera.arrived + 1
                camera.next_ns += 1e9 / camera.sends_fps * (1 + camera.jitter * random.uniform(-1, 1))

    while now_ns < seconds * 1e9:
        arrive()
        turns.review({name: camera.arrived for name, camera in by_name.items()}, now_ns)
        waiting = [name for name, camera in by_name.items() if camera.slot_ns is not None]
        name = turns.pick(waiting, now_ns)
        if name is None:
            now_ns += STEP_NS
            continue
        camera = by_name[name]
        captured_ns, camera.slot_ns = camera.slot_ns, None
        counted = now_ns >= warm_up_s * 1e9
        started_ns, now_ns = now_ns, now_ns + round(camera.cost_s * 1e9)
        turns.note_served(name, started_ns, now_ns)
        run.analysed[name] += counted
        run.busy_s[name] += counted * camera.cost_s
        if counted:
            run.ages_s[name].append((started_ns - captured_ns) / 1e9)
    return run


def camera(name: str, *, fps: float = 5, cost_s: float = 0.02, weight: float = 1, **more) -> Camera:
    return Camera(Share(name, fps=fps, weight=weight), cost_s, sends_fps=fps, **more)


def test_where_time_suffices_nothing_is_dropped():
    """Four jittering cameras at 5 fps of 20 ms are analysed picture by picture: no rate is lowered for nothing."""
    cameras = [camera(name, jitter=0.4) for name in "abcd"]
    run = simulate(cameras, 65, warm_up_s=0)
    for each in cameras:
        assert run.analysed[each.share.camera] >= each.arrived - 2
        assert max(run.ages_s[each.share.camera]) < 0.15


@pytest.mark.parametrize("weights", [(1, 1, 1), (2, 1, 1), (4, 2, 1), (10, 1, 1)])
def test_time_is_shared_by_weight(weights):
    """When three cameras each want all of the time, they get it by weight, within 5%."""
    cameras = [camera(name, fps=50, cost_s=0.05, weight=w) for name, w in zip("abc", weights, strict=True)]
    run = simulate(cameras, 65)
    total = sum(run.busy_s.values())
    for each, weight in zip(cameras, weights, strict=True):
        assert run.busy_s[each.share.camera] / total == pytest.approx(weight / sum(weights), rel=0.05)


def test_a_modest_camera_is_not_slowed_by_greedy_ones():
    """One that wants less than its share keeps its full rate, whatever the others want."""
    run = simulate([camera("calm", fps=2), *(camera(name, fps=50, cost_s=0.05) for name in "abc")], 65)
    assert run.analysed["calm"] == pytest.approx(2 * 60, abs=3)


def test_a_slow_pipeline_does_not_hold_the_rest():
    """A camera whose pictures cost half a second loses its own rate; the others keep four fifths."""
    run = simulate([camera("slow", cost_s=0.5), *(camera(name) for name in "abcd")], 65)
    for name in "abcd":
        assert run.analysed[name] >= 0.8 * 5 * 60
        assert max(run.ages_s[name]) < 0.6  # a step that runs cannot be cut short
    assert run.analysed["slow"] >= 0.45 * 60


def test_a_box_that_is_slow_for_all_is_used_in_full():
    """Where every picture takes longer than the cameras' interval, time is shared and none of it is left over."""
    run = simulate([camera(name, cost_s=0.3) for name in "abc"], 95)
    assert run.busy_s.total() == pytest.approx(0.9 * 90, rel=0.05)
    assert max(run.analysed.values()) - min(run.analysed.values()) <= 5


def test_rates_are_lowered_before_pictures_age():
    """Sixteen cameras that want four times what the box can: none grows old, a tenth of time is spare."""
    cameras = [camera(f"c{index}", fps=10, cost_s=0.025) for index in range(16)]
    run = simulate(cameras, 65)
    assert max(max(ages) for ages in run.ages_s.values()) < 0.5
    assert run.busy_s.total() == pytest.approx(0.9 * 60, rel=0.03)
    rates = list(run.analysed.values())
    assert max(rates) - min(rates) <= 0.05 * max(rates)


def test_the_time_of_a_camera_that_is_away_goes_to_the_others():
    """While one of two greedy cameras is away the other gets all, and half again when it is back."""
    run = simulate([camera("a", fps=50, cost_s=0.05), camera("b", fps=50, cost_s=0.05, away=(5, 95))], 95)
    assert run.busy_s["a"] == pytest.approx(0.9 * 90, rel=0.05)
    run = simulate([camera("a", fps=50, cost_s=0.05), camera("b", fps=50, cost_s=0.05, away=(5, 35))], 95, warm_up_s=40)
    assert run.busy_s["a"] == pytest.approx(run.busy_s["b"], rel=0.1)


def test_a_camera_that_was_idle_saves_nothing_up():
    """One that sends a picture every ten seconds does not get a burst of turns for its patience."""
    rare = Camera(Share("rare", fps=50), 0.05, sends_fps=50, away=(0, 40))
    run = simulate([rare, camera("busy", fps=50, cost_s=0.05)], 46, warm_up_s=40)
    assert run.analysed["busy"] > 0.7 * run.analysed["rare"]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0.001, 1.0), st.floats(0.5, 60)), min_size=2, max_size=8))
def test_no_camera_starves(cameras):
    """Whatever weights, costs and rates are, every camera that sends is served again and again."""
    made = [
        Camera(Share(str(index), fps=fps, weight=weight), cost_s, sends_fps=fps)
        for index, (weight, cost_s, fps) in enumerate(cameras)
    ]
    run = simulate(made, 120)
    least_share = min(weight for weight, _, _ in cameras) / sum(weight for weight, _, _ in cameras)
    for each in made:
        could = 115 * min(each.share.fps, 0.9 * each.share.weight * least_share / each.share.weight / each.cost_s)
        assert run.analysed[each.share.camera] >= min(1, could // 4), cameras


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0.1, 100)), min_size=1, max_size=10),
    st.floats(0.1, 1),
)
def test_water_fills_by_weight(claims, capacity):
    """Nobody gets more than it asks for, all is given out, and the unsatisfied get alike by weight."""
    demands, weights = [demand for demand, _ in claims], [weight for _, weight in claims]
    granted = water_fill(demands, weights, capacity)
    assert all(0 <= got <= demand + 1e-9 for got, demand in zip(granted, demands, strict=True))
    assert sum(granted) == pytest.approx(min(capacity, sum(demands)), abs=1e-6)
    levels = [
        got / weight for got, demand, weight in zip(granted, demands, weights, strict=True) if got < demand - 1e-6
    ]
    if levels:
        assert max(levels) == pytest.approx(min(levels), rel=1e-6)
        satisfied = [got / w for got, demand, w in zip(granted, demands, weights, strict=True) if got >= demand - 1e-6]
        assert all(level <= max(levels) + 1e-6 for level in satisfied)


@pytest.mark.parametrize("wrong", [{"fps": 0}, {"weight": 0}])
def test_impossible_shares_are_refused(wrong):
    """What can never be meant is refused when it is said."""
    with pytest.raises(ValueError, match="out of range"):
        Share("a", **{"fps": 5, **wrong})


def test_weights_hold_before_rates_are_known():
    """From the first picture on, and at every moment, time is shared by weight: rates come later and only help."""
    turns, now_ns, served = Turns([Share("a", fps=50, weight=3), Share("b", fps=50)]), 0, Counter()
    for _ in range(80):
        name = turns.pick(["a", "b"], now_ns)
        turns.note_served(name, now_ns, now_ns + 10_000_000)
        now_ns += 10_000_000
        served[name] += 1
    assert abs(served["a"] - 60) <= 1


def test_a_costly_picture_is_paid_for():
    """A camera whose picture took ten times as long waits ten turns of the other before its next."""
    turns, now_ns, order = Turns([Share("dear", fps=50), Share("cheap", fps=50)]), 0, []
    for _ in range(23):
        name = turns.pick(["dear", "cheap"], now_ns)
        cost_ns = 100_000_000 if name == "dear" else 10_000_000
        turns.note_served(name, now_ns, now_ns + cost_ns)
        now_ns += cost_ns
        order.append(name)
    assert order.count("dear") in {2, 3}
