"""What a valid configuration can still have wrong: the addresses, files and classes that it points to."""

import ssl
from pathlib import Path

from agent.analytics import find_class_problems
from agent.capture import create_source
from agent.config import CameraConfig, Config, PlacesConfig, SyncConfig, read_secret
from agent.errors import ConfigError, FatalError
from agent.modelstore import class_names
from agent.places import Places
from cloud_sync.mqtt import BrokerSettings


def find_problems(config: Config) -> list[str]:
    """Look at all that a configuration points to; open no camera or connection, and run no model.

    That a camera is not there now is no mistake: it may be away. What classes the weights (.pt) of a model know is not
    looked at: to read them is to run what their maker put in.

    Returns:
        One line a problem, which names the key; none when all is well.
    """
    problems = [_of_camera(camera) for camera in config.cameras]
    problems += [
        *_of_model(config),
        _of_places(config.places),
        _of_secret("sync.password_file", config.sync.password_file),
        _of_certificates(config.sync),
        _of_secret("page.password_file", config.page.password_file),
    ]
    return [problem for problem in problems if problem is not None]


def _of_camera(camera: CameraConfig) -> str | None:
    try:
        create_source(camera)
    except ConfigError as error:
        return f"camera {camera.name}: {error}"
    return None


def _of_model(config: Config) -> list[str]:
    """Return what is wrong with the model, or else what in the cameras does not fit it."""
    try:
        names = class_names(config)
    except FatalError as error:
        key = next((key for key in ("name", "path") if getattr(config.model, key)), "backend")
        return [f"model.{key}: {error}"]
    if names is None:
        return []
    return [problem for camera in config.cameras for problem in find_class_problems(camera, names)]


def _of_places(places: PlacesConfig) -> str | None:
    try:
        Places.load(places)
    except ConfigError as error:
        return f"places.geojson: {error}"
    return None


def _of_secret(key: str, path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        read_secret(path)
    except ConfigError as error:
        return f"{key}: {error}"
    return None


def _of_certificates(sync: SyncConfig) -> str | None:
    if sync.broker is None:
        return None
    settings = BrokerSettings(sync.broker, ca_file=sync.ca_file, cert_file=sync.cert_file, key_file=sync.key_file)
    try:
        settings.tls_context()
    except ssl.SSLError as error:
        return f"sync: ca_file, cert_file or key_file holds no certificate or key that fits: {error.reason or error}"
    except OSError as error:
        return f"sync: cannot read {error.filename}: {error.strerror}"
    return None
