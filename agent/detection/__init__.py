"""Detection: a frame in, boxes out. See DESIGN.md in this folder."""

from agent.detection.detector import Backend, Detector, bundled_model_path, open_detector
from agent.detection.folder import FolderResult, detect_folder
from agent.detection.model import ModelInfo

__all__ = ["Backend", "Detector", "FolderResult", "ModelInfo", "bundled_model_path", "detect_folder", "open_detector"]
