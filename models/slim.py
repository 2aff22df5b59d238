"""A training checkpoint made fit to ship: no optimiser, 16 bits, and nothing about the machine that made it."""

from pathlib import Path
from typing import Any

from agent.detection.toolchain import load_yolo

_OF_THE_MACHINE = ("model", "data", "project", "name", "save_dir", "pretrained", "distill_model", "resume", "cfg")
"""Settings of a training that may hold paths."""


def slim(weights: Path, out: Path, *, licence: str) -> None:
    """Write weights as ultralytics loads them, 5 MB of a nano.

    Raises:
        HedgerowError: ultralytics is not installed.
        Exception: Whatever ultralytics raises for a file that is no checkpoint.
    """
    load_yolo(weights)  # first: it keeps ultralytics from network and home folder
    import torch  # noqa: PLC0415 - an extra
    from ultralytics.utils.torch_utils import strip_optimizer  # noqa: PLC0415 - an extra

    kept: dict[str, Any] = strip_optimizer(str(weights), str(out))
    model = kept["model"]
    model.args, model.pt_path = _without_paths(model.args), out.name
    kept |= {"train_args": _without_paths(kept["train_args"]), "git": None, "license": licence}
    torch.save(kept, out)


def _without_paths(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _OF_THE_MACHINE}
