"""The agent: wires the rooms together, starts them in order, and stops them in the order that loses nothing."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import fields
from typing import Self

import structlog
from sqlalchemy.exc import DatabaseError

from agent import __version__, report, stick
from agent.cameras import Cameras
from agent.chores import Chores
from agent.clock import BoxClock, SystemClock, kernel_is_synchronised
from agent.config import Config, read_secret
from agent.detection import BackendTrials
from agent.errors import FatalError, RetryableError
from agent.machine import read_machine
from agent.modelstore import model_files, open_model
from agent.schedule import Schedule
from agent.status import BoxStatus
from agent.store import Checkpoint, Recorder, Writer, counts_since, measures_since, open_store
from agent.supervisor import Supervisor
from agent.systemd import notify, watchdog_interval_s
from agent.timekeeper import Timekeeper
from agent.types import Event
from agent.web import LiveView, PageServer, create_app
from agent.windows import upload_windows
from cloud_sync.mqtt import BrokerSettings
from cloud_sync.outbox import Outbox, read_quarantine
from cloud_sync.uplink import LINK_OFF, LinkStatus, Uplink, UplinkSettings
from cloud_sync.wire import BirthMessage, Box, HealthMessage

log = structlog.get_logger()

LOW_SCORE = 0.1
"""The detector's threshold: ByteTrack continues tracks with detections that are too weak to start one."""
BROKER_KEYS = {field.name for field in fields(BrokerSettings)} - {"url", "connect_timeout_s"}


