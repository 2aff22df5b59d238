"""The simulated orchard as a source."""

from functools import partial

from agent.capture.drawn import drawn
from agent.capture.orchard import Orchard, OrchardSpec
from agent.decoder.source import Picture


class OrchardSource:
    """Frames of a simulated orchard, without end. ``Picture.index`` is the frame's number in ``Orchard.truth``."""

    def __init__(self, spec: OrchardSpec) -> None:
        """Remember what to draw; ``open`` plants it."""
        self._spec = spec
        self._orchard: Orchard | None = None
        self._index = 0

    @property
    def recorded(self) -> bool:
        """Always: it is drawn as fast as it is asked for."""
        return True

    @property
    def skipped(self) -> int:
        """Nothing is ever damaged."""
        return 0

    def open(self) -> None:
        """Draw what all frames share."""
        self._orchard, self._index = Orchard(self._spec), 0

    def read(self, _not_before_ns: int | None = None, /) -> Picture | None:
        """Return the next frame; it is drawn when it is converted."""
        if self._orchard is None:
            raise RuntimeError("read before open")
        index, self._index = self._index, self._index + 1
        return drawn(index, round(index * 1e9 / self._spec.fps), partial(self._orchard.frame, index))

    def close(self) -> None:
        """Let go of the drawings."""
        self._orchard = None
