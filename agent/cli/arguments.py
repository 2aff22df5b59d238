"""Arguments that several commands share, with errors that say what is allowed."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.detection import Detector, Tiling
    from cloud_sync.mqtt import BrokerSettings

BACKENDS = ("auto", "openvino", "onnxruntime", "ultralytics")


def model_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that load a detector."""
    parser.add_argument(
        "--model",
        type=Path,
        metavar="M",
        help="a YOLO model: an ONNX file, an OpenVINO folder or weights (.pt); default: the bundled orchard model",
    )
    parser.add_argument(
        "--tiles", type=tiling, metavar="CxR", help="look at overlapping parts, as 2x2 or auto: for small objects"
    )
    parser.add_argument("--backend", choices=BACKENDS, default="auto", help="inference runtime")


def open_chosen(options: argparse.Namespace, *, min_score: float) -> "Detector":
    """Open the detector that the options ask for."""
    from agent.detection import TiledDetector, open_detector

    detector = open_detector(options.model, backend=options.backend, min_score=min_score)
    return detector if options.tiles is None else TiledDetector(detector, options.tiles)


def broker_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that talk to a broker."""
    parser.add_argument("--username", metavar="NAME", help="at the broker; its password is in --password-file")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="first line is the password")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificate authority of the broker")
    parser.add_argument("--cert-file", type=Path, metavar="FILE", help="client certificate")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="key of the client certificate")


def broker_settings(options: argparse.Namespace) -> "BrokerSettings":
    """Return what the options say of the broker."""
    from cloud_sync.mqtt import BrokerSettings

    return BrokerSettings(
        options.broker,
        username=options.username,
        password_file=options.password_file,
        ca_file=options.ca_file,
        cert_file=options.cert_file,
        key_file=options.key_file,
    )


def port(text: str) -> int:
    """Read a TCP port."""
    return int(_number(text, int, 0, 65535))


def count(text: str) -> int:
    """Read a number of things."""
    return int(_number(text, int, 1, 10**9))


def positive(text: str) -> float:
    """Read a number of seconds."""
    return _number(text, float, 0.001, 1e9)


def share(text: str) -> float:
    """Read a share between 0 and 1."""
    return _number(text, float, 0.0001, 0.9999)


def tiling(text: str) -> "Tiling":
    """Read how a picture is cut."""
    from agent.detection import Tiling

    try:
        return Tiling.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("tiles: ")) from None


def _number(text: str, kind: type[int] | type[float], least: float, most: float) -> float:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"found {text!r}; allowed: a number from {least:g} to {most:g}") from None
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"found {text}; allowed: {least:g} to {most:g}")
    return value
