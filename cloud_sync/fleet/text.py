"""Gaps for a person: a line a stream, a line a camera and day with a cell an hour. And for a program."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from cloud_sync.fleet import seqs
from cloud_sync.fleet.gaps import BoxGaps, StreamGaps, UnsetClock
from cloud_sync.fleet.hours import HOUR_MS, Hour, total
from cloud_sync.fleet.seqs import Range

DAY_MS = 24 * HOUR_MS
WHOLE = 0.95
"""From this share on an hour counts as observed throughout."""
RANGES_SHOWN = 5

NAMES = ("observed", "blind", "off", "shed", "missing")
CELLS = {"observed": "+", "blind": "x", "off": ".", "shed": "s", "missing": "?"}
LEGEND = (
    "# observed   + partly observed   x blind: watched, and nothing to see   . box or camera off",
    "s shed: given up by rule   ? missing: may yet come   (each cell an hour of UTC, by its largest share)",
)
RULER = "".join(f"{hour:<6}" for hour in (0, 6, 12, 18))


def lines_of(gaps: BoxGaps) -> Iterator[str]:
    """Yield the lines for one box."""
    seen = f", last seen {_time(gaps.last_seen_ms)}" if gaps.last_seen_ms is not None else ""
    yield f"{gaps.box.site}/{gaps.box.device}: {gaps.state or 'state not known'}{seen}"
    for number, stream in enumerate(gaps.streams):
        yield f"  {_stream_line(stream, anew=number > 0)}"
    for clock in gaps.clocks:
        yield f"  {_clock_line(clock)}"
    if not gaps.cameras:
        return
    shown = {name: name if name.isprintable() else repr(name) for name in gaps.cameras}  # it goes to a terminal
    width = max(len(name) for name in shown.values())
    yield f"  {'':{width}} {'':10} {RULER}"
    for name, hours in gaps.cameras.items():
        for day_ms, of_day in groupby(hours, key=lambda hour: hour.start_ms - hour.start_ms % DAY_MS):
            yield f"  {shown[name]:{width}} {_day(day_ms)} {_day_line(day_ms, list(of_day))}"


def _stream_line(stream: StreamGaps, *, anew: bool) -> str:
    began = _time(stream.first_seen_ms if stream.began_ms is None else stream.began_ms)
    words = [f"{'new stream' if anew else 'stream'} {stream.id[:8]} of {began}: {stream.entries} entries"]
    if stream.given_up:
        words.append(f"{seqs.count(stream.given_up)} given up")
    if stream.missing:
        words.append(f"{seqs.count(stream.missing)} missing: {_ranges(stream.missing)}")
    elif not stream.remint:
        words.append(f"none missing up to seq {stream.last}")
    if stream.remint:
        words.append(f"a new stream was asked for: {stream.remint}")
    return ", ".join(words)


def _clock_line(clock: UnsetClock) -> str:
    if clock.to_ms is None:
        return f"clock not set in boot {clock.boot}: its times are an estimate, not before {_time(clock.from_ms)}"
    between = f"between {_time(clock.from_ms)} and {_time(clock.to_ms)}"
    return f"clock never set in boot {clock.boot}: what it saw is of some time {between}, and stands at the beginning"


def _ranges(ranges: Sequence[Range]) -> str:
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges[:RANGES_SHOWN])
    more = len(ranges) - RANGES_SHOWN
    return f"{shown} and {more} ranges more" if more > 0 else shown


def _day_line(day_ms: int, hours: Sequence[Hour]) -> str:
    cells = [" "] * 24
    for hour in hours:
        cells[(hour.start_ms - day_ms) // HOUR_MS] = cell(hour)
    whole = total(hours)
    shares = [f"{name} {_share(whole, name):.0%}" for name in NAMES if _share(whole, name) >= 0.005]
    because = f" ({', '.join(whole.because)})" if whole.because else ""
    return f"{''.join(cells)}  {', '.join(shares)}{because}"


def cell(hour: Hour) -> str:
    """Return the character that stands for an hour."""
    if _share(hour, "observed") >= WHOLE:
        return "#"
    return CELLS[max(NAMES, key=lambda name: _share(hour, name))]


def _share(hour: Hour, name: str) -> float:
    return float(getattr(hour, f"{name}_ms")) / hour.length_ms


def values_of(gaps: BoxGaps) -> dict[str, Any]:
    """Return the same for JSON; times are seconds since 1970, spans of time seconds."""
    return {
        "site": gaps.box.site,
        "device": gaps.box.device,
        "state": gaps.state,
        "last_seen": _seconds(gaps.last_seen_ms),
        "streams": [_stream_values(stream) for stream in gaps.streams],
        "clocks": [
            {
                "stream": clock.stream,
                "boot": clock.boot,
                "from": _seconds(clock.from_ms),
                "to": _seconds(clock.to_ms),
            }
            for clock in gaps.clocks
        ],
        "cameras": {name: [*_hour_values(hours)] for name, hours in gaps.cameras.items()},
    }


def _stream_values(stream: StreamGaps) -> dict[str, Any]:
    return {
        "stream": stream.id,
        "first_seen": _seconds(stream.first_seen_ms),
        "began": _seconds(stream.began_ms),
        "remint": stream.remint,
        "last_seq": stream.last,
        "entries": stream.entries,
        "given_up": stream.given_up,
        "missing": stream.missing,
    }


def _hour_values(hours: Iterable[Hour]) -> Iterator[dict[str, Any]]:
    for hour in hours:
        shares = {f"{name}_s": getattr(hour, f"{name}_ms") / 1000 for name in NAMES}
        yield {
            "start": hour.start_ms / 1000,
            "length_s": hour.length_ms / 1000,
            **shares,
            "because": hour.because,
        }


def _seconds(ms: int | None) -> float | None:
    return None if ms is None else ms / 1000


def _day(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"


def _time(ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M}"
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"  # a box whose clock is far off
