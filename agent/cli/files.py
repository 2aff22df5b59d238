"""Commands over files, without a box: detect, replay."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.cli.arguments import model_options, open_all_chosen, open_chosen, share
from agent.cli.output import Progress, print_json, say
from agent.errors import ConfigError

if TYPE_CHECKING:
    from agent.config import CameraConfig  # pydantic, which `--help` does without


def add_commands(command: Any) -> None:
    """Add them to the parser."""
    detect = command("detect", _detect, "detect objects in a folder of images, and write COCO results")
    detect.add_argument("folder", type=Path, metavar="DIR")
    detect.add_argument("--out", type=Path, required=True, metavar="FILE", help="results, e.g. results.json")
    detect.add_argument("--min-score", type=share, default=0.001, metavar="X", help="keep detections from here (0.001)")
    model_options(detect)

    replay = command("replay", _replay, "run the full pipeline over a video file, as fast as it goes")
    replay.add_argument("video", type=Path, metavar="VIDEO")
    replay.add_argument("--json", action="store_true", help="print JSON")
    replay.add_argument(
        "--config", type=Path, metavar="FILE", help="take zones, lines, row and farm measures of a camera in this file"
    )
    replay.add_argument("--camera", metavar="NAME", help="which camera of --config; not needed where it has but one")
    replay.add_argument("--confidence", type=share, default=0.25, metavar="X", help="a track starts from here (0.25)")
    model_options(replay)


def _detect(options: argparse.Namespace) -> int:
    from agent.detection import detect_folder

    detector = open_chosen(options, min_score=options.min_score)
    with Progress("images") as progress:
        result = detect_folder(detector, options.folder, options.out, on_progress=progress)
    detector.close()
    say(f"{result.detections} detections in {result.images} images: {options.out}")
    if result.unreadable:
        say(f"{len(result.unreadable)} images could not be read: {', '.join(result.unreadable[:5])}")
    return 1 if result.unreadable else 0


def _replay(options: argparse.Namespace) -> int:
    from agent.replay import replay

    camera = _camera(options)
    detectors = open_all_chosen(options, min_score=min(0.1, options.confidence))
    with Progress("frames") as progress:
        result = replay(options.video, detectors, confidence=options.confidence, camera=camera, on_progress=progress)
    for detector in detectors:
        detector.close()
    if options.json:
        print_json(result.as_dict())
    else:
        print(result.summary())
    return 0


def _camera(options: argparse.Namespace) -> "CameraConfig | None":
    """Return the camera whose questions a recording is to answer; None where none is asked for."""
    from agent.config import load_config

    if options.config is None:
        if options.camera is not None:
            raise ConfigError("--camera needs --config")
        return None
    cameras = {camera.name: camera for camera in load_config(options.config).cameras}
    if options.camera is None and len(cameras) == 1:
        return next(iter(cameras.values()))
    if options.camera not in cameras:
        found = "none" if options.camera is None else repr(options.camera)
        raise ConfigError(f"--camera: found {found}; {options.config} has {', '.join(cameras)}")
    return cameras[options.camera]
