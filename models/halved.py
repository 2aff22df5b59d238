"""ONNX with its weights in 16 bits: half the file, computed in 32 bits all the same."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LEAST = 64  # values: smaller tensors are not worth a node


def halve_weights(data: bytes, described: Mapping[str, str]) -> bytes:
    """Store large weights as float16, each followed by a cast that the runtimes fold away when they load.

    Args:
        data: An ONNX file with float32 weights.
        described: Metadata to add or replace.

    Returns:
        An ONNX file with the same inputs and outputs.

    Raises:
        ValueError: A weight is too large for 16 bits.
    """
    model = onnx.load_from_string(data)
    graph = model.graph
    casts = [_halve(tensor) for tensor in graph.initializer if _is_large(tensor)]
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    entries = {entry.key: entry.value for entry in model.metadata_props} | dict(described)
    del model.metadata_props[:]
    helper.set_model_props(model, entries)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _is_large(tensor: TensorProto) -> bool:
    return tensor.data_type == TensorProto.FLOAT and int(np.prod(tensor.dims)) >= _LEAST


def _halve(tensor: TensorProto) -> onnx.NodeProto:
    """Replace a weight by its half, and return the node that gives it back under its old name."""
    name = tensor.name
    whole = numpy_helper.to_array(tensor)
    if np.abs(whole).max() > np.finfo(np.float16).max:
        raise ValueError(f"weight {name} does not fit 16 bits")
    values = whole.astype(np.float16)
    tensor.CopyFrom(numpy_helper.from_array(values, f"{name}/half"))
    return helper.make_node("Cast", [tensor.name], [name], name=f"{name}/full", to=TensorProto.FLOAT)
