"""The reference of the tracker's parity test, in a process of its own: ultralytics brings torch.

Reads stories by name as JSON from stdin, ``{name: {"buffer": frames, "frames": [{"boxes": ..., "scores": ...}]}}``, and
prints by name, for each frame, the list of (track id, row of its detection) that ultralytics' BYTETracker reports with
its own defaults.
"""

import json
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from ultralytics.trackers.byte_tracker import BYTETracker

DEFAULTS = {
    "track_high_thresh": 0.25,
    "track_low_thresh": 0.1,
    "new_track_thresh": 0.25,
    "match_thresh": 0.8,
    "fuse_score": True,
}


@dataclass
class Found:
    """As much of ultralytics' results as its tracker reads."""

    xywh: np.ndarray
    conf: np.ndarray

    @property
    def cls(self) -> np.ndarray:
        return np.zeros(len(self.conf))

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, rows: np.ndarray) -> "Found":
        return Found(self.xywh[rows], self.conf[rows])


def found(frame: dict) -> Found:
    boxes = np.array(frame["boxes"], np.float32).reshape(-1, 4)
    corners = boxes[:, :2], boxes[:, 2:]
    return Found(
        np.concatenate([(corners[0] + corners[1]) / 2, corners[1] - corners[0]], axis=1),
        np.array(frame["scores"], np.float32),
    )


def play(story: dict) -> list[list[list[int]]]:
    tracker = BYTETracker(SimpleNamespace(**DEFAULTS, track_buffer=story["buffer"]))
    reports = [tracker.update(found(frame)) for frame in story["frames"]]
    return [[[int(row[4]), int(row[7])] for row in report] for report in reports]


print(json.dumps({name: play(story) for name, story in json.load(sys.stdin).items()}))
