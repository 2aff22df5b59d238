"""A field and a cloud as two network namespaces of this machine, with a slow and lossy line between them."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.faults.privilege import require_root

CLOUD = "10.231.77.1"
BOX = "10.231.77.2"


class Line:
    """The line, and the two places at its ends."""

    def __init__(self) -> None:
        tag = f"hg{os.getpid() % 100_000}"
        self.cloud, self.box = f"{tag}-cloud", f"{tag}-box"
        self._ends = {self.cloud: (f"{tag}c", CLOUD), self.box: (f"{tag}b", BOX)}

    def lay(self) -> None:
        """Make the namespaces and connect them."""
        for space in self._ends:
            _run("ip", "netns", "add", space)
        (one, _), (other, _) = self._ends.values()
        _run("ip", "link", "add", one, "type", "veth", "peer", "name", other)
        for space, (device, address) in self._ends.items():
            _run("ip", "link", "set", device, "netns", space)
            _run("ip", "-n", space, "address", "add", f"{address}/24", "dev", device)
            _run("ip", "-n", space, "link", "set", "lo", "up")
            _run("ip", "-n", space, "link", "set", device, "up")

    def remove(self) -> None:
        for space in self._ends:
            _run("ip", "netns", "delete", space)

    def throttle(self, rate: str) -> None:
        """Let so much through each way, and keep a quarter of a second of it waiting."""
        for space, (device, _) in self._ends.items():
            shaper = ("root", "tbf", "rate", rate, "burst", "3000", "latency", "250ms")
            _run("tc", "-n", space, "qdisc", "replace", "dev", device, *shaper)

    def lose(self, percent: int) -> None:
        """Lose so many packets of a hundred, each way, at random."""
        for space, (device, _) in self._ends.items():
            rule = f'iifname "{device}" numgen random mod 100 < {percent} drop'
            chain = f"chain in {{ type filter hook input priority 0; {rule}; }}"
            rules = f"table inet line {{}}\ndelete table inet line\ntable inet line {{ {chain}; }}\n"
            subprocess.run([*self.inside(space), "nft", "-f", "-"], input=rules, text=True, check=True)

    def cut(self) -> None:
        """Take it away: nobody is told, nothing arrives."""
        self._set("down")

    def mend(self) -> None:
        self._set("up")

    def inside(self, space: str) -> tuple[str, ...]:
        """Return what to put before a command that shall run in one of the places."""
        return ("ip", "netns", "exec", space)

    def _set(self, state: str) -> None:
        device, _ = self._ends[self.box]
        _run("ip", "-n", self.box, "link", "set", device, state)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.fixture
def line(require: Callable[[str], str]) -> Iterator[Line]:
    """A line that carries everything at once, until it is told otherwise."""
    for program in ("ip", "tc", "nft"):
        require(program)
    require_root("network namespaces")
    laid = Line()
    laid.lay()
    yield laid
    laid.remove()
