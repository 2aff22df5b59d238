"""Detection: a frame in, boxes out. See DESIGN.md in this folder."""

from agent.detection.classes import read_class_names
from agent.detection.detector import Backend, Detector, bundled_model_path, open_detector
from agent.detection.folder import FolderResult, detect_folder
from agent.detection.model import ModelInfo
from agent.detection.tiles import TiledDetector, Tiling

__all__ = [
    "Backend",
    "Detector",
    "FolderResult",
    "ModelInfo",
    "TiledDetector",
    "Tiling",
    "bundled_model_path",
    "detect_folder",
    "open_detector",
    "read_class_names",
]
