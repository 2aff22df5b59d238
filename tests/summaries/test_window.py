"""Rollup windows: sums that keep the total, whatever the borders and the wall clock do."""

from collections import Counter
from functools import reduce
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.clock import ManualClock
from agent.summaries import RollupWindows, merge
from agent.types import ANY, ClassCount, Instant, Observation, Rollup

MINUTE_NS = 60_000_000_000
START_S = 1_700_000_040  # a full minute
YEAR_S = 365 * 86400.0


def clock(offset_s: float = 0.0) -> ManualClock:
    """A clock at a full minute, or some seconds after it."""
    manual = ManualClock(utc_ns=START_S * 1_000_000_000, monotonic_ns=50_000_000_000)
    manual.advance(offset_s)
    return manual


def frame(
    at: Instant, observed_s: float = 0.0, *, camera: str = "row-1", apples: int = 0, fresh: int = 0, score: float = 0.5
) -> Observation:
    """An analysed frame with some apples, each of one score."""
    counts = [ClassCount(ANY, ANY, fresh, apples, apples * score)]
    if apples:
        counts.append(ClassCount(ANY, "apple", fresh, apples, apples * score))
    return Observation(camera, at, round(observed_s * 1e9), tuple(counts))


def short(rollups: list[Rollup]) -> list[tuple[str, str, int, int, int]]:
    """Camera, class, window from the start in minutes, observed milliseconds, frames."""
    return [(r.camera, r.class_name, (r.window_start_s - START_S) // 60, r.observed_ms, r.frames) for r in rollups]


def whole(rollups: list[Rollup]) -> dict[tuple, Rollup]:
    """All parts added up, as the store does."""
    ordered = sorted(rollups, key=lambda rollup: rollup.key)
    return {key: reduce(merge, parts) for key, parts in groupby(ordered, key=lambda rollup: rollup.key)}


def test_sums_of_a_window():
    """A window holds the sums over its frames of everything and of each class, and the largest occupancy."""
    time, windows = clock(10), RollupWindows()
    for apples, fresh in ((2, 2), (3, 1), (0, 0), (1, 0)):
        time.advance(0.25)
        windows.add(frame(time.now(), 0.25, apples=apples, fresh=fresh))
    time.advance(60)
    everything, apple = windows.close(time.now())
    assert everything == Rollup(
        camera="row-1",
        zone=ANY,
        class_name=ANY,
        window_start_s=START_S,
        window_s=60,
        boot=1,
        monotonic_start_ns=50_000_000_000,
        observed_ms=1000,
        frames=4,
        unique=3,
        presence=6,
        occupancy_max=3,
        score_sum=3.0,
    )
    assert apple.class_name == "apple"
    assert (apple.observed_ms, apple.frames, apple.unique, apple.presence) == (1000, 4, 3, 6)


def test_given_out_once_and_not_before_its_end():
    """A window is given out when its end and the grace for late frames have passed, and then never again."""
    time, windows = clock(59), RollupWindows(grace_s=2.0)
    windows.add(frame(time.now(), 0.5))
    for wait_s, rollups in ((0.0, 0), (1.0, 0), (1.9, 0), (0.1, 1), (0.0, 0), (500.0, 0)):
        time.advance(wait_s)
        assert len(windows.close(time.now())) == rollups


def test_frame_is_split_where_windows_meet():
    """A frame counts in the window of its own time, and the time it stands for in those that it was watched in."""
    time, windows = clock(60.3), RollupWindows()
    windows.add(frame(time.now(), 0.5, apples=1, fresh=1))
    assert short(windows.flush(time.now())) == [
        ("row-1", ANY, 0, 200, 0),
        ("row-1", ANY, 1, 300, 1),
        ("row-1", "apple", 1, 300, 1),
    ]


def test_frame_on_the_border_belongs_to_the_new_window():
    """A frame taken exactly at a full minute stands for time before it, and counts after it."""
    time, windows = clock(60), RollupWindows()
    windows.add(frame(time.now(), 0.5))
    assert short(windows.flush(time.now())) == [("row-1", ANY, 0, 500, 0), ("row-1", ANY, 1, 0, 1)]


def test_full_minute_is_60_seconds():
    """At 30 frames a second, with frame times that are no whole milliseconds, each full minute is 60,000 ms."""
    windows = RollupWindows()
    step_ns = 33_333_333
    start = clock().now()
    for number in range(1, 30 * 60 * 3 + 50):
        at = Instant(start.utc_ns + number * step_ns, start.monotonic_ns + number * step_ns, 1)
        windows.add(Observation("row-1", at, step_ns, (ClassCount(ANY, ANY, 0, 0, 0.0),)))
    assert [rollup.observed_ms for rollup in windows.flush(at)][:3] == [60_000] * 3


def test_class_row_only_where_it_was_seen():
    """A window in which a class was not seen has no row of it."""
    time, windows = clock(30), RollupWindows()
    windows.add(frame(time.now(), apples=1))
    time.advance(60)
    windows.add(frame(time.now()))
    assert [(r.class_name, r.window_start_s - START_S) for r in windows.peek()] == [(ANY, 0), ("apple", 0), (ANY, 60)]


def test_peek_takes_nothing_away():
    """Looking at unfinished windows changes nothing."""
    time, windows = clock(10), RollupWindows()
    windows.add(frame(time.now(), 0.2))
    assert windows.peek() == windows.peek() == windows.flush(time.now())
    assert windows.peek() == []


def test_late_frame_gives_a_further_part():
    """A frame for a window that was given out makes a further part, and both add up to all frames."""
    time, windows = clock(50), RollupWindows(grace_s=0)
    late = time.now()
    windows.add(frame(time.now(), 1.0, apples=2, fresh=2))
    time.advance(15)
    first = windows.close(time.now())
    windows.add(frame(late, 1.0, apples=1, fresh=1))
    both = whole([*first, *windows.flush(time.now())])
    assert [(r.class_name, r.frames, r.unique, r.observed_ms, r.occupancy_max) for r in both.values()] == [
        (ANY, 2, 3, 2000, 2),
        ("apple", 2, 3, 2000, 2),
    ]


@pytest.mark.parametrize("step_s", [-YEAR_S, -3600.0, -45.0, -1.0, 1.0, 45.0, 3600.0, YEAR_S])
def test_nothing_is_lost_when_the_clock_is_set(step_s):
    """Whatever the wall clock is set to, all frames, tracks and watched time arrive, and only windows that passed."""
    time, windows, rollups = clock(20), RollupWindows(), []
    windows.watch("row-1", time.now())
    windows.watch("blind", time.now())
    for second in range(300):
        if second == 130:
            time.step_utc(step_s)
        time.advance(1)
        windows.add(frame(time.now(), 1.0, apples=1, fresh=1))
        rollups += windows.close(time.now())
    unfinished = windows.peek()
    assert all(abs(r.window_start_s * 10**9 - time.now().utc_ns) < 2 * MINUTE_NS for r in unfinished)  # none forgotten
    rollups += windows.flush(time.now())
    everything = [r for r in rollups if r.camera == "row-1" and r.class_name == ANY]
    assert sum(r.frames for r in everything) == sum(r.unique for r in everything) == 300
    assert sum(r.observed_ms for r in everything) == 300_000
    blind = {r.window_start_s for r in rollups if r.camera == "blind"}
    assert {r.frames for r in rollups if r.camera == "blind"} == {0}
    assert 5 <= len(blind) <= 8
    assert blind == {r.window_start_s for r in everything}


def test_blind_camera_says_so():
    """A watched camera that delivers nothing has a row for each minute that says so, beside one that works."""
    time, windows, rollups = clock(30), RollupWindows(), []
    windows.watch("blind", time.now())
    for _ in range(150):
        time.advance(1)
        windows.add(frame(time.now(), 1.0))
        rollups += windows.close(time.now())
    assert [row for row in short(rollups) if row[0] == "blind"] == [("blind", ANY, 0, 0, 0), ("blind", ANY, 1, 0, 0)]


def test_no_rows_before_a_camera_is_watched():
    """Minutes before a camera was watched, in which the box was perhaps off, have no row."""
    time, windows = clock(600), RollupWindows()
    windows.watch("blind", time.now())
    time.advance(60)
    assert {r.window_start_s - START_S for r in windows.flush(time.now())} == {600, 660}


def test_seldom_closed_is_still_complete():
    """When nobody closed for ten minutes, as on a box that was very busy, each of these minutes has its row."""
    time, windows = clock(30), RollupWindows()
    windows.watch("blind", time.now())
    time.advance(600)
    assert short(windows.close(time.now())) == [("blind", ANY, minute, 0, 0) for minute in range(10)]


def test_camera_that_delivers_has_no_further_rows():
    """Watching a camera that delivers a frame a second adds no row to what its frames give."""
    time, windows, rollups = clock(0.5), RollupWindows(), []
    windows.watch("row-1", time.now())
    for _ in range(200):
        time.advance(1)
        windows.add(frame(time.now(), 1.0))
        rollups += windows.close(time.now())
    rollups += windows.flush(time.now())
    assert max(Counter(rollup.key for rollup in rollups).values()) == 1


def test_new_boot_does_not_fill_the_past():
    """Across a change of boot, whose monotonic times do not compare, no minutes are made up."""
    windows = RollupWindows()
    windows.watch("blind", Instant(START_S * 10**9, 5_000 * 10**9, boot=1))
    later = Instant((START_S + 86400) * 10**9, 9_000 * 10**9, boot=2)
    assert {r.window_start_s - START_S for r in windows.flush(later)} == {0, 86400}


def test_clocks_of_a_window():
    """A window names its boot, and when it began by that boot's monotonic time; frames of two boots never mix."""
    windows = RollupWindows()
    windows.add(frame(Instant((START_S + 7) * 10**9, 100 * 10**9, boot=4)))
    windows.add(frame(Instant((START_S + 20) * 10**9, 3 * 10**9, boot=5)))
    clocks = [(rollup.boot, rollup.monotonic_start_ns, rollup.frames) for rollup in windows.peek()]
    assert clocks == [(4, 93 * 10**9, 1), (5, -17 * 10**9, 1)]


def test_only_parts_of_one_window_merge():
    """Parts of different windows are refused."""
    time, windows = clock(59.5), RollupWindows()
    windows.add(frame(time.now()))
    time.advance(1)
    windows.add(frame(time.now()))
    first, second = windows.peek()
    with pytest.raises(ValueError, match="different keys"):
        merge(first, second)


@pytest.mark.parametrize("wrong", [{"window_s": 0}, {"grace_s": -1}, {"grace_s": float("nan")}])
def test_impossible_settings_are_refused(wrong):
    """A window has a length, and a grace is not negative."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        RollupWindows(**wrong)


def test_negative_time_is_refused():
    """A frame that claims less than no time raises, and is not counted."""
    windows = RollupWindows()
    with pytest.raises(ValueError, match="observed_ns"):
        windows.add(frame(clock().now(), -0.1))
    assert windows.peek() == []


frames = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(0, 100 * 10**9),  # until this frame, ns
        st.integers(-(10**11), 10**11) | st.just(0),  # the clock is set by, ns
        st.integers(0, 4),  # fresh
        st.booleans(),  # close after it
    ),
    max_size=30,
)


@given(frames, st.sampled_from([1, 7, 60]))
def test_totals_are_kept(story, window_s):
    """For any frames, steps of the clock and times of closing, the parts add up to exactly what was observed."""
    windows, rollups = RollupWindows(window_s), []
    utc_ns = START_S * 10**9
    monotonic_ns = 0
    total_ns: Counter[str] = Counter()
    total_fresh: Counter[str] = Counter()
    for camera, passed_ns, set_ns, fresh, close in story:
        utc_ns, monotonic_ns = utc_ns + passed_ns + set_ns, monotonic_ns + passed_ns
        at = Instant(utc_ns, monotonic_ns, 1)
        windows.add(Observation(camera, at, passed_ns, (ClassCount(ANY, ANY, fresh, fresh, 0.0),)))
        total_ns[camera] += passed_ns
        total_fresh[camera] += fresh
        rollups += windows.close(at) if close else []
    rollups += windows.flush(Instant(utc_ns, monotonic_ns, 1))
    for camera in total_ns:
        mine = [rollup for rollup in rollups if rollup.camera == camera]
        assert sum(rollup.observed_ms for rollup in mine) == total_ns[camera] // 10**6
        assert sum(rollup.unique for rollup in mine) == total_fresh[camera]
        assert sum(rollup.frames for rollup in mine) == sum(row[0] == camera for row in story)
    assert all(rollup.window_start_s % window_s == 0 for rollup in rollups)


@given(st.lists(st.integers(0, 3 * 10**9), max_size=150), st.lists(st.booleans(), min_size=150, max_size=150))
def test_no_window_is_overfull(steps_ns, closings):
    """While the wall clock is not set, no window holds more time than its length, however many parts it has."""
    windows, rollups = RollupWindows(10, grace_s=0), []
    now_ns = START_S * 10**9 + 123_456
    for step_ns, close in zip(steps_ns, closings, strict=False):
        now_ns += step_ns
        at = Instant(now_ns, now_ns, 1)
        windows.add(Observation("a", at, step_ns, (ClassCount(ANY, ANY, 0, 0, 0.0),)))
        rollups += windows.close(at) if close else []
    rollups += windows.flush(Instant(now_ns, now_ns, 1))
    assert all(rollup.observed_ms <= 10_000 for rollup in whole(rollups).values())
