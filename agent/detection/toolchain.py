"""ultralytics in this process: the extra ``hedgerow[ultralytics]``. It brings torch, so it is loaded on demand only."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from agent.errors import FatalError


def load_yolo(path: Path) -> Any:
    """Return ultralytics' ``YOLO`` of some weights. A ``.pt`` file is a pickle: loading it runs what its maker put in.

    Raises:
        FatalError: ultralytics is not installed.
        Exception: Whatever ultralytics and the pickle raise for a file that they cannot load.
    """
    _keep_to_itself()
    try:
        from ultralytics.models import YOLO  # noqa: PLC0415 - an extra, loaded on demand
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"ultralytics", "torch"}:
            raise
        raise FatalError(
            f"model {path} needs ultralytics, which is not installed; pip install 'hedgerow[ultralytics]', or export "
            "the model to ONNX elsewhere"
        ) from None
    lend_nms()
    return YOLO(str(path))


def _keep_to_itself() -> None:
    """Shut out downloads, installs, reports and chatter; its settings go into a folder that ends with this process."""
    os.environ.update(YOLO_OFFLINE="true", YOLO_AUTOINSTALL="false", YOLO_VERBOSE="false")
    if "YOLO_CONFIG_DIR" not in os.environ:
        os.environ["YOLO_CONFIG_DIR"] = folder = tempfile.mkdtemp(prefix="hedgerow-ultralytics-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def lend_nms() -> None:
    """Where torchvision does not fit the torch beside it, let ultralytics use its own NMS, made to be equal."""
    try:
        import torchvision  # noqa: F401, PLC0415 - ultralytics picks it up from sys.modules
    except (ImportError, RuntimeError):
        from ultralytics.utils.nms import TorchNMS  # noqa: PLC0415 - as above

        stub = ModuleType("torchvision")
        stub.ops = SimpleNamespace(nms=TorchNMS.nms)  # type: ignore[attr-defined]  # it is made here
        sys.modules["torchvision"] = stub
