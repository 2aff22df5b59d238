"""Detection: a frame in, boxes out. See DESIGN.md in this folder."""

from agent.detection.ahead import look_ahead
from agent.detection.bundled import bundled_model_path
from agent.detection.classes import read_class_names
from agent.detection.detector import Backend, Detector, open_detector, open_detectors
from agent.detection.folder import FolderResult, detect_folder
from agent.detection.later import BackendTrials
from agent.detection.model import ModelInfo
from agent.detection.tiles import TiledDetector, Tiling

__all__ = [
    "Backend",
    "BackendTrials",
    "Detector",
    "FolderResult",
    "ModelInfo",
    "TiledDetector",
    "Tiling",
    "bundled_model_path",
    "detect_folder",
    "look_ahead",
    "open_detector",
    "open_detectors",
    "read_class_names",
]
