"""The tracker against ultralytics' BYTETracker: the same boxes in; ids, switches and MOT metrics compared."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import motmetrics
import numpy as np
import pytest

from agent.tracking import ByteTrack, TrackerParams
from agent.types import Detections
from tests.tracking.scenes import Pan, TrueFrame, at, detections_of, load_pan, score, spoilt

REFERENCE = Path(__file__).resolve().parent / "bytetrack_reference.py"
LOST_S = 2.0
PANS = {
    f"{15 // every} fps, jitter {jitter}, missed {missed}": (every, jitter, missed)
    for every in (1, 3)
    for jitter, missed in ((0, 0), (0.05, 0), (0.05, 0.1))
}
Reports = list[list[tuple[int, int]]]
"""By frame: track id, and row of its detection."""


@dataclass(frozen=True)
class Story:
    """What both trackers are shown, and which object each detection is."""

    fps: float
    frames: list[Detections]
    objects: list[np.ndarray]


def stroll() -> Story:
    """Thirty objects on ways of their own, which overlap, hide and fade."""
    random = np.random.default_rng(21)
    places, speeds = random.uniform(100, 800, (30, 2)), random.uniform(-6, 6, (30, 2))
    sides = random.uniform(40, 80, (30, 2))
    story = Story(15, [], [])
    for number in range(150):
        centres = places + number * speeds + random.normal(0, 1, places.shape)
        visible = np.flatnonzero(random.random(30) > 0.05)
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype(np.float32)[visible]
        scores = random.uniform(0.12, 0.95, 30).astype(np.float32)[visible]
        story.frames.append(Detections(boxes, scores, np.zeros(len(scores), np.int64)))
        story.objects.append(visible)
    return story


def panned(pan: Pan, every: int, jitter: float, missed: float) -> Story:
    """The true boxes of the pan video, made worse."""
    random = np.random.default_rng(0)
    shown = [spoilt(frame, random, jitter=jitter, missed=missed) for frame in pan.frames[::every]]
    return Story(pan.fps / every, [detections_of(frame) for frame in shown], [frame.fruit for frame in shown])


@pytest.fixture(scope="module")
def pan(shared_data) -> Pan:
    return load_pan(shared_data)


@pytest.fixture(scope="module")
def stories(pan) -> dict[str, Story]:
    return {"stroll": stroll(), **{name: panned(pan, *settings) for name, settings in PANS.items()}}


@pytest.fixture(scope="module")
def theirs(stories, require_module, tmp_path_factory) -> dict[str, Reports]:
    """What ultralytics' tracker makes of the stories."""
    for module in ("ultralytics", "torch"):
        require_module(module)
    settings = {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(tmp_path_factory.mktemp("ultralytics")),
    }
    message = {
        name: {
            "buffer": round(LOST_S * story.fps),
            "frames": [{"boxes": f.boxes.tolist(), "scores": f.scores.tolist()} for f in story.frames],
        }
        for name, story in stories.items()
    }
    process = subprocess.run(
        [sys.executable, str(REFERENCE)],
        input=json.dumps(message),
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    played = json.loads(process.stdout.splitlines()[-1])
    return {name: [[tuple(pair) for pair in report] for report in reports] for name, reports in played.items()}


def ours(story: Story) -> Reports:
    """What our tracker makes of a story."""
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / story.fps, max_lost_s=LOST_S))
    reports = []
    for number, frame in enumerate(story.frames):
        report = tracker.update(frame, at(number / story.fps))
        rows = {tuple(box): row for row, box in enumerate(frame.boxes.tolist())}
        found = [rows[tuple(box)] for box in report.boxes.tolist()]
        reports.append(list(zip(report.track_ids.tolist(), found, strict=True)))
    return reports


def judged(reports: Reports, story: Story):
    frames = zip(reports, story.objects, strict=True)
    return score([[(track_id, int(objects[row])) for track_id, row in report] for report, objects in frames])


def test_same_tracks_where_no_motion_is_shared(stories, theirs):
    """Objects on ways of their own get the same tracks: one of our ids for one of theirs, detection by detection."""
    pairs: Counter[tuple[int, int]] = Counter()
    for their_report, my_report in zip(theirs["stroll"], ours(stories["stroll"]), strict=True):
        their_ids = {row: track_id for track_id, row in their_report}
        pairs.update((their_ids[row], track_id) for track_id, row in my_report if row in their_ids)
    main_ids = {their_id: my_id for (their_id, my_id), _ in reversed(pairs.most_common())}
    agreed = sum(n for (their_id, my_id), n in pairs.items() if main_ids[their_id] == my_id)
    assert len(set(main_ids.values())) == len(main_ids) == 30
    assert agreed >= 0.999 * pairs.total()
    assert pairs.total() >= 0.99 * sum(len(report) for report in theirs["stroll"])  # the first frame is theirs alone


@pytest.mark.parametrize("name", PANS)
def test_true_boxes_of_the_pan_video(stories, theirs, pan, name):
    """On fruit passing the camera, at 15 and at 5 frames a second, ids are as near to the truth, and switch no more."""
    mine, reference = judged(ours(stories[name]), stories[name]), judged(theirs[name], stories[name])
    assert mine.switches <= reference.switches, (mine, reference)
    error, their_error = abs(mine.ids - pan.unique_fruit), abs(reference.ids - pan.unique_fruit)
    assert error <= max(their_error, 0.1 * pan.unique_fruit), (mine, reference)


MEASURED = [name for name in PANS if name.startswith("5 fps") or name.endswith("jitter 0.05, missed 0.1")]


@pytest.mark.parametrize("name", MEASURED)
def test_mot_metrics_on_the_pan_video(stories, theirs, pan, name):
    """By py-motmetrics, MOTA and IDF1 against the true boxes are theirs or better, to half a percent."""
    truth = pan.frames[:: PANS[name][0]]
    mine, reference = (mot_metrics(reports, stories[name], truth) for reports in (ours(stories[name]), theirs[name]))
    assert mine["mota"] >= reference["mota"] - 0.005, (mine, reference)
    assert mine["idf1"] >= reference["idf1"] - 0.005, (mine, reference)
    assert mine["num_false_positives"] <= reference["num_false_positives"], (mine, reference)
    assert mine["idf1"] > 0.85, mine


def mot_metrics(reports: Reports, story: Story, truth: list[TrueFrame]) -> dict[str, float]:
    """CLEAR MOT and identity metrics; a track meets a fruit where their boxes overlap by at least one half."""
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for report, shown, true in zip(reports, story.frames, truth, strict=True):
        boxes = shown.boxes[[row for _, row in report]].reshape(-1, 4)
        overlap = iou_matrix(true.boxes, boxes)
        distance = np.where(overlap >= 0.5, 1 - overlap, np.nan)
        accumulator.update(true.fruit.tolist(), [track_id for track_id, _ in report], distance)
    names = ["mota", "idf1", "num_switches", "num_false_positives", "num_misses"]
    return motmetrics.metrics.create().compute(accumulator, metrics=names).iloc[0].to_dict()


def iou_matrix(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Written out, because py-motmetrics 1.4 has one that NumPy 2 does not run."""
    upper = np.maximum(first[:, None, :2], second[None, :, :2])
    shared = np.clip(np.minimum(first[:, None, 2:], second[None, :, 2:]) - upper, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)
