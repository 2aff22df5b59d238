"""From a file to an installed model: exported where need be, run on a probe picture, calibrated if asked."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from agent.detection import Detector, ModelInfo, bundled_model_path, open_detector
from agent.detection.bundled import SHAPES
from agent.detection.letterbox import Letterbox
from agent.detection.model_file import ModelFile, read_model_file
from agent.errors import FatalError
from agent.modelstore.agreement import measure_agreement
from agent.modelstore.children import export_weights, quantise
from agent.modelstore.manifest import Agreement, Manifest, Variant
from agent.modelstore.store import ModelStore
from agent.types import Image

LEAST_AGREEMENT = 0.9
_SCORE = 0.25


@dataclass(frozen=True, slots=True)
class Intake:
    """What is to be added, and how."""

    given: str  # a path, or the name of the bundled model
    name: str | None = None  # None: that of the file
    origin: str | None = None  # None: the path
    licence: str | None = None  # None: what the file says
    calibration: tuple[Image, ...] = ()  # frames; none: no INT8
    least_agreement: float = LEAST_AGREEMENT


def add_model(store: ModelStore, intake: Intake, *, utc_ms: int, say: Callable[[str], None]) -> Manifest:
    """Install a model; it appears whole or not at all.

    Args:
        store: Where.
        intake: What.
        utc_ms: Now, for the manifest.
        say: Told each step, as a line for a person.

    Raises:
        FatalError: It cannot be used; the message says why. Nothing is installed.
    """
    path = find_model(intake.given)
    file = read_model_file(path)
    name = intake.name or path.stem.lower().removesuffix("_openvino_model")

    def build(folder: Path) -> Manifest:
        infos = _float_variants(file, folder, say)
        agreements: list[Agreement] = []
        if intake.calibration:
            infos, agreements = _calibrated(infos, folder, intake, say)
        return Manifest(
            name=name,
            sha256=file.sha256,
            origin=intake.origin or str(path.resolve()),
            licence=intake.licence if intake.licence is not None else infos[0].licence,
            classes=infos[0].class_names,
            variants=tuple(_variant(info, folder) for info in infos),
            added_utc_ms=utc_ms,
            int8=agreements[0] if agreements else None,
        )

    return store.install(name, build)


def find_model(given: str) -> Path:
    """Return the model that a path or the name of the bundled one means.

    Raises:
        FatalError: It is neither.
    """
    path = Path(given).expanduser()
    if path.exists():
        return path
    bundled = bundled_model_path()
    if given == bundled.stem:
        return bundled
    raise FatalError(
        f"model {given} does not exist: give an ONNX file, a folder with an OpenVINO model, weights (.pt), or "
        f"{bundled.stem}, the one that ships with Hedgerow"
    )


def probe(detector: Detector) -> None:
    """Run a detector on pictures of several shapes; what it gives must be sound.

    Raises:
        FatalError: It gives other boxes for the same picture, or more than can be real.
    """
    for height, width in ((480, 640), (720, 1280), (1280, 720)):
        picture = _probe_picture(height, width)
        first, second = detector.detect(picture), detector.detect(picture)
        if not np.array_equal(first.boxes, second.boxes):
            raise FatalError(f"model {detector.info.path} finds different boxes in the same picture")


def _probe_picture(height: int, width: int) -> Image:
    """Draw discs of several colours and sizes on a gradient."""
    rows = np.linspace(40, 160, height, dtype=np.uint8)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3)))
    for index in range(12):
        centre = (width * (index + 1) // 13, height * (index % 4 + 1) // 5)
        cv2.circle(picture, centre, 8 + 4 * index, (40, 20 * index, 220 - 10 * index), -1, cv2.LINE_AA)
    return picture


def _float_variants(file: ModelFile, folder: Path, say: Callable[[str], None]) -> list[ModelInfo]:
    """Put the model into the folder as it will run, and run it there."""
    if file.kind == "ultralytics":
        say(f"exporting {file.path.name} at {' and '.join(f'{h}x{w}' for h, w in SHAPES)}")
        weights = folder / "weights.pt"
        shutil.copyfile(file.path, weights)  # the export is written beside it
        with _blaming(weights, file.path):
            export_weights(weights, folder, SHAPES)
        weights.unlink()
        paths = [folder / f"{height}x{width}.onnx" for height, width in SHAPES]
    elif file.kind == "openvino":
        paths = [folder / "float"]
        _copy_openvino(file, paths[0])
    else:
        paths = [folder / "float.onnx"]
        paths[0].write_bytes(file.data)
    infos = []
    for path in paths:
        with _blaming(path, file.path), closing(open_detector(path, min_score=_SCORE)) as detector:
            probe(detector)
            info = detector.info
        say(f"verified {info.input_height}x{info.input_width} on {info.backend} ({info.precision}): {_classes(info)}")
        infos.append(info)
    return infos


@contextmanager
def _blaming(draft: Path, given: Path) -> Iterator[None]:
    """Let errors name the file that was given, not its draft, which will be gone."""
    try:
        yield
    except FatalError as error:
        raise FatalError(str(error).replace(str(draft), str(given))) from None


def _copy_openvino(file: ModelFile, target: Path) -> None:
    """Write the three files that were read, and nothing else of their folder."""
    target.mkdir()
    (target / "model.xml").write_bytes(file.data)
    (target / "model.bin").write_bytes(file.weights)
    if file.description:
        (target / "metadata.yaml").write_bytes(file.description)


def _calibrated(
    infos: Sequence[ModelInfo], folder: Path, intake: Intake, say: Callable[[str], None]
) -> tuple[list[ModelInfo], list[Agreement]]:
    """Make each variant INT8 and keep the INT8 ones if all of them agree with their float model."""
    made, agreements = [], []
    for info in infos:
        path = folder / f"{info.input_height}x{info.input_width}-int8"
        say(f"calibrating {path.name} on two of three of {len(intake.calibration)} frames")
        info_int8, agreement = _calibrate(info, path, intake.calibration)
        say(
            f"{path.name}: {100 * agreement.share:.1f}% of boxes agree ({agreement.pairs} pairs of "
            f"{agreement.float_boxes} float and {agreement.int8_boxes} INT8 boxes in {agreement.frames} frames that "
            f"did not calibrate it, mean IoU {agreement.mean_iou:.3f})"
        )
        made.append(info_int8)
        agreements.append(agreement)
    agree = good_enough(agreements, intake.least_agreement)
    if agree:
        say("kept INT8")
        dropped = infos
    else:
        say(f"kept the float model: less than {100 * intake.least_agreement:.0f}% agree, or there was nothing to see")
        dropped = made
    for info in dropped:
        shutil.rmtree(info.path) if info.path.is_dir() else info.path.unlink()
    return (made, agreements) if agree else (list(infos), [])


def good_enough(agreements: Sequence[Agreement], least: float) -> bool:
    """Tell whether every variant agrees with its float model, on frames in which there was something to see."""
    return all(each.float_boxes > 0 and each.share >= least for each in agreements)


def _calibrate(info: ModelInfo, path: Path, frames: Sequence[Image]) -> tuple[ModelInfo, Agreement]:
    """Quantise on two of three frames, and compare on the third."""
    letterbox = Letterbox(info.input_height, info.input_width)
    inputs = []
    for index, frame in enumerate(frames):
        if index % 3 != 2:
            letterbox.fill(frame)
            inputs.append(letterbox.canvas[0].copy())
    quantise(info.path, path, np.stack(inputs))
    with (
        closing(open_detector(info.path, backend="openvino", min_score=_SCORE)) as float_model,
        closing(open_detector(path, backend="openvino", min_score=_SCORE)) as int8_model,
    ):
        probe(int8_model)
        return int8_model.info, measure_agreement(float_model, int8_model, frames[2::3])


def _variant(info: ModelInfo, folder: Path) -> Variant:
    return Variant(
        file=info.path.relative_to(folder).as_posix(),
        sha256=info.sha256,
        height=info.input_height,
        width=info.input_width,
        precision=info.precision,
    )


def _classes(info: ModelInfo) -> str:
    shown = ", ".join(info.class_names[:5])
    return f"{len(info.class_names)} classes ({shown}{', ...' if len(info.class_names) > 5 else ''})"
