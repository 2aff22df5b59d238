"""The way of the pictures: wires each camera's capture, gate, detection and analyses, and starts and stops them."""

import threading
from dataclasses import replace

from agent.analysis import AnalysisLoop, Feed
from agent.analytics import create_analyses, create_row
from agent.capture import Decoders, FrameSlot, Grabber
from agent.clock import Clock
from agent.config import CameraConfig, Config
from agent.detection import Detector, TiledDetector, Tiling
from agent.motion import MotionGate, MovingObjects
from agent.pipeline import CameraPipeline, Step
from agent.places import PlaceFinder, Places, create_feeds
from agent.sights import Sights
from agent.status import CameraService, FrameRate
from agent.store import Recorder
from agent.supervisor import Supervisor
from agent.turns import Share
from agent.types import CameraState, CameraStatus, Event, Instant
from agent.web import LiveView


class Cameras:
    """All cameras of a box, from their addresses to what the recorder stores and the page shows."""

    def __init__(self, config: Config, detector: Detector, recorder: Recorder, live: LiveView, *, clock: Clock) -> None:
        """Wire them; nothing is opened but the files of places and reference views.

        Args:
            config: The box's.
            detector: One for all of them, used by one thread; the caller closes it.
            recorder: Takes observations, and events of cameras.
            live: Shows each step.
            clock: The box's.

        Raises:
            FatalError: The file of places cannot be read, or a class that the configuration names is not the model's.
        """
        self._config, self._detector, self._recorder, self._live, self._clock = config, detector, recorder, live, clock
        cameras = config.cameras
        arrived = threading.Event()
        slots = {camera.name: FrameSlot(arrived, clock=clock, max_age_s=camera.max_age_s) for camera in cameras}
        self._gates = {
            camera.name: MotionGate(fps=camera.fps, look_every_s=camera.motion.look_every_s)
            for camera in cameras
            if camera.gated
        }
        self._moving = {name: MovingObjects() for name in self._gates}
        self._decoders = Decoders()
        self._grabbers = {camera.name: self._grabber(camera, slots[camera.name]) for camera in cameras}
        self._rates = {camera.name: FrameRate() for camera in cameras}
        self._noted: dict[str, CameraState] = {}
        self.places = Places.load(config.places)
        self._feeds = create_feeds(cameras, config.places, clock)
        self._tiled: dict[str, TiledDetector] = {}
        self.sights = Sights(cameras, config.storage.data_dir)
        self._pipelines = [self._pipeline(camera) for camera in cameras]
        served = [
            Feed(slots[camera.name], pipeline, _share(camera))
            for camera, pipeline in zip(cameras, self._pipelines, strict=True)
        ]
        self._analysis = AnalysisLoop(served, arrived, self._note_step, clock=clock)

    def _grabber(self, camera: CameraConfig, slot: FrameSlot) -> Grabber:
        return Grabber(
            camera,
            slot,
            clock=self._clock,
            on_state=self._note_state,
            on_event=self._recorder.event,
            gate=self._gates.get(camera.name),
            decoders=self._decoders,
        )

    def _pipeline(self, camera: CameraConfig) -> CameraPipeline:
        names, confidence = self._detector.info.class_names, self._config.model.confidence
        detector: Detector = self._detector
        if camera.tiles is not None:
            detector = self._tiled[camera.name] = TiledDetector(self._detector, Tiling.parse(camera.tiles))
        return CameraPipeline.for_camera(
            camera.name,
            detector,
            confidence=confidence,
            fps=camera.fps,
            analyses=create_analyses(camera, names),
            row=create_row(camera, names),
            finder=PlaceFinder(camera, self.places, self._feeds.get(camera.gps) if camera.gps else None),
            sight=self.sights.of(camera.name),
        )

    def start(self, supervisor: Supervisor) -> None:
        """Start receivers, the analysis and a thread a camera; from now on each camera's windows are watched."""
        for gps, feed in self._feeds.items():
            supervisor.start(f"gps-{gps}", feed.run, hang_after_s=2 * feed.longest_silence_s)
        supervisor.start("analysis", self._analysis.run)
        for camera in self._config.cameras:
            self._recorder.watch(camera.name, self._clock.now(), interval_s=1 / camera.fps)
        for name, grabber in self._grabbers.items():
            supervisor.start(f"camera-{name}", grabber.run, hang_after_s=2 * grabber.longest_silence_s)

    def stop(self, supervisor: Supervisor) -> None:
        """Stop these threads, and the decoder's process."""
        cameras = [f"camera-{name}" for name in self._grabbers]
        receivers = [f"gps-{gps}" for gps in self._feeds]
        supervisor.stop("analysis", *cameras, *receivers, timeout_s=1.0)
        self._decoders.close()

    def finish(self) -> None:
        """Hand over what analyses hold until their end. After ``stop``."""
        self.sights.save()
        for pipeline in self._pipelines:
            self._recorder.observe(pipeline.finish(self._clock.now()))

    def statuses(self) -> tuple[CameraStatus, ...]:
        """Return how each camera does; safe from any thread."""
        return tuple(grabber.status() for grabber in self._grabbers.values())

    def analysed_fps(self, now: Instant) -> dict[str, float]:
        """Return how many frames a second were analysed lately, per camera."""
        return {name: rate.per_second(now.monotonic_ns) for name, rate in self._rates.items()}

    def service(self) -> dict[str, CameraService]:
        """Return how the detector serves each camera."""
        tiles = {name: detector.looks or 1 for name, detector in self._tiled.items()}
        return {name: replace(one, tiles=tiles.get(name, 1)) for name, one in self._analysis.service().items()}

    def _note_state(self, _camera: str, status: CameraStatus) -> None:
        """Put a camera's state on record when it differs from the last one: one failed attempt more says nothing."""
        if status.state is CameraState.STARTING or self._noted.get(status.camera) is status.state:
            return
        self._noted[status.camera] = status.state
        data = {"state": str(status.state), "detail": status.detail}
        self._recorder.event(Event("camera-state", status.camera, status.since, data))

    def _note_step(self, step: Step) -> None:
        camera = step.frame.camera
        if camera in self._gates and not step.frame.still:  # in a still one, all is taken to be where it was
            height, width = step.frame.size
            self._gates[camera].note_moving(self._moving[camera].among(step.tracks, width, height))
        self._rates[camera].add(self._clock.now().monotonic_ns)
        self._live.publish(step.frame, step.tracks, self._detector.info.class_names)
        self._recorder.observe(step.observation)


def _share(camera: CameraConfig) -> Share:
    return Share(camera.name, fps=camera.fps, weight=camera.share_of_time)
