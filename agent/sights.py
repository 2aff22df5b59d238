"""The sight of all cameras, and the files that say where they looked."""

from collections.abc import Sequence
from pathlib import Path

import structlog

from agent.analytics.sight import Reference, Sight, View, load_reference, save_reference
from agent.config import CameraConfig
from agent.pipeline import longest_step_s

log = structlog.get_logger()

FOLDER = "views"
"""In the data directory: one file a camera. Deleting it makes the camera's next view the one that is right."""


class Sights:
    """One ``Sight`` for each camera that is checked. One thread uses them; another saves what they learned."""

    def __init__(self, cameras: Sequence[CameraConfig], data_dir: Path) -> None:
        """Read where the cameras looked; a file that cannot be used counts as none."""
        self._folder = data_dir / FOLDER
        self._saved = {camera.name: self._load(camera.name) for camera in cameras if camera.sighted and camera.stands}
        self._sights = {
            camera.name: Sight(
                camera.name,
                max_gap_s=longest_step_s(camera.fps),
                view=View(self._saved[camera.name]) if camera.name in self._saved else None,
            )
            for camera in cameras
            if camera.sighted
        }

    def of(self, camera: str) -> Sight | None:
        """Return the sight of a camera; None where it is not checked."""
        return self._sights.get(camera)

    def states(self) -> dict[str, str]:
        """Return by camera ``clear``, what keeps it from seeing, or ``moved``; from any thread."""
        return {name: sight.told for name, sight in self._sights.items()}

    def save(self) -> None:
        """Store the views that have changed. A disk that takes nothing costs the view of a restart, and no more."""
        for name, before in self._saved.items():
            view = self._sights[name].view
            if view is None or view.reference is None or view.reference is before:
                continue
            reference = view.reference
            try:
                save_reference(self._path(name), reference)
            except OSError as error:
                log.warning("view_not_saved", camera=name, reason=error.strerror or str(error))
            else:
                self._saved[name] = reference

    def _load(self, camera: str) -> Reference | None:
        path = self._path(camera)
        reference = load_reference(path)
        if reference is None and path.exists():
            log.warning("view_unusable", camera=camera, file=str(path))
        return reference

    def _path(self, camera: str) -> Path:
        return self._folder / f"{camera}.npz"
