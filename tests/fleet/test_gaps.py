"""What the cloud's database, of both kinds, tells of boxes whose history is known. Times in minutes."""

import json
from typing import Any

import pytest
from sqlalchemy import Engine

from cloud_sync.fleet import BoxGaps, gaps_of_boxes, lines_of, values_of
from cloud_sync.fleet.hours import Hour
from cloud_sync.ingest.committing import commit
from cloud_sync.ingest.inbox import read
from cloud_sync.mqtt import Arrived
from cloud_sync.wire import (
    Box,
    Channel,
    ClockMessage,
    EventMessage,
    Message,
    RollupMessage,
    RollupRow,
    ShedMessage,
    WindowRow,
    columns_of,
    encode,
    window_columns_of,
)
from tests.faults.ends import BOX, birth_message

BEGIN_S = 1_700_002_800  # a full hour
STREAM, NEXT_STREAM = "a" * 32, "b" * 32


def at_ms(minute: float) -> int:
    return round((BEGIN_S + minute * 60) * 1000)


class Cloud:
    """Takes messages of one box, and tells what it makes of them."""

    def __init__(self, database: Engine) -> None:
        self.database = database

    def tell(self, channel: Channel, message: Message, *, box: Box = BOX, now: float = 0) -> None:
        encoded = encode(message)
        arrived = Arrived(1, 1, box.topic(channel), encoded.payload, False, encoded.encoding)
        commit(self.database, [read(arrived)], now_ms=at_ms(now))

    def event(self, seq: int, kind: str, minute: float, *, stream: str = STREAM, **data: Any) -> None:
        camera = data.pop("camera", None)
        message = EventMessage(stream=stream, seq=seq, boot=1, kind=kind, camera=camera, at_ms=at_ms(minute), data=data)
        self.tell(Channel.EVENT, message, now=minute)

    def rollups(
        self, seq: int, begin: int, end: int, *, share: float = 1.0, every: int = 1, stream: str = STREAM
    ) -> None:
        """One entry with the windows of these minutes, of the camera north."""
        rows = [
            RollupRow(
                "north", "*", "*", BEGIN_S + at * 60, every * 60, 1, round(every * 60_000 * share), 1, 0, 0, 0, None
            )
            for at in range(begin, end, every)
        ]
        self.tell(Channel.ROLLUP, RollupMessage(stream=stream, seq=seq, boot=1, columns=columns_of(rows)), now=end)

    def shed(self, seq: int, became: str, ranges: list[tuple[int, int]], begin: int, *, minute: float) -> None:
        """A record that an hour of the camera was given up, or merged."""
        windows = window_columns_of([WindowRow("north", BEGIN_S + begin * 60, 3600)])
        message = ShedMessage(
            stream=STREAM,
            seq=seq,
            boot=1,
            at_ms=at_ms(minute),
            channel="rollup",
            became=became,
            reason="rows",
            entries=1,
            size_bytes=1,
            oldest_ms=at_ms(begin),
            newest_ms=at_ms(begin + 60),
            ranges=ranges,
            windows=windows,
        )
        self.tell(Channel.SHED, message, now=minute)

    def gaps(self, begin: int, end: int, *, now: int | None = None) -> BoxGaps:
        asked = (at_ms(begin), at_ms(end))
        [gaps] = gaps_of_boxes(self.database, asked, now_ms=at_ms(end if now is None else now))
        return gaps

    def hours(self, begin: int, end: int, *, now: int | None = None) -> list[dict[str, int]]:
        """The hours of the camera, each with its shares in minutes."""
        return [shares(hour) for hour in self.gaps(begin, end, now=now).cameras["north"]]


def shares(hour: Hour) -> dict[str, int]:
    names = ("observed", "blind", "off", "shed", "missing")
    values = {name: round(getattr(hour, f"{name}_ms") / 60_000) for name in names}
    return {name: value for name, value in values.items() if value}


@pytest.fixture
def cloud(database: Engine) -> Cloud:
    return Cloud(database)


