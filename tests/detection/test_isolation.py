"""What detection brings into the process, and what it lets out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLCHAIN = {"torch", "torchvision", "ultralytics", "onnx"}


def run(code: str, home: Path) -> None:
    """Run code in a fresh Python with an empty home, outside of anything that looks like CI, where telemetry sleeps."""
    kept = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if key in os.environ}
    environment = {**kept, "HOME": str(home)}
    process = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 0, process.stderr


def test_importing_detection_loads_no_runtime_and_no_toolchain(tmp_path):
    """Importing the room loads neither torch nor ultralytics, and no runtime before one is asked for."""
    banned = TOOLCHAIN | {"openvino", "onnxruntime"}
    run(f"import sys, agent.detection; loaded = {banned!r} & set(sys.modules); assert not loaded, loaded", tmp_path)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_a_running_detector_stays_quiet(tmp_path, backend):
    """A detector at work loads no toolchain, opens no connection or process and leaves no trace in the home folder.

    Both runtimes' telemetry keeps an id in the home folder, and OpenVINO's sends from a child process.
    """
    banned = TOOLCHAIN | ({"openvino", "onnxruntime"} - {backend})
    code = f"""
import sys, numpy as np
from agent.detection import open_detector
events = []
sys.addaudithook(lambda event, _: event.startswith(("socket.", "subprocess.", "os.fork")) and events.append(event))
open_detector(None, backend={backend!r}).detect(np.zeros((48, 64, 3), np.uint8))
loaded = {banned!r} & set(sys.modules)
assert not loaded, loaded
assert not events, events
"""
    run(code, tmp_path)
    assert list(tmp_path.rglob("*")) == []


def test_ultralytics_stays_quiet(tmp_path, bundled_weights, require_module):
    """Weights at work connect to nobody and leave no trace in the home folder, though ultralytics would do both."""
    require_module("ultralytics")
    code = f"""
import sys, numpy as np
from pathlib import Path
from agent.detection import open_detector
events = []
sys.addaudithook(lambda event, _: event in ("socket.connect", "socket.getaddrinfo") and events.append(event))
open_detector(Path({str(bundled_weights)!r})).detect(np.zeros((48, 64, 3), np.uint8))
assert not events, events
"""
    run(code, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
