"""The reference of the parity tests, in a process of its own: ultralytics brings torch, which the daemon never loads.

``export WEIGHTS [KEY=VALUE ...]`` prints the path of the ONNX file that it made beside the weights.
``predict MODEL FOLDER OUT SCORE [SIDE]`` writes what ultralytics finds in the images of a folder as COCO results, at
SIDE pixels (640; 0 leaves it to the model).
"""

import ast
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
from ultralytics import YOLO
from ultralytics.utils.nms import TorchNMS


def lend_nms() -> None:
    """Where torchvision does not fit the torch beside it, let ultralytics use its own NMS, made to be equal."""
    try:
        import torchvision  # noqa: F401 - ultralytics picks it up from sys.modules
    except (ImportError, RuntimeError):
        stub = ModuleType("torchvision")
        stub.ops = SimpleNamespace(nms=TorchNMS.nms)
        sys.modules["torchvision"] = stub


def export(weights: str, *options: str) -> None:
    """Export to ONNX at 640 pixels."""
    chosen = {key: ast.literal_eval(value) for key, value in (option.split("=", 1) for option in options)}
    print(YOLO(weights).export(format="onnx", imgsz=640, simplify=False, device="cpu", **chosen))


def predict(model: str, folder: str, out: str, score: str, side: str = "640") -> None:
    """Predict image by image with the defaults of ``predict``, 300 boxes at most."""
    lend_nms()
    size = {"imgsz": int(side)} if int(side) else {}
    yolo = YOLO(model, task="detect")
    results = []
    for index, path in enumerate(sorted(Path(folder).iterdir())):
        image = cv2.imread(str(path))
        (found,) = yolo.predict(image, conf=float(score), max_det=300, device="cpu", verbose=False, **size)
        for box, confidence, category in zip(
            found.boxes.xyxy.tolist(), found.boxes.conf.tolist(), found.boxes.cls.tolist(), strict=True
        ):
            x1, y1, x2, y2 = box
            entry = {"image_id": index, "file_name": path.name, "category_id": int(category)}
            results.append({**entry, "bbox": [x1, y1, x2 - x1, y2 - y1], "score": confidence})
    Path(out).write_text(json.dumps(results), encoding="utf-8")


if __name__ == "__main__":
    {"export": export, "predict": predict}[sys.argv[1]](*sys.argv[2:])
