"""What all analyses of a camera have in common."""

from typing import Protocol

from agent.types import Findings, Frame, Instant, Tracks


class Analysis(Protocol):
    """Makes findings of each analysed frame of one camera, in order. Pure: time comes with the frame.

    It may keep state of its own, bounded, and owns nobody else's. It only reads the frame and the tracks.
    """

    def observe(self, frame: Frame, tracks: Tracks, *, observed_ns: int) -> Findings:
        """Look at the next frame.

        Args:
            frame: The picture and when it was taken.
            tracks: Confirmed and seen in it, boxes in its pixels.
            observed_ns: Time that this frame stands for, as in ``Observation``: 0 after a gap.
        """
        ...

    def finish(self, at: Instant) -> Findings:
        """Say what is left to say, at the end of the program: no frame follows."""
        ...
