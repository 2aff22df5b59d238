"""Real ONNX models that answer each frame with the numbers a test gives them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

ModelMaker = Callable[..., Path]

METADATA = {"names": "{0: 'apple', 1: 'pear'}", "task": "detect", "stride": "32", "imgsz": "[64, 96]"}


@pytest.fixture(params=["openvino", "onnxruntime"])
def backend(request) -> str:
    """Each runtime in turn."""
    return request.param


@pytest.fixture
def make_model(tmp_path) -> ModelMaker:
    """Write an ONNX model of one input whose outputs are the given arrays, and return its path.

    ``shape`` is that of the input, where a text leaves a length open. ``metadata`` changes what ultralytics would
    write; None as a value leaves the key out.
    """

    def make(*outputs: np.ndarray, shape=(1, 3, 64, 96), element=TensorProto.FLOAT, metadata=None, name="made") -> Path:
        image = helper.make_tensor_value_info("images", element, shape)
        # Nothing of the image comes through, but the graph depends on it, as a runtime may expect.
        nodes = [
            helper.make_node("Cast", ["images"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["real"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        ]
        constants = [numpy_helper.from_array(np.float32(0), "zero")]
        infos = []
        for index, output in enumerate(outputs):
            constants.append(numpy_helper.from_array(output.astype(np.float32), f"constant{index}"))
            nodes.append(helper.make_node("Add", [f"constant{index}", "nothing"], [f"output{index}"]))
            infos.append(helper.make_tensor_value_info(f"output{index}", TensorProto.FLOAT, output.shape))
        graph = helper.make_graph(nodes, "made", [image], infos, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        entries = {**METADATA, **(metadata or {})}
        helper.set_model_props(model, {key: value for key, value in entries.items() if value is not None})
        path = tmp_path / f"{name}.onnx"
        onnx.save(model, path)
        return path

    return make