def test_night_in_which_the_box_was_off(cloud: Cloud):
    """All seqs are here: what no window covers was off, whether the box said good-bye or not."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 60)
    cloud.event(3, "agent-stopped", 60)
    cloud.event(4, "agent-started", 120)
    cloud.rollups(5, 120, 180)
    cloud.event(6, "agent-started", 240)  # the power went at 180
    cloud.rollups(7, 240, 300)
    assert cloud.hours(0, 300) == [{"observed": 60}, {"off": 60}] * 2 + [{"observed": 60}]
    [stream] = cloud.gaps(0, 300).streams
    assert (stream.last, stream.entries, stream.missing, stream.began_ms) == (7, 7, (), at_ms(0))


def test_entry_held_back(cloud: Cloud):
    """The time of a missing entry is missing, not off; a night between other entries stays off. Once here, it fits."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 60)
    cloud.event(4, "agent-stopped", 120)
    cloud.event(5, "agent-started", 180)
    cloud.rollups(6, 180, 240)
    assert cloud.hours(0, 240) == [{"observed": 60}, {"missing": 60}, {"off": 60}, {"observed": 60}]
    assert cloud.gaps(0, 240).streams[0].missing == ((3, 3),)
    cloud.rollups(3, 60, 120)
    assert cloud.hours(0, 240) == [{"observed": 60}, {"observed": 60}, {"off": 60}, {"observed": 60}]


def test_window_told_after_an_event_inside_it(cloud: Cloud):
    """A missing entry may hold the window in which the event before it was: a window is told when it is over."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 59)
    cloud.event(3, "k", 59.5)
    cloud.event(5, "agent-stopped", 60)
    assert cloud.hours(0, 60) == [{"observed": 59, "missing": 1}]


def test_box_that_is_silent(cloud: Cloud):
    """After the last word of a box all is missing, for it may go on without a link; unless that word was good-bye."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 60)
    assert cloud.hours(0, 180) == [{"observed": 60}, {"missing": 60}, {"missing": 60}]
    assert cloud.hours(0, 180, now=90) == [{"observed": 60}, {"missing": 30}]
    cloud.event(3, "agent-stopped", 60)
    assert cloud.hours(0, 180) == [{"observed": 60}, {"off": 60}, {"off": 60}]


def test_camera_taken_away(cloud: Cloud):
    """A camera that is watched and shows nothing is blind, because of the state that it was in."""
    cloud.event(1, "camera-state", 0, camera="north", state="live")
    cloud.event(2, "camera-state", 60, camera="north", state="unreachable", detail="nobody answers")
    cloud.rollups(3, 0, 60)
    cloud.rollups(4, 60, 120, share=0.0)
    assert cloud.hours(0, 120) == [{"observed": 60}, {"blind": 60}]
    assert [hour.because for hour in cloud.gaps(60, 120).cameras["north"]] == [("unreachable",)]


def test_camera_covered(cloud: Cloud):
    """A live camera that cannot see is blind because of what keeps it from seeing, until it sees again."""
    cloud.event(1, "camera-state", 0, camera="north", state="live")
    cloud.event(2, "camera-sight", 60, camera="north", state="covered", before="clear")
    cloud.rollups(3, 0, 60)
    cloud.rollups(4, 60, 120, share=0.0)
    cloud.event(5, "camera-sight", 120, camera="north", state="clear", before="covered")
    cloud.rollups(6, 120, 180)
    assert cloud.hours(0, 180) == [{"observed": 60}, {"blind": 60}, {"observed": 60}]
    assert [hour.because for hour in cloud.gaps(0, 180).cameras["north"]] == [(), ("covered",), ()]


