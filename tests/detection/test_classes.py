"""The names of a model's classes, read from what it says of itself."""

import numpy as np
import pytest

from agent.detection import open_detector, read_class_names
from agent.errors import FatalError


def test_names_are_those_of_the_model_that_runs(backend, make_model):
    """They are in the order of the class indices, as the detector has them."""
    model = make_model(np.zeros((1, 300, 6)), metadata={"names": "{1: 'pear', 0: 'quince'}"})
    assert read_class_names(model, backend=backend) == ("quince", "pear")
    assert open_detector(model, backend=backend).info.class_names == ("quince", "pear")


def test_a_model_is_not_run_for_them(backend, make_model):
    """Outputs that no detector has do not show, as nothing is computed: opening the model refuses them."""
    model = make_model(np.zeros((1, 7)))
    assert read_class_names(model, backend=backend) == ("apple", "pear")
    with pytest.raises(FatalError, match=r"allowed: \(1, N, 6\)"):
        open_detector(model, backend=backend)


@pytest.mark.parametrize("content", [b"", b"hello " * 100])
def test_what_is_no_model_is_refused(backend, tmp_path, content):
    """A file that is no model is named, with the reason."""
    path = tmp_path / "broken.onnx"
    path.write_bytes(content)
    with pytest.raises(FatalError, match="is not an ONNX model that"):
        read_class_names(path, backend=backend)


def test_weights_are_not_unpickled(tmp_path):
    """Of a .pt file nothing is said, as reading it would run what its maker put in."""
    path = tmp_path / "evil.pt"
    path.write_bytes(b"cos\nsystem\n(S'touch unpickled'\ntR.")
    assert read_class_names(path) is None
