"""Arguments that several commands share, with errors that say what is allowed."""

import argparse
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.clock import SystemClock

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


def open_all_chosen(options: argparse.Namespace, *, min_score: float) -> "list[Detector]":
    """Open the detectors that the options ask for, for many frames at a time."""
    from agent.detection import TiledDetector, open_detectors

    detectors = open_detectors(options.model, backend=options.backend, min_score=min_score)
    return detectors if options.tiles is None else [TiledDetector(each, options.tiles) for each in detectors]


def broker_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that talk to a broker."""
    parser.add_argument("--username", metavar="NAME", help="at the broker; its password is in --password-file")
    parser.add_argument("--password-file", type=Path, metavar="FILE", help="first line is the password")
    parser.add_argument("--ca-file", type=Path, metavar="FILE", help="certificate authority of the broker")
    parser.add_argument("--cert-file", type=Path, metavar="FILE", help="client certificate")
    parser.add_argument("--key-file", type=Path, metavar="FILE", help="key of the client certificate")


def database_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that use the cloud's database beside ``hedgerow ingest``."""
    parser.add_argument(
        "--database",
        required=True,
        metavar="URL",
        help="of `hedgerow ingest`: sqlite:///PATH or postgresql://USER@HOST/DATABASE",
    )
    parser.add_argument(
        "--database-password-file", type=Path, metavar="FILE", help="first line is the password of the database"
    )


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


def seq(text: str) -> int:
    """Read the number of an outbox entry."""
    return int(_number(text, int, 0, 2**63 - 1))


def megabytes(text: str) -> int:
    """Read the size of a file that fits FAT32."""
    return int(_number(text, int, 1, 4095))


def kibibytes(text: str) -> int:
    """Read the size of an MQTT packet, above what a box sends and below what the protocol can express; return bytes."""
    return 1024 * int(_number(text, int, 256, 262_143))


def moment(text: str) -> int:
    """Read a time of UTC, or how long ago it was; return milliseconds since 1970."""
    ago = re.fullmatch(r"(\d{1,6})([dh])", text)
    if ago is not None:
        return SystemClock().utc_ms() - int(ago[1]) * (86_400_000 if ago[2] == "d" else 3_600_000)
    try:
        when = datetime.fromisoformat(text)
        return round((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        allowed = "allowed: 2026-05-01, 2026-05-01T06:00, 7d or 36h"
        raise argparse.ArgumentTypeError(f"found {text!r}; {allowed}") from None


def positive(text: str) -> float:
    """Read a number of seconds."""
    return _number(text, float, 0.001, 1e9)


def seconds(text: str) -> int:
    """Read a whole number of seconds, up to a year; 0 is one."""
    return int(_number(text, int, 0, 366 * 86_400))


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
