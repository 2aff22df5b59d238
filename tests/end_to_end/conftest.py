"""Programs that are ended after the test, whatever happened."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.programs import Program
from tests.faults.fixtures import libfaketime, make_mosquitto, mosquitto

__all__ = ["libfaketime", "make_mosquitto", "mosquitto"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start ``hedgerow ...`` beside the test."""
    started: list[Program] = []

    def begin(*arguments: str | Path, name: str = "program") -> Program:
        program = Program(arguments, tmp_path / f"{name}.log").start()
        started.append(program)
        return program

    yield begin
    for program in started:
        program.kill()
