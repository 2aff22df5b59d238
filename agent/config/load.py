"""From a file to a configuration, or to errors that name each wrong field."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.config.addresses import is_path, public_address
from agent.config.camera import CameraConfig
from agent.config.fields import NAME_RULE, Section
from agent.config.sections import Config
from agent.errors import ConfigError
from agent.receiver import NmeaPath, parse_receiver


def load_config(path: Path) -> Config:
    """Read and validate a configuration file.

    Raises:
        ConfigError: The file cannot be read, is no TOML, or a field is wrong. The message has one line per problem,
            each naming the field, what was found and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read configuration {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path} is not UTF-8 text: {error.reason} at byte {error.start}") from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"configuration {path} is not valid TOML: {error}") from error
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        lines = [_explain(problem) for problem in error.errors()]
        raise ConfigError(f"configuration {path}: " + "\n".join(lines)) from None
    return _absolute_paths(config, path.resolve().parent)


def read_secret(path: Path) -> str:
    """Return the first line of a file that holds a password.

    Raises:
        ConfigError: It cannot be read, or is empty. The message never shows what is in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot read password file {path}: {reason}") from error
    if not lines or not lines[0].strip():
        raise ConfigError(f"password file {path} is empty; its first line is the password")
    return lines[0].strip()


def _explain(problem: ErrorDetails) -> str:
    field = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    kind = problem["type"]
    context = problem.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{field}: unknown key; see docs/hedgerow.example.toml for the keys that exist"
    if kind == "missing":
        return f"{field}: is missing"
    given = problem["input"]
    shown = public_address(given) if isinstance(given, str) else given
    found = None if isinstance(given, dict | BaseModel) else repr(shown)
    if kind == "string_pattern_mismatch" and problem["loc"][-1] == "tiles":
        return f"{field}: found {found}; allowed: auto, or columns and rows from 1x1 to 8x8, as 2x2"
    if kind == "tuple_type" and isinstance(given, dict):
        return f"{field}: found one table; allowed: a list of tables, each under [[{_table(problem)}]]"
    if kind == "too_short" and context["field_type"] == "Tuple":
        return f"{field}: too few good ones of what is listed; allowed: at least {context['min_length']}"
    if kind == "string_pattern_mismatch":
        return f"{field}: found {found}; allowed: {NAME_RULE}"
    if kind == "value_error":
        message = str(context.get("error", problem["msg"]))
    else:
        message = problem["msg"][0].lower() + problem["msg"][1:]
    return f"{field}: found {found}; {message}" if found else f"{field}: {message}"


def _table(problem: ErrorDetails) -> str:
    """Return the name of a table as it stands in the file: without the numbers of lists."""
    return ".".join(part for part in problem["loc"] if isinstance(part, str))


def _absolute_paths(config: Config, base: Path) -> Config:
    """Make every path of the file absolute, so that the daemon does not depend on where it was started."""

    def absolute(section: Section) -> dict[str, Path]:
        return {
            name: base / value.expanduser()
            for name in type(section).model_fields
            if isinstance(value := getattr(section, name), Path)
        }

    sections = {name: getattr(config, name) for name in ("storage", "model", "sync", "page", "places")}
    cameras = tuple(_camera_with_absolute_paths(camera, base) for camera in config.cameras)
    updates = {name: section.model_copy(update=absolute(section)) for name, section in sections.items()}
    return config.model_copy(update={**updates, "cameras": cameras})


def _camera_with_absolute_paths(camera: CameraConfig, base: Path) -> CameraConfig:
    updates = {
        name: str(base / address)
        for name in ("source", "substream")
        if (address := getattr(camera, name)) is not None and is_path(address)
    }
    if camera.gps is not None and isinstance(parse_receiver(camera.gps), NmeaPath):
        updates["gps"] = str(base / camera.gps)
    return camera.model_copy(update=updates)
