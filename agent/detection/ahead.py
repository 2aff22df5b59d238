"""Several frames seen at a time: for recordings, where all that counts is how many there are a second."""

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from agent.detection.detector import Detector
from agent.planes import Pixels
from agent.types import Detections, Frame


def look_ahead(detectors: Sequence[Detector], frames: Iterable[Frame]) -> Generator[tuple[Frame, Detections]]:
    """Yield each frame with what was seen in it, in their order, while detectors look at those that follow.

    At most one frame more than there are detectors is taken ahead. What ``frames`` or a detector raises is raised here;
    closing this waits for the looks that are under way.

    Args:
        detectors: At least one, of one model, nobody else's meanwhile; each is called from one thread at a time.
        frames: In any number.
    """
    free: SimpleQueue[Detector] = SimpleQueue()
    for detector in detectors:
        free.put(detector)

    def look(pixels: Pixels) -> Detections:
        detector = free.get_nowait()  # there are as many as threads
        try:
            return detector.detect(pixels)
        finally:
            free.put(detector)

    with ThreadPoolExecutor(len(detectors), thread_name_prefix="detector") as pool:
        taken: deque[Frame] = deque()
        looks: deque[Future[Detections]] = deque()
        for frame in frames:
            taken.append(frame)
            looks.append(pool.submit(look, frame.pixels))
            if len(taken) > len(detectors):
                yield taken.popleft(), looks.popleft().result()
        while taken:
            yield taken.popleft(), looks.popleft().result()
