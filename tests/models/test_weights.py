"""What is done to weights between training and shipping."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.curves import read_curve
from models.halved import halve_weights
from tests.conftest import ROOT


def model_of(weight: np.ndarray) -> bytes:
    """An ONNX model that multiplies a row by a matrix."""
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, weight.shape[0]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, weight.shape[1]])],
        [numpy_helper.from_array(weight.astype(np.float32), "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def test_halved_weights_are_half_as_large_and_compute_the_same(require_module):
    """A model with 16-bit weights gives what the weights, rounded to 16 bits, give in 32 bits."""
    require_module("onnxruntime")
    import onnxruntime

    weight = np.random.default_rng(0).normal(size=(64, 64))
    whole = model_of(weight)
    halved = halve_weights(whole, {"nms_iou": "0.6"})
    assert len(halved) < 0.6 * len(whole)
    x = np.ones((1, 64), np.float32)
    (found,) = onnxruntime.InferenceSession(halved).run(None, {"x": x})
    np.testing.assert_allclose(found, x @ weight.astype(np.float16).astype(np.float32), rtol=1e-5)
    assert {each.key: each.value for each in onnx.load_from_string(halved).metadata_props} == {"nms_iou": "0.6"}


def test_a_weight_beyond_16_bits_is_refused():
    """Half precision ends at 65504: a larger weight would become infinite, and is refused."""
    with pytest.raises(ValueError, match="w does not fit 16 bits"):
        halve_weights(model_of(np.full((64, 64), 1e6)), {})


def test_weights_that_ship_tell_nothing_of_the_machine(require_module, bundled_weights, tmp_path):
    """Paths of the machine that trained are gone, and the weights load."""
    require_module("ultralytics")
    code = f"""
from pathlib import Path
import torch
from agent.detection.toolchain import load_yolo
from models.slim import slim
load_yolo(Path({str(bundled_weights)!r}))
made = torch.load({str(bundled_weights)!r}, weights_only=False)
made["train_args"] |= {{"data": "/secret/place/data.yaml", "project": "/secret/place"}}
made["model"].args |= {{"save_dir": "/secret/place"}}
made["model"].pt_path = "/secret/place/init.pt"
made["git"] = {{"root": "/secret/place"}}
torch.save(made, "trained.pt")
slim(Path("trained.pt"), Path("slim.pt"), licence="AGPL-3.0-or-later")
print(load_yolo(Path("slim.pt")).names[2])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["pear"], done.stderr
    assert b"/secret" in (tmp_path / "trained.pt").read_bytes()
    assert b"/secret" not in (tmp_path / "slim.pt").read_bytes()
    assert b"/tmp" not in bundled_weights.read_bytes()


def test_a_mean_lies_between(require_module):
    """Numbers are averaged by their shares; counters are those of the first."""
    require_module("torch")
    import torch

    from models.average import mean

    first = {"w": torch.tensor([0.0, 4.0]), "n": torch.tensor(7)}
    second = {"w": torch.tensor([4.0, 0.0]), "n": torch.tensor(9)}
    found = mean([first, second], [0.25, 0.75])
    assert (found["w"].tolist(), int(found["n"])) == ([3.0, 1.0], 7)


def test_batch_norm_settles_on_what_it_is_shown(require_module):
    """The running mean becomes that of the pictures; no weight changes, and the model is ready for use."""
    require_module("torch")
    import torch

    from models.settle import settle

    model = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    weights = [each.clone() for each in model.parameters()]
    pictures = np.random.default_rng(0).integers(0, 256, (16, 3, 8, 8), dtype=np.uint8)
    settle(model, pictures)
    expected = (pictures / 255).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(model[0].running_mean.numpy(), expected, rtol=1e-5)
    assert all(torch.equal(one, other) for one, other in zip(weights, model.parameters(), strict=True))
    assert not model.training
    assert model[0].momentum == pytest.approx(0.1)


def test_the_curves_that_are_shown_are_those_of_the_runs(require_module, tmp_path):
    """The command draws every run that is kept, and the picture beside the card shows them all."""
    require_module("matplotlib")
    runs = sorted((ROOT / "models" / "runs").glob("*.csv"))
    assert runs
    assert all(0 <= value <= 1 and hours > 0 for run in runs for hours, value in read_curve(run))
    out = tmp_path / "curves.svg"
    done = subprocess.run(
        [sys.executable, "-m", "models.curves", "--out", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for picture in (out, ROOT / "models" / "curves.svg"):
        assert all(run.stem in picture.read_text(encoding="utf-8") for run in runs)
