"""From what the configuration says to a detector."""

from pathlib import Path

from agent.config import Config, ModelConfig
from agent.detection import Detector, bundled_model_path, open_detector, read_class_names
from agent.detection.shaped import Shaped, ShapedDetector
from agent.modelstore.store import ModelStore


def open_model(config: ModelConfig, data_dir: Path, *, min_score: float) -> Detector:
    """Open the model of a configuration: an installed one by its name, a file by its path, or the bundled one.

    Raises:
        FatalError: It cannot be used; the message says why.
    """

    def open_one(path: Path | None) -> Detector:
        return open_detector(path, backend=config.backend, min_score=min_score, threads=config.threads, memory=data_dir)

    if config.name is None:
        return open_one(config.path)
    store = ModelStore(data_dir)
    manifest = store.verify(config.name)
    shapes = [Shaped(store.folder / config.name / each.file, each.height, each.width) for each in manifest.variants]
    return ShapedDetector(shapes, open_one, name=manifest.name, sha256=manifest.sha256)


def class_names(config: Config) -> tuple[str, ...] | None:
    """Return the names of the classes of a configuration's model, without running it; None for weights (.pt).

    Raises:
        FatalError: The model is missing or damaged, or does not name its classes.
    """
    if config.model.name is not None:
        return ModelStore(config.storage.data_dir).read(config.model.name).classes
    return read_class_names(config.model.path, backend=config.model.backend)


def model_files(config: ModelConfig, data_dir: Path) -> list[Path]:
    """Return the files that run by a configuration: one, or of an installed model one for each shape.

    Raises:
        FatalError: The installed model is missing or damaged.
    """
    if config.name is None:
        return [config.path or bundled_model_path()]
    store = ModelStore(data_dir)
    return [store.folder / config.name / each.file for each in store.verify(config.name).variants]


def model_path(config: Config) -> Path:
    """Return the first of ``model_files``."""
    return model_files(config.model, config.storage.data_dir)[0]
