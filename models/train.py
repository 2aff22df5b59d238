"""From labelled photographs to weights, in one command: ``python models/train.py DATA --out RUN``.

DATA is a folder as YOLO reads it, with ``data.yaml`` in it. Needs the extra ``[ultralytics]``. What a run writes lies
in RUN: ``args.yaml`` (every setting), ``results.csv`` (the learning curve, a row an epoch), ``weights/best.pt`` and
``weights/last.pt``. A run that was interrupted goes on with ``--resume``. The same seed on the same machine gives the
same weights, unless ``--hours`` ends it.

On a CPU it computes in bfloat16 with channels last, which is twice as fast, with as many threads as asked for; on a
GPU in half precision. Without ``--init`` the weights start at random: nothing is downloaded. ``--init`` takes weights
of this project and goes on from them; ``--teacher`` takes larger ones and distils them into the model; ``--more`` adds
photographs, as those that ``models/simulate.py`` draws.
"""

import argparse
import os
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")
os.environ.setdefault("YOLO_CONFIG_DIR", str(Path(tempfile.gettempdir()) / "hedgerow-ultralytics"))

AUGMENTATION = {
    "mosaic": 1.0,
    "scale": 0.5,
    "fliplr": 0.5,
    "hsv_h": 0.01,  # ripeness is a hue: a larger shift teaches that colour says nothing
    "hsv_s": 0.6,
    "hsv_v": 0.4,
}


def replace_torchvision() -> None:
    """Stand in for a torchvision that does not import beside a CPU torch: only its NMS is needed."""
    try:
        import torchvision  # noqa: F401, PLC0415
    except (ImportError, RuntimeError):
        from ultralytics.utils.nms import TorchNMS  # noqa: PLC0415

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        ops = types.ModuleType("torchvision.ops")
        ops.nms = TorchNMS.nms  # type: ignore[attr-defined]
        stub = types.ModuleType("torchvision")
        stub.ops = ops  # type: ignore[attr-defined]
        stub.__version__ = "0"  # type: ignore[attr-defined]
        sys.modules |= {"torchvision": stub, "torchvision.ops": ops}


def compute_in_bfloat16() -> None:
    """Let the trainer use bfloat16 on a CPU, which ultralytics offers on GPUs only."""
    import torch  # noqa: PLC0415
    from ultralytics.engine import trainer  # noqa: PLC0415

    trainer.autocast = lambda *_args, **_more: torch.autocast("cpu", dtype=torch.bfloat16)


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the detector on labelled photographs.")
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with data.yaml, images/ and labels/")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder of this run")
    parser.add_argument("--model", default="yolo26n.yaml", help="architecture (default yolo26n.yaml)")
    parser.add_argument("--init", type=Path, metavar="PT", help="weights of this project to go on from")
    parser.add_argument("--teacher", type=Path, metavar="PT", help="larger weights of this project to distil")
    parser.add_argument(
        "--more", type=Path, metavar="DIR", help="train on images/train and labels/train in here as well"
    )
    parser.add_argument("--epochs", type=int, default=300, help="default 300")
    parser.add_argument("--hours", type=float, help="end after so many hours instead; the schedule is stretched to fit")
    parser.add_argument("--imgsz", type=int, default=640, help="pixels (default 640)")
    parser.add_argument("--multi-scale", type=float, default=0.0, help="vary the size by this share (default 0)")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--optimizer", default="AdamW")
    parser.add_argument("--lr", type=float, default=1e-3, help="highest learning rate (default 0.001)")
    parser.add_argument("--close-mosaic", type=int, default=10, help="last epochs on whole photographs (default 10)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="cpu (default) or the number of a GPU")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of the CPU (default: all)")
    parser.add_argument("--workers", type=int, default=1, help="processes that read and augment (default 1)")
    parser.add_argument("--cache", action="store_true", help="keep decoded photographs in memory (1.2 MB each)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in RUN")
    return parser.parse_args()


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the trainer is told."""
    on_cpu = options.device == "cpu"
    run = options.out.resolve()
    values: dict[str, Any] = {
        "data": str(data_file(options.data, options.more, run)),
        "project": str(run.parent),
        "name": run.name,
        "exist_ok": True,
        "epochs": options.epochs,
        "time": options.hours,
        "imgsz": options.imgsz,
        "multi_scale": options.multi_scale,
        "batch": options.batch,
        "nbs": options.batch,  # step after each batch: a short schedule has few enough of them
        "optimizer": options.optimizer,
        "lr0": options.lr,
        "cos_lr": True,
        "warmup_epochs": 0.3 if options.init else 1.0,
        "warmup_bias_lr": 0.0,  # ultralytics begins with 0.1, made for SGD: with AdamW it undoes what was learnt
        "close_mosaic": options.close_mosaic,
        "patience": 0,
        "seed": options.seed,
        "device": options.device,
        "workers": options.workers,
        "cache": "ram" if options.cache else False,
        "amp": not on_cpu,  # on a CPU see compute_in_bfloat16
        "channels_last": True,
        "max_det": 300,
        "plots": False,
        **AUGMENTATION,
    }
    if options.teacher is not None:
        values["distill_model"] = str(options.teacher)
    if options.resume:
        values["resume"] = str(run / "weights" / "last.pt")
    return values


def data_file(data: Path, more: Path | None, run: Path) -> Path:
    """Write ``data.yaml`` with absolute paths into the run: ultralytics reads relative ones from elsewhere."""
    import yaml  # noqa: PLC0415

    described = yaml.safe_load((data / "data.yaml").read_text(encoding="utf-8"))
    run.mkdir(parents=True, exist_ok=True)
    described["path"] = str(data.resolve())
    if more is not None:
        described["train"] = [described["train"], str((more / "images" / "train").resolve())]
    target = run / "data.yaml"
    target.write_text(yaml.safe_dump(described), encoding="utf-8")
    return target


def main() -> None:
    """Train."""
    options = read_options()
    if not (options.data / "data.yaml").is_file():
        raise SystemExit(f"{options.data} has no data.yaml")
    if options.more is not None and not (options.more / "images" / "train").is_dir():
        raise SystemExit(f"{options.more} has no images/train")
    for weights in (options.init, options.teacher):
        if weights is not None and not weights.is_file():
            raise SystemExit(f"{weights} does not exist")
    replace_torchvision()
    import torch  # noqa: PLC0415
    from ultralytics import YOLO  # noqa: PLC0415

    if options.device == "cpu":
        compute_in_bfloat16()
    last = options.out / "weights" / "last.pt"
    start = last if options.resume else options.init or options.model
    model = YOLO(str(start), task="detect")
    # ultralytics leaves a core unused, and sets the threads itself when it starts.
    model.add_callback("on_train_start", lambda _trainer: torch.set_num_threads(options.threads))
    model.train(**settings(options))


if __name__ == "__main__":
    main()
