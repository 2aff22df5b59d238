"""Which pictures of a stream are wanted."""

from dataclasses import dataclass
from typing import Literal, Self

from agent.errors import ConfigError

MOST_FPS = 120.0

_KEYFRAMES_FPS = 0.25  # cameras put a key frame each 1 to 4 seconds
_ALL_FPS = 25.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the configuration asks for.

    ``fps`` is the rate at which pictures are expected: the most for ``fps``, the usual one for the others. A tracker
    starts from it, and a pause is told from a gap by it.
    """

    mode: Literal["keyframes", "fps", "all"]
    fps: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``keyframes``, ``all`` or ``fps:N``.

        Raises:
            ConfigError: It is none of these, or N is no number from more than 0 to 120.
        """
        if text == "keyframes":
            return cls("keyframes", _KEYFRAMES_FPS)
        if text == "all":
            return cls("all", _ALL_FPS)
        kind, _, number = text.partition(":")
        try:
            fps = float(number) if kind == "fps" else 0.0
        except ValueError:
            fps = 0.0
        if not 0 < fps <= MOST_FPS:
            raise ConfigError(
                f'allowed: "keyframes", "all", or "fps:N" with N a number of pictures a second, at most {MOST_FPS:g}'
            )
        return cls("fps", fps)

    def sampler(self) -> "Sampler":
        """Return what picks from a stream that has just been opened."""
        return Sampler(self.fps if self.mode == "fps" else None)


class Sampler:
    """Picks at most so many pictures a second, evenly; or all."""

    def __init__(self, fps: float | None) -> None:
        """Pick the first picture, and then ``fps`` a second; None: each."""
        self._period_ns = round(1_000_000_000 / fps) if fps else 0
        self._due_ns: int | None = None

    @property
    def not_before_ns(self) -> int | None:
        """No picture is wanted that follows the last one and comes before this time, on the clock of ``wants``."""
        return None if self._due_ns is None else self._due_ns - self._period_ns // 10

    def wants(self, captured_ns: int) -> bool:
        """Say whether the picture of this time, on any clock that rises, is wanted."""
        if not self._period_ns:
            return True
        if self._due_ns is None or not -2 * self._period_ns < captured_ns - self._due_ns < self._period_ns:
            self._due_ns = captured_ns  # the first, or after a gap or a jump
        if captured_ns < self._due_ns - self._period_ns // 10:  # a little early is on time: cameras are not exact
            return False
        self._due_ns += self._period_ns
        return True
