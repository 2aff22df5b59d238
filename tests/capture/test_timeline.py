"""When pictures were taken, and which are wanted."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.capture.timeline import Arrivals, Playback
from agent.sampling import Sampler
from agent.types import Instant

SECOND = 1_000_000_000


def at(seconds: float) -> Instant:
    return Instant(round(1.7e18) + round(seconds * SECOND), round(seconds * SECOND), 3)


def test_arrivals_remove_jitter() -> None:
    """Frames that the network delays unevenly are dated evenly, by the fastest of them."""
    arrivals = Arrivals()
    delays = [0.05, 0.02, 0.3, 0.02, 0.8, 0.02]
    dates = [
        arrivals.place(5 * SECOND + round(i * 0.1 * SECOND), at(100 + i * 0.1 + delay)).monotonic_ns / SECOND
        for i, delay in enumerate(delays)
    ]
    assert all(abs(date - (100 + i * 0.1 + 0.02)) < 0.002 for i, date in enumerate(dates) if i > 0)


def test_arrivals_survive_a_restarted_stream() -> None:
    """A stream whose time jumps back, stands still or is missing is dated by arrival."""
    arrivals = Arrivals()
    arrivals.place(50 * SECOND, at(10))
    for stamp in (0, 0, None, 40 * SECOND):
        assert arrivals.place(stamp, at(11)) == at(11)


@given(
    steps=st.lists(
        st.tuples(st.one_of(st.none(), st.integers(-(10**11), 10**11)), st.integers(0, 10**10)), min_size=1, max_size=50
    )
)
def test_arrivals_are_possible(steps: list[tuple[int | None, int]]) -> None:
    """Whatever the stream says, a frame is never dated after its arrival, nor before the frame before it."""
    arrivals, now, dates = Arrivals(), 0, []
    for stamp, passed in steps:
        now += passed
        date = arrivals.place(stamp, Instant(now + 7, now, 1))
        assert date.monotonic_ns <= now
        assert date.utc_ns - date.monotonic_ns == 7
        dates.append(date.monotonic_ns)
    assert dates == sorted(dates)


@given(rate=st.floats(1, 120), fps=st.floats(0.2, 120), jitter=st.lists(st.floats(0, 0.4), min_size=2, max_size=300))
def test_sampler_never_exceeds_its_rate(rate: float, fps: float, jitter: list[float]) -> None:
    """Over any stretch of an uneven stream, at most ``fps`` a second are picked, and one more or two."""
    sampler = Sampler(fps)
    times = [round((i + shift) / rate * SECOND) for i, shift in enumerate(jitter)]
    picked = [time_ns for time_ns in times if sampler.wants(time_ns)]
    assert picked[0] == times[0]
    assert len(picked) <= (times[-1] - times[0]) / SECOND * fps + 2


def test_sampler_is_even() -> None:
    """Of 25 frames a second at 10, ten a second are picked, never further apart than four."""
    sampler = Sampler(10)
    picked = [i for i in range(250) if sampler.wants(i * SECOND // 25)]
    assert len(picked) == 100
    assert {b - a for a, b in pairwise(picked)} == {2, 3}


def test_sampler_takes_all_of_a_slow_stream() -> None:
    """A stream slower than what is wanted loses nothing."""
    sampler = Sampler(30)
    assert all(sampler.wants(i * SECOND // 25) for i in range(100))


def test_sampler_after_a_jump_back() -> None:
    """A stream whose time jumps back is sampled on, at once."""
    sampler = Sampler(5)
    assert sampler.wants(100 * SECOND)
    assert sampler.wants(3 * SECOND)
    assert not sampler.wants(3 * SECOND + SECOND // 10)


def test_playback_dates() -> None:
    """A recording's frames are due at its own times after the start; a late player goes on from now."""
    playback = Playback(at(10))
    assert playback.place(2 * SECOND, at(10)) == at(12)
    assert playback.place(3 * SECOND, at(40)) == at(40)
    assert playback.place(4 * SECOND, at(40)) == at(41)
    assert Playback(at(10), keep_up=False).place(3 * SECOND, at(40)) == at(13)


def test_playback_follows_a_clock_that_is_set() -> None:
    """When the wall clock is set while a recording plays, what comes is dated by it, at the same intervals."""
    playback = Playback(at(100))
    before = playback.place(1 * SECOND, at(100.9))
    set_by_ns = 365 * 86400 * SECOND
    now = at(101.9)
    after = playback.place(2 * SECOND, Instant(now.utc_ns + set_by_ns, now.monotonic_ns, now.boot))
    assert after.monotonic_ns - before.monotonic_ns == SECOND
    assert after.utc_ns - before.utc_ns == SECOND + set_by_ns