def test_start_without_a_clock(cloud: Cloud):
    """A box that starts in 1970 and gets its time later was not off while its windows show it blind."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 60)
    cloud.event(3, "agent-stopped", 60)
    cloud.event(4, "agent-started", -28_000_000)
    cloud.rollups(5, 120, 180, share=0.0)
    assert cloud.hours(0, 180) == [{"observed": 60}, {"off": 60}, {"blind": 60}]


@pytest.mark.parametrize("known", [True, False])
def test_boot_whose_clock_was_not_set(cloud: Cloud, *, known: bool):
    """Its rows are where the estimate put them: so much is told, and from when to when it may have been, once known. A
    boot that was put right is told like any other."""
    cloud.rollups(1, 0, 60)
    words = {"of_boot": 1, "at_ms": 0, "from_ms": at_ms(0), "to_ms": at_ms(600 if known else 0)}
    word = ClockMessage(stream=STREAM, seq=2, boot=2, state="between" if known else "unset", **words)
    cloud.tell(Channel.CLOCK, word)
    [line] = [line for line in lines_of(cloud.gaps(0, 60)) if "clock" in line]
    [value] = values_of(cloud.gaps(0, 60))["clocks"]
    if known:
        assert line.endswith("between 2023-11-14 23:00 and 2023-11-15 09:00, and stands at the beginning")
    else:
        assert line.endswith("its times are an estimate, not before 2023-11-14 23:00")
    assert value == {"stream": STREAM, "boot": 1, "from": at_ms(0) / 1000, "to": at_ms(600) / 1000 if known else None}
    right = ClockMessage(stream=STREAM, seq=3, boot=2, state="set", window_shift_s=3600, shift_ms=3_600_000, **words)
    cloud.tell(Channel.CLOCK, right)
    assert cloud.gaps(0, 60).clocks == ()
    assert cloud.hours(60, 120) == [{"observed": 60}]


def test_stop_inside_a_merged_hour(cloud: Cloud):
    """Of an hour in one row, what lies between a stop and the next start was off; the rest was blind."""
    cloud.event(1, "agent-started", 0)
    cloud.event(2, "agent-stopped", 20)
    cloud.event(3, "agent-started", 50)
    cloud.rollups(4, 0, 60, share=0.25, every=60)
    cloud.event(5, "agent-stopped", 60)
    assert cloud.hours(0, 60) == [{"observed": 15, "blind": 15, "off": 30}]


def test_given_up_and_merged(cloud: Cloud):
    """Windows that are gone are shed, and not missing; merged ones are missing until their row comes, then observed."""
    cloud.event(1, "agent-started", 0)
    cloud.shed(5, "nothing", [(2, 3)], 0, minute=200)
    cloud.shed(7, "hours", [(4, 4)], 60, minute=201)
    cloud.rollups(8, 120, 180)
    cloud.event(9, "agent-stopped", 180)
    assert cloud.hours(0, 180) == [{"shed": 60}, {"missing": 60}, {"observed": 60}]
    [stream] = cloud.gaps(0, 180).streams
    assert (stream.given_up, stream.missing) == (((2, 4),), ((6, 6),))
    cloud.rollups(6, 60, 120, share=0.5, every=60)
    assert cloud.hours(0, 180) == [{"shed": 60}, {"observed": 30, "blind": 30}, {"observed": 60}]
    assert cloud.gaps(0, 180).streams[0].missing == ()


def test_box_with_a_new_disk(cloud: Cloud):
    """A new stream is told with its beginning; between the streams is what the old disk may have held."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 60)
    cloud.event(1, "agent-started", 120, stream=NEXT_STREAM)
    cloud.rollups(2, 120, 180, stream=NEXT_STREAM)
    cloud.event(3, "agent-stopped", 180, stream=NEXT_STREAM)
    assert cloud.hours(0, 240) == [{"observed": 60}, {"missing": 60}, {"observed": 60}, {"off": 60}]
    assert [(stream.id, stream.began_ms) for stream in cloud.gaps(0, 240).streams] == [
        (STREAM, at_ms(0)),
        (NEXT_STREAM, at_ms(120)),
    ]
    lines = list(lines_of(cloud.gaps(0, 240)))
    assert lines[2].startswith(
        f"  new stream {NEXT_STREAM[:8]} of 2023-11-15 01:00: 3 entries, none missing up to seq 3"
    )


