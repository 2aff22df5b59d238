"""One contender on one recording, as a process of its own: prints what its frames took, as JSON.

    python -m benchmarks.speed.contender pipeline|runtime|ultralytics --video FILE --model FILE [--frames 150]

``pipeline`` is the agent from the file to stored rollups, with several frames seen at a time, as ``hedgerow replay``
does; ``runtime`` is OpenVINO's inference loop alone, on the same model, with no frames and no boxes; ``ultralytics`` is
``predict`` with its defaults, streaming.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from agent.capture import replay
from agent.clock import SystemClock
from agent.config import CameraConfig
from agent.detection import look_ahead, open_detectors
from agent.detection.telemetry import forbid_telemetry
from agent.detection.toolchain import load_yolo  # without network; lends NMS where torchvision does not fit
from agent.pipeline import CameraPipeline
from agent.store import Checkpoint, Recorder, Writer, counts_since, open_store
from agent.types import Frame
from benchmarks.processes import total_cpu_s

WARM_UP = 15  # frames that are not counted
_STORED_S = 60.0


def pipeline(video: Path, model: Path, count: int) -> Iterator[object]:
    """Take each frame through decoder, detector, tracker, analytics, recorder and store; the last comes out stored."""
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as folder:
        data, stop = Path(folder), threading.Event()
        with open_store(data, SystemClock().now()) as store:
            writer = Writer(store.write)
            recorder = Recorder(writer, send=True, window_s=1, checkpoint=Checkpoint(data, store.read))
            writing = threading.Thread(target=writer.run, args=(stop, lambda: None))
            writing.start()
            try:
                yield from _but_last(_analysed(video, model, recorder, SystemClock(store.boot), count))
                writer.submit(lambda _: None).result(_STORED_S)  # in its turn: what was handed over before is stored
                with store.read.connect() as connection:
                    if not counts_since(connection, 0, []):
                        sys.exit("no rollup was stored")
                yield None
            finally:
                stop.set()
                writing.join()


def _analysed(video: Path, model: Path, recorder: Recorder, clock: SystemClock, count: int) -> Iterator[Frame]:
    """Yield frames once the recorder has what they showed; at the end it has handed everything over."""
    camera = CameraConfig(name="bench", source=str(video), sampling="all")
    detectors = open_detectors(model, backend="openvino", min_score=0.1)
    analysing = CameraPipeline.for_camera("bench", detectors[0], confidence=0.25, fps=camera.fps)
    for frame, seen in look_ahead(detectors, islice(replay(camera, clock), count)):
        recorder.observe(analysing.step(frame, seen).observation)
        recorder.tick(frame.captured)
        yield frame
    recorder.observe(analysing.finish(frame.captured))
    recorder.finish(frame.captured)


def _but_last(frames: Iterator[Frame]) -> Iterator[Frame]:
    before = next(frames)
    for frame in frames:
        yield before
        before = frame


def runtime(_video: Path, model: Path, count: int) -> Iterator[object]:
    """Infer on one input that lies ready."""
    forbid_telemetry()
    import openvino as ov  # noqa: PLC0415  after that

    compiled = ov.Core().compile_model(str(model), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    request = compiled.create_infer_request()
    for _ in range(count):
        yield request.infer()


def ultralytics(video: Path, model: Path, count: int) -> Iterator[object]:
    """Predict on a video with ultralytics' defaults, streaming, as its documentation advises for long ones.

    The input's width is said because the default is that of the training; its height follows from the video's shape.
    """
    yolo = load_yolo(model)
    yield from islice(yolo.predict(str(video), stream=True, imgsz=640, device="cpu", verbose=False), count)


CONTENDERS = {"pipeline": pipeline, "runtime": runtime, "ultralytics": ultralytics}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Run one contender.")
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("--video", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=150)
    options = parser.parse_args()
    frames = CONTENDERS[options.contender](options.video, options.model, WARM_UP + options.frames)
    warm = sum(1 for _ in islice(frames, WARM_UP))
    started_s, before_s = time.perf_counter(), total_cpu_s(os.getpid())
    done = sum(1 for _ in islice(frames, options.frames))
    wall_s, spent_s = time.perf_counter() - started_s, total_cpu_s(os.getpid()) - before_s
    if warm + done < WARM_UP + options.frames:
        sys.exit(f"{options.video}: has {warm + done} frames; allowed: at least {WARM_UP + options.frames}")
    print(json.dumps({"frames": done, "wall_s": wall_s, "cpu_s": spent_s}))


if __name__ == "__main__":
    main()