class Agent:
    """One box. ``Agent(config)`` opens what can fail at once; ``run`` works until it is told to stop."""

    def __init__(self, config: Config) -> None:
        """Open model, database and page.

        Raises:
            FatalError: The model cannot be used, the data directory cannot be written or is in use, or a password file
                cannot be read. Nothing stays open.
        """
        self._config = config
        password = read_secret(config.page.password_file) if config.page.password_file else None
        with ExitStack() as opened:
            self._machine_clock = SystemClock()
            self._store = opened.enter_context(
                open_store(config.storage.data_dir, self._machine_clock.now(), synchronised=kernel_is_synchronised())
            )
            # Once the directory is ours: what "auto" has measured is remembered there.
            self._detector = open_model(config.model, config.storage.data_dir, min_score=LOW_SCORE)
            opened.callback(self._detector.close)
            self._clock = BoxClock(self._store.stretch, known_ns=self._store.known_ns, raw=self._machine_clock)
            self._started = self._clock.now()
            self._writer = Writer(self._store.write, on_commit=self._committed)
            self._timekeeper = Timekeeper(
                self._clock,
                self._store,
                self._writer,
                send=config.sync.broker is not None,
                window_s=config.storage.rollup_s,
            )
            self._recorder = Recorder(
                self._writer,
                send=config.sync.broker is not None,
                window_s=config.storage.rollup_s,
                checkpoint=Checkpoint(config.storage.data_dir, self._store.read),
                on_first=lambda: self._schedule.soon("rollups", self._machine_clock.now()),
            )
            self._outbox = Outbox(self._store.read, self._writer, utc_ms=self._clock.utc_ms)
            self._key = stick.public_key(config.storage.data_dir)
            self._uplink = self._make_uplink()
            slowest_s = max(1 / camera.fps for camera in config.cameras)
            names = [camera.name for camera in config.cameras]
            self._live = LiveView(names, self._clock, stale_after_s=max(5.0, 3 * slowest_s))
            self._cameras = Cameras(config, self._detector, self._recorder, self._live, clock=self._clock)
            self._chores = Chores(
                config,
                self._store,
                writer=self._writer,
                recorder=self._recorder,
                places=self._cameras.places,
                clock=self._clock,
                is_confirmed=self._clock.confirmed,
            )
            app = create_app(self.status, self._live, password=password)
            self.page = PageServer(app, config.page.listen, config.page.port)
            self._trials = self._make_trials()
            self._supervisor = Supervisor()
            self._schedule = Schedule()
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Let go of model and database. Closing twice is fine."""
        self.page.close()
        self._opened.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close."""
        self.close()

    def _make_uplink(self) -> Uplink | None:
        sync = self._config.sync
        if sync.broker is None:
            return None
        return Uplink(
            UplinkSettings(
                BrokerSettings(**sync.model_dump(include=BROKER_KEYS), url=sync.broker),
                confirm=sync.confirm,
                health_every_s=sync.health_every_s,
                daily_bytes=sync.daily_bytes,
                opens_at=upload_windows(sync.windows),
                alarms_wake=sync.alarms_wake,
            ),
            Box(self._config.box.site, self._config.box.device),
            self._outbox,
            boot=self._store.boot,
            birth=self._birth,
            health=self._health,
            utc_ms=self._clock.utc_ms,
        )

    def _make_trials(self) -> BackendTrials | None:
        model, memory = self._config.model, self._config.storage.data_dir
        if model.backend != "auto":
            return None
        return BackendTrials(model_files(model, memory), memory, threads=model.threads)

    def run(self, stop: threading.Event, *, on_ready: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set, then store and send what there is, within a few seconds.

        Args:
            stop: Set to end.
            on_ready: Called once everything runs.

        Raises:
            FatalError: The database turned out to be damaged, or is gone: only a new start helps.
        """
        self._start()
        on_ready()
        self._say_ready()
        notify("READY=1")
        watch_s = watchdog_interval_s()
        while not (self._store.lost() or stop.wait(min(1.0, watch_s / 4 if watch_s else 1.0))):
            self._timekeeper.look()
            # The scheduler plans by the machine's clock, whatever the box thinks of that.
            if self._schedule.look(self._machine_clock.now()) or self._clock.stretch().unset:
                self._chores.distrust_clock()
            if self._supervisor.look():
                notify("WATCHDOG=1")
        notify("STOPPING=1")
        self._stop()
        if lost := self._store.lost():
            raise FatalError(lost)

    def _start(self) -> None:
        self._supervisor.start("writer", self._writer.run, hang_after_s=120)
        self._timekeeper.look()
        self._note_start()
        stick.keep_birth(self._config.storage.data_dir, self._birth())
        if self._config.page.enabled:
            self._supervisor.start("page", self.page.run)
        if self._uplink is not None:
            self._supervisor.start("uplink", self._uplink.run, hang_after_s=25)
        self._cameras.start(self._supervisor)
        if self._trials is not None:
            self._supervisor.start("backends", self._trials.run, hang_after_s=2 * self._trials.longest_silence_s)
        self._schedule.every(1, "rollups", lambda: self._recorder.tick(self._clock.now()))
        self._schedule.every(3600, "retention", self._chores.retire)
        self._schedule.every(10, "outbox-limits", self._chores.bound_outbox)
        self._schedule.every(600, "trends", self._chores.compare_days)
        self._schedule.every(600, "views", self._cameras.sights.save)
        self._schedule.every(600, "places", self._chores.name_places)
        self._schedule.start()

    def _say_ready(self) -> None:
        sync, page = self._config.sync, self._config.page
        log.info(
            "agent_ready",
            cameras=len(self._config.cameras),
            model=self._detector.info.name,
            broker=sync.broker or "none",
            page=self.page.url if page.enabled else "none",
        )

    def _stop(self) -> None:
        """Stop what makes data, store it, send it, and only then stop what stores and sends."""
        self._cameras.stop(self._supervisor)
        self._schedule.stop()
        self._cameras.finish()
        self._recorder.event(Event("agent-stopped", None, self._clock.now(), {"version": __version__}))
        self._recorder.finish(self._clock.now(), timeout_s=1.0)
        if self._trials is not None:
            self._supervisor.stop("backends", timeout_s=0.5)
        talking = ["uplink"] if self._uplink is not None else []
        talking += ["page"] if self._config.page.enabled else []
        self._supervisor.stop(*talking, timeout_s=2.0)
        self._supervisor.stop("writer", timeout_s=1.0)

    def _note_start(self) -> None:
        model = self._detector.info
        data = {"version": __version__, "model": model.name, "model_sha256": model.sha256, "backend": model.backend}
        self._recorder.event(Event("agent-started", None, self._started, data))
        if self._store.set_aside is not None:
            moved = {"moved_to": self._store.set_aside.name}
            self._recorder.event(Event("database-replaced", None, self._started, moved))

    def _committed(self) -> None:
        if self._uplink is not None:
            self._uplink.notify()

    def _birth(self) -> BirthMessage:
        stream, now = self._outbox.stream, self._clock.now()
        return report.birth(self._config, self._detector.info, stream=stream, now=now, key=self._key)

    def _health(self) -> HealthMessage:
        return report.health(
            read_machine(self._config.storage.data_dir),
            list(self._cameras.statuses()),
            self._outbox.depth(),
            sight=self._cameras.sights.states(),
            uptime_s=self._uptime_s(),
            now=self._clock.now(),
        )

    def _uptime_s(self) -> float:
        return (self._clock.now().monotonic_ns - self._started.monotonic_ns) / 1e9

    def link(self) -> LinkStatus:
        """Return how the link does."""
        return LINK_OFF if self._uplink is None else self._uplink.status()

    def status(self) -> BoxStatus:
        """Return all that the page shows; safe from any thread.

        Raises:
            RetryableError: The database cannot be read now.
        """
        now = self._clock.now()
        try:
            with self._store.read.connect() as connection:
                since_s = now.utc_ns // 10**9 - 3600
                hour = counts_since(connection, since_s, self._recorder.unfinished())
                measures = measures_since(connection, since_s)
                set_aside = read_quarantine(connection, limit=1)
            outbox = self._outbox.depth()
        except DatabaseError as error:
            raise RetryableError(f"the database cannot be read: {error.orig}") from error
        return BoxStatus(
            site=self._config.box.site,
            device=self._config.box.device,
            version=__version__,
            uptime_s=self._uptime_s(),
            model_name=self._detector.info.name,
            backend=self._detector.info.backend,
            cameras=self._cameras.statuses(),
            sight=self._cameras.sights.states(),
            analysed_fps=self._cameras.analysed_fps(now),
            service=self._cameras.service(),
            hour=tuple(hour),
            measures=tuple(measures),
            link=self.link(),
            outbox=outbox,
            set_aside=set_aside[0] if set_aside else None,
            disk_free_bytes=read_machine(self._config.storage.data_dir).disk_free_bytes,
            database_bytes=self._store.size_bytes(),
            clock_unset=self._clock.stretch().unset,
        )
