"""The address of a simulated orchard: ``sim:orchard?seed=1&fps=10&width=1280&height=720&speed=80&fruit=apple``."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from agent.capture.orchard.species import SPECIES
from agent.errors import ConfigError

MIXED = "mixed"
"""As a fruit: the species take turns from tree to tree."""


@dataclass(frozen=True, slots=True)
class OrchardSpec:
    """What orchard to draw. ``speed`` is how fast the camera passes the trees, pixels a second."""

    seed: int = 1
    fps: float = 10.0
    width: int = 1280
    height: int = 720
    speed: float = 80.0
    fruit: str = "apple"


def parse_orchard(address: str) -> OrchardSpec:
    """Read the address of a simulated orchard.

    Raises:
        ConfigError: Not ``sim:orchard``, or a parameter is unknown, given twice or out of range. The message names
            it, what was found and what is allowed.
    """
    name, _, query = address.removeprefix("sim:").partition("?")
    if name != "orchard":
        raise ConfigError(f"source: found {address!r}; allowed: sim:orchard[?PARAMETER=VALUE&...]")
    values: dict[str, Any] = {}
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key not in _PARAMETERS:
            raise ConfigError(f"source: sim:orchard: unknown parameter {key!r}; allowed: {', '.join(_PARAMETERS)}")
        if key in values:
            raise ConfigError(f"source: sim:orchard: {key}: found twice; allowed: once")
        values[key] = _value(key, text)
    return OrchardSpec(**values)


def _value(key: str, text: str) -> int | float | str:
    parse, allowed = _PARAMETERS[key]
    try:
        return parse(text)
    except ValueError:
        raise ConfigError(f"source: sim:orchard: {key}: found {text!r}; allowed: {allowed}") from None


def _whole(least: int, most: int) -> tuple[Callable[[str], int], str]:
    def parse(text: str) -> int:
        if not least <= int(text) <= most:
            raise ValueError
        return int(text)

    return parse, f"a whole number from {least} to {most}"


def _number(least: float, most: float) -> tuple[Callable[[str], float], str]:
    def parse(text: str) -> float:
        if not (math.isfinite(float(text)) and least <= float(text) <= most):
            raise ValueError
        return float(text)

    return parse, f"a number from {least:g} to {most:g}"


def _fruit(text: str) -> str:
    if text not in (*SPECIES, MIXED):
        raise ValueError
    return text


_PARAMETERS: dict[str, tuple[Callable[[str], int | float | str], str]] = {
    "seed": _whole(0, 2**32 - 1),
    "fps": _number(0.1, 60),
    "width": _whole(160, 1920),
    "height": _whole(120, 1080),
    "speed": _number(0, 2000),
    "fruit": (_fruit, ", ".join((*SPECIES, MIXED))),
}
