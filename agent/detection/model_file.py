"""A model on disk: told by its name, read once and hashed."""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from agent.errors import FatalError

Kind = Literal["onnx", "openvino", "ultralytics"]
"""onnx: a file. openvino: a folder with an .xml and a .bin, or the .xml. ultralytics: weights, a .pt file."""

KIND_NAMES: dict[Kind, str] = {"onnx": "ONNX model", "openvino": "OpenVINO model", "ultralytics": "ultralytics model"}

_UNPACKED_BYTES = 16_000_000  # small files may be packed well

DESCRIPTION = "metadata.yaml"
"""What ultralytics writes beside the OpenVINO model that it exports."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model in memory, so that the bytes that were hashed are the bytes that run.

    Of ``.pt`` weights only the hash is kept: ultralytics reads the file itself.
    """

    path: Path
    kind: Kind
    sha256: str  # hexadecimal; of an OpenVINO model, over all of its files
    data: bytes = b""  # the ONNX file, or the .xml
    weights: bytes = b""  # the .bin
    description: bytes = b""  # metadata.yaml as it lies there
    described: Mapping[str, str] = field(default_factory=dict)  # the same, values as Python literals


def read_model_file(path: Path) -> ModelFile:
    """Read a model.

    Raises:
        FatalError: It is missing, cannot be read, or is a folder that holds no OpenVINO model.
    """
    if path.is_dir():
        return _read_openvino(path, _only_graph(path))
    if path.suffix.lower() == ".xml":
        return _read_openvino(path, path)
    data = _read(path)
    digest = hashlib.sha256(data).hexdigest()
    if path.suffix.lower() == ".pt":
        _refuse_bomb(path, len(data))
        return ModelFile(path, "ultralytics", digest)
    return ModelFile(path, "onnx", digest, data)


def _refuse_bomb(path: Path, size_bytes: int) -> None:
    """Refuse an archive that unpacks to far more than it is: torch packs without compression, and reads all of it.

    Raises:
        FatalError: It does.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked_bytes = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, NotImplementedError):
        return  # old weights are no archive; what is none at all, ultralytics tells
    if unpacked_bytes > 2 * size_bytes + _UNPACKED_BYTES:
        raise FatalError(
            f"model {path} unpacks from {size_bytes / 1e6:.0f} to {unpacked_bytes / 1e6:.0f} MB, as no weights do"
        )


@contextmanager
def loading(file: ModelFile, backend: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn what a runtime raises while it loads a model into one line; the runtimes give their reason last.

    Raises:
        FatalError: One of ``errors`` was raised inside.
    """
    try:
        yield
    except FatalError:  # ours, and one line already
        raise
    except errors as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[-1] if lines else type(error).__name__
        raise FatalError(
            f"model {file.path} is not an {KIND_NAMES[file.kind]} that {backend} can run: {reason}"
        ) from None


def _only_graph(folder: Path) -> Path:
    """Return the one .xml file of a folder."""
    try:
        graphs = sorted(folder.glob("*.xml"))
    except OSError as error:
        raise FatalError(f"cannot read model {folder}: {error.strerror}") from error
    if len(graphs) != 1:
        raise FatalError(
            f"cannot read model {folder}: it holds {len(graphs)} .xml files; an OpenVINO model is a folder with one "
            ".xml and the .bin of the same name"
        )
    return graphs[0]


def _read_openvino(path: Path, graph: Path) -> ModelFile:
    """Read graph, weights and, where there is one, the description beside them."""
    data, weights = _read(graph), _read(graph.with_suffix(".bin"))
    description = graph.with_name(DESCRIPTION)
    text = _read(description) if description.exists() else b""
    digest = hashlib.sha256()
    for part in (data, weights, text):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return ModelFile(path, "openvino", digest.hexdigest(), data, weights, text, _entries(description, text))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FatalError(f"model {path} does not exist") from None
    except OSError as error:
        raise FatalError(f"cannot read model {path}: {error.strerror}") from error


def _entries(path: Path, text: bytes) -> dict[str, str]:
    """Return a description's entries as the ONNX metadata has them: text, or the literal of anything else."""
    try:
        entries = yaml.safe_load(text) if text else {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FatalError(f"cannot read model {path}: it is not YAML: {reason}") from None
    if not isinstance(entries, dict):
        raise FatalError(f"cannot read model {path}: expected keys and values, as ultralytics writes them")
    return {str(key): value if isinstance(value, str) else repr(value) for key, value in entries.items()}
