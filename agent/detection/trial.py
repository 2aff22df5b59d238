"""How fast a backend runs a model on this box: measured in a process of its own.

There a backend that crashes or hangs takes nothing along, memory can be told apart, and nothing of a runtime that is
not chosen stays in the daemon.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

_TIMEOUT_S = 30.0  # loading included; a box that needs longer cannot use the model
_WARM_UP = 3
_RUNS = 20
_MOST_S = 0.5  # of runs
_LEAST_RUNS = 5
_STEADY = 1.3  # times the lower quartile, the median is at most
_FRAME = (720, 1280)


@dataclass(frozen=True, slots=True)
class Trial:
    """What one backend did with one model; numbers are None where ``problem`` says why there are none."""

    backend: str
    wall_ms: float | None = None  # a frame of 1280x720, letterbox to boxes: median
    cpu_ms: float | None = None  # a frame, over all threads: mean
    memory_bytes: int | None = None  # most of the process, with this backend alone
    load_s: float | None = None
    precision: str = ""
    input_height: int = 0  # pixels
    input_width: int = 0
    steady: bool = True  # whether frames took about the same time: else something else kept the processor busy
    problem: str = ""


def try_backend(model: Path, backend: str, *, threads: int, timeout_s: float = _TIMEOUT_S) -> Trial:
    """Measure one backend, in a second or two and at most ``timeout_s``. What goes wrong is in ``problem``."""
    command = [sys.executable, "-P", "-m", "agent.detection.trial", str(model), backend, str(threads)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return Trial(backend, problem=f"no result within {timeout_s:g} s")
    except OSError as error:
        return Trial(backend, problem=f"cannot start a process: {error.strerror}")
    if done.returncode < 0:
        return Trial(backend, problem=f"the runtime crashed with signal {-done.returncode}")
    if done.returncode:
        return Trial(backend, problem=(done.stderr.strip().splitlines() or ["failed without a word"])[-1])
    return Trial(**json.loads(done.stdout.splitlines()[-1]))


def _measure(model: Path, backend: Any, threads: int) -> Trial:
    from agent.detection.detector import open_detector  # noqa: PLC0415 - it imports this module, for `auto`

    started = time.perf_counter()
    detector = open_detector(model, backend=backend, threads=threads)
    loaded_s = time.perf_counter() - started
    frame = np.random.default_rng(0).integers(0, 256, (*_FRAME, 3), dtype=np.uint8)
    for _ in range(_WARM_UP):
        detector.detect(frame)
    walls: list[float] = []
    cpu_before = time.process_time()
    while len(walls) < _LEAST_RUNS or (len(walls) < _RUNS and sum(walls) < _MOST_S):
        begun = time.perf_counter()
        detector.detect(frame)
        walls.append(time.perf_counter() - begun)
    lower_quartile, median, _ = statistics.quantiles(walls, n=4)
    return Trial(
        backend,
        wall_ms=round(median * 1000, 2),
        cpu_ms=round((time.process_time() - cpu_before) / len(walls) * 1000, 2),
        memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        load_s=round(loaded_s, 2),
        precision=detector.info.precision,
        steady=median <= _STEADY * lower_quartile,
        input_height=detector.info.input_height,
        input_width=detector.info.input_width,
    )


def _main() -> int:
    from agent.errors import HedgerowError  # noqa: PLC0415 - only the child needs it

    model, backend, threads = sys.argv[1:]
    try:
        trial = _measure(Path(model), backend, int(threads))
    except HedgerowError as error:
        print(error, file=sys.stderr)  # noqa: T201 - how the child tells its parent
        return 1
    print(json.dumps(asdict(trial)), flush=True)  # noqa: T201 - as above
    os._exit(0)  # a runtime that hangs or crashes while it ends has nothing more to say


if __name__ == "__main__":
    sys.exit(_main())
