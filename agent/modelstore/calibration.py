"""INT8 by NNCF, OpenVINO's calibrator: the extra ``hedgerow[calibration]``. Runs in a child process only."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
import yaml
from numpy.typing import NDArray

from agent.detection.model_file import DESCRIPTION
from agent.errors import FatalError

_LAYER = re.compile(r"model\.(\d+)[./]")
"""How ultralytics' exports name what belongs to a layer; the last one is the head."""


def calibrate(model: ov.Model, inputs: NDArray[np.uint8], folder: Path, described: Mapping[str, str]) -> None:
    """Quantise a model and write it into a new folder.

    Args:
        model: Takes (1, 3, H, W) in [0, 1].
        inputs: (N, H, W, 3) uint8 BGR.
        folder: Made by this.
        described: The model's metadata, where it is not in the graph.

    Raises:
        FatalError: NNCF is not installed, or refuses the model.
    """
    try:
        import nncf  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if error.name != "nncf":
            raise
        raise FatalError("INT8 needs nncf, which is not installed; pip install 'hedgerow[calibration]'") from None
    dataset = nncf.Dataset(
        list(inputs), lambda picture: picture[None, :, :, ::-1].transpose(0, 3, 1, 2) / np.float32(255)
    )
    scope = nncf.IgnoredScope(names=_head(model), validate=False)
    try:
        quantised = nncf.quantize(
            model,
            dataset,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(inputs),
            ignored_scope=scope,
        )
    except (RuntimeError, ValueError, nncf.ValidationError) as error:
        raise FatalError(f"NNCF cannot quantise this model: {str(error).splitlines()[-1]}") from None
    folder.mkdir()
    ov.save_model(quantised, folder / "model.xml", compress_to_fp16=False)
    if described:
        (folder / DESCRIPTION).write_text(yaml.safe_dump(dict(described)), encoding="utf-8")


def _head(model: ov.Model) -> list[str]:
    """Return the names of the nodes that stay in floating point: the head, or all after the last convolution.

    In eight bits, coordinates of 640 pixels lose their meaning. With the head in float, boxes overlap by 98% with the
    float model's; without, by 93% (the bundled model, tiles of its training data).
    """
    names = [node.get_friendly_name() for node in model.get_ordered_ops()]
    layers = [int(found.group(1)) if (found := _LAYER.search(name)) else -1 for name in names]
    if max(layers) >= 0:
        return [name for name, layer in zip(names, layers, strict=True) if layer == max(layers)]
    kinds = [node.get_type_name() for node in model.get_ordered_ops()]
    last = max((index for index, kind in enumerate(kinds) if kind == "Convolution"), default=-1)
    return names[last + 1 :]