def test_first_entries_of_a_stream_missing(cloud: Cloud):
    """Without anything before it a gap reaches back to the stream before, not to the beginning of time."""
    cloud.event(1, "agent-started", 0)
    cloud.rollups(2, 0, 60)
    cloud.event(3, "agent-stopped", 60)
    cloud.event(5, "agent-started", 180, stream=NEXT_STREAM)
    assert cloud.hours(-60, 180) == [{"off": 60}, {"observed": 60}, {"missing": 60}, {"missing": 60}]


def test_seqs_that_the_box_told_of(cloud: Cloud):
    """What the box said it has made and has not sent is missing, too."""
    cloud.event(1, "agent-started", 0)
    cloud.tell(Channel.BIRTH, birth_message(STREAM).model_copy(update={"next_seq": 6}), now=1)
    assert cloud.gaps(0, 60).streams[0].missing == ((2, 5),)


def test_camera_without_a_row(cloud: Cloud):
    """A camera that a box names and that has sent nothing has its lines all the same."""
    cloud.tell(Channel.BIRTH, birth_message(STREAM), now=30)
    gaps = cloud.gaps(0, 120, now=60)
    assert list(gaps.cameras) == ["north"]
    assert gaps.last_seen_ms == at_ms(30)


def test_boxes_by_site_and_name(cloud: Cloud, database: Engine):
    """Boxes are told in order, each for itself, all or those asked for."""
    for box in (Box("orchard", "box-2"), Box("hill", "box-1"), BOX):
        cloud.tell(Channel.BIRTH, birth_message("c" * 32), box=box)
    asked = {"asked": (at_ms(0), at_ms(60)), "now_ms": at_ms(60)}
    names = [f"{gaps.box.site}/{gaps.box.device}" for gaps in gaps_of_boxes(database, **asked)]
    assert names == ["hill/box-1", "orchard/box-1", "orchard/box-2"]
    assert len(list(gaps_of_boxes(database, **asked, site="orchard"))) == 2
    assert len(list(gaps_of_boxes(database, **asked, site="orchard", device="box-2"))) == 1
    assert list(gaps_of_boxes(database, **asked, site="nowhere")) == []


def test_stream_full_of_holes(cloud: Cloud):
    """Thousands of gaps are counted one by one; their times are looked up for neighbours together."""
    for seq in range(1, 1204, 2):
        cloud.event(seq, "k", seq / 10)
    gaps = cloud.gaps(0, 240)
    assert len(gaps.streams[0].missing) == 601
    assert list(lines_of(gaps))[1].endswith("601 missing: 2, 4, 6, 8, 10 and 596 ranges more")


def test_line_a_day_and_json(cloud: Cloud):
    """A person sees a cell an hour; a program gets the same as numbers."""
    cloud.event(1, "camera-state", 60, camera="north", state="stalled")
    cloud.rollups(2, 0, 60)
    cloud.rollups(3, 60, 120, share=0.0)
    cloud.rollups(4, 120, 180, share=0.8)
    cloud.event(5, "agent-stopped", 180)
    cloud.event(6, "agent-started", 240)
    gaps = cloud.gaps(0, 300)
    assert list(lines_of(gaps))[3:] == [
        "  north 2023-11-14                        #  observed 100%",
        "  north 2023-11-15 x+.?                      observed 20%, blind 30%, off 25%, missing 25% (stalled)",
    ]
    values = json.loads(json.dumps(values_of(gaps)))
    assert (values["site"], values["device"], values["streams"][0]["last_seq"]) == ("orchard", "box-1", 6)
    assert values["cameras"]["north"][1] == {
        "start": BEGIN_S + 3600,
        "length_s": 3600,
        "observed_s": 0,
        "blind_s": 3600,
        "off_s": 0,
        "shed_s": 0,
        "missing_s": 0,
        "because": ["stalled"],
    }
