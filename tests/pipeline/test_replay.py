"""A recording through the full pipeline, with the real detector."""

import json

import av
import pytest

from agent.capture import SourceError
from agent.config import CameraConfig
from agent.detection import open_detectors
from agent.errors import RejectedError
from agent.replay import replay
from agent.types import ANY

FRAMES = 90
TRUE_FRUIT = 66  # of the first tree, which these frames pass


@pytest.fixture(scope="module")
def detectors(bundled_model):
    detectors = open_detectors(bundled_model)
    yield detectors
    for detector in detectors:
        detector.close()


@pytest.fixture(scope="module")
def clip(shared_data, tmp_path_factory):
    """The first six seconds of the pan video, as a file of its own."""
    path = tmp_path_factory.mktemp("video") / "clip.mp4"
    with av.open(str(shared_data / "video" / "orchard_pan_dev.mp4")) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1280, 720, "yuv420p", 20_000_000
        for number, frame in enumerate(source.decode(video=0)):
            if number == FRAMES:
                break
            target.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="bgr24"), format="bgr24")))
        target.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def result(clip, detectors):
    return replay(clip, detectors, confidence=0.25)


def test_fruit_of_a_tree_is_counted(result):
    """The count of a real tree is right to a quarter with the bundled model, and nothing else is found on it."""
    assert abs(result.unique["apple"] - TRUE_FRUIT) <= TRUE_FRUIT / 4, result.unique
    assert result.unique["cherry"] == 0
    assert result.unique["pear"] <= 3


def test_all_frames_and_their_time(result):
    """Every frame is analysed, and the time is the recording's own, however fast it went."""
    assert result.frames == FRAMES
    assert result.seconds == pytest.approx(6.0)
    assert result.wall_s > 0


def test_rollups_say_the_same(result):
    """The rollups count what the result counts, and observed all of the recording but before its first frame."""
    by_class = {rollup.class_name: rollup for rollup in result.rollups}
    assert by_class[ANY].unique == sum(result.unique.values())
    assert by_class["apple"].unique == result.unique["apple"]
    assert (by_class[ANY].window_start_s, by_class[ANY].frames) == (0, FRAMES)
    assert by_class[ANY].observed_ms == pytest.approx(1000 * (FRAMES - 1) / 15, abs=1)


def test_result_is_json(result):
    """The result survives JSON, field by field."""
    back = json.loads(json.dumps(result.as_dict()))
    assert back["unique"] == result.unique
    assert back["rollups"][0]["class_name"] == ANY
    assert set(back) == {
        "video",
        "model",
        "backend",
        "frames",
        "seconds",
        "wall_s",
        "unique",
        "rollups",
        "measures",
        "events",
    }


def test_summary_names_what_was_found(result):
    """The lines for a person name the classes that were found, and no others."""
    assert f"apple {result.unique['apple']:6d}" in result.summary()
    assert "cherry" not in result.summary()


def test_questions_of_a_camera_are_answered(clip, detectors):
    """Zones, lines, the row and the farm's measures of a configuration are taken of a recording, ends included."""
    camera = CameraConfig(
        name="pan",
        source="sim:orchard",
        zones=({"name": "left", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]},),
        lines=({"name": "post", "points": [[0.5, 0], [0.5, 1]]},),
        row={},
        farm={"canopy": True},
    )
    result = replay(clip, detectors, confidence=0.25, camera=camera)
    assert {row.zone for row in result.rollups} == {ANY, "left"}
    total = {(m.zone, m.class_name, m.name): m.total for m in result.measures}
    assert total["post", ANY, "crossed_in"] > 5
    report = next(event.data for event in result.events if event.kind == "row-count" and event.data["class"] == ANY)
    assert report["low"] <= TRUE_FRUIT <= report["high"]
    assert total[ANY, "apple", "row_fruit"] <= report["found"]
    assert "row-count: segment 1, class *" in result.summary()
    assert f"apple: row_fruit  {total[ANY, 'apple', 'row_fruit']:g}" in result.summary()
    assert json.loads(json.dumps(result.as_dict()))["events"][0]["kind"] == "row-count"


def test_progress_is_told(shared_data, detectors, tmp_path):
    """After each frame the number of frames done is told."""
    told = []
    image = tmp_path / "one.jpg"
    image.write_bytes(next((shared_data / "orchard" / "images" / "val").iterdir()).read_bytes())
    result = replay(image, detectors, confidence=0.25, on_progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 0)]
    assert result.frames == 1


def test_what_is_no_video_is_told(detectors, tmp_path):
    """A missing file, a folder and a file of noise each give one line that names it."""
    noise = tmp_path / "noise.mp4"
    noise.write_bytes(bytes(range(256)) * 400)
    for path, kind in ((tmp_path / "absent.mp4", SourceError), (tmp_path, RejectedError), (noise, SourceError)):
        with pytest.raises(kind) as caught:
            replay(path, detectors, confidence=0.25)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
