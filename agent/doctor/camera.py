"""One camera, opened in a process of its own: a decoder that hangs or crashes takes nothing along."""

import json
import subprocess
import sys
import time
from typing import Any

from agent.capture import SourceError, create_source
from agent.config import CameraConfig, public_address
from agent.detection import Tiling
from agent.detection.trial import Trial
from agent.doctor.finding import Finding, Level
from agent.errors import HedgerowError

_LOOK_S = 2.0  # long enough to tell a frame rate
_MOST_FRAMES = 100
_ADVICE = {
    "unreachable": "is it powered and on the network, and is the address right?",
    "unauthorised": "give the camera's user and password in its address",
    "stalled": "it answers but sends nothing: restart it, or try its other stream",
    "failed": "choose H.264 or H.265 in the camera, and its sub-stream",
    "refused": "it is switched on, but nothing listens there: is the port right, and RTSP turned on?",
    "unsupported": "choose H.264 or H.265 in the camera, or its other stream",
    "decoder-lost": "its stream crashes the decoder: choose H.264 or H.265 in the camera, and its sub-stream",
    "ended": "it ended the stream at once: does it allow one more viewer?",
}


def longest_look_s(camera: CameraConfig) -> float:
    """Return how long looking at a camera may take: opening, the first frame, some more."""
    return 2 * camera.stall_timeout_s + 10.0


def look_at_camera(camera: CameraConfig, runs: Trial | None = None) -> list[Finding]:
    """Open a camera, take frames for two seconds, and say what came.

    Args:
        camera: The camera.
        runs: How the chosen backend runs the model, to tell what tiles cost; None: it is not known.
    """
    name = f"camera {camera.name}"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "agent.doctor.camera"],
            input=camera.model_dump_json(),  # not as an argument: the address may hold a password
            capture_output=True,
            text=True,
            timeout=longest_look_s(camera),
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        text = f"no result within {late.timeout:g} s"
        return [Finding(name, Level.FAIL, text, "the camera or its driver hangs: restart it")]
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no word"])[-1]
        text = f"the decoder crashed with signal {-done.returncode}" if done.returncode < 0 else reason
        return [Finding(name, Level.FAIL, text, _ADVICE["failed"])]
    return [_judge(name, camera, json.loads(done.stdout.splitlines()[-1]), runs)]


def _judge(name: str, camera: CameraConfig, seen: dict[str, Any], runs: Trial | None) -> Finding:
    if "error" in seen:
        return Finding(name, Level.FAIL, seen["error"], _ADVICE.get(seen["state"], "see the message"))
    rate = f"{seen['fps']:.1f} frames a second" if seen["fps"] else "one frame"
    text = f"{seen['codec']}, {seen['width']}x{seen['height']}, {rate}, first frame after {seen['first_s']:.1f} s"
    text += _cost_of_tiles(camera, seen, runs)
    if seen["fps"] and seen["fps"] < 0.9 * camera.fps:
        return Finding(name, Level.WARN, text, f"it sends fewer than the {camera.fps:g} fps that are to be analysed")
    return Finding(name, Level.OK, text)


def _cost_of_tiles(camera: CameraConfig, seen: dict[str, Any], runs: Trial | None) -> str:
    if camera.tiles is None or runs is None or runs.wall_ms is None:
        return ""
    tiling = Tiling.parse(camera.tiles)
    tiles = tiling.cut(seen["height"], seen["width"], input_height=runs.input_height, input_width=runs.input_width)
    cost_ms = len(tiles) * runs.wall_ms
    return f"; {len(tiles)} tiles: about {cost_ms:.0f} ms a picture, at most {1000 / cost_ms:.1f} pictures a second"


def _look(camera: CameraConfig) -> dict[str, Any]:
    """Be the child: open, read, measure."""
    source = create_source(camera)
    started = time.monotonic()
    try:
        source.open()
        first = source.read()
        first_s = time.monotonic() - started
        if first is None:
            return {"error": f"{public_address(camera.watched)}: holds no frame", "state": "ended"}
        height, width = first.to_pixels().shape[:2]
        times_ns = [first.stream_ns if first.stream_ns is not None else time.monotonic_ns()]
        while len(times_ns) < _MOST_FRAMES and time.monotonic() - started - first_s < _LOOK_S:
            picture = source.read()
            if picture is None:
                break
            times_ns.append(picture.stream_ns if picture.stream_ns is not None else time.monotonic_ns())
    except SourceError as error:
        return {"error": str(error), "state": str(error.state)}
    finally:
        source.close()
    passed_s = (times_ns[-1] - times_ns[0]) / 1e9
    fps = (len(times_ns) - 1) / passed_s if passed_s > 0 else 0.0
    return {"codec": _codec(camera), "width": width, "height": height, "fps": fps, "first_s": first_s}


def _codec(camera: CameraConfig) -> str:
    """Return what the stream is coded in, by a second look at its head."""
    if camera.watched.startswith("sim:"):
        return "simulated"
    import av  # noqa: PLC0415 - only the child needs it

    options = {"rtsp_transport": "tcp"} if camera.watched.startswith("rtsp") else {}
    try:
        with av.open(camera.watched, options=options, timeout=camera.stall_timeout_s) as container:
            return container.streams.video[0].codec_context.name
    except (av.FFmpegError, IndexError):  # a folder of images, a device that allows no second look
        return "unknown codec"


def _main() -> int:
    camera = CameraConfig.model_validate_json(sys.stdin.read())
    try:
        seen = _look(camera)
    except HedgerowError as error:
        seen = {"error": str(error), "state": "failed"}
    print(json.dumps(seen), flush=True)  # noqa: T201 - how the child tells its parent
    return 0


if __name__ == "__main__":
    sys.exit(_main())
